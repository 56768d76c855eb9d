/* imap_write.c - see imap_write.h. */
#include "protocols/imap/imap_write.h"
#include "protocols/imap/imap_args.h"
#include "protocols/imap/imap_utf7.h"
#include "storage/mail/utf8.h"

static bool can_be_quoted(struct str s)
{
	if (s.len > QUOTED_BYTES_MAX || utf8_ascii(s) < s.len)
		return false;
	return str_find(s, '\n') < 0 && str_find(s, '\r') < 0;
}

/* Bytes at the front that need no backslash before them. */
static size_t plain_run(struct str s)
{
	size_t len = 0;

	while (len < s.len && s.p[len] != '"' && s.p[len] != '\\')
		len++;
	return len;
}

void imap_write_string(struct buf *out, struct str s)
{
	if (!can_be_quoted(s)) {
		buf_printf(out, "{%zu}\r\n", s.len);
		buf_add_str(out, s);
		return;
	}
	buf_add_char(out, '"');
	for (size_t len; len = plain_run(s), len < s.len; s = str_cut(s, len + 1, s.len)) {
		buf_add_str(out, str_cut(s, 0, len));
		buf_add_char(out, '\\');
		buf_add_char(out, s.p[len]);
	}
	buf_add_str(out, s);
	buf_add_char(out, '"');
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
