/* program.c - see program.h. Starting it, which waits for the program to be found and loaded, is the slow lane's work; its end
 * is heard of by a descriptor of the process (pidfd). */
#include "core/program.h"
#include "core/err.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_BYTES 4096
#define READS_MAX  16 /* of its output in one turn */

struct program {
	struct worker *w;
	char **argv, **environment;
	int input, output; /* output: our end of the pipe */
	int child_output;  /* and its end, until it is started */
	pid_t pid;
	int process; /* its pidfd */
	int failed;  /* errno, if it could not be started */
	struct job starting;
	bool started; /* the lane is through with it */
	bool late;
	bool unwanted; /* nobody is told of its end, which is still to come */
	struct ev_io output_io, process_io;
	bool watching;
	struct timer limit;
	int64_t limit_ms;
	struct buf said;
	program_ended *on_end;
	void *user;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* A copy of a list that ends with NULL, behind another; both may be NULL. */
static char **list_copy(const char *const *first, const char *const *second)
{
	size_t count = 0, at = 0;
	char **made;

	for (size_t i = 0; first && first[i]; i++)
		count++;
	for (size_t i = 0; second && second[i]; i++)
		count++;
	made = mem_alloc((count + 1) * sizeof(*made));
	for (size_t i = 0; first && first[i]; i++)
		made[at++] = str_dup(str_of(first[i]));
	for (size_t i = 0; second && second[i]; i++)
		made[at++] = str_dup(str_of(second[i]));
	return made;
}

static void list_free(char **list)
{
	for (char **text = list; *text; text++)
		free(*text);
	free(list);
}

static void program_end(struct program *p)
{
	if (p->watching) {
		ev_io_stop(p->w->loop, &p->output_io);
		ev_io_stop(p->w->loop, &p->process_io);
	}
	timer_stop(p->w->timers, &p->limit);
	close_fd(&p->input);
	close_fd(&p->output);
	close_fd(&p->child_output);
	close_fd(&p->process);
	list_free(p->argv);
	list_free(p->environment);
	buf_free(&p->said);
	free(p);
}

/* --- in the lane --------------------------------------------------------------------------------------------------------- */

static void attributes_set(posix_spawnattr_t *attributes)
{
	static const int ignored[] = { SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGPIPE };
	sigset_t set;

	sigemptyset(&set);
	posix_spawnattr_setsigmask(attributes, &set);
	for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
		sigaddset(&set, ignored[i]);
	posix_spawnattr_setsigdefault(attributes, &set);
	posix_spawnattr_setpgroup(attributes, 0);
	posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

static void program_spawn(struct job *job)
{
	struct program *p = (struct program *)((char *)job - offsetof(struct program, starting));
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;

	if (p->failed) /* without its input or output it would have ours */
		return;
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attributes);
	attributes_set(&attributes);
	posix_spawn_file_actions_adddup2(&files, p->input, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&files, p->child_output, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&files, p->child_output, STDERR_FILENO);
	posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
	posix_spawn_file_actions_addchdir_np(&files, "/");
	p->failed = posix_spawn(&p->pid, p->argv[0], &files, &attributes, p->argv, p->environment);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attributes);
}

/* --- its life ------------------------------------------------------------------------------------------------------------ */

/* The whole group, which bears the number of its first process. It cannot be another's: that one is not waited for yet. */
static void group_kill(const struct program *p)
{
	kill(-p->pid, SIGKILL);
}

static void tell(struct program *p, struct program_end end)
{
	program_ended *on_end = p->on_end;
	void *user = p->user;

	end.output = buf_str(&p->said);
	on_end(user, &end);
	program_end(p);
}

/* What is there to be read of its output is read; what is too much is read and dropped, so that it goes on. */
static void output_read(struct program *p)
{
	char bytes[READ_BYTES];
	ssize_t n = 1;

	for (unsigned i = 0; i < READS_MAX && (n = read(p->output, bytes, sizeof(bytes))) > 0; i++) {
		size_t room = PROGRAM_OUTPUT_MAX - buf_len(&p->said);

		buf_add(&p->said, bytes, (size_t)n < room ? (size_t)n : room);
	}
	if (!n || (n < 0 && errno != EAGAIN && errno != EINTR))
		ev_io_stop(p->w->loop, &p->output_io);
}

static void on_output(struct ev_loop *loop, struct ev_io *io, int events)
{
	(void)loop, (void)events;
	output_read(io->data);
}

static void on_process(struct ev_loop *loop, struct ev_io *io, int events)
{
	struct program *p = io->data;
	int status = 0;

	(void)loop, (void)events;
	if (!waitpid(p->pid, &status, WNOHANG))
		return;
	output_read(p);
	if (p->unwanted)
		program_end(p);
	else if (p->late)
		tell(p, (struct program_end){ .how = PROGRAM_LATE });
	else if (WIFSIGNALED(status))
		tell(p, (struct program_end){ .how = PROGRAM_SIGNALLED, .number = WTERMSIG(status) });
	else
		tell(p, (struct program_end){ .how = PROGRAM_EXITED, .number = WEXITSTATUS(status) });
}

static void on_limit(void *user)
{
	struct program *p = user;

	p->late = true;
	group_kill(p);
}

static void program_watch(struct program *p)
{
	ev_io_init(&p->output_io, on_output, p->output, EV_READ);
	ev_io_init(&p->process_io, on_process, p->process, EV_READ);
	p->output_io.data = p->process_io.data = p;
	ev_io_start(p->w->loop, &p->output_io);
	ev_io_start(p->w->loop, &p->process_io);
	p->watching = true;
	timer_start(p->w->timers, &p->limit, p->limit_ms, on_limit, p);
}

static void program_started(struct job *job)
{
	struct program *p = (struct program *)((char *)job - offsetof(struct program, starting));

	close_fd(&p->input);
	close_fd(&p->child_output);
	p->started = true;
	if (!p->failed && (p->process = (int)syscall(SYS_pidfd_open, p->pid, 0)) < 0) {
		p->failed = errno;
		err_errno("open process %d", (int)p->pid);
		group_kill(p);
		waitpid(p->pid, NULL, 0);
	}
	if (!p->failed) {
		program_watch(p);
		if (p->unwanted)
			group_kill(p);
	} else if (p->unwanted) {
		program_end(p);
	} else {
		tell(p, (struct program_end){ .how = PROGRAM_FAILED, .number = p->failed });
	}
}

struct program *program_start(struct worker *w, const char *const *argv, const char *const *environment, int input,
	int64_t limit_ms, program_ended *on_end, void *user)
{
	static const char *const usual[] = { "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", NULL };
	struct program *p = mem_new(struct program);
	int ends[2] = { -1, -1 };

	*p = (struct program){ .w = w, .limit_ms = limit_ms, .on_end = on_end, .user = user, .process = -1 };
	p->argv = list_copy(argv, NULL);
	p->environment = list_copy(usual, environment);
	p->input = fcntl(input, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (p->input < 0 || pipe2(ends, O_CLOEXEC)) {
		p->failed = errno;
		err_errno("make a pipe for %s", p->argv[0]);
	}
	p->output = ends[0];
	p->child_output = ends[1];
	if (p->output >= 0)
		fcntl(p->output, F_SETFL, O_NONBLOCK);
	p->starting = (struct job){ .work = program_spawn, .done = program_started };
	lane_add(w->slow, &p->starting);
	return p;
}

/* One that is being started is ended when that is through. What is killed may take its time to end. */
void program_free(struct program *p)
{
	if (!p)
		return;
	p->unwanted = true;
	if (p->started)
		group_kill(p);
}
