/* imap_write.c - see imap_write.h. */
#include "protocols/imap/imap_write.h"
#include "protocols/imap/imap_args.h"
#include "protocols/imap/imap_utf7.h"

/* Whether it can be quoted; then *slashes says how many of its bytes need one before them. */
static bool can_be_quoted(struct str s, size_t *slashes)
{
	bool can = s.len <= QUOTED_BYTES_MAX;

	*slashes = 0;
	for (size_t i = 0; can && i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		can = c < 0x80 && c != '\n' && c != '\r';
		*slashes += c == '"' || c == '\\';
	}
	return can;
}

/* Room is made once, for ENVELOPE is a dozen of these for each message. */
static void write_quoted(struct buf *out, struct str s, size_t slashes)
{
	size_t size = s.len + slashes + 2;
	char *to = buf_room(out, size);

	*to++ = '"';
	for (size_t i = 0; slashes && i < s.len; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			*to++ = '\\';
		*to++ = s.p[i];
	}
	if (!slashes && s.len) {
		memcpy(to, s.p, s.len);
		to += s.len;
	}
	*to = '"';
	buf_added(out, size);
}

void imap_write_string(struct buf *out, struct str s)
{
	size_t slashes;

	if (can_be_quoted(s, &slashes)) {
		write_quoted(out, s, slashes);
		return;
	}
	buf_printf(out, "{%zu}\r\n", s.len);
	buf_add_str(out, s);
}

void imap_write_nstring(struct buf *out, struct str s)
{
	if (s.p)
		imap_write_string(out, s);
	else
		buf_add_str(out, STR("NIL"));
}

void imap_write_astring(struct buf *out, struct str s)
{
	bool plain = s.len > 0;

	for (size_t i = 0; i < s.len; i++)
		plain &= args_is_astring_char(s.p[i]) && (unsigned char)s.p[i] < 0x80;
	if (plain)
		buf_add_str(out, s);
	else
		imap_write_string(out, s);
}

void imap_write_mailbox(struct buf *out, struct str utf8)
{
	struct buf name = { 0 };

	utf7_encode(utf8, &name);
	imap_write_string(out, buf_str(&name));
	buf_free(&name);
}

void imap_write_ranges(struct buf *out, const struct uid_range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		buf_printf(out, "%s%u", i ? "," : "", ranges[i].first);
		if (ranges[i].last != ranges[i].first)
			buf_printf(out, ":%u", ranges[i].last);
	}
}
