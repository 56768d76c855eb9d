/* Programs run as children: what they are given, what they say, how they end. */
#include "core/program.h"
#include "core/err.h"
#include "core/lane.h"
#include "t/conn_pair.h"
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define LIMIT_MS 1000000

static int lanes_fd;
static unsigned ends;
static struct {
	int how, number;
	char output[PROGRAM_OUTPUT_MAX + 1];
} last;

static void hear_end(void *user, const struct program_end *end)
{
	(void)user;
	ends++;
	last.how = (int)end->how;
	last.number = end->number;
	memcpy(last.output, end->output.p ? end->output.p : "", end->output.len);
	last.output[end->output.len] = '\0';
}

/* Turns until as many ended. */
static void wait_ends(unsigned count)
{
	while (not_yet(ends >= count))
		lane_collect(worker.slow);
}

static struct program *start(const char *script, const char *input)
{
	const char *argv[] = { "/bin/sh", "-c", script, "its name", "$HOME *", NULL };
	int fd = memfd_create("input", MFD_CLOEXEC);
	struct program *p;

	if (fd < 0 || pwrite(fd, input, strlen(input), 0) < 0)
		abort();
	p = program_start(&worker, argv, NULL, fd, LIMIT_MS, hear_end, NULL);
	close(fd);
	return p;
}

static bool ends_as(const char *script, const char *input, int how, int number, const char *output)
{
	start(script, input);
	wait_ends(ends + 1);
	if (last.how == how && last.number == number && !strcmp(last.output, output))
		return true;
	printf("# how=%d number=%d output=\"%s\"\n", last.how, last.number, last.output);
	return false;
}

static void test_ends(void)
{
	ok(ends_as("cat", "one\ntwo\n", PROGRAM_EXITED, 0, "one\ntwo\n"),
		"what lies ready is read, what is said is heard");
	ok(ends_as("cat >/dev/null; echo no >&2; exit 75", "x", PROGRAM_EXITED, 75, "no\n"),
		"errors are heard, too, and the exit status");
	ok(ends_as("exit 0", "not read", PROGRAM_EXITED, 0, ""), "what it does not read is no matter");
	ok(ends_as("kill -TERM $$", "", PROGRAM_SIGNALLED, SIGTERM, ""), "a signal of somebody else is told");
	ok(ends_as("echo \"$1\"; pwd; env | grep -v PWD | grep -v _= | sort", "", PROGRAM_EXITED, 0,
		   "$HOME *\n/\nLANG=C.UTF-8\nPATH=/usr/local/bin:/usr/bin:/bin\n"),
		"arguments are as they are, the environment is small");
}

static void test_much(void)
{
	start("head -c 3000000 /dev/zero | tr '\\0' x", "");
	wait_ends(ends + 1);
	ok(last.how == PROGRAM_EXITED && !last.number && strlen(last.output) == PROGRAM_OUTPUT_MAX,
		"much output does not stop it, and the first %d bytes are kept", PROGRAM_OUTPUT_MAX);
	start("sleep 1000 & echo $!", "");
	wait_ends(ends + 1);
	ok(last.how == PROGRAM_EXITED && !last.number && atoi(last.output) > 1,
		"what it leaves behind is not waited for");
	if (atoi(last.output) > 1)
		kill(atoi(last.output), SIGKILL);
}

static void test_absent(void)
{
	const char *argv[] = { "/nowhere/program", NULL };

	program_start(&worker, argv, NULL, 0, LIMIT_MS, hear_end, NULL);
	wait_ends(ends + 1);
	ok(last.how == PROGRAM_FAILED && last.number == ENOENT, "one that is not there cannot be started");
}

/* Whether a file is there, which a program makes when it runs. */
static bool is_there(const char *path)
{
	lane_collect(worker.slow);
	return !access(path, F_OK);
}

/* With so many descriptors left besides the input's. */
static bool fails_with(int left)
{
	struct rlimit before, few;
	int input = memfd_create("input", MFD_CLOEXEC), next = dup(input);
	const char *argv[] = { "/bin/true", NULL };

	close(next);
	getrlimit(RLIMIT_NOFILE, &before);
	few = before;
	few.rlim_cur = (rlim_t)(next + left);
	setrlimit(RLIMIT_NOFILE, &few);
	program_start(&worker, argv, NULL, input, LIMIT_MS, hear_end, NULL);
	wait_ends(ends + 1);
	setrlimit(RLIMIT_NOFILE, &before);
	close(input);
	return last.how == PROGRAM_FAILED && last.number == EMFILE;
}

static void test_no_descriptors(void)
{
	for (int left = 0; left < 3; left++) /* of those for its input and both ends of its output */
		ok(fails_with(left), "with %d descriptors left no program runs, and none is said to have run", left);
	ok(!fails_with(3) && last.how == PROGRAM_EXITED && !last.number, "with as many as it takes it does");
}

static void test_late(void)
{
	char mark[] = "/tmp/program-XXXXXX", script[200];
	struct program *p;
	pid_t child = 0;
	FILE *file;

	close(mkstemp(mark));
	unlink(mark);
	snprintf(script, sizeof(script), "sleep 1000 & echo $! >%s-; mv %s- %s; wait", mark, mark, mark);
	start(script, "");
	while (not_yet(is_there(mark)))
		;
	file = fopen(mark, "r");
	ok(file && fscanf(file, "%d", &child) == 1 && !kill(child, 0), "a program runs, and another that it started");
	clock_moves(LIMIT_MS - 500000);
	ok(ends && !kill(child, 0), "for as long as it may");
	clock_moves(500001);
	wait_ends(ends + 1);
	ok(last.how == PROGRAM_LATE, "then it is ended");
	while (not_yet(kill(child, 0) && errno == ESRCH))
		;
	ok(kill(child, 0) && errno == ESRCH, "and what it started with it");
	fclose(file);
	unlink(mark);
	p = start(script, "");
	while (not_yet(is_there(mark)))
		;
	ends = 0;
	program_free(p);
	turns(10);
	p = start("exit 0", "");
	program_free(p);
	program_free(NULL);
	start("exit 3", "");
	wait_ends(1);
	ok(ends == 1 && last.number == 3, "one that is given up is not heard of, whether it runs or is being started");
	unlink(mark);
}

int main(void)
{
	worker_start();
	lanes_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	worker.slow = lane_new("slow", lanes_fd);
	test_ends();
	test_much();
	test_absent();
	test_no_descriptors();
	test_late();
	lane_free(worker.slow);
	for (unsigned i = 0; i < 1000; i++) /* those that were given up come to their ends */
		turn();
	close(lanes_fd);
	worker_end();
	return done();
}
