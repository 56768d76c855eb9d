/* imap_fetch.c - FETCH (RFC 3501, 6.4.5): message by message, item by item, as fast as the client reads.
 * A message is read in up to two passes, both through wire.h and never held whole: the first, only if an item needs
 * it, for the header or the tree of its parts, which tell where sections lie; then one for each section that is sent.
 * Every step can stop for want of room, for the disk, or for others in this loop, and goes on where it was. A literal is
 * announced when its first bytes are at hand: a message that is gone by then has NIL for it, and FETCH ends in NO. */
#include "protocols/imap/imap_fetch.h"
#include "core/counter.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/header.h"
#include <stdlib.h>

#define HEADER_BYTES_MAX (1u << 20) /* of a header kept for ENVELOPE and the like; what is beyond is not looked at */
#define TURN_BYTES       (1u << 20) /* read in one turn of the loop */

COUNTER(imap_fetched, "imap.fetched", "messages told of by FETCH");

enum phase { NEXT, LOAD, ITEMS, COLLECT, STREAM, LAST };

struct fetch {
	struct items items; /* in the session's arena */
	struct set seqs;    /* the same */
	size_t range, item; /* where in them we are */
	uint32_t seq;
	enum phase phase;
	bool told_seen; /* the message became \\Seen by this */
	bool missed;    /* a message could not be read */
	struct message message;
	struct wire wire;
	struct buf piece;     /* wire bytes on their way */
	struct buf header;    /* of the message, wire form */
	struct buf collected; /* of a part, for its fields */
	uint64_t header_size; /* wire bytes, all of it */
	struct arena arena;   /* memory of one message's tree */
	struct mime *mime;
	const struct mime_part *root;
	uint64_t skip, left; /* of the section: bytes before it still to pass over, bytes of it to send */
	bool announced;      /* the section's literal */
	size_t turn_bytes;   /* read in this turn */
};

static void on_ready(void *user)
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
	struct fetch *f = s->fetch;

	if (!f)
		return;
	imap_seen_send(s);
	forget_message(f);
	buf_free(&f->piece);
	buf_free(&f->header);
	buf_free(&f->collected);
	arena_free(&f->arena);
	free(f);
	s->fetch = NULL;
}

/* ---- the first pass ---- */

static void start_load(struct imap *s, struct fetch *f)
{
	struct message m = f->message;

	f->phase = LOAD;
	if (f->items.needs & NEEDS_TREE)
		f->mime = mime_new(&f->arena, &mime_limits);
	else
		m.stored = m.header; /* no more than that is read */
	wire_open(&f->wire, s->mailbox, &m, on_ready, s);
}

static void next_turn(void *user, enum err e, struct str answer)
{
	struct imap *s = user;

	(void)e, (void)answer;
	s->waiting = NULL;
	imap_fetch_on(s);
}

/* The next piece of the message into f->piece. Whoever reads much without sending lets others have their turn. */
static enum wire_step read_piece(struct imap *s, struct fetch *f)
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

	while ((step = read_piece(s, f)) == WIRE_BYTES) {
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
	if (s->store)
		s->told[s->told_count++] = (struct told){ m->uid, m->flags & FLAG_SYSTEM, m->keywords };
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

/* Where in the message the section lies; false: there is none such. */
static bool section_range(const struct fetch *f, const struct item *item, uint64_t *start, uint64_t *end)
{
	if (item->depth)
		return mime_section(f->root, item->numbers, item->depth, item->section, start, end);
	*start = item->section == MIME_TEXT ? f->header_size : 0;
	*end = item->section == MIME_HEADER ? f->header_size : f->message.wire;
	return *start <= *end;
}

/* [start, end) becomes what a partial fetch wants of it. */
static void cut_partial(const struct item *item, uint64_t *start, uint64_t *end)
{
	if (!item->partial)
		return;
	*start = *start + item->from < *end ? *start + item->from : *end;
	if (*end - *start > item->len)
		*end = *start + item->len;
}

/* Begins reading [start, end), at the place where reading has come to if that helps. */
static void open_range(struct imap *s, struct fetch *f, uint64_t start, uint64_t end)
{
	f->announced = false;
	f->skip = start;
	f->left = end - start;
	wire_open(&f->wire, s->mailbox, &f->message, on_ready, s);
	if (s->read_uid != f->message.uid || s->read_place.wire > start)
		return;
	wire_start_at(&f->wire, &s->read_place);
	f->skip -= s->read_place.wire;
}

static void announce(struct imap *s, const struct item *item, uint64_t size)
{
	conn_printf(s->conn, STR_FMT " {%llu}\r\n", STR_ARG(item->label), (unsigned long long)size);
}

static void write_nil(struct imap *s, const struct item *item)
{
	conn_printf(s->conn, STR_FMT " NIL", STR_ARG(item->label));
}

/* Of a header those fields that the item asks for. */
static void write_fields(struct imap *s, const struct item *item, struct str header)
{
	struct buf fields = { 0 };
	uint64_t start = 0, end;

	imap_filter_fields(item, header, &fields);
	end = buf_len(&fields);
	cut_partial(item, &start, &end);
	announce(s, item, end - start);
	conn_write_str(s->conn, str_cut(buf_str(&fields), (size_t)start, (size_t)end));
	buf_free(&fields);
}

/* Starts a section: one that lies in the header at hand goes out at once. */
static void start_section(struct imap *s, struct fetch *f, const struct item *item)
{
	bool some = item->fields != FIELDS_ALL;
	uint64_t start, end;

	f->item++;
	if (!section_range(f, item, &start, &end)) {
		write_nil(s, item);
		return;
	}
	if (!some)
		cut_partial(item, &start, &end);
	if (end <= buf_len(&f->header)) {
		struct str text = str_cut(buf_str(&f->header), (size_t)start, (size_t)end);

		if (some) {
			write_fields(s, item, text);
		} else {
			announce(s, item, text.len);
			conn_write_str(s->conn, text);
		}
		return;
	}
	f->phase = some ? COLLECT : STREAM;
	open_range(s, f, start, end);
}

static void write_item(struct imap *s, struct fetch *f, const struct item *item)
{
	struct buf *out;

	if (f->item)
		conn_write(s->conn, " ", 1);
	if (item->kind == ITEM_SECTION) {
		start_section(s, f, item);
		return;
	}
	out = conn_out(s->conn);
	f->item++;
	switch (item->kind) {
	case ITEM_FLAGS:
		write_flags(s, f, out);
		break;
	case ITEM_UID:
		buf_printf(out, "UID %u", f->message.uid);
		break;
	case ITEM_DATE:
		write_date(out, f->message.date);
		break;
	case ITEM_SIZE:
		buf_printf(out, "RFC822.SIZE %u", f->message.wire);
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

/* ---- sections on their way ---- */

/* Takes the next piece of the open range, to be used before the next call. */
static enum wire_step next_of_range(struct imap *s, struct fetch *f, struct str *part)
{
	enum wire_step step = read_piece(s, f);
	size_t pass, len;

	if (step != WIRE_BYTES)
		return step == WIRE_END ? WIRE_FAILED : step; /* the file holds less than the mailbox says */
	pass = buf_len(&f->piece) < f->skip ? buf_len(&f->piece) : (size_t)f->skip;
	len = buf_len(&f->piece) - pass < f->left ? buf_len(&f->piece) - pass : (size_t)f->left;
	*part = str_cut(buf_str(&f->piece), pass, pass + len);
	f->skip -= pass;
	f->left -= len;
	return WIRE_BYTES;
}

/* Sends what the open range holds while there is room. */
static enum wire_step stream(struct imap *s, struct fetch *f)
{
	uint64_t size = f->left;

	while (f->left) {
		enum wire_step step;
		struct str part;

		if (!conn_has_room(s->conn))
			return WIRE_WAIT;
		if ((step = next_of_range(s, f, &part)) != WIRE_BYTES)
			return step;
		if (part.len && !f->announced) {
			f->announced = true;
			announce(s, &f->items.list[f->item - 1], size);
		}
		conn_write_str(s->conn, part);
	}
	if (!size && !f->announced)
		announce(s, &f->items.list[f->item - 1], 0);
	s->read_uid = f->message.uid;
	s->read_place = f->wire.before;
	wire_close(&f->wire);
	return WIRE_END;
}

/* Gathers a part's header and sends the fields asked for. */
static enum wire_step collect(struct imap *s, struct fetch *f)
{
	while (f->left) {
		enum wire_step step;
		struct str part;

		if ((step = next_of_range(s, f, &part)) != WIRE_BYTES)
			return step;
		if (buf_len(&f->collected) < HEADER_BYTES_MAX)
			buf_add_str(&f->collected, part);
	}
	wire_close(&f->wire);
	write_fields(s, &f->items.list[f->item - 1], buf_str(&f->collected));
	buf_clear(&f->collected);
	return WIRE_END;
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
	counter_add(&imap_fetched, 1);
	mark_seen(s, f);
	conn_printf(s->conn, "* %u FETCH (", f->seq);
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
	if (!(now.flags & FLAG_EXPUNGED)) /* else it is gone, and its bytes may be too */
		log_error("imap", conn_id(s->conn), "message cannot be read account=%s uid=%u", s->account->address,
			now.uid);
	f->missed = true;
	wire_close(&f->wire);
	buf_clear(&f->collected);
	if (f->phase == LOAD) {
		f->phase = NEXT;
		return DONE;
	}
	if (f->announced)
		return CLOSE;
	write_nil(s, &f->items.list[f->item - 1]);
	f->phase = ITEMS;
	return DONE;
}

/* What a phase's step means for the phase after it. */
static enum next stepped(struct imap *s, struct fetch *f, enum wire_step step)
{
	if (step == WIRE_WAIT)
		return WAIT;
	if (step == WIRE_FAILED)
		return cannot_read(s, f);
	if (f->phase == LOAD)
		begin_message(s, f);
	else
		f->phase = ITEMS;
	return DONE;
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
	case COLLECT:
		return stepped(s, f, collect(s, f));
	default:
		return stepped(s, f, stream(s, f));
	}
}

static enum next fetch_run(struct imap *s)
{
	struct fetch *f = s->fetch;
	enum next next = DONE;
	bool missed;

	f->turn_bytes = 0;
	while (next == DONE && f->phase != LAST)
		next = fetch_step(s, f);
	if (next != DONE)
		return next;
	missed = f->missed;
	imap_fetch_drop(s);
	if (missed)
		return imap_no(s, "[EXPUNGEISSUED] some of the messages are gone");
	return imap_outcome(s, OK);
}

void imap_fetch_on(struct imap *s)
{
	enum next next;

	if (!s->fetch || s->waiting || s->parted)
		return;
	next = fetch_run(s);
	if (next != WAIT)
		imap_resume(s, next);
}

static enum next fetch_start(struct imap *s, const struct items *items, const struct set *seqs)
{
	s->fetch = mem_new(struct fetch);
	s->fetch->items = *items;
	s->fetch->seqs = *seqs;
	return fetch_run(s);
}

enum next imap_fetch_flags(struct imap *s, const struct set *seqs)
{
	struct args a = args_of(STR("FLAGS\r\n"), &s->arena);
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
