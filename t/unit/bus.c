/* A mapped file that is cut short: a helper thread reads zeros, the thread of the loop ends, as without a guard. */
#include "core/bus.h"
#include "core/lane.h"
#include "t/tap.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES 16384

struct look {
	struct job job;
	const volatile char *map;
	char first, last;
};

static void work(struct job *job)
{
	struct look *l = (struct look *)job;

	l->first = l->map[0];
	l->last = l->map[BYTES - 1];
}

static void collected(struct job *job)
{
	(void)job;
}

/* Of a file that is cut behind its first page once it is mapped. */
static volatile char *cut_file(void)
{
	char path[] = "/tmp/postern-bus-XXXXXX";
	int fd = mkstemp(path);
	char *map;

	if (fd < 0 || unlink(path) || ftruncate(fd, BYTES))
		abort();
	map = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		abort();
	memset(map, 'x', BYTES);
	if (ftruncate(fd, 4096))
		abort();
	close(fd);
	return map;
}

/* The signal that ends a process whose loop looks there; 0: none. */
static int loop_dies_of(const volatile char *map)
{
	static const struct rlimit no_core = { 0, 0 };
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		setrlimit(RLIMIT_CORE, &no_core);
		bus_guard();
		_exit(map[BYTES - 1]);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

int main(void)
{
	struct lane *lane;
	struct look look = { .job = { .work = work, .done = collected }, .map = cut_file() };

	bus_guard();
	lane = lane_new("index", eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	lane_add(lane, &look.job);
	lane_drain(lane);
	ok(look.first == 'x', "what is still there is read");
	ok(look.last == '\0', "what is gone is zeros to a helper thread");
	lane_free(lane);
	munmap((void *)look.map, BYTES);
	look.map = cut_file();
	ok(loop_dies_of(look.map) == SIGBUS, "the thread of the loop ends of it");
	return done();
}
