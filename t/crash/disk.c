/* disk.c - a disk that does what a test wants: it writes down what a program does to its files, and fails on demand.
 * A library to be preloaded. DISK_BELOW names the directory that it is about. DISK_RECORD, if it is there, gets a record of
 * each change below it, for cut.py, which makes of these what a power cut may leave; each goes there by one write to the
 * end, so those of all processes and threads stand in one order. A change is written down once it is done, a sync when it
 * begins and when it ended: what stands before the beginning of one that ended well is durable (NOTE is the test's own).
 * DISK_FAULTS, if it is there, is a file of rules (t/lib/faulty.py), which a test changes while the program runs: which
 * calls on which paths fail, how and how often, or end the process that makes them. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define PATH_SIZE 4096
#define MAGIC     0x50434552 /* a record begins */
#define PARTS_MAX 64         /* of one write */

enum kind {
	WRITE,
	CUT,
	CREATE,
	DIRECTORY,
	RENAME,
	LINK,
	UNLINK,
	SYNC,
	SYNC_ALL,
	SYNCED,
	GROW,
	OPEN,
	READ,
	NOTE,
	FAILED
};

struct head { /* then the two paths, then the bytes */
	uint32_t magic, kind;
	uint64_t file;           /* its number: device and inode */
	uint64_t offset, length; /* SYNC, SYNCED, FAILED: offset says which */
	uint64_t ns;             /* on CLOCK_MONOTONIC */
	uint32_t path, other;
	uint32_t process;
};

#define RULES   16
#define HOLD_NS 10000000
enum { BEFORE = 1, AFTER };
struct rule {              /* all zeros: none */
	uint32_t kinds;    /* bits by enum kind */
	int32_t number;    /* errno; 0: nothing fails */
	uint32_t every;    /* one call in so many */
	uint32_t slow_ms;  /* it takes so much longer */
	uint32_t short_by; /* a write does so many bytes less */
	uint32_t once;     /* it is over when it was hit */
	uint32_t die;      /* BEFORE or AFTER the call */
	_Atomic uint32_t calls, hits;
	char path[100];        /* what is in the path; "" : any */
	_Atomic uint32_t hold; /* as long as this is not 0 it does not begin */
	_Atomic uint32_t held; /* calls that wait for that now */
};

static char below[PATH_SIZE];
static size_t below_len;
static int to = -1;
static struct rule *rules; /* RULES of them; NULL: nothing fails */

__attribute__((constructor)) static void begin(void)
{
	const char *directory = getenv("DISK_BELOW"), *record = getenv("DISK_RECORD"), *faults = getenv("DISK_FAULTS");
	int fd;

	if (!directory || !realpath(directory, below))
		return;
	below_len = strlen(below);
	if (faults && (fd = (int)syscall(SYS_openat, AT_FDCWD, faults, O_RDWR | O_CLOEXEC, 0)) >= 0) {
		rules = mmap(NULL, RULES * sizeof(*rules), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (rules == MAP_FAILED)
			abort();
		syscall(SYS_close, fd);
	}
	if (record && (fd = (int)syscall(SYS_openat, AT_FDCWD, record, O_WRONLY | O_APPEND | O_CLOEXEC, 0)) >= 0)
		to = (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 900); /* out of the way of the program's own */
}

static _Thread_local bool dying; /* when the call under way is done */

static void die_if_due(void)
{
	if (dying)
		raise(SIGKILL);
}

/* What the rules say of a call: 0: it may be made; else it fails with errno set. len: of a write, which may get shorter. */
static int fault(enum kind kind, const char *path, size_t *len)
{
	for (struct rule *r = rules; rules && path && r < rules + RULES; r++) {
		if (!(r->kinds & 1u << kind) || !strstr(path, r->path) || ++r->calls % (r->every ? r->every : 1))
			continue;
		if (r->hits++ && r->once)
			continue;
		if (r->die == BEFORE)
			raise(SIGKILL);
		dying = r->die == AFTER;
		if (r->hold) {
			r->held++;
			while (r->hold)
				nanosleep(&(struct timespec){ 0, HOLD_NS }, NULL);
			r->held--;
		}
		if (r->slow_ms)
			nanosleep(&(struct timespec){ r->slow_ms / 1000, r->slow_ms % 1000 * 1000000L }, NULL);
		if (len && r->short_by && *len > 1)
			*len = *len > r->short_by ? *len - r->short_by : 1;
		if (r->number) {
			errno = r->number;
			return -1;
		}
	}
	return 0;
}

static void put(enum kind kind, uint64_t file, uint64_t offset, const char *path, const char *other,
	const struct iovec *bytes, int count, uint64_t length)
{
	struct timespec now;
	struct head h = { MAGIC, kind, file, offset, length, 0, path ? (uint32_t)strlen(path) : 0,
		other ? (uint32_t)strlen(other) : 0, (uint32_t)getpid() };
	struct iovec all[3 + PARTS_MAX] = { { &h, sizeof(h) }, { (char *)path, h.path }, { (char *)other, h.other } };
	int parts = 3;

	clock_gettime(CLOCK_MONOTONIC, &now);
	h.ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	for (int i = 0; i < count && i < PARTS_MAX && length; i++) {
		all[parts] = bytes[i];
		if (all[parts].iov_len > length)
			all[parts].iov_len = length;
		length -= all[parts++].iov_len;
	}
	if (to >= 0 && (length || syscall(SYS_writev, to, all, parts) < 0))
		abort();
}

/* The path below the directory; NULL: it is elsewhere. */
static const char *shorten(const char *path)
{
	if (!below_len || strncmp(path, below, below_len) || (path[below_len] && path[below_len] != '/'))
		return NULL;
	return path[below_len] ? path + below_len + 1 : path + below_len;
}

static const char *path_of(int fd, char room[PATH_SIZE])
{
	char link[40];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, room, PATH_SIZE - 1);
	if (n <= 0)
		return NULL;
	room[n] = 0;
	return shorten(room);
}

static const char *path_at(int directory, const char *path, char room[PATH_SIZE])
{
	char base[PATH_SIZE];
	int n;

	if (*path == '/') {
		n = snprintf(room, PATH_SIZE, "%s", path);
	} else {
		if (directory == AT_FDCWD) {
			if (!getcwd(base, sizeof(base)))
				return NULL;
		} else if (!path_of(directory, base)) {
			return NULL; /* base is all of it, not only what path_of answers */
		}
		n = !strcmp(path, ".") ? snprintf(room, PATH_SIZE, "%s", base)
		                       : snprintf(room, PATH_SIZE, "%s/%s", base, path);
	}
	return n > 0 && n < PATH_SIZE ? shorten(room) : NULL;
}

static uint64_t number_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? 0 : (uint64_t)st.st_dev << 48 ^ st.st_ino;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* --- files ----------------------------------------------------------------------------------------------------------- */

static int opened(int directory, const char *path, int flags, mode_t mode)
{
	char room[PATH_SIZE];
	const char *known = NULL;
	bool there = true;
	struct stat st;
	int fd;

	if (below_len && (flags & O_TMPFILE) != O_TMPFILE && (known = path_at(directory, path, room)) &&
		flags & (O_CREAT | O_TRUNC))
		there = fstatat(directory, path, &st, 0) == 0;
	if (fault(there ? OPEN : CREATE, known, NULL))
		return -1;
	fd = (int)syscall(SYS_openat, directory, path, flags, mode);
	die_if_due();
	if (fd >= 0 && known && !there)
		put(CREATE, number_of(fd), 0, known, NULL, NULL, 0, 0);
	else if (fd >= 0 && known && flags & O_TRUNC)
		put(CUT, number_of(fd), 0, known, NULL, NULL, 0, 0);
	return fd;
}

#define OPENED(directory)                                                                                              \
	va_list list;                                                                                                  \
	mode_t mode;                                                                                                   \
	va_start(list, flags);                                                                                         \
	mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, mode_t) : 0;                                               \
	va_end(list);                                                                                                  \
	return opened(directory, path, flags, mode)

int open(const char *path, int flags, ...)
{
	OPENED(AT_FDCWD);
}

int open64(const char *path, int flags, ...)
{
	OPENED(AT_FDCWD);
}

int openat(int directory, const char *path, int flags, ...)
{
	OPENED(directory);
}

int openat64(int directory, const char *path, int flags, ...)
{
	OPENED(directory);
}

static ssize_t wrote(int fd, ssize_t n, int64_t offset, const struct iovec *bytes, int count)
{
	char room[PATH_SIZE];
	const char *path;
	int number = errno;

	die_if_due();
	if (n > 0 && to >= 0 && (path = path_of(fd, room))) {
		if (offset < 0)
			offset = lseek(fd, 0, SEEK_CUR) - n;
		put(WRITE, number_of(fd), (uint64_t)offset, path, NULL, bytes, count, (uint64_t)n);
	}
	errno = number;
	return n;
}

/* Before a write: false, it fails. */
static bool may_write(int fd, size_t *len)
{
	char room[PATH_SIZE];

	return !rules || !fault(WRITE, path_of(fd, room), len);
}

ssize_t write(int fd, const void *bytes, size_t len)
{
	if (!may_write(fd, &len))
		return -1;
	return wrote(fd, syscall(SYS_write, fd, bytes, len), -1, &(struct iovec){ (void *)bytes, len }, 1);
}

ssize_t writev(int fd, const struct iovec *bytes, int count)
{
	if (!may_write(fd, NULL))
		return -1;
	return wrote(fd, syscall(SYS_writev, fd, bytes, count), -1, bytes, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
	if (!may_write(fd, &len))
		return -1;
	return wrote(
		fd, syscall(SYS_pwrite64, fd, bytes, len, offset), offset, &(struct iovec){ (void *)bytes, len }, 1);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t offset)
{
	return pwrite(fd, bytes, len, offset);
}

ssize_t pwritev(int fd, const struct iovec *bytes, int count, off_t offset)
{
	if (!may_write(fd, NULL))
		return -1;
	return wrote(fd, REAL(pwritev)(fd, bytes, count, offset), offset, bytes, count);
}

ssize_t copy_file_range(int from, off_t *at, int fd, off_t *offset, size_t len, unsigned flags)
{
	off_t start = offset ? *offset : lseek(fd, 0, SEEK_CUR);
	char *bytes = NULL;
	ssize_t n;

	if (!may_write(fd, &len))
		return -1;
	n = syscall(SYS_copy_file_range, from, at, fd, offset, len, flags);
	die_if_due();
	if (n > 0 && to >= 0) { /* what it wrote is what can be read there */
		char link[40];
		int again;

		bytes = malloc((size_t)n);
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		again = (int)syscall(SYS_openat, AT_FDCWD, link, O_RDONLY | O_CLOEXEC, 0);
		if (!bytes || again < 0 || pread(again, bytes, (size_t)n, start) != n)
			abort();
		close(again);
		wrote(fd, n, start, &(struct iovec){ bytes, (size_t)n }, 1);
	}
	free(bytes);
	return n;
}

static bool may_grow(int fd, enum kind kind)
{
	char room[PATH_SIZE];

	return !rules || !fault(kind, path_of(fd, room), NULL);
}

static int sized(int fd, int result, enum kind kind, uint64_t length)
{
	char room[PATH_SIZE];
	const char *path;

	die_if_due();
	if (!result && (path = path_of(fd, room)))
		put(kind, number_of(fd), length, path, NULL, NULL, 0, 0);
	return result;
}

int ftruncate(int fd, off_t length)
{
	return sized(fd, may_grow(fd, CUT) ? (int)syscall(SYS_ftruncate, fd, length) : -1, CUT, (uint64_t)length);
}

int ftruncate64(int fd, off_t length)
{
	return ftruncate(fd, length);
}

int posix_fallocate(int fd, off_t offset, off_t len)
{
	return sized(fd, may_grow(fd, GROW) ? REAL(posix_fallocate)(fd, offset, len) : errno, GROW,
		(uint64_t)(offset + len));
}

int posix_fallocate64(int fd, off_t offset, off_t len)
{
	return posix_fallocate(fd, offset, len);
}

int fallocate(int fd, int mode, off_t offset, off_t len)
{
	int result = may_grow(fd, GROW) ? (int)syscall(SYS_fallocate, fd, mode, offset, len) : -1;

	return mode ? result : sized(fd, result, GROW, (uint64_t)(offset + len));
}

ssize_t pread(int fd, void *bytes, size_t len, off_t offset)
{
	char room[PATH_SIZE];

	if (rules && fault(READ, path_of(fd, room), NULL))
		return -1;
	return syscall(SYS_pread64, fd, bytes, len, offset);
}

ssize_t pread64(int fd, void *bytes, size_t len, off_t offset)
{
	return pread(fd, bytes, len, offset);
}

ssize_t read(int fd, void *bytes, size_t len)
{
	char room[PATH_SIZE];

	if (rules && fault(READ, path_of(fd, room), NULL))
		return -1;
	return syscall(SYS_read, fd, bytes, len);
}

ssize_t preadv2(int fd, const struct iovec *bytes, int count, off_t offset, int flags)
{
	char room[PATH_SIZE];

	if (rules && fault(READ, path_of(fd, room), NULL))
		return -1;
	return REAL(preadv2)(fd, bytes, count, offset, flags);
}

/* --- names ------------------------------------------------------------------------------------------------------------- */

static int named(enum kind kind, int result, const char *path, const char *other)
{
	int number = errno;

	die_if_due();
	if (!result && path && (other || (kind != RENAME && kind != LINK)))
		put(kind, 0, 0, path, other, NULL, 0, 0);
	errno = number;
	return result;
}

int renameat2(int from_at, const char *from, int to_at, const char *other, unsigned flags)
{
	char room[PATH_SIZE], more[PATH_SIZE];
	const char *a = path_at(from_at, from, room), *b = path_at(to_at, other, more);

	return named(RENAME,
		fault(RENAME, b ? b : a, NULL) ? -1 : (int)syscall(SYS_renameat2, from_at, from, to_at, other, flags),
		a, b);
}

int renameat(int from_at, const char *from, int to_at, const char *other)
{
	return renameat2(from_at, from, to_at, other, 0);
}

int rename(const char *from, const char *other)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, other, 0);
}

int linkat(int from_at, const char *from, int to_at, const char *other, int flags)
{
	char room[PATH_SIZE], more[PATH_SIZE];
	const char *a = path_at(from_at, from, room), *b = path_at(to_at, other, more);

	return named(LINK,
		fault(LINK, b ? b : a, NULL) ? -1 : (int)syscall(SYS_linkat, from_at, from, to_at, other, flags), a, b);
}

int link(const char *from, const char *other)
{
	return linkat(AT_FDCWD, from, AT_FDCWD, other, 0);
}

int unlinkat(int directory, const char *path, int flags)
{
	char room[PATH_SIZE];
	const char *a = path_at(directory, path, room);

	return named(UNLINK, fault(UNLINK, a, NULL) ? -1 : (int)syscall(SYS_unlinkat, directory, path, flags), a, NULL);
}

int unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
	return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int mkdirat(int directory, const char *path, mode_t mode)
{
	char room[PATH_SIZE];
	const char *a = path_at(directory, path, room);

	return named(
		DIRECTORY, fault(DIRECTORY, a, NULL) ? -1 : (int)syscall(SYS_mkdirat, directory, path, mode), a, NULL);
}

int mkdir(const char *path, mode_t mode)
{
	return mkdirat(AT_FDCWD, path, mode);
}

/* --- syncs ------------------------------------------------------------------------------------------------------------- */

static int synced(int fd, long call, enum kind kind)
{
	static _Atomic uint32_t count;
	uint64_t which = (uint64_t)(uint32_t)getpid() << 32 | ++count;
	char room[PATH_SIZE];
	const char *path = path_of(fd, room);
	int result, number;

	if (path && to >= 0)
		put(kind, number_of(fd), which, path, NULL, NULL, 0, 0);
	result = fault(kind, path, NULL) ? -1 : (int)syscall(call, fd);
	die_if_due();
	number = errno;
	if (path && to >= 0)
		put(result ? FAILED : SYNCED, 0, which, NULL, NULL, NULL, 0, 0);
	errno = number;
	return result;
}

int fsync(int fd)
{
	return synced(fd, SYS_fsync, SYNC);
}

int fdatasync(int fd)
{
	return synced(fd, SYS_fdatasync, SYNC);
}

int syncfs(int fd)
{
	return synced(fd, SYS_syncfs, SYNC_ALL);
}
