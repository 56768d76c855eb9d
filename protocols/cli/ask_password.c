/* ask_password.c - see ask_password.h. */
#include "protocols/cli/ask_password.h"
#include "protocols/cli/client.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#define LINE_BYTES_MAX 1024

bool read_line(struct buf *line)
{
	int c;

	buf_clear(line);
	while ((c = getchar()) != EOF && c != '\n')
		if (buf_len(line) < LINE_BYTES_MAX)
			buf_add_char(line, (char)c);
	if (buf_len(line) && buf_data(line)[buf_len(line) - 1] == '\r')
		buf_cut(line, buf_len(line) - 1);
	return c != EOF || buf_len(line);
}

/* One question. Signals wait until the terminal echoes again: an interrupted one would stay mute. */
static bool ask(int tty, const char *question, struct buf *answer)
{
	struct termios loud, mute;
	sigset_t all, before;
	bool whole = false;
	char c;

	if (tcgetattr(tty, &loud))
		return false;
	mute = loud;
	mute.c_lflag &= ~(tcflag_t)ECHO;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	tcsetattr(tty, TCSAFLUSH, &mute);
	dprintf(tty, "%s", question);
	while (read(tty, &c, 1) == 1 && !(whole = c == '\n'))
		if (buf_len(answer) < LINE_BYTES_MAX)
			buf_add_char(answer, c);
	dprintf(tty, "\n");
	tcsetattr(tty, TCSAFLUSH, &loud);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return whole;
}

bool ask_password(const char *account, struct buf *password)
{
	struct buf question = { 0 }, again = { 0 };
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
	bool same = false;

	buf_printf(&question, "Password for %s: ", account);
	buf_add_char(&question, '\0');
	if (tty < 0 || !ask(tty, buf_data(&question), password) || !ask(tty, "The same again: ", &again))
		client_complain("there is no terminal to ask for a password on: give --password-stdin");
	else if (!(same = str_eq(buf_str(password), buf_str(&again))))
		client_complain("the two passwords differ; nothing was changed");
	if (tty >= 0)
		close(tty);
	buf_free(&question);
	buf_free(&again);
	return same;
}
