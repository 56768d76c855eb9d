/* What SMTP reads, of any bytes: command lines, paths with parameters, and where a message ends, which is compared with
 * a slower way to find it. The first byte is the size of the pieces. */
#include "core/buf.h"
#include "protocols/smtp/smtp_dot.h"
#include "protocols/smtp/smtp_parse.h"
#include <assert.h>

static bool within(struct str inner, struct str outer)
{
	return !inner.len || (inner.p >= outer.p && inner.p + inner.len <= outer.p + outer.len);
}

/* Each line, as if its bytes came one by one: the first answer is that of the whole. */
static void read_lines(struct str in)
{
	while (in.len) {
		struct smtp_line line = { 0 }, slow;
		size_t size, slow_size = 0, len = 0;
		ptrdiff_t used = smtp_parse_line(in, &line, &size), slowly = 0;

		while (!slowly && len < in.len)
			slowly = smtp_parse_line(str_cut(in, 0, ++len), &slow, &slow_size);
		assert(used == slowly && size == slow_size && size <= in.len && size);
		if (!used)
			return;
		assert(in.p[size - 1] == '\n' && (used < 0 || (size_t)used == size));
		if (used > 0)
			assert(within(line.verb, in) && within(line.rest, in) && str_find(line.verb, ' ') < 0);
		in = str_cut(in, size, in.len);
	}
}

static void read_path(struct str in, struct str word, unsigned allow)
{
	struct arena a = { 0 };
	struct smtp_path_line line, again;
	struct buf text = { 0 };
	struct str address;

	if (!smtp_parse_path(in, word, allow, &a, &line)) {
		assert(line.count <= SMTP_PARAMETERS_MAX);
		for (size_t i = 0; i < line.count; i++)
			assert(within(line.parameters[i].name, in) && line.parameters[i].name.len &&
				within(line.parameters[i].value, in));
		address = address_text(&a, &line.path);
		assert(address.len <= ADDRESS_MAX && str_find(address, '\r') < 0 && str_find(address, '\n') < 0);
		if (line.path.domain.len) { /* what is told of an address is an address, the same */
			buf_printf(&text, STR_FMT "<" STR_FMT ">", STR_ARG(word), STR_ARG(address));
			assert(!smtp_parse_path(buf_str(&text), word, allow, &a, &again));
			assert(str_eq(again.path.local, line.path.local) &&
				str_eq(again.path.domain, line.path.domain));
		}
	}
	buf_free(&text);
	arena_free(&a);
}

/* The same as smtp_dot_feed, line by line over all bytes: how many the message has with its end; 0: it has none. */
static size_t undot(struct str in, struct buf *out)
{
	size_t at = 0;

	while (at < in.len) {
		const char *end = memmem(in.p + at, in.len - at, "\r\n", 2);
		size_t next = end ? (size_t)(end - in.p) + 2 : in.len;

		if (next - at == 3 && in.p[at] == '.' && end)
			return next;
		if (in.p[at] == '.')
			at++;
		buf_add(out, in.p + at, next - at);
		at = next;
	}
	return 0;
}

static void add_text(void *user, struct str piece)
{
	assert(piece.len);
	buf_add_str(user, piece);
}

static void find_end(struct str in, size_t step)
{
	struct smtp_dot d = { 0 };
	struct buf text = { 0 }, plain = { 0 };
	size_t used = 0, end = undot(in, &plain);

	while (used < in.len && d.state != DOT_END) {
		struct str piece = str_cut(in, used, in.len - used < step ? in.len : used + step);

		used += smtp_dot_feed(&d, piece, add_text, &text);
	}
	assert((d.state == DOT_END) == (end > 0) && (!end || used == end));
	if (d.state != DOT_SEEN && d.state != DOT_CR_SEEN) /* a held back CR may be text yet */
		assert(str_eq(buf_str(&text), buf_str(&plain)));
	buf_free(&text);
	buf_free(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = { (const char *)data + 1, size ? size - 1 : 0 };

	if (!in.len)
		return 0;
	if (in.len < 4096)
		read_lines(in);
	read_path(in, STR("FROM:"), ADDRESS_NULL);
	read_path(in, STR("TO:"), ADDRESS_BARE | ADDRESS_UTF8);
	find_end(in, data[0] ? data[0] : 1000);
	return 0;
}
