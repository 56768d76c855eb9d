/* charset.c - see charset.h. */
#include "storage/mail/charset.h"
#include "core/mem.h"
#include "storage/mail/decode.h"
#include "storage/mail/token.h"
#include "storage/mail/utf8.h"
#include <assert.h>
#include <errno.h>
#include <iconv.h>
#include <stdlib.h>

#define HELD_MAX    16   /* bytes of one character, escape sequences before it included */
#define STEP_MAX    4096 /* bytes of room made at a time */
#define NO_ICONV    ((iconv_t)-1)
#define REPLACEMENT STR("\xef\xbf\xbd") /* U+FFFD */

struct charset {
	iconv_t iconv; /* NO_ICONV: it is UTF-8 already */
	size_t row;    /* of names */
	char held[HELD_MAX];
	size_t held_len;
};

/* What mail calls it, and libc; NULL there: UTF-8, which bytes beyond us-ascii most often are. */
static const struct {
	const char *mail, *libc;
} names[] = {
	{ "utf-8", NULL },
	{ "utf8", NULL },
	{ "us-ascii", NULL },
	{ "ascii", NULL },
	{ "ansi_x3.4-1968", NULL },
	{ "unknown-8bit", NULL },
	{ "iso-8859-1", "CP1252" },
	{ "iso8859-1", "CP1252" },
	{ "iso_8859-1", "CP1252" },
	{ "latin1", "CP1252" },
	{ "iso-8859-2", "ISO-8859-2" },
	{ "iso-8859-3", "ISO-8859-3" },
	{ "iso-8859-4", "ISO-8859-4" },
	{ "iso-8859-5", "ISO-8859-5" },
	{ "iso-8859-6", "ISO-8859-6" },
	{ "iso-8859-7", "ISO-8859-7" },
	{ "iso-8859-8", "ISO-8859-8" },
	{ "iso-8859-8-i", "ISO-8859-8" },
	{ "iso-8859-9", "CP1254" },
	{ "iso-8859-10", "ISO-8859-10" },
	{ "iso-8859-11", "CP874" },
	{ "iso-8859-13", "ISO-8859-13" },
	{ "iso-8859-14", "ISO-8859-14" },
	{ "iso-8859-15", "ISO-8859-15" },
	{ "iso8859-15", "ISO-8859-15" },
	{ "iso-8859-16", "ISO-8859-16" },
	{ "windows-874", "CP874" },
	{ "tis-620", "CP874" },
	{ "windows-1250", "CP1250" },
	{ "windows-1251", "CP1251" },
	{ "windows-1252", "CP1252" },
	{ "windows-1253", "CP1253" },
	{ "windows-1254", "CP1254" },
	{ "windows-1255", "CP1255" },
	{ "windows-1256", "CP1256" },
	{ "windows-1257", "CP1257" },
	{ "windows-1258", "CP1258" },
	{ "cp1250", "CP1250" },
	{ "cp1251", "CP1251" },
	{ "cp1252", "CP1252" },
	{ "ibm437", "IBM437" },
	{ "cp437", "IBM437" },
	{ "ibm850", "IBM850" },
	{ "cp850", "IBM850" },
	{ "ibm852", "IBM852" },
	{ "ibm866", "IBM866" },
	{ "cp866", "IBM866" },
	{ "koi8-r", "KOI8-R" },
	{ "koi8-u", "KOI8-U" },
	{ "macintosh", "MACINTOSH" },
	{ "viscii", "VISCII" },
	{ "iso-2022-jp", "ISO-2022-JP-2" },
	{ "iso-2022-jp-1", "ISO-2022-JP-2" },
	{ "iso-2022-jp-2", "ISO-2022-JP-2" },
	{ "iso-2022-kr", "ISO-2022-KR" },
	{ "iso-2022-cn", "ISO-2022-CN" },
	{ "shift_jis", "CP932" },
	{ "shift-jis", "CP932" },
	{ "sjis", "CP932" },
	{ "x-sjis", "CP932" },
	{ "windows-31j", "CP932" },
	{ "cp932", "CP932" },
	{ "euc-jp", "EUC-JP" },
	{ "euc-kr", "CP949" },
	{ "ks_c_5601-1987", "CP949" },
	{ "cp949", "CP949" },
	{ "euc-tw", "EUC-TW" },
	{ "big5", "BIG5-HKSCS" },
	{ "big5-hkscs", "BIG5-HKSCS" },
	{ "gb2312", "GB18030" },
	{ "gbk", "GB18030" },
	{ "gb18030", "GB18030" },
	{ "cp936", "GB18030" },
	{ "utf-7", "UTF-7" },
	{ "utf-16", "UTF-16" },
	{ "utf-16le", "UTF-16LE" },
	{ "utf-16be", "UTF-16BE" },
	{ "utf-32", "UTF-32" },
};
#define NAMES (sizeof(names) / sizeof(*names))

/* One for each row that was opened before: libc loads the code of a charset when it is opened, and again when it was
 * closed for a while. */
static _Thread_local iconv_t idle[NAMES];

static iconv_t open_iconv(size_t row)
{
	iconv_t iconv = idle[row];

	if (!names[row].libc)
		return NO_ICONV;
	idle[row] = NULL;
	return iconv ? iconv : iconv_open("UTF-8", names[row].libc);
}

static void close_iconv(iconv_t iconv, size_t row)
{
	if (idle[row])
		iconv_close(iconv);
	else
		idle[row] = iconv;
}

const char *charset_name(size_t i)
{
	return i < NAMES ? names[i].mail : NULL;
}

struct charset *charset_open(struct str name)
{
	struct charset *c;
	size_t row = 0;
	iconv_t iconv;

	if (!name.len)
		name = STR("us-ascii");
	while (row < NAMES && !str_eq_nocase(name, str_of(names[row].mail)))
		row++;
	if (row == NAMES)
		return NULL;
	iconv = open_iconv(row);
	if (names[row].libc && iconv == NO_ICONV)
		return NULL;
	c = mem_new(struct charset);
	c->iconv = iconv;
	c->row = row;
	return c;
}

/* Whether bytes may be the front of a UTF-8 character whose rest is still to come. */
static bool is_half_utf8(struct str bytes)
{
	unsigned char first = (unsigned char)bytes.p[0];
	size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;

	if (first < 0xc2 || first > 0xf4 || bytes.len >= size)
		return false;
	for (size_t i = 1; i < bytes.len; i++)
		if (((unsigned char)bytes.p[i] & 0xc0) != 0x80)
			return false;
	return true;
}

static size_t convert_utf8(struct str bytes, struct buf *out)
{
	size_t half = 0;

	for (size_t back = 1; back < 4 && back <= bytes.len && !half; back++)
		if (is_half_utf8(str_cut(bytes, bytes.len - back, bytes.len)))
			half = back;
	utf8_add_mended(out, str_cut(bytes, 0, bytes.len - half));
	return bytes.len - half;
}

/* Converts what it can; how many bytes that were. What is left is the front of a character. */
static size_t convert(struct charset *c, struct str bytes, struct buf *out)
{
	char *from = (char *)bytes.p; /* iconv reads it only */
	size_t left = bytes.len;

	if (c->iconv == NO_ICONV)
		return convert_utf8(bytes, out);
	while (left) {
		size_t room = STEP_MAX;
		char *to = buf_room(out, room);
		size_t done = iconv(c->iconv, &from, &left, &to, &room);

		buf_added(out, STEP_MAX - room);
		if (done == (size_t)-1 && errno == EILSEQ) {
			buf_add_str(out, REPLACEMENT);
			from++;
			left--;
		} else if (done != (size_t)-1 || errno != E2BIG) {
			break;
		}
	}
	return bytes.len - left;
}

/* Takes one byte more to a character that came in pieces. */
static void feed_held(struct charset *c, char byte, struct buf *out)
{
	size_t done;

	c->held[c->held_len++] = byte;
	done = convert(c, (struct str){ c->held, c->held_len }, out);
	if (!done && c->held_len == HELD_MAX) { /* no character is so long */
		buf_add_str(out, REPLACEMENT);
		done = 1;
	}
	c->held_len -= done;
	memmove(c->held, c->held + done, c->held_len);
}

void charset_feed(struct charset *c, struct str bytes, struct buf *out)
{
	size_t done;

	while (bytes.len && c->held_len) {
		feed_held(c, bytes.p[0], out);
		bytes = str_cut(bytes, 1, bytes.len);
	}
	if (!bytes.len)
		return;
	done = convert(c, bytes, out);
	bytes = str_cut(bytes, done, bytes.len);
	assert(!c->held_len);
	while (bytes.len) { /* the front of a character: a few bytes */
		feed_held(c, bytes.p[0], out);
		bytes = str_cut(bytes, 1, bytes.len);
	}
}

void charset_end(struct charset *c, struct buf *out)
{
	if (c->held_len)
		buf_add_str(out, REPLACEMENT);
	c->held_len = 0;
	if (c->iconv != NO_ICONV) { /* some hold a letter back, for an accent that may follow */
		size_t room = HELD_MAX;
		char *to = buf_room(out, room);

		iconv(c->iconv, NULL, NULL, &to, &room);
		buf_added(out, HELD_MAX - room);
		iconv(c->iconv, NULL, NULL, NULL, NULL);
	}
}

void charset_free(struct charset *c)
{
	if (!c)
		return;
	if (c->iconv != NO_ICONV) {
		iconv(c->iconv, NULL, NULL, NULL, NULL);
		close_iconv(c->iconv, c->row);
	}
	free(c);
}

bool charset_convert(struct str name, struct str bytes, struct buf *out)
{
	struct charset *c = charset_open(name);

	if (!c)
		return false;
	charset_feed(c, bytes, out);
	charset_end(c, out);
	charset_free(c);
	return true;
}

/* ---- encoded words ---- */

struct word { /* =?charset*language?B?text?= */
	struct str charset, text;
	enum encoding encoding;
	size_t size; /* of all of it */
};

/* The encoded word at the front of s, if there is one (RFC 2047, 2; RFC 2231, 5). */
static bool word_at(struct str s, struct word *w)
{
	ptrdiff_t end, star;
	struct str rest;

	if (!str_starts(s, STR("=?")))
		return false;
	rest = str_cut(s, 2, s.len);
	if ((end = str_find(rest, '?')) <= 0 || (size_t)end + 3 > rest.len || rest.p[end + 2] != '?')
		return false;
	w->charset = str_cut(rest, 0, (size_t)end);
	if ((star = str_find(w->charset, '*')) >= 0)
		w->charset.len = (size_t)star;
	switch (ascii_lower(rest.p[end + 1])) {
	case 'b':
		w->encoding = ENCODING_BASE64;
		break;
	case 'q':
		w->encoding = ENCODING_QUOTED;
		break;
	default:
		return false;
	}
	rest = str_cut(rest, (size_t)end + 3, rest.len);
	for (end = 0; (size_t)end < rest.len && rest.p[end] != '?' && rest.p[end] != '\n'; end++)
		;
	if ((size_t)end + 1 >= rest.len || rest.p[end] != '?' || rest.p[end + 1] != '=')
		return false;
	w->text = str_cut(rest, 0, (size_t)end);
	w->size = (size_t)(rest.p + end + 2 - s.p);
	return true;
}

static void word_bytes(const struct word *w, struct buf *out)
{
	struct decoder d = { .encoding = w->encoding };
	struct buf text = { 0 };

	buf_add_str(&text, w->text);
	for (size_t i = 0; w->encoding == ENCODING_QUOTED && i < buf_len(&text); i++)
		if (buf_data(&text)[i] == '_') /* a space, whatever the charset (RFC 2047, 4.2) */
			buf_data(&text)[i] = ' ';
	decoder_feed(&d, buf_str(&text), out);
	if (w->encoding == ENCODING_QUOTED)
		buf_add(out, d.held, d.held_len); /* here it ends no line */
	else
		decoder_end(&d, out);
	buf_free(&text);
}

struct words {
	struct charset *charset; /* of the last word, for the next may go on in the middle of a character */
	struct str name;
	struct buf bytes, text;
};

static void words_close(struct words *ws)
{
	if (ws->charset)
		charset_end(ws->charset, &ws->text);
	charset_free(ws->charset);
	ws->charset = NULL;
}

/* False: of a charset that nobody knows. */
static bool words_add(struct words *ws, const struct word *w)
{
	if (ws->charset && !str_eq_nocase(ws->name, w->charset))
		words_close(ws);
	if (!ws->charset && !(ws->charset = charset_open(w->charset)))
		return false;
	ws->name = w->charset;
	buf_clear(&ws->bytes);
	word_bytes(w, &ws->bytes);
	charset_feed(ws->charset, buf_str(&ws->bytes), &ws->text);
	return true;
}

void charset_words(struct str value, struct buf *out)
{
	struct words ws = { 0 };
	struct str left = str_trim(value);
	struct word w;

	while (left.len) {
		size_t len = 0, space = 0;

		if (word_at(left, &w) && words_add(&ws, &w)) {
			left = str_cut(left, w.size, left.len);
			while (space < left.len && token_is_space(left.p[space]))
				space++;
			if (word_at(str_cut(left, space, left.len), &w)) /* space between two words is not text */
				left = str_cut(left, space, left.len);
			continue;
		}
		words_close(&ws);
		while (++len < left.len && left.p[len] != '=')
			;
		utf8_add_mended(&ws.text, str_cut(left, 0, len));
		left = str_cut(left, len, left.len);
	}
	words_close(&ws);
	token_add(out, buf_str(&ws.text));
	buf_free(&ws.bytes);
	buf_free(&ws.text);
}
