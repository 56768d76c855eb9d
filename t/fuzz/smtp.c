/* What SMTP reads, of any bytes: command lines, paths with parameters, sizes of chunks, where a message ends and what is
 * looked for in it, both compared with slower ways to find them. The first byte is the size of the pieces. */
#include "core/buf.h"
#include "protocols/smtp/smtp_dot.h"
#include "protocols/smtp/smtp_header.h"
#include "protocols/smtp/smtp_parameter.h"
#include "protocols/smtp/smtp_watch.h"
#include <assert.h>

#define HEADER_MAX 4096 /* bytes that are held */

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

/* What is kept of parameters is printing, and short. */
static void read_parameters(const struct smtp_path_line *line)
{
	struct smtp_mail_parameters mail;
	struct smtp_rcpt_parameters rcpt;
	const char *wrong = smtp_mail_parameters(line, SMTP_MAY_HOLD | SMTP_MAY_URGE, &mail);
	struct buf meaning = { 0 };

	assert(!wrong || wrong[0] == '5');
	if (!wrong)
		assert(mail.envid.len <= SMTP_ENVID_MAX && smtp_xtext(mail.envid, &meaning) && mail.priority >= -9 &&
			mail.priority <= 9 && mail.hold_for >= 0 && mail.hold_until >= 0 &&
			!(mail.hold_for && mail.hold_until) && (mail.by != BY_RETURN || mail.by_time > 0));
	for (size_t i = 0; i < buf_len(&meaning); i++)
		assert(buf_data(&meaning)[i] >= ' ' && buf_data(&meaning)[i] <= '~');
	for (int utf8 = 0; utf8 < 2; utf8++) {
		wrong = smtp_rcpt_parameters(line, utf8, &rcpt);
		assert(!wrong || wrong[0] == '5');
		assert(wrong || rcpt.orcpt.len <= SMTP_ORCPT_MAX);
		assert(wrong || !(rcpt.notify & NOTIFY_NEVER) || rcpt.notify == NOTIFY_NEVER);
	}
	buf_free(&meaning);
}

static void read_chunk(struct str in)
{
	uint64_t size, again;
	bool last, last_again;
	struct buf text = { 0 };

	if (!smtp_parse_chunk(in, &size, &last))
		return;
	buf_printf(&text, "%llu%s", (unsigned long long)size, last ? " last" : "");
	assert(smtp_parse_chunk(buf_str(&text), &again, &last_again) && size == again && last == last_again);
	buf_free(&text);
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
		read_parameters(&line);
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

/* A line of the header that begins with a name, a colon behind it. */
static bool is_field(struct str line, const char *name)
{
	line = str_cut(line, 0, line.len < SMTP_WATCH_LINE ? line.len : SMTP_WATCH_LINE);
	if (!str_starts_nocase(line, str_of(name)))
		return false;
	line = str_trim(str_cut(line, strlen(name), line.len));
	return line.len && line.p[0] == ':';
}

/* The same as smtp_watch_feed, line by line over all bytes. */
static void watch(struct str in, size_t step)
{
	struct smtp_watch w = { 0 };
	unsigned received = 0;
	size_t longest = 0, start = 0;
	bool in_body = false;

	for (size_t at = 0; at < in.len; at += step)
		smtp_watch_feed(&w, str_cut(in, at, in.len - at < step ? in.len : at + step));
	for (size_t at = 0; at <= in.len; at++) {
		bool ends = at < in.len && (in.p[at] == '\r' || in.p[at] == '\n');
		struct str line = str_cut(in, start, at);

		if (!ends && at < in.len)
			continue;
		longest = line.len > longest ? line.len : longest;
		received += ends && !in_body && is_field(line, "received");
		in_body |= ends && !line.len;
		if (ends && in.p[at] == '\r' && at + 1 < in.len && in.p[at + 1] == '\n')
			at++;
		start = at + 1;
	}
	assert(w.received == received && w.longest == longest && w.delivered_count <= SMTP_WATCH_DELIVERED);
	smtp_watch_delivered(&w, STR("a@b"));
	smtp_watch_free(&w);
}

/* In pieces as at once; what is held and what follows are the whole, and mended no CR or LF stands alone in it. */
static void hold_header(struct str in, size_t step, bool mend)
{
	struct smtp_header h = { .mend = mend }, once = { .mend = mend };
	struct buf rest = { 0 };
	size_t used = smtp_header_feed(&once, in, HEADER_MAX);

	for (size_t at = 0; at < in.len; at += step) {
		struct str piece = str_cut(in, at, in.len - at < step ? in.len : at + step);

		buf_add_str(&rest, str_cut(piece, smtp_header_feed(&h, piece, HEADER_MAX), piece.len));
	}
	assert(str_eq(buf_str(&h.bytes), buf_str(&once.bytes)) && h.whole == once.whole);
	if (once.whole || buf_len(&once.bytes) <= HEADER_MAX)
		assert(str_eq(buf_str(&rest), str_cut(in, used, in.len)));
	if (!mend)
		assert(str_eq(buf_str(&once.bytes), str_cut(in, 0, used)));
	for (size_t i = 0; mend && i < buf_len(&once.bytes); i++) {
		char c = buf_data(&once.bytes)[i];

		assert(c != '\n' || (i && buf_data(&once.bytes)[i - 1] == '\r'));
		assert(c != '\r' || buf_data(&once.bytes)[i + 1] == '\n');
	}
	buf_free(&h.bytes);
	buf_free(&once.bytes);
	buf_free(&rest);
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
	read_chunk(in);
	find_end(in, data[0] ? data[0] : 1000);
	watch(in, data[0] ? data[0] : 1000);
	hold_header(in, data[0] ? data[0] : 1000, false);
	hold_header(in, data[0] ? data[0] : 1000, true);
	return 0;
}
