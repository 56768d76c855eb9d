/* The store's directory: made, furnished, and one server's at a time. */
#include "core/home.h"
#include "core/log.h"
#include "t/scratch.h"
#include "t/tap.h"
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct owner owner;

static void test_open(int scratch)
{
	char path[100];
	struct buf why = { 0 };
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s/store", scratch_path);
	fd = home_open(path, &owner, &why);
	ok(fd >= 0 && fstatat(scratch, "store", &st, 0) == 0 && (st.st_mode & 07777) == 0700,
		"a directory that is missing is made, for its owner alone");
	close(fd);
	fd = home_open(path, &owner, &why);
	ok(fd >= 0, "one that is there is opened");
	close(fd);
	snprintf(path, sizeof(path), "%s/no/store", scratch_path);
	ok(home_open(path, &owner, &why) < 0 && strstr(buf_data(&why), "/no/store: No such file"),
		"one without a parent is not, and why says so");
	buf_free(&why);
}

static bool has(int directory, const char *name)
{
	return faccessat(directory, name, F_OK, 0) == 0;
}

static void test_furnish(int directory)
{
	struct buf why = { 0 };

	ok(home_furnish(directory, &owner, &why) == OK && has(directory, "run/tmp") && has(directory, "journal") &&
			has(directory, "domains"),
		"the standing directories are made");
	close(openat(directory, "run/tmp/0-1-2", O_CREAT | O_WRONLY, 0600));
	close(openat(directory, "journal/kept", O_CREAT | O_WRONLY, 0600));
	ok(home_furnish(directory, &owner, &why) == OK && !has(directory, "run/tmp/0-1-2") &&
			has(directory, "journal/kept"),
		"the calls of an earlier run are removed, and nothing else");
	buf_free(&why);
}

/* In a process of its own: 0 if it has the lock, else who has it. */
static pid_t other_holder(int directory)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct buf why = { 0 };
		pid_t holder;
		int fd = home_lock(directory, &owner, &holder, &why);

		_exit(fd >= 0 ? 0 : holder == getppid() ? 1 : 2);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static void test_lock(int directory)
{
	struct buf why = { 0 };
	pid_t holder, child;
	char pid[20], text[20] = "";
	int lock, fd;

	lock = home_lock(directory, &owner, &holder, &why);
	ok(lock >= 0, "the store is locked");
	fd = openat(directory, "run/pid", O_RDONLY);
	snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	ok(read(fd, text, sizeof(text) - 1) > 0 && !strcmp(text, pid), "run/pid tells by whom");
	close(fd);
	ok(other_holder(directory) == 1, "nobody else can lock it, and learns who did");
	child = fork();
	if (!child) {
		pause();
		_exit(0);
	}
	close(lock);
	ok(other_holder(directory) != 0, "while a child of the holder lives it stays locked");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	ok(other_holder(directory) == 0, "then it is free, though run/pid is still there");
	child = fork();
	if (!child) {
		bool held = home_lock(directory, &owner, &holder, &why) >= 0;

		if (held && !fork()) { /* who outlives him a little */
			poll(NULL, 0, 200);
			_exit(0);
		}
		_exit(held ? 0 : 1);
	}
	waitpid(child, NULL, 0);
	ok(other_holder(directory) == 0, "what is left of a holder that has ended is waited for");
	unlinkat(directory, "run/pid", 0);
	if (symlinkat("/dev/null", directory, "run/pid"))
		return;
	ok(home_lock(directory, &owner, &holder, &why) < 0 && !holder, "a link in its place is not followed");
	buf_free(&why);
}

static void test_owner(void)
{
	struct buf why = { 0 };
	struct owner o;

	if (geteuid() != 0) {
		ok(owner_find(&o, "nobody", &why) == OK && !o.other && o.uid == geteuid(),
			"who is not root stays who he is");
		return;
	}
	ok(owner_find(&o, "nobody", &why) == OK && o.other && o.uid != 0, "root becomes the user");
	owner_act(&o);
	ok(geteuid() == o.uid && getegid() == o.gid, "for a moment");
	owner_rest(&o);
	ok(geteuid() == 0 && getegid() == 0, "and is root again");
	ok(owner_find(&o, "no-such-user", &why) == ERR_ABSENT, "a user that does not exist is told");
	buf_free(&why);
}

int main(void)
{
	struct buf why = { 0 };
	int scratch = scratch_open(), directory;
	char path[100];

	owner_find(&owner, "root", &why);
	test_open(scratch);
	snprintf(path, sizeof(path), "%s/store", scratch_path);
	directory = home_open(path, &owner, &why);
	test_furnish(directory);
	test_lock(directory);
	test_owner();
	close(directory);
	scratch_close(scratch);
	return done();
}
