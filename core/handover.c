/* handover.c - a new program takes over the listening sockets, and no connection is refused meanwhile.
 *   old                                   new
 *   USR2: starts it with the sockets      reads and checks its configuration, opens what is new
 *   stops: sessions end, workers settle   <- "ready"; waits for the store's lock
 *   exits, the lock is free               settles, starts its workers, serves what waits in the sockets
 * If the new program ends before it is ready, the old one goes on as if nothing had been. */
#include "core/log.h"
#include "core/master_inside.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define HANDOVER_ENV "POSTERN_HANDOVER" /* a line with the descriptor to talk by, then the sockets */
#define READY_MS     60000              /* for the new program to get ready */

static void forget(struct master *m)
{
	if (m->successor_talk >= 0)
		close(m->successor_talk);
	m->successor_talk = -1;
}

/* --- the old program --------------------------------------------------------------------------------------------- */

static void exec_successor(struct master *m, int talk)
{
	struct buf text = { 0 };
	sigset_t none;

	buf_printf(&text, "%d\n", talk);
	listen_write(&m->listeners, &text);
	buf_add_char(&text, '\0');
	fcntl(talk, F_SETFD, 0);
	for (size_t i = 0; i < m->listeners.count; i++)
		fcntl(m->listeners.items[i].fd, F_SETFD, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setenv(HANDOVER_ENV, buf_data(&text), 1);
	execv(m->program, m->argv);
	err_errno("run program=%s", m->program);
	_exit(127);
}

void handover_begin(struct master *m)
{
	int ends[2];

	if (m->successor || m->state != SERVING) {
		log_warn("core", NULL, "no hand-over now");
		return;
	}
	if (orders_pair(ends))
		return;
	m->successor = fork();
	if (!m->successor)
		exec_successor(m, ends[1]);
	close(ends[1]);
	m->successor_talk = ends[0];
	m->successor_ms = master_now_ms();
	if (m->successor < 0) {
		err_errno("fork");
		m->successor = 0;
		forget(m);
		return;
	}
	log_info("core", NULL, "hand-over begins program=%s pid=%d", m->program, (int)m->successor);
}

void handover_heard(struct master *m)
{
	char word;
	ssize_t len = read(m->successor_talk, &word, 1);

	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	forget(m);
	if (len != 1 || m->state != SERVING) {
		log_error("core", NULL, "the new program is not ready, the old one goes on pid=%d", (int)m->successor);
		return;
	}
	log_info("core", NULL, "the new program is ready, the old one stops pid=%d", (int)m->successor);
	m->handed_over = true;
	manager_tell("MAINPID=%d", (int)m->successor);
	master_state(m, STOPPING);
}

void handover_look(struct master *m)
{
	if (m->successor_talk < 0 || master_now_ms() - m->successor_ms < READY_MS)
		return;
	log_error("core", NULL, "the new program takes too long, killed pid=%d", (int)m->successor);
	kill(m->successor, SIGKILL);
	forget(m);
}

bool handover_buried(struct master *m, pid_t pid, int status)
{
	if (pid != m->successor)
		return false;
	log_error("core", NULL, "the new program ended pid=%d status=%d signal=%d", (int)pid,
		WIFEXITED(status) ? WEXITSTATUS(status) : -1, WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	m->successor = 0;
	if (m->successor_talk >= 0)
		handover_heard(m);
	return true;
}

/* --- the new program --------------------------------------------------------------------------------------------- */

void handover_inherit(struct master *m)
{
	const char *text = getenv(HANDOVER_ENV);
	struct str left = str_of(text);
	ptrdiff_t end = str_find(left, '\n');
	uint32_t talk;

	if (end < 0 || !str_u32(str_cut(left, 0, (size_t)end), &talk) || fcntl((int)talk, F_SETFD, FD_CLOEXEC))
		return;
	m->predecessor_talk = (int)talk;
	listen_read(&m->listeners, str_cut(left, (size_t)end + 1, left.len));
	unsetenv(HANDOVER_ENV);
}

bool handover_ready(struct master *m)
{
	bool told = send(m->predecessor_talk, "R", 1, MSG_NOSIGNAL) == 1;

	close(m->predecessor_talk);
	m->predecessor_talk = -1;
	return told;
}
