/* Domain names: from text and back, out of messages, and all that is none (RFC 1035, 3.1 and 4.1.4). */
#include "dns/name.h"
#include "t/tap.h"
#include <stdlib.h>

static char *printed(const struct dns_name *n)
{
	static struct buf text;

	buf_clear(&text);
	dns_name_print(n, &text);
	buf_add_char(&text, '\0');
	return buf_data(&text);
}

static void test_text(void)
{
	static const struct {
		const char *what, *text, *want; /* want NULL: no name */
	} rows[] = {
		{ "a name", "mx.example.test", "mx.example.test" },
		{ "a dot at the end changes nothing", "mx.example.test.", "mx.example.test" },
		{ "letters come out small", "MX.Example.TEST", "mx.example.test" },
		{ "the root", ".", "." },
		{ "underscores, as in SRV", "_sip._tcp.test", "_sip._tcp.test" },
		{ "what a host name could not have", "a/b*c.test", "a/b*c.test" },
		{ "a dot within a label", "first\\.last.test", "first\\.last.test" },
		{ "a backslash within a label", "a\\\\b.test", "a\\\\b.test" },
		{ "an octet by its number", "a\\032b\\255.test", "a\\032b\\255.test" },
		{ "a letter by its number", "\\065.test", "a.test" },
		{ "nothing", "", NULL },
		{ "an empty label", "a..test", NULL },
		{ "an empty label first", ".test", NULL },
		{ "two dots", "..", NULL },
		{ "a space", "a b.test", NULL },
		{ "an octet beyond ASCII", "b\xc3\xbc.test", NULL },
		{ "a control character", "a\x01.test", NULL },
		{ "a backslash at the end", "test\\", NULL },
		{ "a number that is cut", "a\\25", NULL },
		{ "a number that is none of an octet", "a\\256", NULL },
	};
	struct dns_name n;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		bool good = dns_name_read(&n, str_of(rows[i].text));

		ok(good == (rows[i].want != NULL) && (!good || !strcmp(printed(&n), rows[i].want)), "%s: %s",
			rows[i].what, good ? "a name" : "none");
	}
	ok(!dns_name_read(&n, STR("a\0b")), "a NUL: none");
}

/* count labels of 63 octets, then one of `last`. */
static struct str long_name(struct buf *text, int count, int last)
{
	buf_clear(text);
	while (count--)
		buf_printf(text, "%063d.", count);
	if (last)
		buf_printf(text, "%0*d", last, 0);
	return buf_str(text);
}

static void test_lengths(void)
{
	struct buf text = { 0 };
	struct dns_name n;

	ok(dns_name_read(&n, long_name(&text, 3, 61)) && n.len == DNS_NAME_MAX, "a name of 255 octets");
	ok(!dns_name_read(&n, long_name(&text, 3, 62)), "none of 256");
	ok(!dns_name_read(&n, long_name(&text, 4, 0)), "nor of 257 with a dot at its end");
	ok(dns_name_read(&n, long_name(&text, 0, 63)) && n.len == 65, "a label of 63 octets");
	ok(!dns_name_read(&n, long_name(&text, 0, 64)), "none of 64");
	buf_clear(&text);
	for (int i = 0; i < 127; i++)
		buf_printf(&text, "a.");
	ok(dns_name_read(&n, buf_str(&text)) && n.len == DNS_NAME_MAX, "127 labels");
	buf_printf(&text, "a.");
	ok(!dns_name_read(&n, buf_str(&text)), "not 128");
	buf_free(&text);
}

/* Names in messages: 12 octets of header, then `bytes`; the name begins at `at` behind the header. */
static void test_messages(void)
{
	static const struct {
		const char *what;
		struct str bytes;
		size_t at, end; /* end: behind the header too */
		const char *want;
	} rows[] = {
		{ "labels", STR("\1a\4TEST\0z"), 0, 8, "a.test" },
		{ "the root", STR("\0"), 0, 1, "." },
		{ "a pointer", STR("\4test\0\xc0\x0c"), 6, 8, "test" },
		{ "labels, then a pointer", STR("\4test\0\1a\xc0\x0cz"), 6, 10, "a.test" },
		{ "a pointer to a pointer", STR("\4test\0\1a\xc0\x0c\1b\xc0\x12"), 10, 14, "b.a.test" },
		{ "a pointer to itself", STR("\xc0\x0c"), 0, 0, NULL },
		{ "a pointer to what leads back to it", STR("\1a\xc0\x0c"), 0, 0, NULL },
		{ "two pointers to one another", STR("\xc0\x0e\xc0\x0c"), 2, 0, NULL },
		{ "a pointer forward", STR("\xc0\x0e\4test\0"), 0, 0, NULL },
		{ "a pointer into the header", STR("\4test\xc0\x00"), 0, 0, NULL },
		{ "a pointer beyond the message", STR("\1a\xc1\x00"), 0, 0, NULL },
		{ "a kind of label that is not in use",
			STR("\x41"
			    "a\0"),
			0, 0, NULL },
		{ "nothing", STR(""), 0, 0, NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		size_t len = 12 + rows[i].bytes.len, at = 12 + rows[i].at;
		char *message = calloc(1, len); /* of its exact size, for AddressSanitizer */
		struct dns_name n;
		bool good;

		memcpy(message + 12, rows[i].bytes.p, rows[i].bytes.len);
		good = dns_name_take((struct str){ message, len }, &at, &n);
		ok(good == (rows[i].want != NULL) &&
				(!good || (!strcmp(printed(&n), rows[i].want) && at == 12 + rows[i].end)),
			"%s: %s", rows[i].what, good ? "a name" : "none");
		free(message);
	}
}

static void test_cut(void)
{
	static const char whole[] = "123456789012\4test\0\1a\xc0\x0c";
	bool good = true;

	for (size_t len = 12; len < sizeof(whole) - 1; len++) {
		char *message = malloc(len);
		size_t at = 18;
		struct dns_name n;

		memcpy(message, whole, len);
		good &= !dns_name_take((struct str){ message, len }, &at, &n);
		free(message);
	}
	ok(good, "no name is complete before its last octet");
}

/* Each label points to the one before: as long as a name may be, and one longer. */
static void test_chain(void)
{
	char message[12 + 1 + 128 * 4] = { 0 };
	size_t at = 13, start = 12;
	struct dns_name n;

	for (int i = 0; i < 128; i++) {
		message[at] = 1;
		message[at + 1] = 'a';
		message[at + 2] = (char)(0xc0 | start >> 8);
		message[at + 3] = (char)start;
		start = at;
		at += 4;
	}
	at = 13 + 126 * 4;
	ok(dns_name_take((struct str){ message, sizeof(message) }, &at, &n) && n.len == DNS_NAME_MAX,
		"127 pointers make the longest name");
	at = 13 + 127 * 4;
	ok(!dns_name_take((struct str){ message, sizeof(message) }, &at, &n), "128 make none");
}

static void test_within(void)
{
	static const struct {
		const char *name, *parent;
		bool want;
	} rows[] = {
		{ "a.example.test", "example.test", true },
		{ "example.test", "example.test", true },
		{ "example.test", "a.example.test", false },
		{ "anexample.test", "example.test", false },
		{ "a.other.test", "example.test", false },
		{ "a.test", ".", true },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct dns_name n, parent;

		dns_name_read(&n, str_of(rows[i].name));
		dns_name_read(&parent, str_of(rows[i].parent));
		ok(dns_name_within(&n, &parent) == rows[i].want, "%s is %swithin %s", rows[i].name,
			rows[i].want ? "" : "not ", rows[i].parent);
	}
}

static void test_addresses(void)
{
	static const char *const rows[][2] = {
		{ "192.0.2.1", "1.2.0.192.in-addr.arpa" },
		{ "::ffff:192.0.2.1", "1.2.0.192.in-addr.arpa" },
		{ "2001:db8::567:89ab", "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct dns_name n;
		struct ip ip;

		ip_read(str_of(rows[i][0]), &ip);
		dns_name_of_ip(&n, &ip);
		ok(!strcmp(printed(&n), rows[i][1]), "the name of %s is asked for at %s", rows[i][0], printed(&n));
	}
}

int main(void)
{
	test_text();
	test_lengths();
	test_messages();
	test_cut();
	test_chain();
	test_within();
	test_addresses();
	return done();
}
