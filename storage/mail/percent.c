/* percent.c - see percent.h. */
#include "storage/mail/percent.h"

static const char hex[] = "0123456789ABCDEF";

void percent_add(struct buf *out, char c)
{
	unsigned char byte = (unsigned char)c;

	buf_add_char(out, '%');
	buf_add_char(out, hex[byte >> 4]);
	buf_add_char(out, hex[byte & 15]);
}

void percent_decode(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		const char *high = NULL, *low = NULL;

		if (s.p[i] == '%' && i + 2 < s.len) {
			high = memchr(hex, s.p[i + 1], 16);
			low = memchr(hex, s.p[i + 2], 16);
		}
		if (high && low) {
			buf_add_char(out, (char)((high - hex) << 4 | (low - hex)));
			i += 2;
		} else {
			buf_add_char(out, s.p[i]);
		}
	}
}
