/* imap_fetch.c - FETCH (RFC 3501, 6.4.5): message by message, item by item, as fast as the client reads.
 * A message is read in up to two passes, both through wire.h and never held whole: the first, only if an item needs
 * it, for the header or the tree of its parts, which tell where sections lie; then one for each section that is sent.
 * Every step can stop for want of room, for the disk, or for others in this loop, and goes on where it was. A literal is
 * announced when its first bytes are at hand: a message that is gone by then has NIL for it, and FETCH ends in NO. */
#include "protocols/imap/imap_fetch.h"
#include "core/counter.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/mail/header.h"
#include <stdlib.h>

#define HEADER_BYTES_MAX (1u << 20) /* of a header kept for ENVELOPE and the like; what is beyond is not looked at */
#define TURN_BYTES       (1u << 20) /* read in one turn of the loop ... */
#define MESSAGE_BYTES    (4u << 10) /* ... where each message counts for so many more */

COUNTER(imap_fetched, "imap.fetched", "messages told of by FETCH");

void imap_fetch_ready(void *user)
{
	imap_fetch_on(user);
}

static void forget_message(struct fetch *f)
{
	wire_close(&f->wire);
	mime_free(f->mime);
	f->mime = NULL;
	f->root = NULL;
	buf_clear(&f->piece);
	buf_clear(&f->header);
	arena_reset(&f->arena);
}

void imap_fetch_drop(struct imap *s)
{
	struct fetch *f = s->work->fetch;

	if (!f)
		return;
	imap_seen_send(s);
	forget_message(f);
	buf_free(&f->piece);
	buf_free(&f->header);
	buf_free(&f->collected);
	buf_free(&f->raw);
	buf_free(&f->plain);
	arena_free(&f->arena);
	free(f);
	s->work->fetch = NULL;
}

/* ---- the first pass ---- */

static void start_load(struct imap *s, struct fetch *f)
{
	struct message m = f->message;

	f->phase = LOAD;
	f->turn_bytes += MESSAGE_BYTES;
	if (f->items.needs & NEEDS_TREE)
		f->mime = mime_new(&f->arena, &mime_limits);
	else
		m.stored = m.header; /* no more than that is read */
	wire_open(&f->wire, s->mailbox, &m, imap_fetch_ready, s);
}

static void next_turn(void *user, enum err e, struct str answer)
{
	struct imap *s = user;

	(void)e, (void)answer;
	s->waiting = NULL;
	imap_fetch_on(s);
}

/* Whoever reads much without sending lets others have their turn. */
enum wire_step imap_fetch_read(struct imap *s, struct fetch *f)
{
	enum wire_step step;

	if (s->waiting)
		return WIRE_WAIT;
	if (f->turn_bytes >= TURN_BYTES) {
		s->waiting = call_later(s->worker, next_turn, s);
		return WIRE_WAIT;
	}
	buf_clear(&f->piece);
	step = wire_next(&f->wire, &f->piece);
	f->turn_bytes += buf_len(&f->piece);
	return step;
}

/* To the end of what is needed: header, header_size and root are there then. */
static enum wire_step load(struct imap *s, struct fetch *f)
{
	enum wire_step step;

	while ((step = imap_fetch_read(s, f)) == WIRE_BYTES) {
		if (f->mime)
			mime_feed(f->mime, buf_data(&f->piece), buf_len(&f->piece));
		if (f->items.needs & NEEDS_HEADER && buf_len(&f->header) < HEADER_BYTES_MAX)
			buf_add_str(&f->header, buf_str(&f->piece));
		f->header_size += buf_len(&f->piece);
	}
	if (step != WIRE_END)
		return step;
	wire_close(&f->wire);
	if (f->mime) {
		f->root = mime_end(f->mime);
		f->mime = NULL;
		f->header_size = f->root->body_start;
	}
	if (buf_len(&f->header) > f->header_size)
		buf_cut(&f->header, (size_t)f->header_size);
	return WIRE_END;
}

/* ---- items ---- */

static void write_date(struct buf *out, int64_t seconds)
{
	char text[DATE_TEXT_SIZE];

	date_imap_print(text, seconds, 0);
	buf_printf(out, "INTERNALDATE \"%s\"", text);
}

static void write_flags(struct imap *s, const struct fetch *f, struct buf *out)
{
	const struct message *m = &f->message;

	imap_write_flags(s, m, out);
	if (s->work->store)
		s->work->told[s->work->told_count++] = (struct told){ m->uid, m->flags & FLAG_SYSTEM, m->keywords };
}

static void write_envelope(struct fetch *f, struct buf *out)
{
	struct envelope e;

	buf_add_str(out, STR("ENVELOPE "));
	if (f->root) {
		imap_write_envelope(out, f->root->envelope);
		return;
	}
	envelope_read(&f->arena, buf_str(&f->header), mime_limits.fields, &e);
	imap_write_envelope(out, &e);
}

static void write_item(struct imap *s, struct fetch *f, const struct item *item)
{
	struct buf *out;

	if (f->item++)
		conn_write(s->conn, " ", 1);
	if (item->kind >= ITEM_SECTION) {
		imap_section_begin(s, f, item);
		return;
	}
	out = conn_out(s->conn);
	switch (item->kind) {
	case ITEM_FLAGS:
		write_flags(s, f, out);
		break;
	case ITEM_UID:
		buf_add_str(out, STR("UID "));
		buf_add_number(out, f->message.uid);
		break;
	case ITEM_DATE:
		write_date(out, f->message.date);
		break;
	case ITEM_SIZE:
		buf_add_str(out, STR("RFC822.SIZE "));
		buf_add_number(out, f->message.wire);
		break;
	case ITEM_ENVELOPE:
		write_envelope(f, out);
		break;
	default:
		buf_printf(out, STR_FMT " ", STR_ARG(item->label));
		imap_write_structure(out, f->root, item->kind == ITEM_STRUCTURE);
	}
	conn_wrote(s->conn);
}

/* ---- message by message ---- */

/* The next message of the set; false: there is none. */
static bool next_message(struct imap *s, struct fetch *f)
{
	if (f->seq && f->seq < f->seqs.ranges[f->range].last)
		f->seq++;
	else if (f->range + !!f->seq < f->seqs.count)
		f->seq = f->seqs.ranges[f->range += !!f->seq].first;
	else
		return false;
	forget_message(f);
	f->header_size = 0;
	f->item = 0;
	imap_message(s, f->seq, &f->message);
	return true;
}

/* A section was asked for without PEEK: the message is seen now, and said to be. */
static void mark_seen(struct imap *s, struct fetch *f)
{
	f->told_seen = false;
	if (!f->items.sets_seen || s->read_only || f->message.flags & (FLAG_SEEN | FLAG_EXPUNGED))
		return;
	f->message.flags |= FLAG_SEEN;
	f->told_seen = true;
	imap_seen_add(s, &f->message);
}

static void begin_message(struct imap *s, struct fetch *f)
{
	struct buf *out = conn_out(s->conn);

	counter_add(&imap_fetched, 1);
	mark_seen(s, f);
	buf_add_str(out, STR("* "));
	buf_add_number(out, f->seq);
	buf_add_str(out, STR(" FETCH ("));
	conn_wrote(s->conn);
	f->phase = ITEMS;
}

static void end_message(struct imap *s, struct fetch *f)
{
	struct buf *out = conn_out(s->conn);

	if (f->told_seen && !f->items.tells_flags) {
		buf_add_char(out, ' ');
		imap_write_flags(s, &f->message, out);
	}
	buf_add_str(out, STR(")\r\n"));
	conn_wrote(s->conn);
	f->phase = NEXT;
}

/* A message that cannot be read is left out if nothing was said of it, or has NIL for what was asked; within a literal
 * only the end of the connection tells that it is not whole. */
static enum next cannot_read(struct imap *s, struct fetch *f)
{
	struct message now;

	selected_message(s->mailbox, f->seq, &now);
	if (!(now.flags & FLAG_EXPUNGED)) { /* else it is gone, and its bytes may be too */
		log_error("imap", conn_id(s->conn), "message cannot be read account=%s uid=%u", s->account->address,
			now.uid);
		f->unreadable = true;
	}
	f->missed = true;
	wire_close(&f->wire);
	if (f->phase != LOAD)
		return imap_section_fail(s, f) ? DONE : CLOSE;
	f->phase = NEXT;
	return DONE;
}

/* What a phase's step means for the phase after it. */
static enum next stepped(struct imap *s, struct fetch *f, enum wire_step step)
{
	if (step == WIRE_WAIT)
		return WAIT;
	if (step == WIRE_FAILED)
		return cannot_read(s, f);
	if (f->phase != LOAD) {
		f->phase = ITEMS;
	} else if (imap_section_decodes(f)) {
		begin_message(s, f);
	} else {
		f->unknown = true; /* nothing is said of this message */
		f->phase = NEXT;
	}
	return DONE;
}

/* Of a message that is gone only its UID may be left (a quiet session keeps no more): nothing is said of it. For a UID
 * command it is one of the UIDs that do not exist (RFC 3501, 6.4.8). */
static bool is_lost(const struct imap *s, struct fetch *f)
{
	bool lost = f->message.offset == MESSAGE_NOWHERE;

	f->missed |= lost && !(s->command->besides & IS_UID);
	return lost;
}

/* One step on; DONE: go on. */
static enum next fetch_step(struct imap *s, struct fetch *f)
{
	switch (f->phase) {
	case NEXT:
		if (!conn_has_room(s->conn))
			return WAIT;
		if (!next_message(s, f))
			f->phase = LAST;
		else if (is_lost(s, f))
			return DONE;
		else if (f->items.needs)
			start_load(s, f);
		else
			begin_message(s, f);
		return DONE;
	case LOAD:
		return stepped(s, f, load(s, f));
	case ITEMS:
		if (!conn_has_room(s->conn))
			return WAIT;
		if (f->item == f->items.count)
			end_message(s, f);
		else
			write_item(s, f, &f->items.list[f->item]);
		return DONE;
	default:
		return stepped(s, f, imap_section_step(s, f));
	}
}

static enum next fetch_run(struct imap *s)
{
	struct fetch *f = s->work->fetch;
	enum next next = DONE;
	bool missed, unreadable, unknown;

	f->turn_bytes = 0;
	while (next == DONE && f->phase != LAST)
		next = fetch_step(s, f);
	if (next != DONE)
		return next;
	missed = f->missed;
	unreadable = f->unreadable;
	unknown = f->unknown;
	imap_fetch_drop(s);
	if (unreadable)
		return imap_no(s, "[UNAVAILABLE] some of the messages cannot be read");
	if (missed)
		return imap_no(s, "[EXPUNGEISSUED] some of the messages are gone");
	if (unknown)
		return imap_no(s, "[UNKNOWN-CTE] what that part is encoded in is not known");
	return imap_outcome(s, OK);
}

void imap_fetch_on(struct imap *s)
{
	enum next next;

	if (!s->work->fetch || s->waiting || s->parted)
		return;
	next = fetch_run(s);
	if (next != WAIT)
		imap_resume(s, next);
}

static enum next fetch_start(struct imap *s, const struct items *items, const struct set *seqs)
{
	s->work->fetch = mem_new(struct fetch);
	s->work->fetch->items = *items;
	s->work->fetch->seqs = *seqs;
	return fetch_run(s);
}

enum next imap_fetch_flags(struct imap *s, const struct set *seqs)
{
	struct args a = args_of(STR("FLAGS\r\n"), &s->work->arena);
	struct items items;

	imap_take_items(&a, &items, s->command->besides & IS_UID);
	return fetch_start(s, &items, seqs);
}

enum next cmd_fetch(struct imap *s, struct args *a)
{
	struct set set = { 0 }, seqs;
	struct items items;

	args_space(a);
	args_set(a, &set);
	args_space(a);
	if (!imap_take_items(a, &items, s->command->besides & IS_UID) || !args_end(a))
		return imap_bad(s, "FETCH wants a set of messages and what of them");
	if (!imap_seqs(s, &set, &seqs))
		return imap_bad(s, "there are only %u messages", selected_exists(s->mailbox));
	return fetch_start(s, &items, &seqs);
}
