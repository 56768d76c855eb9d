/* imap_search.c - SEARCH (RFC 3501, 6.4.4): message by message, in turns of the loop that others can bear.
 * What flags, numbers, dates and sizes decide is decided at once. For the rest a message is read in up to three passes
 * through wire.h: its header; all of it for the tree of its parts; and, unless that was kept, all of it once more, when
 * it is known where texts lie. It stops as soon as the answer is known. */
#include "core/log.h"
#include "core/mem.h"
#include "protocols/imap/imap_search_key.h"
#include "protocols/imap/imap_session.h"
#include "storage/mail/charset.h"
#include <stdlib.h>

#define TURN_COST        (1u << 20)   /* of one turn of the loop, about as many bytes looked through for one text */
#define KEY_COST         40           /* of looking at a key of the program */
#define MESSAGE_COST     300          /* of looking at a message, as views say it */
#define READ_COST        1000         /* of beginning to read a message */
#define HEADER_BYTES_MAX (256u << 10) /* of a header; what is beyond is not looked at */
#define KEPT_BYTES_MAX   (256u << 10) /* messages up to this size are not read again */
#define STEP_BYTES       (16u << 10)  /* of a message that was kept, looked through at once */

enum phase { NEXT, HEADER, TREE, BODY };

struct searching {
	struct search_program program; /* in the session's arena */
	uint32_t seq;                  /* looked at last, or being looked at */
	enum phase phase;
	size_t cost; /* of this turn */
	bool missed; /* a message could not be read */
	struct message message;
	struct search_subject subject;
	struct wire wire;
	struct buf piece;   /* wire bytes on their way */
	struct buf kept;    /* of the message so far */
	bool whole;         /* that is all of it: it is looked through, not read again */
	uint64_t size;      /* bytes read in this pass */
	struct arena arena; /* memory of one message's tree */
	struct mime *mime;
	struct search *body;
};

static void on_ready(void *user)
{
	imap_search_on(user);
}

static void forget_message(struct searching *g)
{
	wire_close(&g->wire);
	mime_free(g->mime);
	g->mime = NULL;
	search_free(g->body);
	g->body = NULL;
	buf_clear(&g->kept);
	arena_reset(&g->arena);
}

void imap_search_drop(struct imap *s)
{
	struct searching *g = s->work->search;

	if (!g)
		return;
	forget_message(g);
	buf_free(&g->piece);
	buf_free(&g->kept);
	arena_free(&g->arena);
	free(g);
	s->work->search = NULL;
}

static uint64_t keyword_bits(const void *user, struct str word)
{
	return imap_keyword_bits(user, word);
}

/* ---- reading a message ---- */

static void start_pass(struct imap *s, struct searching *g, enum phase phase)
{
	struct message m = g->message;

	g->phase = phase;
	g->size = 0;
	g->cost += READ_COST;
	wire_close(&g->wire);
	buf_clear(&g->kept);
	if (phase == HEADER)
		m.stored = m.header; /* no more than that is read */
	if (phase == TREE)
		g->mime = mime_new(&g->arena, &mime_limits);
	wire_open(&g->wire, s->mailbox, &m, on_ready, s);
}

static enum wire_step read_piece(struct searching *g)
{
	enum wire_step step;

	buf_clear(&g->piece);
	step = wire_next(&g->wire, &g->piece);
	g->size += buf_len(&g->piece);
	g->cost += buf_len(&g->piece);
	return step;
}

static void keep(struct searching *g, size_t max)
{
	if (buf_len(&g->kept) < max)
		buf_add_str(&g->kept, buf_str(&g->piece));
}

static void look_through(struct searching *g, struct str bytes)
{
	g->cost += bytes.len * g->program.text_count;
	search_feed(g->body, bytes);
}

static enum wire_step look_at_kept(struct searching *g)
{
	size_t len = buf_len(&g->kept) < STEP_BYTES ? buf_len(&g->kept) : STEP_BYTES;

	look_through(g, str_cut(buf_str(&g->kept), 0, len));
	buf_take(&g->kept, len);
	return buf_len(&g->kept) ? WIRE_BYTES : WIRE_END;
}

/* One piece of the pass under way; WIRE_END: it is through. */
static enum wire_step pass_step(struct searching *g)
{
	enum wire_step step;

	if (g->phase == BODY && g->whole)
		return look_at_kept(g);
	step = read_piece(g);
	if (step == WIRE_BYTES && g->phase == HEADER) {
		keep(g, HEADER_BYTES_MAX);
	} else if (step == WIRE_BYTES && g->phase == TREE) {
		keep(g, KEPT_BYTES_MAX);
		mime_feed(g->mime, buf_data(&g->piece), buf_len(&g->piece));
	} else if (step == WIRE_BYTES) {
		look_through(g, buf_str(&g->piece));
	}
	return step;
}

/* A pass is through: what it was for is done. */
static void pass_end(struct imap *s, struct searching *g)
{
	const struct mime_part *root;

	switch (g->phase) {
	case HEADER:
		search_see_header(&g->program, &g->subject, buf_str(&g->kept));
		if (search_fits(&g->program, &g->subject) == MAYBE)
			start_pass(s, g, TREE);
		return;
	case TREE:
		root = mime_end(g->mime);
		g->mime = NULL;
		g->body = search_new(g->program.texts, g->program.text_count, root);
		g->whole = buf_len(&g->kept) == g->size;
		if (g->whole)
			g->phase = BODY;
		else
			start_pass(s, g, BODY);
		return;
	default:
		g->subject.read = ALL_READ;
	}
}

static void cannot_read(struct imap *s, struct searching *g)
{
	struct message now;

	selected_message(s->mailbox, g->seq, &now);
	if (!(now.flags & FLAG_EXPUNGED)) { /* else it is gone, and its bytes may be too */
		log_error("imap", conn_id(s->conn), "message cannot be read account=%s uid=%u", s->account->address,
			now.uid);
		g->missed = true;
	}
}

/* ---- message by message ---- */

static void begin_message(struct imap *s, struct searching *g)
{
	imap_message(s, ++g->seq, &g->message);
	g->subject.seq = g->seq;
	g->subject.message = &g->message;
	g->subject.recent = selected_is_recent(s->mailbox, &g->message);
	g->cost += MESSAGE_COST + g->program.count * KEY_COST;
	search_begin(&g->program, &g->subject);
}

/* The message is decided. */
static void end_message(struct imap *s, struct searching *g, enum truth fits)
{
	if (fits == YES) {
		struct buf *out = conn_out(s->conn);

		buf_add_char(out, ' ');
		buf_add_number(out, s->command->besides & IS_UID ? g->message.uid : g->seq);
		conn_wrote(s->conn);
	}
	forget_message(g);
	g->phase = NEXT;
}

/* One step on; false: it must be waited for. */
static bool search_step(struct imap *s, struct searching *g)
{
	enum truth fits;

	if (g->phase == NEXT) {
		begin_message(s, g);
		fits = g->message.flags & FLAG_EXPUNGED ? NO : search_fits(&g->program, &g->subject);
		if (fits == MAYBE)
			start_pass(s, g, HEADER);
		else
			end_message(s, g, fits);
		return true;
	}
	switch (pass_step(g)) {
	case WIRE_WAIT:
		return false;
	case WIRE_FAILED:
		cannot_read(s, g);
		end_message(s, g, NO);
		return true;
	case WIRE_END:
		pass_end(s, g);
		break;
	default:
		break;
	}
	fits = search_fits(&g->program, &g->subject);
	if (fits != MAYBE)
		end_message(s, g, fits);
	return true;
}

static void next_turn(void *user, enum err e, struct str answer)
{
	struct imap *s = user;

	(void)e, (void)answer;
	s->waiting = NULL;
	imap_search_on(s);
}

static enum next search_run(struct imap *s)
{
	struct searching *g = s->work->search;
	bool missed;

	g->cost = 0;
	while (g->phase != NEXT || g->seq < selected_exists(s->mailbox)) {
		if (!conn_has_room(s->conn))
			return WAIT;
		if (g->cost >= TURN_COST) {
			s->waiting = call_later(s->worker, next_turn, s);
			return WAIT;
		}
		if (!search_step(s, g))
			return WAIT;
	}
	conn_printf(s->conn, "\r\n");
	missed = g->missed;
	imap_search_drop(s);
	if (missed)
		return imap_no(s, "[UNAVAILABLE] some of the messages cannot be read");
	return imap_outcome(s, OK);
}

void imap_search_on(struct imap *s)
{
	enum next next;

	if (!s->work->search || s->waiting || s->parted)
		return;
	next = search_run(s);
	if (next != WAIT)
		imap_resume(s, next);
}

static enum next bad_charset(struct imap *s)
{
	struct buf names = { 0 };
	enum next next;

	for (size_t i = 0; charset_name(i); i++) {
		if (i)
			buf_add_char(&names, ' ');
		imap_write_astring(&names, str_of(charset_name(i)));
	}
	next = imap_no(s, "[BADCHARSET (" STR_FMT ")] that charset is not known", STR_ARG(buf_str(&names)));
	buf_free(&names);
	return next;
}

/* CHARSET (RFC 3501, 6.4.4); false: the reply is sent, in *next. */
static bool take_charset(struct imap *s, struct args *a, struct str *charset, enum next *next)
{
	struct charset *known;

	if (!args_word(a, STR("CHARSET ")))
		return true;
	*charset = args_astring(a);
	args_space(a);
	if (a->bad) {
		*next = imap_bad(s, "CHARSET wants a name");
	} else if (!(known = charset_open(*charset))) {
		*next = bad_charset(s);
	} else {
		charset_free(known);
		return true;
	}
	return false;
}

enum next cmd_search(struct imap *s, struct args *a)
{
	uint32_t exists = selected_exists(s->mailbox);
	struct str charset = STR("us-ascii");
	struct message last = { 0 };
	struct search_program program;
	enum next next;

	args_space(a);
	if (!take_charset(s, a, &charset, &next))
		return next;
	if (!search_compile(a, charset, &program))
		return imap_bad(s, "SEARCH wants keys of RFC 3501, 6.4.4");
	if (exists)
		selected_message(s->mailbox, exists, &last);
	search_bind(&program, exists, last.uid, keyword_bits, s);
	s->work->search = mem_new(struct searching);
	s->work->search->program = program;
	conn_printf(s->conn, "* SEARCH");
	return search_run(s);
}
