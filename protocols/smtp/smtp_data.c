/* smtp_data.c - the two ways a message comes: DATA, until a line with a dot alone (RFC 5321, 4.1.1.4), and BDAT, in chunks
 * whose size is told (RFC 3030). The bytes of a chunk are taken from the wire whatever becomes of it: as soon as they
 * were read as commands, whoever can put bytes into a message could give them. */
#include "protocols/smtp/smtp_session.h"

/* --- DATA -------------------------------------------------------------------------------------------------------- */

static void on_text(void *user, struct str piece)
{
	smtp_message_feed(user, piece);
}

static enum next read_text(struct smtp *s, struct buf *in)
{
	buf_take(in, smtp_dot_feed(&s->dot, buf_str(in), on_text, s));
	return s->dot.state == DOT_END ? smtp_message_end(s) : smtp_message_next(s);
}

enum next smtp_cmd_data(struct smtp *s, struct str rest)
{
	(void)rest;
	if (s->mail.body == BODY_BINARYMIME)
		return smtp_wrong(s, "503 5.5.1 what is BINARYMIME comes by BDAT");
	smtp_message_begin(s);
	s->dot = (struct smtp_dot){ 0 };
	s->reader = read_text;
	smtp_enter(s, DATA);
	return smtp_reply(s, "354 go on, a line with a dot alone ends it");
}

/* --- BDAT -------------------------------------------------------------------------------------------------------- */

static const char *out_of_turn(const struct smtp *s)
{
	if (s->state == GREETED || !s->extended)
		return s->lmtp ? "503 5.5.1 say LHLO first" : "503 5.5.1 say EHLO first";
	switch (s->state) {
	case HELLO:
		return "503 5.5.1 say MAIL first";
	case SENDER:
		return "503 5.5.1 say RCPT first; no recipient was taken";
	case SPOILT:
		return "503 5.5.1 a chunk was refused; RSET ends the transaction";
	default:
		return NULL;
	}
}

/* A chunk is there, or was swallowed. */
static enum next chunk_over(struct smtp *s)
{
	const char *wrong = s->chunk.wrong ? s->chunk.wrong : s->refused;

	s->reader = NULL;
	if (!s->chunk.wrong && s->chunk.last)
		return smtp_message_end(s);
	if (!wrong) {
		smtp_reply(s, "250 2.0.0 %llu bytes of the message are here", (unsigned long long)s->taken);
		return smtp_message_next(s);
	}
	smtp_reply(s, "%s", wrong);
	if (!s->chunk.wrong) {
		smtp_message_drop(s);
		smtp_enter(s, SPOILT);
	}
	return *wrong == '5' ? smtp_count(s) : DONE;
}

static enum next read_chunk(struct smtp *s, struct buf *in)
{
	size_t len = buf_len(in) < s->chunk.left ? buf_len(in) : (size_t)s->chunk.left;

	if (!s->chunk.wrong)
		smtp_message_feed(s, str_cut(buf_str(in), 0, len));
	buf_take(in, len);
	s->chunk.left -= len;
	return s->chunk.left ? smtp_message_next(s) : chunk_over(s);
}

enum next smtp_cmd_bdat(struct smtp *s, struct str rest)
{
	uint64_t size, room;

	if (!smtp_parse_chunk(rest, &size, &s->chunk.last)) {
		smtp_reply(s, "501 5.5.4 syntax: BDAT size [LAST]");
		smtp_reply(s, "421 4.7.0 %s it cannot be told where the next command begins", smtp_hostname(s));
		return CLOSE;
	}
	s->chunk.left = size;
	s->chunk.wrong = out_of_turn(s);
	if (!s->chunk.wrong && s->state == RCPTS) {
		smtp_message_begin(s);
		smtp_enter(s, CHUNKS);
	}
	room = (uint64_t)s->conf->message_max - s->taken;
	if (!s->chunk.wrong && size > room)
		smtp_message_too_big(s);
	s->reader = read_chunk;
	return size ? DONE : chunk_over(s);
}
