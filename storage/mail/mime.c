/* mime.c - see mime.h.
 * The parse goes line by line. `at` is the innermost open part: its header is being gathered, or the line belongs to
 * its body (of a MULTIPART: what stands between and around its children, which nobody reads). A line in a body
 * matters only if it begins with "--", so most are stepped over by memchr alone; in a header each one is kept until
 * the blank line, when the header is read and its bytes are let go.
 * A delimiter is looked for in every open MULTIPART, from the inside out: an outer one ends all that is open below.
 * It is enough that a line begins with it (RFC 2046, 5.1.1), and where one boundary begins like another the longer
 * counts. The line end before a delimiter belongs to it, not to the part it ends. */
#include "storage/mail/mime.h"
#include "core/buf.h"
#include "core/mem.h"
#include "storage/mail/header.h"
#include <assert.h>
#include <stdlib.h>

#define HEAD_MAX (2 + MIME_BOUNDARY_MAX + 2) /* of a line: "--", boundary, "--" */

const struct mime_limits mime_limits = {
	.depth = 50,
	.parts = 1000,
	.fields = 1000,
	.header_bytes = 128 * 1024,
	.kept_bytes = 1024 * 1024,
};

struct mime {
	struct arena *arena;
	size_t arena_before; /* what was in the arena when we came */
	const struct mime_limits *limits;
	struct mime_part *root, *at;
	unsigned parts;
	bool in_header; /* of `at` */
	bool opaque;    /* a limit was reached: the rest is the body of `at` */
	struct buf header;
	size_t header_lines; /* bytes of whole lines in it */

	uint64_t offset;     /* bytes fed */
	uint64_t line_start; /* of the line under way */
	uint64_t lines;      /* line ends before it */
	unsigned line_end;   /* bytes of the line end before it: 0, 1 or 2 */
	char head[HEAD_MAX]; /* the first bytes of the line under way, if they may matter */
	size_t head_len;
	bool cr; /* its last byte so far is a CR */
};

/* ---- parts come and go ---- */

static void part_open(struct mime *m, struct mime_part *parent)
{
	struct mime_part *part = arena_new(m->arena, struct mime_part);

	part->parent = parent;
	part->depth = 1;
	part->number = 1;
	part->header_start = m->offset;
	if (parent) {
		part->depth = parent->depth + 1;
		part->number = parent->last ? parent->last->number + 1 : 1;
		if (parent->last)
			parent->last->next = part;
		else
			parent->first = part;
		parent->last = part;
	}
	m->parts++;
	m->at = part;
	m->in_header = true;
	m->header_lines = 0;
	buf_clear(&m->header);
}

/* The body of a part that is open ends at `end`, with `lines` line ends of the message before it. */
static void part_close(struct mime_part *part, uint64_t end, uint64_t lines)
{
	part->body_end = end;
	part->lines = lines - part->lines;
	part->boundary = STR_NONE;
	assert(part->body_start <= part->body_end);
	if (part->kind == MIME_MULTIPART && !part->first) { /* its boundary never came: then it is none */
		part->kind = MIME_LEAF;
		content_plain(&part->content);
	}
}

static bool is_message(const struct mime_part *part)
{
	return !part->parent || part->parent->kind == MIME_MESSAGE;
}

static bool in_digest(const struct mime_part *part) /* where the default type is another (RFC 2046, 5.1.5) */
{
	return part->parent && part->parent->kind == MIME_MULTIPART &&
	       content_is(&part->parent->content, "multipart", "digest");
}

static void read_header(struct mime *m, struct mime_part *part)
{
	struct str block = str_cut(buf_str(&m->header), 0, m->header_lines);
	struct header_field type;

	if (m->arena->used - m->arena_before >= m->limits->kept_bytes) {
		m->opaque = true;
		content_set(&part->content, "application", "octet-stream");
	} else {
		content_read(m->arena, block, m->limits->fields, &part->content);
		if (in_digest(part) && !header_find(block, "Content-Type", &type))
			content_set(&part->content, "message", "rfc822");
	}
	if (is_message(part)) {
		part->envelope = arena_new(m->arena, struct envelope);
		envelope_read(m->arena, block, m->opaque ? 0 : m->limits->fields, part->envelope);
	}
}

static struct str boundary_of(struct mime *m, const struct mime_part *part)
{
	struct str boundary = content_param_joined(m->arena, part->content.params, "boundary");

	while (boundary.len && (boundary.p[boundary.len - 1] == ' ' || boundary.p[boundary.len - 1] == '\t'))
		boundary.len--; /* no boundary ends so (RFC 2046, 5.1.1) */
	return boundary.len > MIME_BOUNDARY_MAX ? STR_NONE : boundary;
}

/* The header of `at` is read as far as it goes, and its body starts; `lines` end before it. What is in the body, the
 * header says. */
static void header_end(struct mime *m, uint64_t body_start, uint64_t lines)
{
	struct mime_part *part = m->at;
	bool may_hold = part->depth < m->limits->depth && m->parts < m->limits->parts;

	m->in_header = false;
	part->body_start = body_start;
	part->lines = lines; /* before it, until part_close makes them its own */
	read_header(m, part);
	if (content_is(&part->content, "multipart", NULL)) {
		struct str boundary = boundary_of(m, part);

		if (!boundary.len) {
			content_plain(&part->content); /* a broken type is none (RFC 2045, 5.2) */
		} else if (may_hold) {
			part->kind = MIME_MULTIPART;
			part->boundary = boundary;
		} else {
			content_set(&part->content, "application", "octet-stream");
		}
	} else if (content_is(&part->content, "message", "rfc822") || content_is(&part->content, "message", "global")) {
		if (may_hold) {
			part->kind = MIME_MESSAGE;
			part_open(m, part);
			m->at->header_start = body_start;
		} else {
			content_set(&part->content, "application", "octet-stream");
		}
	}
}

/* ---- lines ---- */

static bool is_blank(const struct mime *m)
{
	return (m->head_len == 1 && m->head[0] == '\n') ||
	       (m->head_len == 2 && m->head[0] == '\r' && m->head[1] == '\n');
}

/* The open MULTIPART that the line is a delimiter of, and whether the closing one; NULL for any other line. */
static struct mime_part *delimits(const struct mime *m, bool *closing)
{
	struct str line = { m->head, m->head_len };
	struct mime_part *best = NULL;

	if (m->opaque || !str_starts(line, STR("--")))
		return NULL;
	line = str_cut(line, 2, line.len);
	for (struct mime_part *part = m->at; part; part = part->parent)
		if (part->boundary.len && str_starts(line, part->boundary) &&
			(!best || part->boundary.len > best->boundary.len))
			best = part;
	if (best)
		*closing = str_starts(str_cut(line, best->boundary.len, line.len), STR("--"));
	return best;
}

/* The line is a delimiter of `part`: all that is open below it ends before the line, and before the line end that
 * belongs to it, if that is not the blank one of a header. */
static void close_below(struct mime *m, struct mime_part *part)
{
	uint64_t end = m->line_start, lines = m->lines;

	if (m->in_header ? m->at->header_start < end : m->at->body_start < end) {
		end -= m->line_end;
		lines--;
	}
	while (m->in_header) /* cut short; and so is the header of the message in it, if that is what it holds */
		header_end(m, end, lines);
	for (struct mime_part *open = m->at; open != part; open = open->parent)
		part_close(open, end, lines);
	m->at = part;
}

/* The line under way is whole, or the last and not ended at all. */
static void end_line(struct mime *m, bool ended)
{
	bool closing = false;
	struct mime_part *part = delimits(m, &closing);

	if (part && !closing && m->parts >= m->limits->parts) {
		m->opaque = true;
		part = NULL;
	}
	if (part)
		close_below(m, part);
	m->lines += ended;
	if (part && closing)
		part->boundary = STR_NONE; /* what follows is its epilogue, whatever it looks like */
	else if (part && m->parts < m->limits->parts)
		part_open(m, part);
	else if (part) /* what was cut short held a message, and that was the last part allowed */
		m->opaque = true;
	else if (m->in_header && is_blank(m))
		header_end(m, m->offset, m->lines);
	if (buf_len(&m->header) < m->limits->header_bytes) /* else the line was cut */
		m->header_lines = buf_len(&m->header);
	m->line_start = m->offset;
	m->head_len = 0;
	m->cr = false;
}

/* Bytes of the line under way, to its LF or as far as they came. */
static void take_bytes(struct mime *m, const char *p, size_t len)
{
	size_t room = HEAD_MAX - m->head_len;
	bool ended = p[len - 1] == '\n';
	bool cr = len > 1 ? p[len - 2] == '\r' : m->cr;

	memcpy(m->head + m->head_len, p, len < room ? len : room);
	m->head_len += len < room ? len : room;
	if (m->in_header) {
		room = m->limits->header_bytes - buf_len(&m->header);
		buf_add(&m->header, p, len < room ? len : room);
	}
	m->offset += len;
	m->cr = p[len - 1] == '\r';
	if (ended) {
		end_line(m, true);
		m->line_end = cr ? 2 : 1;
	}
}

/* Steps over whole lines of a body that cannot be delimiters; how many bytes they are. */
static size_t skip_lines(struct mime *m, const char *p, size_t len)
{
	const char *at = p, *end = p + len, *lf;
	uint64_t lines = 0;

	while (at < end && *at != '-' && (lf = memchr(at, '\n', (size_t)(end - at)))) {
		at = lf + 1;
		lines++;
	}
	if (lines) {
		m->line_end = at - p > 1 && at[-2] == '\r' ? 2 : 1;
		m->lines += lines;
		m->offset += (uint64_t)(at - p);
		m->line_start = m->offset;
	}
	return (size_t)(at - p);
}

/* ---- the parse ---- */

struct mime *mime_new(struct arena *a, const struct mime_limits *limits)
{
	struct mime *m = mem_new(struct mime);

	m->arena = a;
	m->arena_before = a->used;
	m->limits = limits;
	part_open(m, NULL);
	m->root = m->at;
	return m;
}

void mime_feed(struct mime *m, const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len) {
		size_t size = m->in_header || m->offset > m->line_start ? 0 : skip_lines(m, p, len);

		if (!size) {
			const char *lf = memchr(p, '\n', len);

			size = lf ? (size_t)(lf - p) + 1 : len;
			take_bytes(m, p, size);
		}
		p += size;
		len -= size;
	}
}

const struct mime_part *mime_end(struct mime *m)
{
	const struct mime_part *root = m->root;

	if (m->offset > m->line_start)
		end_line(m, false);
	while (m->in_header)
		header_end(m, m->offset, m->lines);
	for (struct mime_part *part = m->at; part; part = part->parent)
		part_close(part, m->offset, m->lines);
	mime_free(m);
	return root;
}

void mime_free(struct mime *m)
{
	if (!m)
		return;
	buf_free(&m->header);
	free(m);
}

/* ---- asking the tree ---- */

const struct mime_part *mime_next(const struct mime_part *root, const struct mime_part *part)
{
	if (part->first)
		return part->first;
	while (part != root && !part->next)
		part = part->parent;
	return part == root ? NULL : part->next;
}

static const struct mime_part *child(const struct mime_part *part, unsigned number)
{
	const struct mime_part *c = part->first;

	while (c && c->number != number)
		c = c->next;
	return c;
}

const struct mime_part *mime_find(const struct mime_part *root, const unsigned *numbers, size_t count)
{
	const struct mime_part *part = root;
	bool is_whole_message = true; /* `part` stands for a message: the next number is one of its content */

	for (size_t i = 0; i < count && part; i++) {
		if (!is_whole_message && part->kind == MIME_MESSAGE) {
			part = part->first;
			is_whole_message = true;
		}
		if (part->kind == MIME_MULTIPART)
			part = child(part, numbers[i]);
		else if (!is_whole_message || numbers[i] != 1)
			part = NULL;
		is_whole_message = false;
	}
	return part;
}

bool mime_section(const struct mime_part *root, const unsigned *numbers, size_t count, enum mime_section section,
	uint64_t *start, uint64_t *end)
{
	const struct mime_part *part = mime_find(root, numbers, count);

	if (!part)
		return false;
	if (section == MIME_HEADERS) {
		*start = part->header_start;
		*end = part->body_start;
		return count > 0;
	}
	if (section != MIME_WHOLE && count) { /* of the message in it */
		if (part->kind != MIME_MESSAGE)
			return false;
		part = part->first;
	}
	*start = section == MIME_TEXT || (section == MIME_WHOLE && count) ? part->body_start : part->header_start;
	*end = section == MIME_HEADER ? part->body_start : part->body_end;
	return true;
}
