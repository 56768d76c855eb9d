/* secret.c - see secret.h. */
#include "storage/account/secret.h"
#include "core/log.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define TRIES 5 /* workers that start find and mend it together */

/* Under a name of our own first, then linked: whoever reads it finds all of it, and the first one stays. */
static enum err make(int directory)
{
	uint8_t bytes[SECRET_BYTES];
	char name[64];
	enum err e = OK;
	int fd;

	snprintf(name, sizeof(name), SECRET_FILE ".%d", (int)getpid());
	fd = openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_errno("make %s", name);
	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes) || write(fd, bytes, sizeof(bytes)) != sizeof(bytes) ||
		fsync(fd) < 0 || (linkat(directory, name, directory, SECRET_FILE, 0) < 0 && errno != EEXIST) ||
		fsync(directory) < 0)
		e = err_errno("make " SECRET_FILE);
	close(fd);
	unlinkat(directory, name, 0);
	return e;
}

/* One that is damaged is of no use; what was made of it is made of another from now on. */
static enum err set_aside(int directory)
{
	char aside[64];

	snprintf(aside, sizeof(aside), SECRET_FILE ".damaged.%llx", (unsigned long long)time(NULL));
	if (renameat(directory, SECRET_FILE, directory, aside) < 0 && errno != ENOENT)
		return err_errno("set aside " SECRET_FILE);
	log_error("store", NULL, SECRET_FILE " is not %d bytes long, another is made aside=%s", SECRET_BYTES, aside);
	return make(directory);
}

enum err secret_open(int directory, uint8_t secret[SECRET_BYTES])
{
	for (unsigned tries = 0; tries < TRIES; tries++) {
		int fd = openat(directory, SECRET_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		ssize_t len = fd < 0 ? 0 : read(fd, secret, SECRET_BYTES);
		enum err e;

		if (fd < 0 && errno != ENOENT)
			return err_errno("open " SECRET_FILE);
		if (fd >= 0)
			close(fd);
		if (len == SECRET_BYTES)
			return OK;
		if (len < 0)
			return err_errno("read " SECRET_FILE);
		e = fd < 0 ? make(directory) : set_aside(directory);
		if (e)
			return e;
	}
	return ERR_AGAIN;
}

void secret_for(const uint8_t secret[SECRET_BYTES], const char *purpose, uint8_t key[SECRET_BYTES])
{
	SHA256_CTX sha;

	SHA256_Init(&sha);
	SHA256_Update(&sha, purpose, strlen(purpose) + 1);
	SHA256_Update(&sha, secret, SECRET_BYTES);
	SHA256_Final(key, &sha);
}
