/* 8-bit text becomes text of 7 bits, part by part, however the message is cut; what cannot is told (RFC 6152, 3). */
#include "t/seven_bit.h"
#include "t/tap.h"
#include <dirent.h>

#define MIME   "MIME-Version: 1.0\r\n"
#define EIGHT  "Content-Transfer-Encoding: 8bit\r\n"
#define SEVEN  "Content-Transfer-Encoding: 7bit\r\n"
#define QUOTED "Content-Transfer-Encoding: quoted-printable\r\n"
#define BASE64 "Content-Transfer-Encoding: base64\r\n"
#define MIXED  "Content-Type: multipart/mixed; boundary=b\r\n"
#define UTF8   "Content-Type: text/plain; charset=utf-8\r\n"
#define IMAGE  "Content-Type: image/png\r\n"
#define NESTED "Content-Type: message/rfc822\r\n"
#define LATIN  "Content-Type: text/plain; charset=unknown-8bit\r\n"
#define TEN    "0123456789"

static const struct {
	const char *what, *in, *out; /* out NULL: it cannot be */
} rows[] = {
	{ "ASCII stays", MIME UTF8 "\r\ntext\r\n", MIME UTF8 "\r\ntext\r\n" },
	{ "but does not say 8bit", MIME EIGHT "\r\ntext\r\n", MIME SEVEN "\r\ntext\r\n" },
	{ "text is quoted", MIME UTF8 EIGHT "\r\na=\xc3\xa9.\r\n.\r\n", MIME UTF8 QUOTED "\r\na=3D=C3=A9.\r\n.\r\n" },
	{ "white space at a line's end too", MIME UTF8 EIGHT "\r\na \t \r\n \xff \r\n\t\r\n",
		MIME UTF8 QUOTED "\r\na \t=20\r\n =FF=20\r\n=09\r\n" },
	{ "a control character too", MIME UTF8 EIGHT "\r\n\x01\x7f\xff\r\n", MIME UTF8 QUOTED "\r\n=01=7F=FF\r\n" },
	{ "long lines are broken softly",
		MIME UTF8 EIGHT "\r\n" TEN TEN TEN TEN TEN TEN TEN "01234\r\n" TEN TEN TEN TEN TEN TEN TEN
				"012345\xff\r\n",
		MIME UTF8 QUOTED "\r\n" TEN TEN TEN TEN TEN TEN TEN "01234\r\n" TEN TEN TEN TEN TEN TEN TEN
				 "01234=\r\n5=FF\r\n" },
	{ "no code is broken", MIME UTF8 EIGHT "\r\n" TEN TEN TEN TEN TEN TEN TEN "012\xff\xff\r\n",
		MIME UTF8 QUOTED "\r\n" TEN TEN TEN TEN TEN TEN TEN "012=\r\n=FF=FF\r\n" },
	{ "a break makes no delimiter",
		MIME MIXED "\r\n--b\r\n\r\n" TEN TEN TEN TEN TEN TEN TEN "01234--b\r\n\xff\r\n--b--",
		MIME MIXED "\r\n--b\r\n" QUOTED "\r\n" TEN TEN TEN TEN TEN TEN TEN "01234=\r\n=2D-b\r\n=FF\r\n--b--" },
	{ "of a multipart without parts nobody knows what is content", MIME MIXED "\r\n\xff\r\n--b--\r\n", NULL },
	{ "nor behind it", MIME MIXED "\r\na\r\n--b--\r\n\xff\r\n", NULL },
	{ "what is no text becomes base64", MIME IMAGE EIGHT "\r\n\xff\xfe\r\nab", MIME IMAGE BASE64 "\r\n//4NCmFi" },
	{ "a header without the field gets it", MIME UTF8 "\r\n\xff\r\n", MIME UTF8 QUOTED "\r\n=FF\r\n" },
	{ "one that is not MIME's becomes so", "Subject: a\r\n\r\n\xff\r\n",
		"Subject: a\r\n" MIME LATIN QUOTED "\r\n=FF\r\n" },
	{ "parts one by one",
		MIME MIXED EIGHT "\r\n--b\r\n" UTF8 EIGHT "\r\na\r\n--b\r\n" UTF8 EIGHT "\r\n\xff\r\n--b--\r\n",
		MIME MIXED SEVEN "\r\n--b\r\n" UTF8 SEVEN "\r\na\r\n--b\r\n" UTF8 QUOTED "\r\n=FF\r\n--b--\r\n" },
	{ "the line end before a delimiter is not of a part", MIME MIXED "\r\n--b\r\n" UTF8 "\r\n\xff \r\n\r\n--b--",
		MIME MIXED "\r\n--b\r\n" UTF8 QUOTED "\r\n=FF=20\r\n\r\n--b--" },
	{ "a part that does not say what it is is text", MIME MIXED "\r\n--b\r\n\r\n\xff\r\n--b--",
		MIME MIXED "\r\n--b\r\n" QUOTED "\r\n=FF\r\n--b--" },
	{ "what nobody reads loses it", MIME MIXED "\r\n\xff!\r\n--b\r\n\r\na\r\n--b--\r\n\xfe\r\n",
		MIME MIXED "\r\n?!\r\n--b\r\n\r\na\r\n--b--\r\n?\r\n" },
	{ "a message within", MIME MIXED "\r\n--b\r\n" NESTED EIGHT "\r\n" MIME UTF8 EIGHT "\r\n\xff\r\n--b--",
		MIME MIXED "\r\n--b\r\n" NESTED SEVEN "\r\n" MIME UTF8 QUOTED "\r\n=FF\r\n--b--" },
	{ "one within that is not MIME's", MIME NESTED "\r\nSubject: a\r\n\r\n\xff",
		MIME NESTED "\r\nSubject: a\r\n" MIME LATIN QUOTED "\r\n=FF" },
	{ "a delimiter ends what is within",
		MIME MIXED
		"\r\n--b\r\nContent-Type: multipart/x; boundary=c\r\n\r\n--c\r\n\r\n\xff\r\n--b\r\n\r\n\xfe\r\n--b--",
		MIME MIXED "\r\n--b\r\nContent-Type: multipart/x; boundary=c\r\n\r\n--c\r\n" QUOTED
			   "\r\n=FF\r\n--b\r\n" QUOTED "\r\n=FE\r\n--b--" },
	{ "a part that is encoded stays", MIME UTF8 QUOTED "\r\n=FF\r\n", MIME UTF8 QUOTED "\r\n=FF\r\n" },
	{ "in a header it cannot be", "Subject: \xff\r\n\r\na\r\n", NULL },
	{ "nor in a part's", MIME MIXED "\r\n--b\r\nContent-Type: text/plain; name=\"\xff\"\r\n\r\na\r\n--b--", NULL },
	{ "nor in a part that is encoded", MIME UTF8 QUOTED "\r\n\xff\r\n", NULL },
	{ "nor in one of an encoding that nobody knows", MIME UTF8 "Content-Transfer-Encoding: x\r\n\r\n\xff\r\n",
		NULL },
	{ "nor in a part of a message", MIME "Content-Type: message/partial; id=1\r\n\r\n\xff\r\n", NULL },
	{ "nor behind a delimiter", MIME MIXED "\r\n--b \xff\r\n\r\na\r\n--b--", NULL },
};

static void test_rows(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct str in = str_of(rows[i].in);
		bool same = true;

		for (size_t step = 1; step <= in.len; step++) {
			struct buf out = { 0 };
			bool can = seven_bit(in, step, &out);

			same = same && can == (rows[i].out != NULL) &&
			       (!can || str_eq(buf_str(&out), str_of(rows[i].out)));
			if (step == in.len && !same)
				printf("# got \"" STR_FMT "\"\n", STR_ARG(buf_str(&out)));
			buf_free(&out);
		}
		ok(same, "%s, however it is cut", rows[i].what);
	}
}

/* --- real mail --------------------------------------------------------------------------------------------------------- */

static void read_wire(const char *path, struct buf *out)
{
	struct buf raw = { 0 };
	FILE *f = fopen(path, "rb");
	struct str text;
	bool cr = false;
	size_t n;

	while (f && (n = fread(buf_room(&raw, 65536), 1, 65536, f)))
		buf_added(&raw, n);
	if (f)
		fclose(f);
	text = buf_str(&raw);
	if (str_starts(text, STR("From ")))
		text = str_cut(text, (size_t)str_find(text, '\n') + 1, text.len);
	decode_lines(text, &cr, out);
	buf_free(&raw);
}

static void test_real_mail(void)
{
	static const char *const folders[] = { "cpython", "mime-malformed", "mime-rfc", "mime-thirdparty",
		"ruby-mail" };
	unsigned made = 0, bad = 0, all = 0;

	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		char path[600];
		DIR *d;

		snprintf(path, sizeof(path), "t/data/mail/%s", folders[i]);
		d = opendir(path);
		for (struct dirent *e; d && (e = readdir(d));) {
			struct buf in = { 0 }, out = { 0 };

			snprintf(path, sizeof(path), "t/data/mail/%s/%s", folders[i], e->d_name);
			read_wire(path, &in);
			all += buf_len(&in) > 0;
			if (!is_seven_bit(buf_str(&in)) && seven_bit(buf_str(&in), 4096, &out)) {
				made++;
				if (!is_seven_bit(buf_str(&out)) || !means_the_same(buf_str(&in), buf_str(&out))) {
					printf("# %s is another message\n", path);
					bad++;
				}
			}
			buf_free(&in);
			buf_free(&out);
		}
		if (d)
			closedir(d);
	}
	printf("# %u of %u messages\n", made, all);
	ok(made >= 5 && !bad, "real mail of 8 bits means the same in 7");
}

int main(void)
{
	test_rows();
	test_real_mail();
	return done();
}
