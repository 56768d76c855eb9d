/* pop3_send.c - RETR and TOP: a message on its way out, as fast as the client reads, dots stuffed (RFC 1939, 3). */
#include "core/log.h"
#include "protocols/pop3/pop3_session.h"

/* How much of the piece belongs to TOP's answer: the header with its empty line, then so many lines. */
static size_t top_part(struct pop3_send *t, struct str piece)
{
	size_t at = 0;

	while (at < piece.len && (t->in_header || t->lines)) {
		const char *lf = memchr(piece.p + at, '\n', piece.len - at);
		size_t len = lf ? (size_t)(lf - piece.p) + 1 - at : piece.len - at;

		at += len;
		t->line_bytes += len;
		if (!lf)
			break;
		if (!t->in_header)
			t->lines--;
		else if (t->line_bytes == 2) /* CRLF alone */
			t->in_header = false;
		t->line_bytes = 0;
	}
	if (!t->in_header && !t->lines)
		t->cut = true;
	return at;
}

/* Copies wire text to out with a dot more in front of each line that begins with one. */
static void add_stuffed(struct pop3_send *t, struct str text, struct buf *out)
{
	size_t from = 0;

	while (from < text.len) {
		const char *lf = memchr(text.p + from, '\n', text.len - from);
		size_t to = lf ? (size_t)(lf - text.p) + 1 : text.len;

		if (t->at_line_start && text.p[from] == '.')
			buf_add_char(out, '.');
		buf_add(out, text.p + from, to - from);
		t->at_line_start = lf != NULL;
		from = to;
	}
}

void pop3_send_drop(struct pop3 *s)
{
	wire_close(&s->send.wire);
	buf_free(&s->send.piece);
	s->send.wire.mailbox = NULL;
}

/* Sends while there is room. DONE: all of it went out; WAIT: for room or for the disk. */
static enum next send_some(struct pop3 *s)
{
	struct pop3_send *t = &s->send;

	while (!t->cut) {
		enum wire_step step;
		struct str piece;

		if (!conn_has_room(s->conn))
			return WAIT;
		step = wire_next(&t->wire, &t->piece);
		if (step == WIRE_WAIT)
			return WAIT;
		if (step == WIRE_END)
			break;
		if (step ==
			WIRE_FAILED) { /* the reply has begun: only ending the connection says that it is not whole */
			log_error("pop3", conn_id(s->conn), "message cannot be read account=%s uid=%u",
				s->account->address, t->wire.message.uid);
			return CLOSE;
		}
		piece = buf_str(&t->piece);
		if (t->top)
			piece.len = top_part(t, piece);
		add_stuffed(t, piece, conn_out(s->conn));
		conn_wrote(s->conn);
		buf_clear(&t->piece);
	}
	conn_printf(s->conn, t->at_line_start ? ".\r\n" : "\r\n.\r\n");
	pop3_send_drop(s);
	return DONE;
}

void pop3_send_on(struct pop3 *s)
{
	enum next next;

	if (!s->send.wire.mailbox)
		return;
	next = send_some(s);
	if (next != WAIT)
		pop3_resume(s, next);
}

static void on_ready(void *user)
{
	pop3_send_on(user);
}

enum next pop3_send(struct pop3 *s, const struct message *m, int64_t lines)
{
	struct pop3_send *t = &s->send;

	*t = (struct pop3_send){
		.top = lines >= 0, .lines = lines < 0 ? 0 : (uint64_t)lines, .in_header = true, .at_line_start = true
	};
	wire_open(&t->wire, s->maildrop, m, on_ready, s);
	return send_some(s);
}
