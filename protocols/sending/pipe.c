/* pipe.c - the transport to programs of the configuration and of aliases(5) files (pipe_command.h).
 * The message lies whole in a file of memory before the program is started, with LF line ends and Return-Path first: so it
 * never takes for whole what a dying server began to write. Recipients have their runs one after the other. */
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "protocols/sending/pipe_command.h"
#include "storage/mail/form.h"
#include "storage/route/alias_program.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PIECES_MAX 8     /* of a message in one turn */
#define IDLE_MS    10000 /* so long a session stays without anything to do */

struct transport_session {
	struct worker *w;
	struct sending_session *ours;
	struct conf *conf;            /* a reference */
	const struct pipe_conf *pipe; /* NULL: it is a program of an aliases file, or there is none */
	struct str alias;             /* which one: the hop's; "" : of none */
	struct timer timer;
	struct transaction *transaction;
	int message; /* the file; -1 without */
	uint64_t at; /* of the message's bytes, those read */
	struct buf raw;
	bool at_line_start;
	size_t recipient; /* whose run it is */
	struct program *program;
};

static void message_drop(struct transport_session *t)
{
	if (t->message >= 0)
		close(t->message);
	t->message = -1;
	buf_free(&t->raw);
}

static void session_free(struct transport_session *t)
{
	timer_stop(t->w->timers, &t->timer);
	program_free(t->program);
	message_drop(t);
	conf_unref(t->conf);
	free(t);
}

/* --- the runs ------------------------------------------------------------------------------------------------------------ */

static void next(void *user);

static void transaction_over(struct transport_session *t)
{
	struct transaction *done = t->transaction;

	message_drop(t);
	t->transaction = NULL;
	sending_done(t->ours, done);
	timer_start(t->w->timers, &t->timer, 0, next, t);
}

/* Those who had no run yet. */
static void fail_rest(struct transport_session *t, enum outcome_kind kind, struct str status, const char *words)
{
	struct outcome o = {
		.kind = kind, .status = status, .reply = str_of(words), .diagnostic_type = STR("x-postern")
	};

	for (; t->recipient < t->transaction->count; t->recipient++)
		sending_tell(t->ours, t->transaction, t->recipient, &o);
	transaction_over(t);
}

static void defer_rest(struct transport_session *t, const char *words)
{
	fail_rest(t, OUTCOME_DEFERRED, STR("4.3.0"), words);
}

static void run(struct transport_session *t);

static void ended(void *user, const struct program_end *end)
{
	struct transport_session *t = user;
	struct arena a = { 0 };
	struct outcome o;

	t->program = NULL;
	pipe_outcome(end, &a, &o);
	sending_tell(t->ours, t->transaction, t->recipient++, &o);
	arena_free(&a);
	run(t);
}

static void start_pipe(struct transport_session *t, struct arena *a, int input)
{
	const struct transaction *tr = t->transaction;
	const char *const *arguments = pipe_arguments(
		t->pipe, a, &tr->copy->envelope, tr->recipients[t->recipient].recipient->address, tr->copy->stored);

	t->program = program_start(t->w, arguments, NULL, input, t->pipe->timeout_ms, ended, t);
}

static void start_alias(struct transport_session *t, struct arena *a, int input)
{
	struct str sender = t->transaction->copy->envelope.sender, command;
	enum err e = alias_program_find(t->w, t->alias, &command);

	if (e == ERR_AGAIN)
		defer_rest(t, "the aliases file cannot be read now");
	else if (e)
		fail_rest(t, OUTCOME_REFUSED, STR("5.1.1"), "the name stands for no such program any more");
	else
		t->program = program_start(t->w, pipe_alias_arguments(a, command),
			pipe_alias_environment(a, sender, alias_program_name(t->alias)), input, PIPE_ALIAS_MS, ended,
			t);
}

/* Each run opens the file anew, for reading, from its beginning. */
static void run(struct transport_session *t)
{
	struct arena a = { 0 };
	char path[64];
	int input;

	if (t->recipient == t->transaction->count) {
		transaction_over(t);
		return;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", t->message);
	if ((input = open(path, O_RDONLY | O_CLOEXEC)) < 0) {
		err_errno("open a message in memory");
		defer_rest(t, "the message cannot be read now");
		return;
	}
	if (t->pipe)
		start_pipe(t, &a, input);
	else
		start_alias(t, &a, input);
	close(input);
	arena_free(&a);
}

/* --- the message ------------------------------------------------------------------------------------------------------- */

static bool message_add(struct transport_session *t, struct str bytes)
{
	while (bytes.len) {
		ssize_t n = write(t->message, bytes.p, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			err_errno("keep a message in memory");
			return false;
		}
		bytes = str_cut(bytes, (size_t)n, bytes.len);
	}
	return true;
}

/* What was read, with LF line ends: stored messages have no CR but in CRLF. */
static bool pass_on(struct transport_session *t)
{
	bool last = t->at == t->transaction->copy->stored, good;
	struct buf wire = { 0 }, text = { 0 };

	buf_take(&t->raw, form_decode(buf_str(&t->raw), &t->at_line_start, last, &wire));
	for (size_t i = 0; i < buf_len(&wire); i++)
		if (buf_data(&wire)[i] != '\r')
			buf_add_char(&text, buf_data(&wire)[i]);
	good = message_add(t, buf_str(&text));
	buf_free(&wire);
	buf_free(&text);
	return good;
}

static void read_on(void *user)
{
	struct transport_session *t = user;
	struct queue_copy *copy = t->transaction->copy;
	enum err e = OK;

	for (unsigned i = 0; t->at < copy->stored; i++) {
		size_t before = buf_len(&t->raw);

		if (i == PIECES_MAX) {
			timer_start(t->w->timers, &t->timer, 0, read_on, t);
			return;
		}
		if (!queue_copy_read(copy, t->at, &t->raw, &e, read_on, t))
			return;
		t->at += buf_len(&t->raw) - before;
		if (e || buf_len(&t->raw) == before || !pass_on(t)) {
			defer_rest(t, "the message cannot be read now");
			return;
		}
	}
	run(t);
}

static void begin(struct transport_session *t)
{
	struct buf line = { 0 };
	bool good;

	t->at = 0;
	t->recipient = 0;
	t->at_line_start = true;
	t->message = memfd_create("message", MFD_CLOEXEC);
	buf_printf(&line, "Return-Path: <" STR_FMT ">\n", STR_ARG(t->transaction->copy->envelope.sender));
	good = message_add(t, buf_str(&line));
	buf_free(&line);
	if (good)
		read_on(t);
	else
		defer_rest(t, "the message cannot be kept now");
}

/* --- the session ------------------------------------------------------------------------------------------------------- */

static void leave(void *user)
{
	struct transport_session *t = user;
	struct sending_session *ours = t->ours;

	session_free(t);
	sending_over(ours);
}

static void next(void *user)
{
	struct transport_session *t = user;
	struct outcome none = { .kind = OUTCOME_DEFERRED,
		.status = STR("4.3.5"),
		.reply = STR("there is no such program in the configuration"),
		.diagnostic_type = STR("x-postern") };

	if (!t->pipe && !t->alias.len) {
		sending_unreachable(t->ours, &none);
		leave(t);
		return;
	}
	t->transaction = sending_take(t->ours);
	if (t->transaction)
		begin(t);
	else
		timer_start(t->w->timers, &t->timer, IDLE_MS, leave, t);
}

static struct transport_session *pipe_open(struct worker *w, struct sending_session *s, const struct next_hop *hop)
{
	struct transport_session *t = mem_new(struct transport_session);
	struct buf name = { 0 };

	t->w = w;
	t->ours = s;
	t->conf = conf_ref(w->conf);
	t->message = -1;
	buf_add_str(&name, hop->pipe);
	buf_add_char(&name, '\0');
	if (alias_program_is(hop->pipe))
		t->alias = hop->pipe;
	else
		t->pipe = conf_find(t->conf, &pipe_settings, buf_data(&name));
	buf_free(&name);
	timer_start(w->timers, &t->timer, 0, next, t);
	return t;
}

static void pipe_more(struct transport_session *t)
{
	if (!t->transaction)
		timer_start(t->w->timers, &t->timer, 0, next, t);
}

const struct transport pipe_transport = { pipe_open, pipe_more, session_free };
