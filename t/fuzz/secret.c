/* Any bytes as login.secret: the first of them are the secret; too few are set aside and another one is made,
 * which stays. */
#include "storage/account/secret.h"
#include "t/fuzz/folder.h"
#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void empty(void)
{
	DIR *d = opendir(folder_path);
	const struct dirent *entry;

	while (d && (entry = readdir(d)))
		if (entry->d_name[0] != '.')
			unlinkat(folder, entry->d_name, 0);
	if (d)
		closedir(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint8_t secret[SECRET_BYTES], again[SECRET_BYTES];
	int fd;

	folder_begin();
	empty();
	fd = openat(folder, SECRET_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
		abort();
	close(fd);
	assert(!secret_open(folder, secret) && !secret_open(folder, again));
	assert(!memcmp(secret, again, SECRET_BYTES));
	assert(size < SECRET_BYTES || !memcmp(secret, bytes, SECRET_BYTES));
	return 0;
}
