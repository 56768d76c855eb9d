/* home.c - see home.h. */
#include "core/home.h"
#include "core/listing.h"
#include "core/record.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PID_FILE  "run/pid"
#define ENDING_MS 10000 /* a killed server's processes and threads have so long to end */
#define TRY_MS    20    /* and are looked after so often */

static const char *const rooms[] = { "run", RECORD_DIRECTORY, "journal", "index", "domains", "queue", "deleted" };

static enum err fail(struct buf *why, const char *what, const char *name)
{
	int number = errno;

	buf_printf(why, "%s %s: %s", what, name, strerror(number));
	return err_of_errno(number);
}

enum err owner_find(struct owner *o, const char *user, struct buf *why)
{
	struct passwd *found;

	*o = (struct owner){ .uid = geteuid(), .gid = getegid() };
	if (o->uid != 0)
		return OK;
	errno = 0;
	found = getpwnam(user);
	if (!found || strlen(user) >= sizeof(o->name)) {
		buf_printf(why, "there is no user %s (setting `user`)", user);
		return ERR_ABSENT;
	}
	snprintf(o->name, sizeof(o->name), "%s", user);
	o->uid = found->pw_uid;
	o->gid = found->pw_gid;
	o->other = o->uid != 0;
	return OK;
}

enum err owner_become(const struct owner *o)
{
	if (!o->other)
		return OK;
	if (initgroups(o->name, o->gid) || setgid(o->gid) || setuid(o->uid))
		return err_errno("become user=%s", o->name);
	return OK;
}

void owner_act(const struct owner *o)
{
	if (o->other && (setegid(o->gid) || seteuid(o->uid))) {
		err_errno("act as user=%s", o->name);
		abort();
	}
}

void owner_rest(const struct owner *o)
{
	if (o->other && (seteuid(0) || setegid(0))) {
		err_errno("act as root again");
		abort();
	}
}

int home_open(const char *path, const struct owner *o, struct buf *why)
{
	bool made = mkdir(path, 0700) == 0;
	int fd;

	if (!made && errno != EEXIST) {
		fail(why, "cannot make directory", path);
		return -1;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		fail(why, "cannot open directory", path);
		return -1;
	}
	if (made && o->other && fchown(fd, o->uid, o->gid)) {
		fail(why, "cannot give away directory", path);
		close(fd);
		return -1;
	}
	return fd;
}

static enum err make_room(int directory, const char *room, struct buf *why)
{
	if (mkdirat(directory, room, 0700) && errno != EEXIST)
		return fail(why, "cannot make in the store", room);
	return OK;
}

/* Who says in run/pid that the lock is his; 1 if nobody does. */
static pid_t holder_read(int fd)
{
	char text[16];
	ssize_t len = pread(fd, text, sizeof(text) - 1, 0);
	pid_t holder;

	text[len > 0 ? len : 0] = '\0';
	holder = (pid_t)strtol(text, NULL, 10);
	return holder > 0 ? holder : 1;
}

static bool is_gone(pid_t pid)
{
	return kill(pid, 0) && errno == ESRCH;
}

/* flock, not fcntl: it belongs to the open file, which our children inherit, and is gone when the last of us is. That
 * may be a moment after a server was killed: who starts another at once, as service managers do, is not refused. */
static bool lock(int fd, pid_t *holder)
{
	for (int waited_ms = 0; flock(fd, LOCK_EX | LOCK_NB); waited_ms += TRY_MS) {
		if (errno != EWOULDBLOCK)
			return false;
		*holder = holder_read(fd);
		if (waited_ms >= ENDING_MS || !is_gone(*holder))
			return false;
		poll(NULL, 0, TRY_MS);
	}
	*holder = 0;
	return true;
}

int home_lock(int directory, const struct owner *o, pid_t *holder, struct buf *why)
{
	char text[16];
	ssize_t len;
	int fd = -1;

	*holder = 0;
	owner_act(o);
	if (!make_room(directory, "run", why)) {
		fd = openat(directory, PID_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
		if (fd < 0)
			fail(why, "cannot open in the store", PID_FILE);
	}
	owner_rest(o);
	if (fd < 0)
		return -1;
	if (lock(fd, holder)) {
		len = snprintf(text, sizeof(text), "%d\n", (int)getpid());
		if (pwrite(fd, text, (size_t)len, 0) == len && ftruncate(fd, len) == 0) /* never empty to a reader */
			return fd;
		fail(why, "cannot write in the store", PID_FILE);
	} else if (*holder) {
		buf_printf(why, "another server is at work in this store, pid %d", (int)*holder);
	} else {
		fail(why, "cannot lock in the store", PID_FILE);
	}
	close(fd);
	return -1;
}

static void empty_room(int directory, const char *room)
{
	DIR *dir = listing_open(directory, room, O_NOFOLLOW);
	struct dirent *d;

	if (!dir)
		return;
	while ((d = readdir(dir)))
		if (d->d_name[0] != '.')
			unlinkat(dirfd(dir), d->d_name, 0);
	closedir(dir);
}

enum err home_furnish(int directory, const struct owner *o, struct buf *why)
{
	enum err e = OK;

	owner_act(o);
	for (size_t i = 0; !e && i < sizeof(rooms) / sizeof(*rooms); i++)
		e = make_room(directory, rooms[i], why);
	if (!e)
		empty_room(directory, RECORD_DIRECTORY);
	owner_rest(o);
	return e;
}
