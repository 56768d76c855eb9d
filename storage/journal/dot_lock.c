/* dot_lock.c - see dot_lock.h. */
#include "storage/journal/dot_lock.h"
#include "core/log.h"
#include "storage/path.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SUFFIX   ".lock"
#define OUR_MODE (S_ISVTX | 0444) /* the sticky bit means nothing on a file */
#define STALE_S  300
#define EMPTY_S  5 /* between making one of ours and its pid lies one system call */

typedef char lock_name[PATH_BYTES_MAX + sizeof(SUFFIX)];

static const char *name_of(struct str mbox, lock_name name)
{
	memcpy(name, mbox.p, mbox.len);
	memcpy(name + mbox.len, SUFFIX, sizeof(SUFFIX));
	return name;
}

/* The pid that the lock tells; 0: none. */
static pid_t pid_in(int directory, const char *name)
{
	int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char text[16] = "";
	long pid = 0;

	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) > 0)
		pid = strtol(text, NULL, 10);
	close(fd);
	return pid > 0 ? (pid_t)pid : 0;
}

static bool is_ours(const struct stat *st)
{
	return S_ISREG(st->st_mode) && (st->st_mode & 07777) == OUR_MODE;
}

static bool is_stale(const struct stat *st, pid_t pid)
{
	bool lives = pid && (kill(pid, 0) == 0 || errno != ESRCH);
	time_t age = time(NULL) - st->st_mtim.tv_sec;

	if (!is_ours(st))
		return age >= STALE_S && !lives;
	return age >= STALE_S || (pid ? !lives : age >= EMPTY_S);
}

enum dot_lock dot_lock_look(int directory, struct str mbox)
{
	lock_name name;
	struct stat st;
	pid_t pid;

	if (fstatat(directory, name_of(mbox, name), &st, AT_SYMLINK_NOFOLLOW) < 0)
		return DOT_FREE;
	pid = S_ISREG(st.st_mode) ? pid_in(directory, name) : 0;
	if (!is_stale(&st, pid))
		return is_ours(&st) ? DOT_OURS : DOT_OTHERS;
	log_warn("journal", NULL, "a stale lock goes away path=%s pid=%d age=%llds", name, (int)pid,
		(long long)(time(NULL) - st.st_mtim.tv_sec));
	return unlinkat(directory, name, 0) < 0 && errno != ENOENT ? DOT_OTHERS : DOT_FREE;
}

enum dot_lock dot_lock_make(int directory, struct str mbox)
{
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	char pid[16];
	lock_name name;
	int fd = openat(directory, name_of(mbox, name), flags, OUR_MODE);

	if (fd < 0 && errno == EEXIST) {
		enum dot_lock there = dot_lock_look(directory, mbox);

		if (there != DOT_FREE)
			return there;
		if ((fd = openat(directory, name, flags, OUR_MODE)) < 0 && errno == EEXIST)
			return DOT_OTHERS;
	}
	if (fd < 0)
		return DOT_FREE;
	snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	if (write(fd, pid, strlen(pid)) < 0)
		log_debug("journal", NULL, "a lock without a pid path=%s", name); /* a full disk */
	close(fd);
	return DOT_HELD;
}

void dot_lock_drop(int directory, struct str mbox)
{
	lock_name name;

	unlinkat(directory, name_of(mbox, name), 0);
}
