/* account_files.c - accounts and domains on the disk, read at any time and written while no server runs.
 * A running server writes them through its journals instead (store.h); the files are the same. */
#include "core/listing.h"
#include "core/log.h"
#include "storage/account/account.h"
#include "storage/path.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SETTINGS_BYTES_MAX (4u << 20) /* a group of MEMBERS_MAX, each as long as an address may be */
#define SETTINGS_FILE      "/account.settings"
#define DOMAIN_FILE        "/domain.settings"

/* Opens a directory below `directory` for reading it or for fsync; -1 with errno. */
static int directory_open(int directory, const char *path)
{
	return openat(directory, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static enum err read_all(int fd, const char *path, struct arena *a, struct str *text)
{
	struct stat st;
	size_t size;
	char *bytes;
	ssize_t n = 0, len = 0;

	if (fstat(fd, &st))
		return err_errno("look at %s", path);
	if (st.st_size > SETTINGS_BYTES_MAX) {
		log_error("store", NULL, "settings file is over %u bytes path=%s", SETTINGS_BYTES_MAX, path);
		return ERR_NEVER;
	}
	size = (size_t)st.st_size;
	bytes = arena_alloc(a, size + 1);
	while ((size_t)len < size && (n = read(fd, bytes + len, size - (size_t)len)) > 0)
		len += n;
	if (n < 0)
		return err_errno("read %s", path);
	*text = (struct str){ bytes, (size_t)len };
	return OK;
}

enum err account_read(int directory, struct str address, struct arena *a, struct account_settings *s)
{
	struct buf path = { 0 };
	struct str text;
	enum err e = path_account(&path, address);
	int fd = -1;

	if (e)
		goto out;
	buf_add(&path, SETTINGS_FILE, sizeof(SETTINGS_FILE));
	fd = openat(directory, buf_data(&path), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		e = errno == ENOENT || errno == ENOTDIR ? ERR_ABSENT : err_errno("open %s", buf_data(&path));
	else if (!(e = read_all(fd, buf_data(&path), a, &text)))
		e = text.len ? account_settings_parse(text, a, s) : ERR_NEVER;
	if (e == ERR_NEVER)
		log_error("store", NULL, "settings cannot be used: it rests account=" STR_FMT, STR_ARG(address));
out:
	if (fd >= 0)
		close(fd);
	buf_free(&path);
	return e;
}

bool domain_exists(int directory, struct str domain)
{
	struct buf path = { 0 };
	bool there = false;

	if (!path_domain(&path, domain)) {
		buf_add_char(&path, '\0');
		there = !faccessat(directory, buf_data(&path), F_OK, 0);
	}
	buf_free(&path);
	return there;
}

static enum err sync_directory(int directory, const char *path)
{
	int fd = directory_open(directory, path);
	enum err e = OK;

	if (fd < 0 || fsync(fd))
		e = err_errno("sync directory %s", path);
	if (fd >= 0)
		close(fd);
	return e;
}

/* A file made or replaced at once, with its bytes durable. Both names lie in the directory `in`. */
static enum err file_put(int directory, const char *in, const char *name, struct str bytes)
{
	char path[PATH_BYTES_MAX + 64], made[PATH_BYTES_MAX + 68];
	enum err e = OK;
	int fd;

	snprintf(path, sizeof(path), "%s%s", in, name);
	snprintf(made, sizeof(made), "%s.new", path);
	fd = openat(directory, made, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno("make %s", made);
	if (write(fd, bytes.p, bytes.len) != (ssize_t)bytes.len || fsync(fd))
		e = err_errno("write %s", made);
	else if (renameat(directory, made, directory, path))
		e = err_errno("rename %s", made);
	else
		e = sync_directory(directory, in);
	close(fd);
	return e;
}

enum err account_write(int directory, struct str address, const struct account_settings *s)
{
	struct buf path = { 0 }, domain = { 0 }, text = { 0 };
	ptrdiff_t at = str_rfind(address, '@');
	enum err e = path_account(&path, address);

	if (!e)
		e = path_domain(&domain, str_cut(address, (size_t)at + 1, address.len));
	if (e)
		goto out;
	buf_add_char(&path, '\0');
	buf_add_char(&domain, '\0');
	if (mkdirat(directory, buf_data(&path), 0700) && errno != EEXIST) {
		e = errno == ENOENT ? ERR_ABSENT : err_errno("make directory %s", buf_data(&path));
		goto out;
	}
	account_settings_print(s, &text);
	if (!(e = file_put(directory, buf_data(&path), SETTINGS_FILE, buf_str(&text))))
		e = sync_directory(directory, buf_data(&domain));
out:
	buf_free(&path);
	buf_free(&domain);
	buf_free(&text);
	return e;
}

enum err domain_write(int directory, struct str domain)
{
	struct buf path = { 0 };
	enum err e = path_domain(&path, domain);

	if (!e) {
		buf_add_char(&path, '\0');
		if (mkdirat(directory, "domains", 0700) && errno != EEXIST)
			e = err_errno("make directory domains");
		else if (mkdirat(directory, buf_data(&path), 0700) && errno != EEXIST)
			e = err_errno("make directory %s", buf_data(&path));
		else if (!(e = file_put(directory, buf_data(&path), DOMAIN_FILE, STR("version = 1\n"))) &&
			 !(e = sync_directory(directory, "domains")))
			e = sync_directory(directory, ".");
	}
	buf_free(&path);
	return e;
}

/* Moves what lies at `path` out of the way, to deleted/, where the server unlinks it slowly. */
static enum err move_to_deleted(int directory, const char *path)
{
	char to[64];

	if (faccessat(directory, path, F_OK, 0))
		return errno == ENOENT || errno == ENOTDIR ? ERR_ABSENT : err_errno("look at %s", path);
	if (mkdirat(directory, "deleted", 0700) && errno != EEXIST)
		return err_errno("make directory deleted");
	for (unsigned n = 0;; n++) {
		snprintf(to, sizeof(to), "deleted/offline-%d-%u", (int)getpid(), n);
		if (!renameat2(directory, path, directory, to, 1 /* RENAME_NOREPLACE */))
			break;
		if (errno != EEXIST)
			return err_errno("move %s to %s", path, to);
	}
	return sync_directory(directory, "deleted");
}

enum err account_delete(int directory, struct str address)
{
	struct buf path = { 0 }, domain = { 0 };
	ptrdiff_t at = str_rfind(address, '@');
	enum err e = path_account(&path, address);

	if (!e)
		e = path_domain(&domain, str_cut(address, (size_t)at + 1, address.len));
	if (!e) {
		buf_add_char(&path, '\0');
		buf_add_char(&domain, '\0');
		if (!(e = move_to_deleted(directory, buf_data(&path))))
			e = sync_directory(directory, buf_data(&domain));
	}
	buf_free(&path);
	buf_free(&domain);
	return e;
}

static void note_account(void *user, struct str address)
{
	(void)address;
	*(bool *)user = true;
}

enum err domain_delete(int directory, struct str domain)
{
	struct buf path = { 0 };
	bool used = false;
	enum err e = account_each(directory, domain, note_account, &used);

	if (!e && used)
		e = ERR_EXISTS;
	if (!e && !(e = path_domain(&path, domain))) {
		buf_add_char(&path, '\0');
		if (!(e = move_to_deleted(directory, buf_data(&path))))
			e = sync_directory(directory, "domains");
	}
	buf_free(&path);
	return e;
}

/* A domain's directory has its name as it is: letters, digits, '-' and '.' need no escape (path.h). */
static enum err domain_of_file(struct buf *name, struct str file)
{
	if (str_find(file, '.') == 0)
		return ERR_MISTAKE;
	buf_add_str(name, file);
	return OK;
}

typedef enum err name_of_file(struct buf *name, struct str file);

/* Calls each with the name of every entry of the directory that we wrote; `suffix` is put behind it. */
static enum err names_each(int directory, const char *path, name_of_file *decode, struct str suffix,
	void (*each)(void *user, struct str name), void *user)
{
	DIR *d = listing_open(directory, path, 0);
	struct buf name = { 0 };
	struct dirent *entry;

	if (!d)
		return errno == ENOENT ? ERR_ABSENT : err_errno("open directory %s", path);
	while ((entry = readdir(d))) {
		struct str file = str_of(entry->d_name);

		buf_clear(&name);
		if (decode(&name, file))
			continue;
		buf_add_str(&name, suffix);
		each(user, buf_str(&name));
	}
	closedir(d);
	buf_free(&name);
	return OK;
}

enum err domain_each(int directory, void (*each)(void *user, struct str domain), void *user)
{
	enum err e = names_each(directory, "domains", domain_of_file, STR_NONE, each, user);

	return e == ERR_ABSENT ? OK : e;
}

enum err account_each(int directory, struct str domain, void (*each)(void *user, struct str address), void *user)
{
	struct buf path = { 0 }, suffix = { 0 };
	enum err e = path_domain(&path, domain);

	if (!e) {
		buf_add_char(&path, '\0');
		buf_printf(&suffix, "@" STR_FMT, STR_ARG(domain));
		e = names_each(directory, buf_data(&path), path_file_to_name, buf_str(&suffix), each, user);
	}
	buf_free(&path);
	buf_free(&suffix);
	return e;
}
