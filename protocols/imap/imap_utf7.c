/* imap_utf7.c - see imap_utf7.h. */
#include "protocols/imap/imap_utf7.h"
#include "storage/mail/utf8.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/* One UTF-16 unit of a run; *high is the first half of a pair still waiting for its second. */
static enum err add_unit(struct buf *out, uint32_t unit, uint32_t *high)
{
	if (*high) {
		if (unit < 0xdc00 || unit > 0xdfff)
			return ERR_MISTAKE;
		utf8_add(out, 0x10000 + ((*high - 0xd800) << 10) + (unit - 0xdc00));
		*high = 0;
	} else if (unit >= 0xd800 && unit <= 0xdbff) {
		*high = unit;
	} else if ((unit >= 0xdc00 && unit <= 0xdfff) || (unit >= 0x20 && unit <= 0x7e)) {
		return ERR_MISTAKE; /* half a pair, or what needs no base64 */
	} else {
		utf8_add(out, unit);
	}
	return OK;
}

/* The run between '&' and '-'. */
static enum err decode_run(struct str run, struct buf *out)
{
	uint32_t bits = 0, high = 0;
	unsigned held = 0;

	for (size_t i = 0; i < run.len; i++) {
		const char *digit = run.p[i] ? strchr(digits, run.p[i]) : NULL;

		if (!digit)
			return ERR_MISTAKE;
		bits = (bits << 6 | (uint32_t)(digit - digits)) & 0xffffff;
		held += 6;
		if (held >= 16) {
			held -= 16;
			if (add_unit(out, bits >> held & 0xffff, &high))
				return ERR_MISTAKE;
		}
	}
	return high || held >= 6 || (bits & ((1u << held) - 1)) ? ERR_MISTAKE : OK;
}

enum err utf7_decode(struct str name, struct buf *utf8)
{
	bool in_run = false; /* what was read last */

	for (size_t i = 0; i < name.len; i++)
		if ((unsigned char)name.p[i] >= 0x80) {
			if (!utf8_valid(name))
				return ERR_MISTAKE;
			buf_add_str(utf8, name);
			return OK;
		}
	while (name.len) {
		ptrdiff_t amp = str_find(name, '&'), end;
		bool behind_run = in_run && amp == 0;

		buf_add_str(utf8, str_cut(name, 0, amp < 0 ? name.len : (size_t)amp));
		if (amp < 0)
			break;
		name = str_cut(name, (size_t)amp + 1, name.len);
		if ((end = str_find(name, '-')) < 0)
			return ERR_MISTAKE;
		in_run = end > 0;
		if (end == 0)
			buf_add_char(utf8, '&');
		else if (behind_run || decode_run(str_cut(name, 0, (size_t)end), utf8))
			return ERR_MISTAKE;
		name = str_cut(name, (size_t)end + 1, name.len);
	}
	return OK;
}

/* The character at the front of s, which is UTF-8. */
static uint32_t character(struct str s, size_t size)
{
	uint32_t c = (unsigned char)s.p[0];

	if (size > 1)
		c &= 0x7fu >> size;
	for (size_t i = 1; i < size; i++)
		c = c << 6 | ((unsigned char)s.p[i] & 0x3f);
	return c;
}

struct run { /* base64 being written */
	uint32_t bits;
	unsigned held;
};

static void run_add(struct run *r, uint32_t unit, struct buf *out)
{
	r->bits = r->bits << 16 | unit;
	r->held += 16;
	while (r->held >= 6) {
		r->held -= 6;
		buf_add_char(out, digits[r->bits >> r->held & 0x3f]);
	}
	r->bits &= (1u << r->held) - 1;
}

static void run_end(struct run *r, struct buf *out)
{
	if (r->held)
		buf_add_char(out, digits[r->bits << (6 - r->held) & 0x3f]);
	buf_add_char(out, '-');
	*r = (struct run){ 0 };
}

void utf7_encode(struct str utf8, struct buf *out)
{
	struct run run = { 0 };
	bool within = false;

	while (utf8.len) {
		size_t size = utf8_size(utf8);
		uint32_t c = size ? character(utf8, size) : 0xfffd;
		bool plain = c >= 0x20 && c <= 0x7e;

		utf8 = str_cut(utf8, size ? size : 1, utf8.len);
		if (plain && within)
			run_end(&run, out);
		else if (!plain && !within)
			buf_add_char(out, '&');
		within = !plain;
		if (plain) {
			buf_add_char(out, (char)c);
			if (c == '&')
				buf_add_char(out, '-');
		} else if (c >= 0x10000) {
			run_add(&run, 0xd800 + ((c - 0x10000) >> 10), out);
			run_add(&run, 0xdc00 + ((c - 0x10000) & 0x3ff), out);
		} else {
			run_add(&run, c, out);
		}
	}
	if (within)
		run_end(&run, out);
}
