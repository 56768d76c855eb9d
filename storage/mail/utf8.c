/* utf8.c - see utf8.h. */
#include "storage/mail/utf8.h"

#define REPLACEMENT STR("\xef\xbf\xbd") /* U+FFFD */

static bool between(unsigned char c, unsigned char least, unsigned char most)
{
	return c >= least && c <= most;
}

/* The rows of RFC 3629, 4: after some first bytes the second has a narrower range. */
size_t utf8_size(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	unsigned char least = 0x80, most = 0xbf;
	size_t size;

	if (!s.len)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (between(p[0], 0xc2, 0xdf))
		size = 2;
	else if (between(p[0], 0xe0, 0xef))
		size = 3;
	else if (between(p[0], 0xf0, 0xf4))
		size = 4;
	else
		return 0;
	if (p[0] == 0xe0)
		least = 0xa0;
	else if (p[0] == 0xed)
		most = 0x9f;
	else if (p[0] == 0xf0)
		least = 0x90;
	else if (p[0] == 0xf4)
		most = 0x8f;
	if (s.len < size || !between(p[1], least, most))
		return 0;
	for (size_t i = 2; i < size; i++)
		if (!between(p[i], 0x80, 0xbf))
			return 0;
	return size;
}

size_t utf8_ascii(struct str s)
{
	size_t len = 0;
	uint64_t eight;

	for (; len + sizeof(eight) <= s.len; len += sizeof(eight)) {
		memcpy(&eight, s.p + len, sizeof(eight));
		if (eight & 0x8080808080808080)
			break;
	}
	while (len < s.len && (unsigned char)s.p[len] < 0x80)
		len++;
	return len;
}

/* Bytes at the front that are UTF-8. */
static size_t valid_run(struct str s)
{
	size_t run = 0, size;

	do {
		run += utf8_ascii(str_cut(s, run, s.len));
		size = utf8_size(str_cut(s, run, s.len));
		run += size;
	} while (size);
	return run;
}

bool utf8_valid(struct str s)
{
	return valid_run(s) == s.len;
}

void utf8_add_mended(struct buf *out, struct str s)
{
	while (s.len) {
		size_t run = valid_run(s);

		buf_add_str(out, str_cut(s, 0, run));
		s = str_cut(s, run, s.len);
		if (s.len) {
			buf_add_str(out, REPLACEMENT);
			s = str_cut(s, 1, s.len);
		}
	}
}

void utf8_add(struct buf *out, uint32_t c)
{
	if (c < 0x80) {
		buf_add_char(out, (char)c);
	} else if (c < 0x800) {
		buf_add_char(out, (char)(0xc0 | c >> 6));
		buf_add_char(out, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		buf_add_char(out, (char)(0xe0 | c >> 12));
		buf_add_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_add_char(out, (char)(0x80 | (c & 0x3f)));
	} else {
		buf_add_char(out, (char)(0xf0 | c >> 18));
		buf_add_char(out, (char)(0x80 | (c >> 12 & 0x3f)));
		buf_add_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_add_char(out, (char)(0x80 | (c & 0x3f)));
	}
}
