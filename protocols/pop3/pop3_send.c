/* pop3_send.c - answers of many lines, as fast as the client reads: messages, their tops, lists (RFC 1939, 3, 5, 7).
 * "+OK" is said when the first of a message is at hand: one that cannot be read gets "-ERR". */
#include "core/log.h"
#include "protocols/pop3/pop3_session.h"

#define HEADER_LOOK_MAX 65536 /* bytes of a header in which we look for what is not ASCII */

void pop3_send_drop(struct pop3 *s)
{
	wire_close(&s->send.wire);
	buf_free(&s->send.piece);
	s->send.kind = NOTHING;
}

static void begin(struct pop3 *s)
{
	struct pop3_send *t = &s->send;
	const struct message *m = &t->wire.message;

	t->begun = true;
	if (t->kind == TOP) {
		pop3_ok(s, "the top of it");
		return;
	}
	pop3_ok(s, "%u octets", m->wire);
	if (!(m->flags & FLAG_SEEN))
		store_seen(s->worker, s->account, s->maildrop, &(struct uid_range){ m->uid, m->uid }, 1);
}

static enum next cannot_read(struct pop3 *s)
{
	bool begun = s->send.begun;

	log_error("pop3", conn_id(s->conn), "message cannot be read account=%s uid=%u", s->account->address,
		s->send.wire.message.uid);
	pop3_send_drop(s);
	return begun ? CLOSE /* only that tells that the message is not whole */
	             : pop3_err(s, "[SYS/TEMP] the message cannot be read now");
}

/* Whether all that decides is at hand: the whole header, or as much of it as we look at. */
static bool has_header(const struct pop3_send *t)
{
	struct str piece = buf_str(&t->piece);

	return piece.len >= HEADER_LOOK_MAX || str_starts(piece, STR("\r\n")) ||
	       (piece.len && memmem(piece.p, piece.len, "\r\n\r\n", 4));
}

static struct str header_of(const struct pop3_send *t)
{
	struct str piece = buf_str(&t->piece);
	const char *end = piece.len ? memmem(piece.p, piece.len, "\r\n\r\n", 4) : NULL;

	return str_starts(piece, STR("\r\n")) ? STR_NONE : end ? str_cut(piece, 0, (size_t)(end - piece.p) + 2) : piece;
}

/* Sends while there is room. DONE: all of it went out; WAIT: for room or for the disk. */
static enum next send_message(struct pop3 *s)
{
	struct pop3_send *t = &s->send;

	while (!t->text.cut) {
		enum wire_step step;

		if (!conn_has_room(s->conn))
			return WAIT;
		if ((step = wire_next(&t->wire, &t->piece)) == WIRE_WAIT)
			return WAIT;
		if (step == WIRE_FAILED)
			return cannot_read(s);
		if (!t->begun && step != WIRE_END && !s->utf8 && !has_header(t))
			continue;
		if (!t->begun && !s->utf8 && pop3_needs_utf8(header_of(t))) {
			pop3_send_drop(s);
			return pop3_err(s, "[UTF8] its header is in UTF-8: say UTF8 before the login");
		}
		if (!t->begun)
			begin(s);
		if (step == WIRE_END && !buf_len(&t->piece))
			break;
		pop3_text_add(&t->text, buf_str(&t->piece), conn_out(s->conn));
		conn_wrote(s->conn);
		buf_clear(&t->piece);
	}
	pop3_text_end(&t->text, conn_out(s->conn));
	conn_wrote(s->conn);
	pop3_send_drop(s);
	return DONE;
}

void pop3_write_listing(const struct pop3 *s, uint32_t number, bool uidl, struct buf *out)
{
	struct message m;

	selected_message(s->maildrop, number, &m);
	if (uidl) /* UIDVALIDITY and UID: the same for ever, and never another message's (RFC 1939, 7) */
		buf_printf(out, "%u %u.%u\r\n", number, selected_uidvalidity(s->maildrop), m.uid);
	else
		buf_printf(out, "%u %u\r\n", number, m.wire);
}

static enum next send_list(struct pop3 *s)
{
	struct pop3_send *t = &s->send;

	while (t->number < s->messages) {
		if (!conn_has_room(s->conn))
			return WAIT;
		if (pop3_is_deleted(s, ++t->number))
			continue;
		pop3_write_listing(s, t->number, t->kind == UIDL, conn_out(s->conn));
		conn_wrote(s->conn);
	}
	conn_printf(s->conn, ".\r\n");
	pop3_send_drop(s);
	return DONE;
}

static enum next send_on(struct pop3 *s)
{
	return s->send.kind == LIST || s->send.kind == UIDL ? send_list(s) : send_message(s);
}

void pop3_send_on(struct pop3 *s)
{
	enum next next;

	if (s->send.kind == NOTHING || s->parted)
		return;
	next = send_on(s);
	if (next != WAIT)
		pop3_resume(s, next);
}

static void on_ready(void *user)
{
	pop3_send_on(user);
}

static enum next send_start(struct pop3 *s, const struct message *m, struct pop3_send send)
{
	s->send = send;
	if (m)
		wire_open(&s->send.wire, s->maildrop, m, on_ready, s);
	return send_on(s);
}

enum next pop3_send_message(struct pop3 *s, const struct message *m)
{
	return send_start(s, m, (struct pop3_send){ .kind = MESSAGE });
}

enum next pop3_send_top(struct pop3 *s, const struct message *m, uint32_t lines)
{
	return send_start(s, m, (struct pop3_send){ .kind = TOP, .text = { .top = true, .lines = lines } });
}

enum next pop3_send_list(struct pop3 *s, bool uidl)
{
	pop3_ok(s, "%u messages", s->messages - s->deleted_count);
	return send_start(s, NULL, (struct pop3_send){ .kind = uidl ? UIDL : LIST });
}
