/* body.c - the content of a message: read from the queue in pieces, made what the other side can take, and sent as far as
 * there is room, by DATA or by BDAT (RFC 3030).
 * What was taken in with bytes beyond ASCII does not go as it is to a host without 8BITMIME: it is read twice then, first to
 * see which of its parts must be encoded, then encoded (recode.h, RFC 6152, 3). What came by SMTPUTF8 is looked at as well
 * where that is not spoken: a part's header may need it though the message's does not. */
#include "core/log.h"
#include "core/mem.h"
#include "protocols/smtp_client/session.h"
#include "storage/mail/form.h"
#include "storage/mail/recode.h"
#include <stdlib.h>

struct body {
	uint64_t at;           /* stored bytes read */
	struct buf stored;     /* of them, those that are not decoded yet */
	bool in_line;          /* decoding is in the midst of one */
	struct recode *recode; /* NULL: content goes as it is */
	bool looked;           /* recode knows what is to be encoded */
	struct wire wire;
	struct buf text, piece;
};

enum piece { PIECE_THERE, PIECE_LAST, PIECE_COMES, PIECE_FAILED };

void body_free(struct client *c)
{
	struct body *b = c->body;

	if (!b)
		return;
	recode_free(b->recode);
	buf_free(&b->stored);
	buf_free(&b->text);
	buf_free(&b->piece);
	free(b);
	c->body = NULL;
}

static void on_piece(void *user)
{
	struct client *c = user;

	c->reading = false;
	if (c->parting)
		transaction_end(c);
	else if (c->stage == PREPARING)
		body_prepare(c);
	else
		body_more(c);
}

/* The next piece of the content with CRLF, in b->text. */
static enum piece next_piece(struct client *c)
{
	struct body *b = c->body;
	struct queue_copy *copy = c->t->copy;
	size_t before = buf_len(&b->stored), took;
	bool line_start = !b->in_line, last;
	enum err e;

	if (c->reading)
		return PIECE_COMES;
	if (!queue_copy_read(copy, b->at, &b->stored, &e, on_piece, c)) {
		c->reading = true;
		return PIECE_COMES;
	}
	b->at += buf_len(&b->stored) - before;
	if (e)
		return PIECE_FAILED;
	last = b->at >= copy->stored;
	if (!last && buf_len(&b->stored) == before)
		return PIECE_FAILED;
	buf_clear(&b->text);
	took = form_decode(buf_str(&b->stored), &line_start, last, &b->text);
	buf_take(&b->stored, took);
	b->in_line = !line_start;
	return last ? PIECE_LAST : PIECE_THERE;
}

static void unreadable(struct client *c)
{
	transaction_lost(c, "4.3.0", "the message cannot be read in the queue");
}

/* --- looking first ---------------------------------------------------------------------------------------------------- */

/* Whether a header beyond ASCII, of whatever part, is not for this host. */
static bool needs_utf8(const struct client *c)
{
	return c->t->copy->envelope.utf8 && !(c->can.offers & OFFERS_SMTPUTF8);
}

static void looked_at(struct client *c)
{
	struct body *b = c->body;

	recode_end(b->recode, &b->piece);
	b->looked = true;
	b->at = 0;
	b->in_line = false;
	buf_clear(&b->stored);
	if (needs_utf8(c) && recode_header_beyond_ascii(b->recode)) {
		transaction_refuse(c, "5.6.7", "a part of the message needs SMTPUTF8, which the host does not speak");
	} else if (c->can.offers & OFFERS_8BITMIME) {
		recode_free(b->recode);
		b->recode = NULL;
		transaction_go(c);
	} else if (!recode_again(b->recode)) {
		transaction_refuse(c, "5.6.3", "the host takes no 8-bit text, and the message cannot be encoded");
	} else {
		c->terms.size = 0; /* it grows */
		transaction_go(c);
	}
}

void body_prepare(struct client *c)
{
	struct body *b = c->body;
	enum piece piece;

	if (!b) {
		c->body = b = mem_new(struct body);
		b->wire.stuff = !c->chunked;
		c->terms.eight_bit = c->t->copy->envelope.body != BODY_7BIT;
		c->terms.size = c->t->copy->wire;
		if (!c->terms.eight_bit || (c->can.offers & OFFERS_8BITMIME && !needs_utf8(c))) {
			transaction_go(c);
			return;
		}
		b->recode = recode_new_seven_bit();
	}
	piece = next_piece(c); /* one a turn: it may be a long one */
	if (piece == PIECE_FAILED) {
		unreadable(c);
	} else if (piece != PIECE_COMES) {
		recode_feed(b->recode, buf_str(&b->text), &b->piece);
		if (piece == PIECE_LAST)
			looked_at(c);
		else
			client_later(c, body_prepare);
	}
}

/* --- sending --------------------------------------------------------------------------------------------------------- */

/* The next piece as it goes over the wire, added to out. */
static enum piece next_wire(struct client *c, struct buf *out)
{
	struct body *b = c->body;
	enum piece piece = next_piece(c);
	struct str text = buf_str(&b->text);

	if (piece > PIECE_LAST)
		return piece;
	if (b->recode) {
		buf_clear(&b->piece);
		recode_feed(b->recode, text, &b->piece);
		if (piece == PIECE_LAST)
			recode_end(b->recode, &b->piece);
		text = buf_str(&b->piece);
	}
	wire_feed(&b->wire, text, out);
	if (piece == PIECE_LAST)
		wire_end(&b->wire, out);
	return piece;
}

static enum piece send_data(struct client *c)
{
	enum piece piece = next_wire(c, conn_out(c->conn));

	conn_wrote(c->conn);
	return piece;
}

static enum piece send_chunk(struct client *c)
{
	struct buf chunk = { 0 };
	enum piece piece = next_wire(c, &chunk);

	if (piece <= PIECE_LAST && (buf_len(&chunk) || piece == PIECE_LAST)) {
		client_say(c, "BDAT %zu%s\r\n", buf_len(&chunk), piece == PIECE_LAST ? " LAST" : "");
		conn_write_str(c->conn, buf_str(&chunk));
		c->chunks += piece == PIECE_THERE;
	}
	buf_free(&chunk);
	return piece;
}

void body_more(struct client *c)
{
	bool waits = c->chunked && !(c->can.offers & OFFERS_PIPELINING);
	enum piece piece = PIECE_THERE;

	while (piece == PIECE_THERE && conn_has_room(c->conn) && !(waits && c->chunks))
		piece = c->chunked ? send_chunk(c) : send_data(c);
	if (piece == PIECE_LAST)
		transaction_sent(c);
	else if (piece == PIECE_FAILED)
		unreadable(c);
}

void body_begin(struct client *c)
{
	client_enter(c, BODY, 0);
	conn_idle(c->conn, c->conf->block_ms);
	body_more(c);
}
