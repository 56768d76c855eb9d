/* Text of any charset to UTF-8; encoded words. */
#include "storage/mail/charset.h"
#include "storage/mail/utf8.h"
#include "t/tap.h"

#define FFFD "\xef\xbf\xbd"

/* Every row is converted whole and byte by byte, and the answer may not differ. */
static const struct {
	const char *what, *charset, *bytes, *utf8;
} texts[] = {
	{ "ASCII", "us-ascii", "abc", "abc" },
	{ "UTF-8", "UTF-8", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" },
	{ "UTF-8 that claims to be ASCII", "US-ASCII", "\xc3\xa9", "\xc3\xa9" },
	{ "a byte that is no UTF-8", "utf-8",
		"a\xff"
		"b",
		"a" FFFD "b" },
	{ "half a character in the middle", "utf-8",
		"a\xe2\x82"
		"b",
		"a" FFFD FFFD "b" },
	{ "half a character at the end", "utf-8", "a\xe2\x82", "a" FFFD },
	{ "a surrogate", "utf-8", "\xed\xa0\x80", FFFD FFFD FFFD },
	{ "Latin-1", "ISO-8859-1", "\xe9", "\xc3\xa9" },
	{ "... with windows' own characters", "iso-8859-1", "\x93x\x94", "\xe2\x80\x9cx\xe2\x80\x9d" },
	{ "Cyrillic", "koi8-r", "\xf0\xf2\xe9", "\xd0\x9f\xd0\xa0\xd0\x98" },
	{ "Japanese with escape sequences", "iso-2022-jp", "\x1b$B4A;z\x1b(B.", "\xe6\xbc\xa2\xe5\xad\x97." },
	{ "Japanese of Windows", "Shift_JIS", "\x8a\xbf\x8e\x9a", "\xe6\xbc\xa2\xe5\xad\x97" },
	{ "Korean", "ks_c_5601-1987", "\xc7\xd1", "\xed\x95\x9c" },
	{ "Chinese", "gb2312", "\xba\xba", "\xe6\xb1\x89" },
	{ "half a character of two bytes", "gb2312", "a\xba", "a" FFFD },
	{ "a letter held back for its accent comes at the end", "windows-1258", "a", "a" },
	{ "UTF-7", "utf-7", "+AOk-", "\xc3\xa9" },
};

static void test_texts(void)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct charset *c = charset_open(str_of(texts[i].charset));
		struct str bytes = str_of(texts[i].bytes), utf8 = str_of(texts[i].utf8);
		struct buf whole = { 0 }, pieces = { 0 };

		for (size_t k = 0; c && k < bytes.len; k++)
			charset_feed(c, str_cut(bytes, k, k + 1), &pieces);
		if (c)
			charset_end(c, &pieces);
		charset_free(c);
		charset_convert(str_of(texts[i].charset), bytes, &whole);
		if (!ok(str_eq(buf_str(&whole), utf8) && str_eq(buf_str(&pieces), utf8), "%s", texts[i].what))
			printf("# got %.*s, in pieces %.*s\n", STR_ARG(buf_str(&whole)), STR_ARG(buf_str(&pieces)));
		buf_free(&whole);
		buf_free(&pieces);
	}
	ok(!charset_open(STR("klingon")), "a charset that nobody knows");
	ok(!charset_open(STR("UTF-8//TRANSLIT")) && !charset_open(STR("../x")) && !charset_open(STR("INTERNAL")),
		"a name is not a way into libc");
}

static void test_all_charsets(void)
{
	static const char *const names[] = { "iso-8859-2", "iso-8859-8-i", "iso-8859-11", "windows-1255", "tis-620",
		"ibm866", "macintosh", "viscii", "iso-2022-kr", "iso-2022-cn", "euc-jp", "euc-kr", "euc-tw", "big5",
		"gbk", "utf-7", "utf-16", "utf-16le", "utf-32" };
	struct buf bytes = { 0 }, out = { 0 };

	for (int k = 0; k < 40000; k++) /* each pair of bytes at least once, or nearly */
		buf_add_char(&bytes, (char)(k * k >> 7 ^ k));
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		buf_clear(&out);
		ok(charset_convert(str_of(names[i]), buf_str(&bytes), &out) && utf8_valid(buf_str(&out)) &&
				buf_len(&out) <= 12 * buf_len(&bytes),
			"whatever comes as %s leaves as UTF-8", names[i]);
	}
	buf_free(&bytes);
	buf_free(&out);
}

/* The first rows are the examples of RFC 2047, 8. */
static const struct {
	const char *value, *text;
} words[] = {
	{ " plain text\r\n", "plain text" },
	{ "=?ISO-8859-1?Q?a?=", "a" },
	{ "=?ISO-8859-1?Q?a?= b", "a b" },
	{ "=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab" },
	{ "=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=", "ab" },
	{ "=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=", "ab" },
	{ "=?ISO-8859-1?Q?a_b?=", "a b" },
	{ "=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b" },
	{ "=?US-ASCII*EN?Q?Keith_Moore?=", "Keith Moore" },
	{ "Re: =?utf-8?B?w6k=?=!", "Re: \xc3\xa9!" },
	{ "=?utf-8?B?4oI=?= =?UTF-8?b?rA==?=", "\xe2\x82\xac" }, /* a character cut in two is wrong, and common */
	{ "=?utf-8?Q?=E2=82?= x", FFFD " x" },
	{ "=?utf-8?Q?two words?=", "two words" }, /* as wrong, as common */
	{ "=?utf-8?Q?a_?=", "a " },
	{ "a=?utf-8?Q?b?=c", "abc" },
	{ "=?klingon?Q?a?=", "=?klingon?Q?a?=" },
	{ "=?utf-8?X?a?=", "=?utf-8?X?a?=" },
	{ "=?utf-8?Q?a", "=?utf-8?Q?a" },
	{ "=?utf-8?Q?a?", "=?utf-8?Q?a?" },
	{ "=?utf-8?Q", "=?utf-8?Q" },
	{ "=??Q?a?=", "=??Q?a?=" },
	{ "=?=?=?", "=?=?=?" },
	{ "=?utf-8?Q?"
	  "?=",
		"" },
	{ "=?utf-8?Q?a=0D=0A=00b?=", "ab" },
	{ "a\r\n b", "a b" },
	{ "caf\xe9", "caf" FFFD },
	{ "caf\xc3\xa9", "caf\xc3\xa9" },
};

static void test_words(void)
{
	struct buf out = { 0 };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		buf_clear(&out);
		charset_words(str_of(words[i].value), &out);
		if (!ok(str_eq(buf_str(&out), str_of(words[i].text)), "%s", *words[i].text ? words[i].text : "nothing"))
			printf("# got %.*s\n", STR_ARG(buf_str(&out)));
	}
	buf_free(&out);
}

int main(void)
{
	test_texts();
	test_all_charsets();
	test_words();
	return done();
}
