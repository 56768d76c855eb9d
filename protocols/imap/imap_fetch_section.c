/* imap_fetch_section.c - items of FETCH that are (part of) the message itself: BODY[...] and its like (RFC 3501, 6.4.5),
 * BINARY[...] and BINARY.SIZE[...] (RFC 3516).
 * A section that lies in the header at hand is sent at once. Any other is read from where it lies and streamed; of one
 * with fields picked out the header is gathered first; and one whose transfer encoding is undone is decoded twice, since
 * its size stands before it: counted, then sent. */
#include "protocols/imap/imap_fetch.h"

#define COLLECTED_BYTES_MAX (1u << 20) /* of a part's header, for its fields; what is beyond is not looked at */

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

/* Begins reading the section, at the place where reading has come to if that helps. */
static void open_range(struct imap *s, struct fetch *f)
{
	f->skip = f->start;
	f->left = f->end - f->start;
	wire_open(&f->wire, s->mailbox, &f->message, imap_fetch_ready, s);
	if (s->work->read_uid != f->message.uid || s->work->read_place.wire > f->start)
		return;
	wire_start_at(&f->wire, &s->work->read_place);
	f->skip -= s->work->read_place.wire;
}

static void announce(struct imap *s, const struct item *item, uint64_t size, bool nul)
{
	conn_printf(s->conn, STR_FMT " %s{%llu}\r\n", STR_ARG(item->label), nul ? "~" : "", (unsigned long long)size);
}

static void write_nil(struct imap *s, const struct item *item)
{
	conn_printf(s->conn, STR_FMT " NIL", STR_ARG(item->label));
}

static void write_number(struct imap *s, const struct item *item, uint64_t number)
{
	conn_printf(s->conn, STR_FMT " %llu", STR_ARG(item->label), (unsigned long long)number);
}

/* Of a header those fields that the item asks for. */
static void write_fields(struct imap *s, const struct item *item, struct str header)
{
	struct buf fields = { 0 };
	uint64_t start = 0, end;

	imap_filter_fields(item, header, &fields);
	end = buf_len(&fields);
	cut_partial(item, &start, &end);
	announce(s, item, end - start, false);
	conn_write_str(s->conn, str_cut(buf_str(&fields), (size_t)start, (size_t)end));
	buf_free(&fields);
}

/* ---- transfer encodings ---- */

/* What undoes a part's encoding; a message as a whole has none, nor has what holds other parts. */
static enum encoding section_encoding(const struct fetch *f, const struct item *item)
{
	const struct mime_part *part = item->binary && item->depth ? mime_find(f->root, item->numbers, item->depth)
	                                                           : NULL;

	if (!part || part->kind != MIME_LEAF || !part->content.encoding.p)
		return ENCODING_NONE;
	return encoding_of(part->content.encoding);
}

bool imap_section_decodes(const struct fetch *f)
{
	for (size_t i = 0; i < f->items.count; i++)
		if (section_encoding(f, &f->items.list[i]) == ENCODING_UNKNOWN)
			return false;
	return true;
}

static void start_decoding(struct fetch *f, const struct item *item)
{
	const struct mime_part *part = mime_find(f->root, item->numbers, item->depth);

	f->decoder = (struct decoder){ .encoding = section_encoding(f, item) };
	f->lines = content_is(&part->content, "text", NULL);
	f->cr = false;
}

/* What bytes of the section mean; valid until the next. */
static struct str decode(struct fetch *f, struct str bytes)
{
	if (f->decoder.encoding == ENCODING_NONE)
		return bytes;
	buf_clear(&f->raw);
	buf_clear(&f->plain);
	decoder_feed(&f->decoder, bytes, &f->raw);
	if (!f->left)
		decoder_end(&f->decoder, &f->raw);
	if (!f->lines)
		return buf_str(&f->raw);
	decode_lines(buf_str(&f->raw), &f->cr, &f->plain);
	return buf_str(&f->plain);
}

/* ---- beginning ---- */

static void start_streaming(struct imap *s, struct fetch *f, uint64_t pass, uint64_t send)
{
	f->pass = pass;
	f->send = send;
	f->phase = STREAM;
	open_range(s, f);
}

static void start_counting(struct imap *s, struct fetch *f, const struct item *item)
{
	start_decoding(f, item);
	f->counted = 0;
	f->phase = COUNT;
	open_range(s, f);
}

/* As it lies in the message. */
static void start_plain(struct imap *s, struct fetch *f, const struct item *item)
{
	bool some = item->fields != FIELDS_ALL;

	if (!some)
		cut_partial(item, &f->start, &f->end);
	if (f->end <= buf_len(&f->header)) {
		struct str text = str_cut(buf_str(&f->header), (size_t)f->start, (size_t)f->end);

		if (some) {
			write_fields(s, item, text);
		} else {
			announce(s, item, text.len, false);
			conn_write_str(s->conn, text);
		}
	} else if (some) {
		f->phase = COLLECT;
		open_range(s, f);
	} else {
		f->decoder = (struct decoder){ .encoding = ENCODING_NONE };
		start_streaming(s, f, 0, f->end - f->start);
	}
}

void imap_section_begin(struct imap *s, struct fetch *f, const struct item *item)
{
	bool there = section_range(f, item, &f->start, &f->end);

	f->announced = false;
	f->nul = false;
	if (section_encoding(f, item) != ENCODING_NONE)
		start_counting(s, f, item);
	else if (item->kind == ITEM_BINARY_SIZE)
		write_number(s, item, there ? f->end - f->start : 0);
	else if (!there)
		write_nil(s, item);
	else
		start_plain(s, f, item);
}

/* ---- on their way ---- */

/* Takes the next piece of the section, to be used before the next call. */
static enum wire_step next_piece(struct imap *s, struct fetch *f, struct str *part)
{
	enum wire_step step = imap_fetch_read(s, f);
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

/* Of decoded bytes those to be sent. */
static struct str cut_sent(struct fetch *f, struct str bytes)
{
	size_t pass = bytes.len < f->pass ? bytes.len : (size_t)f->pass;
	size_t len = bytes.len - pass < f->send ? bytes.len - pass : (size_t)f->send;

	f->pass -= pass;
	f->send -= len;
	return str_cut(bytes, pass, pass + len);
}

/* Sends the section while there is room. */
static enum wire_step stream(struct imap *s, struct fetch *f)
{
	const struct item *item = &f->items.list[f->item - 1];
	uint64_t size = f->send;

	while (f->send) {
		enum wire_step step;
		struct str part;

		if (!conn_has_room(s->conn))
			return WIRE_WAIT;
		if ((step = next_piece(s, f, &part)) != WIRE_BYTES)
			return step;
		part = cut_sent(f, decode(f, part));
		if (part.len && !f->announced) {
			f->announced = true;
			announce(s, item, size, f->nul);
		}
		conn_write_str(s->conn, part);
	}
	if (!f->announced)
		announce(s, item, 0, false);
	s->work->read_uid = f->message.uid;
	s->work->read_place = f->wire.before;
	wire_close(&f->wire);
	return WIRE_END;
}

/* Gathers a part's header and sends the fields asked for. */
static enum wire_step collect(struct imap *s, struct fetch *f)
{
	while (f->left) {
		enum wire_step step;
		struct str part;

		if ((step = next_piece(s, f, &part)) != WIRE_BYTES)
			return step;
		if (buf_len(&f->collected) < COLLECTED_BYTES_MAX)
			buf_add_str(&f->collected, part);
	}
	wire_close(&f->wire);
	write_fields(s, &f->items.list[f->item - 1], buf_str(&f->collected));
	buf_clear(&f->collected);
	return WIRE_END;
}

/* Decoded bytes come by, and NULs among those that are wanted are noted. */
static void count_bytes(struct fetch *f, struct str bytes, uint64_t from, uint64_t to)
{
	uint64_t at = f->counted, end = at + bytes.len;

	f->counted = end;
	from = from > at ? from : at;
	to = to < end ? to : end;
	if (from < to && str_find(str_cut(bytes, (size_t)(from - at), (size_t)(to - at)), '\0') >= 0)
		f->nul = true;
}

/* Finds out how long what is asked for is, and then says so or begins to send it. */
static enum wire_step count(struct imap *s, struct fetch *f)
{
	const struct item *item = &f->items.list[f->item - 1];
	uint64_t from = item->partial ? item->from : 0;
	uint64_t to = item->partial ? from + item->len : UINT64_MAX;

	while (f->left && f->counted < to) {
		enum wire_step step;
		struct str part;

		if ((step = next_piece(s, f, &part)) != WIRE_BYTES)
			return step;
		count_bytes(f, decode(f, part), from, to);
	}
	wire_close(&f->wire);
	if (item->kind == ITEM_BINARY_SIZE) {
		write_number(s, item, f->counted);
		return WIRE_END;
	}
	to = to < f->counted ? to : f->counted;
	start_decoding(f, item);
	start_streaming(s, f, from, from < to ? to - from : 0);
	return imap_section_step(s, f);
}

enum wire_step imap_section_step(struct imap *s, struct fetch *f)
{
	if (f->phase == COLLECT)
		return collect(s, f);
	return f->phase == COUNT ? count(s, f) : stream(s, f);
}

bool imap_section_fail(struct imap *s, struct fetch *f)
{
	const struct item *item = &f->items.list[f->item - 1];

	buf_clear(&f->collected);
	if (f->announced)
		return false;
	if (item->kind == ITEM_BINARY_SIZE)
		write_number(s, item, 0);
	else
		write_nil(s, item);
	f->phase = ITEMS;
	return true;
}
