/* recode.c - see recode.h.
 * The bytes go by line by line: HEADER gathers them, TEXT passes them on, BINARY encodes them. A line that begins with
 * '-' waits in `head` until it tells whether it is a delimiter: until all that can matter is there, or the line's end.
 * In BINARY the CRLF before each line is held back, for it belongs to the delimiter if one follows; the delimiter's own
 * line is passed on in the mode DELIMITER. QUOTED is BINARY's way with quoted-printable for base64.
 * Always: `levels` are the multiparts that are open, from the outside in, and `depth` is that of the part whose bytes
 * come now. */
#include "storage/mail/recode.h"
#include "core/mem.h"
#include "storage/mail/decode.h"
#include "storage/mail/header.h"
#include "storage/mail/mime.h"
#include <assert.h>
#include <stdlib.h>

#define LEVELS_MAX  50                          /* mime_limits.depth */
#define HEAD_MAX    (2 + MIME_BOUNDARY_MAX + 2) /* of a line: "--", boundary, "--" */
#define PARTS_MAX   1000                        /* mime_limits.parts */
#define GROUP_BYTES 57                          /* of a line of base64, which has 76 characters then (RFC 2045, 6.8) */
#define QUOTED_MAX  75                          /* characters of a line before the soft line break (6.7) */

struct level { /* an open multipart */
	char boundary[MIME_BOUNDARY_MAX];
	size_t len;
	unsigned depth;
	bool digest; /* its parts are messages if they do not say (RFC 2046, 5.1.5) */
	bool parted; /* a part of it has come */
	bool eight;  /* to 7 bits: there were bytes beyond ASCII before that */
};

enum mode { HEADER, TEXT, BINARY, QUOTED, DELIMITER };

struct recode {
	enum mode mode, then; /* then: what follows a DELIMITER */
	struct level levels[LEVELS_MAX];
	unsigned level_count, depth, parts;
	bool full; /* as many parts as may be: what looks like a delimiter is none any more */

	bool undecided;      /* the line may be a delimiter yet */
	char head[HEAD_MAX]; /* of it, as long as that is so */
	size_t head_len;

	struct buf header;
	size_t header_line; /* where its last line begins */
	char line_end[2];   /* BINARY: held back */
	size_t line_end_len;
	char group[GROUP_BYTES]; /* of content, not yet written */
	size_t group_len;
	bool wrote; /* a line of base64 before it */

	/* To 7 bits. */
	bool seven, again;            /* the second pass, which writes */
	bool message;                 /* the header that comes is a message's, not a part's */
	bool impossible;              /* beyond ASCII where it cannot be encoded */
	bool header_eight;            /* beyond ASCII in a header */
	unsigned part;                /* the number of the leaf whose body comes; 0: what belongs to none */
	bool encodable;               /* that leaf */
	uint8_t eight[PARTS_MAX + 1]; /* leaves with bytes beyond ASCII, by number */
	size_t column;                /* QUOTED: characters of the line so far */
	char space;                   /* white space that may end the line; 0: none */
	struct buf scrap;             /* what the first pass writes */
};

static void begin(struct recode *r)
{
	r->mode = HEADER;
	r->undecided = true;
	r->depth = r->parts = 1;
	r->message = true;
}

struct recode *recode_new(void)
{
	struct recode *r = mem_new(struct recode);

	begin(r);
	return r;
}

struct recode *recode_new_seven_bit(void)
{
	struct recode *r = recode_new();

	r->seven = true;
	return r;
}

bool recode_again(struct recode *r)
{
	struct recode fresh = { .seven = true, .again = true };

	memcpy(fresh.eight, r->eight, sizeof(fresh.eight));
	if (r->impossible)
		return false;
	buf_free(&r->header);
	buf_free(&r->scrap);
	*r = fresh;
	begin(r);
	return true;
}

bool recode_header_beyond_ascii(const struct recode *r)
{
	return r->header_eight;
}

void recode_free(struct recode *r)
{
	if (!r)
		return;
	buf_free(&r->header);
	buf_free(&r->scrap);
	free(r);
}

/* --- quoted-printable (RFC 2045, 6.7) ---------------------------------------------------------------------------- */

static void quote(struct recode *r, const char *text, size_t len, struct buf *out)
{
	if (r->column + len > QUOTED_MAX) {
		buf_add(out, "=\r\n", 3);
		r->column = 0;
		if (text[0] == '-') { /* what begins a line now may not look like a delimiter */
			text = "=2D";
			len = 3;
		}
	}
	buf_add(out, text, len);
	r->column += len;
}

static void quote_code(struct recode *r, char c, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";
	char text[3] = { '=', digits[(unsigned char)c >> 4], digits[(unsigned char)c & 15] };

	quote(r, text, sizeof(text), out);
}

static void quote_bytes(struct recode *r, struct str bytes, struct buf *out)
{
	for (size_t i = 0; i < bytes.len; i++) {
		char c = bytes.p[i];

		if (r->space)
			quote(r, &r->space, 1, out);
		r->space = 0;
		if (c == ' ' || c == '\t')
			r->space = c;
		else if (c > ' ' && c < 0x7f && c != '=')
			quote(r, &c, 1, out);
		else
			quote_code(r, c, out);
	}
}

/* The line ends: no white space may stand there. */
static void quote_line_end(struct recode *r, struct buf *out)
{
	if (r->space)
		quote_code(r, r->space, out);
	r->space = 0;
	r->column = 0;
}

/* --- base64 ------------------------------------------------------------------------------------------------------ */

static void write_group(struct recode *r, struct str group, struct buf *out)
{
	if (r->wrote)
		buf_add(out, "\r\n", 2); /* the last line's end is the delimiter's */
	base64_encode(group, out);
	r->wrote = true;
}

static void encode(struct recode *r, struct str bytes, struct buf *out)
{
	if (r->mode == QUOTED) {
		quote_bytes(r, bytes, out);
		return;
	}
	while (bytes.len) {
		size_t room = GROUP_BYTES - r->group_len, len = bytes.len < room ? bytes.len : room;

		if (!r->group_len && len == GROUP_BYTES) {
			write_group(r, str_cut(bytes, 0, len), out);
		} else {
			memcpy(r->group + r->group_len, bytes.p, len);
			r->group_len += len;
			if (r->group_len == GROUP_BYTES) {
				write_group(r, (struct str){ r->group, GROUP_BYTES }, out);
				r->group_len = 0;
			}
		}
		bytes = str_cut(bytes, len, bytes.len);
	}
}

static void encode_end(struct recode *r, struct buf *out)
{
	quote_line_end(r, out);
	if (r->group_len)
		write_group(r, (struct str){ r->group, r->group_len }, out);
	r->group_len = 0;
	r->wrote = false;
}

/* The line end that was held back is content. */
static void encode_line_end(struct recode *r, struct buf *out)
{
	if (r->mode == QUOTED && r->line_end_len == 2) {
		quote_line_end(r, out);
		buf_add(out, "\r\n", 2);
		r->line_end_len = 0;
		return;
	}
	encode(r, (struct str){ r->line_end, r->line_end_len }, out);
	r->line_end_len = 0;
}

/* --- headers ----------------------------------------------------------------------------------------------------- */

/* What a part that did not say how it is encoded needs to say so. */
static void add_fields(const struct recode *r, const char *encoding, struct buf *out)
{
	struct str block = buf_str(&r->header);
	struct header_field field;

	if (r->message && !header_find(block, "MIME-Version", &field))
		buf_add_str(out, STR("MIME-Version: 1.0\r\n"));
	if (r->message && !header_find(block, "Content-Type", &field))
		buf_add_str(out, STR("Content-Type: text/plain; charset=unknown-8bit\r\n"));
	if (!header_find(block, "Content-Transfer-Encoding", &field))
		buf_printf(out, "Content-Transfer-Encoding: %s\r\n", encoding);
}

/* The header as it came, but for the encoding that is named in it; NULL: that too. */
static void write_header(struct recode *r, const char *encoding, struct buf *out)
{
	struct header_walk w = header_walk(buf_str(&r->header));
	struct header_field field;

	while (header_next(&w, &field))
		if (encoding && str_eq_nocase(field.name, STR("Content-Transfer-Encoding")))
			buf_printf(out, "Content-Transfer-Encoding: %s\r\n", encoding);
		else
			buf_add_str(out, field.whole);
	if (encoding && r->eight[r->part])
		add_fields(r, encoding, out);
	buf_add_str(out, w.left);
	buf_free(&r->header);
	r->header_line = 0;
}

static void open_part(struct recode *r)
{
	r->depth++;
	r->parts++;
	r->mode = HEADER;
}

static void open_level(struct recode *r, struct str boundary, bool digest)
{
	struct level *level = &r->levels[r->level_count++];

	assert(r->level_count <= LEVELS_MAX);
	memcpy(level->boundary, boundary.p, boundary.len);
	level->len = boundary.len;
	level->depth = r->depth;
	level->digest = digest;
	level->parted = level->eight = false;
}

/* The inner levels end, down to so many. One that had no part is no multipart: what it had is content after all. */
static void close_levels(struct recode *r, unsigned count)
{
	while (r->level_count > count) {
		const struct level *level = &r->levels[--r->level_count];

		r->impossible |= level->eight && !level->parted;
	}
}

/* Whose parts the one is whose header has come: it stands right in a multipart, not in a message within. */
static bool in_digest(const struct recode *r)
{
	const struct level *level = r->level_count ? &r->levels[r->level_count - 1] : NULL;

	return level && level->digest && level->depth + 1 == r->depth;
}

/* What the header says its body is, as mime.c reads it. */
static void read_content(struct recode *r, struct arena *a, struct content *c)
{
	struct header_field type;

	content_read(a, buf_str(&r->header), mime_limits.fields, c);
	if (in_digest(r) && !header_find(buf_str(&r->header), "Content-Type", &type))
		content_set(c, "message", "rfc822");
}

static struct str boundary_of(struct arena *a, const struct content *c)
{
	struct str boundary = content_param_joined(a, c->params, "boundary");

	while (boundary.len && (boundary.p[boundary.len - 1] == ' ' || boundary.p[boundary.len - 1] == '\t'))
		boundary.len--;
	return boundary.len > MIME_BOUNDARY_MAX ? STR_NONE : boundary;
}

/* What is said of parts that hold others: they are not encoded themselves. */
static const char *plain_encoding(const struct recode *r, const struct content *c)
{
	bool binary = str_eq_nocase(c->encoding, STR("binary"));

	if (r->seven)
		return r->again && (binary || str_eq_nocase(c->encoding, STR("8bit"))) ? "7bit" : NULL;
	return binary ? "8bit" : NULL;
}

/* A part that holds no other: what it is written in. */
static void leaf(struct recode *r, const struct content *c, struct buf *out)
{
	bool text = content_is(c, "text", NULL);

	r->part = r->parts;
	r->encodable = (!c->encoding.len || encoding_of(c->encoding) == ENCODING_NONE) &&
	               !content_is(c, "message", NULL);
	if (r->again && r->eight[r->part]) {
		write_header(r, text ? "quoted-printable" : "base64", out);
		r->mode = text ? QUOTED : BINARY;
	} else if (r->seven) {
		write_header(r, plain_encoding(r, c), out);
	} else if (str_eq_nocase(c->encoding, STR("binary"))) {
		write_header(r, "base64", out);
		r->mode = BINARY;
	} else {
		write_header(r, NULL, out);
	}
}

/* A multipart or message of which no parts are looked for. */
static void opaque(struct recode *r, const char *encoding, struct buf *out)
{
	r->part = r->parts;
	r->encodable = false;
	write_header(r, encoding, out);
}

/* The blank line has come. */
static void header_whole(struct recode *r, struct buf *out)
{
	bool may_hold = r->depth < mime_limits.depth && r->parts < mime_limits.parts;
	struct arena a = { 0 };
	struct content c;

	read_content(r, &a, &c);
	r->mode = TEXT;
	r->part = 0;
	if (content_is(&c, "multipart", NULL)) {
		struct str boundary = boundary_of(&a, &c);

		if (may_hold && boundary.len) {
			open_level(r, boundary, content_is(&c, "multipart", "digest"));
			write_header(r, plain_encoding(r, &c), out);
		} else {
			opaque(r, r->seven ? plain_encoding(r, &c) : NULL, out);
		}
	} else if (content_is(&c, "message", "rfc822") || content_is(&c, "message", "global")) {
		enum encoding encoding = encoding_of(c.encoding);

		if (may_hold && encoding != ENCODING_QUOTED && encoding != ENCODING_BASE64) {
			write_header(r, plain_encoding(r, &c), out);
			open_part(r);
			r->message = true;
		} else { /* those may not be, but are */
			opaque(r, may_hold || r->seven ? plain_encoding(r, &c) : NULL, out);
		}
	} else {
		leaf(r, &c, out);
	}
	arena_free(&a);
}

/* --- lines ------------------------------------------------------------------------------------------------------- */

/* The open level that the line in `head` is a delimiter of: the longest that fits; NULL: none. */
static struct level *delimits(struct recode *r, bool *closing)
{
	struct str line = { r->head, r->head_len };
	struct level *best = NULL;

	if (r->full || !str_starts(line, STR("--")))
		return NULL;
	line = str_cut(line, 2, line.len);
	for (unsigned i = r->level_count; i-- > 0;) {
		struct level *level = &r->levels[i];

		if (str_starts(line, (struct str){ level->boundary, level->len }) && (!best || level->len > best->len))
			best = level;
	}
	if (!best)
		return NULL;
	*closing = str_starts(str_cut(line, best->len, line.len), STR("--"));
	r->full = !*closing && r->parts >= mime_limits.parts;
	return r->full ? NULL : best;
}

/* All that is open below the level ends before the line, and the level too if that is what the delimiter says. */
static void close_below(struct recode *r, struct level *level, bool closing, struct buf *out)
{
	if (r->mode == BINARY || r->mode == QUOTED)
		encode_end(r, out);
	buf_add(out, r->line_end, r->line_end_len);
	r->line_end_len = 0;
	write_header(r, NULL, out); /* of a part cut short */
	r->depth = level->depth;
	close_levels(r, (unsigned)(level - r->levels) + !closing);
	r->then = TEXT;
	r->part = level->parted || !closing ? 0 : r->parts; /* behind one without parts, too, all is content */
	r->encodable = false;
	if (!closing) {
		level->parted = true;
		open_part(r);
		r->message = false;
		r->then = HEADER;
	}
	r->mode = DELIMITER;
}

static void line_over(struct recode *r, struct buf *out)
{
	struct str line = str_cut(buf_str(&r->header), r->header_line, buf_len(&r->header));

	r->undecided = true;
	if (r->mode == DELIMITER)
		r->mode = r->then;
	else if (r->mode == HEADER && (str_eq(line, STR("\r\n")) || str_eq(line, STR("\n"))))
		header_whole(r, out);
	else if (r->mode == HEADER)
		r->header_line = buf_len(&r->header);
}

static bool has_eight_bit(struct str bytes)
{
	uint64_t word, seen = 0;
	size_t i = 0;

	for (; i + sizeof(word) <= bytes.len; i += sizeof(word)) {
		memcpy(&word, bytes.p + i, sizeof(word));
		seen |= word;
	}
	for (; i < bytes.len; i++)
		seen |= (unsigned char)bytes.p[i];
	return seen & 0x8080808080808080;
}

/* Bytes beyond ASCII on their way to 7 bits: the first pass notes where they are, the second meets none but those that
 * belong to no part. */
static void meet_eight_bit(struct recode *r, struct str bytes, struct buf *out)
{
	bool nobodys = r->mode == TEXT && !r->part;

	if (r->again) {
		for (size_t i = 0; i < bytes.len; i++)
			buf_add_char(out, (unsigned char)bytes.p[i] < 0x80 ? bytes.p[i] : '?');
		return;
	}
	r->header_eight |= r->mode == HEADER;
	if (r->mode == TEXT && r->part && r->encodable)
		r->eight[r->part] = 1;
	else if (!nobodys)
		r->impossible = true;
	else if (r->level_count)
		r->levels[r->level_count - 1].eight |= !r->levels[r->level_count - 1].parted;
	buf_add_str(out, bytes);
}

/* Bytes of a line that is no delimiter, or the one that is; up to its end. Answers how many. */
static size_t take_line(struct recode *r, struct str bytes, struct buf *out)
{
	const char *lf = memchr(bytes.p, '\n', bytes.len);
	size_t len = lf ? (size_t)(lf - bytes.p) + 1 : bytes.len;

	if (r->mode == HEADER && buf_len(&r->header) + len > mime_limits.header_bytes) {
		write_header(r, NULL, out);
		r->mode = TEXT;
		r->part = r->parts;
		r->encodable = false;
	}
	if (r->seven && has_eight_bit(str_cut(bytes, 0, len)))
		meet_eight_bit(r, str_cut(bytes, 0, len), r->mode == HEADER ? &r->header : out);
	else
		buf_add(r->mode == HEADER ? &r->header : out, bytes.p, len);
	if (lf)
		line_over(r, out);
	return len;
}

/* The same of content: its line ends at a CRLF alone, which is held back. */
static size_t take_content(struct recode *r, struct str bytes, struct buf *out)
{
	ptrdiff_t cr;

	if (r->line_end_len == 1 && bytes.p[0] == '\n') {
		r->line_end[r->line_end_len++] = '\n';
		r->undecided = true;
		return 1;
	}
	encode_line_end(r, out); /* a CR alone */
	cr = str_find(bytes, '\r');
	encode(r, str_cut(bytes, 0, cr < 0 ? bytes.len : (size_t)cr), out);
	if (cr < 0)
		return bytes.len;
	r->line_end[r->line_end_len++] = '\r';
	return (size_t)cr + 1;
}

static size_t take(struct recode *r, struct str bytes, struct buf *out)
{
	return r->mode == BINARY || r->mode == QUOTED ? take_content(r, bytes, out) : take_line(r, bytes, out);
}

/* What is in `head` tells what the line is: it goes the way of its line. */
static void decide(struct recode *r, struct buf *out)
{
	bool closing = false;
	struct level *level = delimits(r, &closing);
	struct str head = { r->head, r->head_len };

	r->undecided = false;
	r->head_len = 0;
	if (level)
		close_below(r, level, closing, out);
	encode_line_end(r, out);
	while (head.len)
		head = str_cut(head, take(r, head, out), head.len);
}

/* At the start of a line: gathers its head, if it may be a delimiter. Answers how many bytes it took. */
static size_t take_head(struct recode *r, struct str bytes, struct buf *out)
{
	size_t len = HEAD_MAX - r->head_len;
	const char *lf;

	if (!r->head_len && bytes.p[0] != '-') {
		decide(r, out);
		return 0;
	}
	len = len < bytes.len ? len : bytes.len;
	if ((lf = memchr(bytes.p, '\n', len)))
		len = (size_t)(lf - bytes.p) + 1;
	memcpy(r->head + r->head_len, bytes.p, len);
	r->head_len += len;
	if (lf || r->head_len == HEAD_MAX)
		decide(r, out);
	return len;
}

/* --- all of it --------------------------------------------------------------------------------------------------- */

static struct buf *written_to(struct recode *r, struct buf *out)
{
	if (!r->seven || r->again)
		return out;
	buf_clear(&r->scrap);
	return &r->scrap;
}

void recode_feed(struct recode *r, struct str bytes, struct buf *out)
{
	out = written_to(r, out);
	while (bytes.len) {
		size_t took = r->undecided ? take_head(r, bytes, out) : take(r, bytes, out);

		bytes = str_cut(bytes, took, bytes.len);
	}
}

void recode_end(struct recode *r, struct buf *out)
{
	out = written_to(r, out);
	if (r->undecided)
		decide(r, out);
	if (r->mode == BINARY || r->mode == QUOTED) {
		encode_line_end(r, out);
		encode_end(r, out);
	}
	write_header(r, NULL, out);
	close_levels(r, 0);
}
