/* Questions as they go out, replies as they may come: whole, cut at every octet, and with every part wrong. */
#include "dns/message.h"
#include "t/tap.h"
#include <arpa/inet.h>
#include <stdlib.h>

/* --- writing replies ----------------------------------------------------------------------------------------------- */

#define FOUND 0x8180 /* a reply, to recurse was wished and possible */

static struct dns_query query;
static struct buf reply;

static void ask(const char *name, enum dns_type type)
{
	struct dns_name n;

	dns_name_read(&n, str_of(name));
	dns_query_build(&query, &n, type, DNS_QUERY_EDNS);
}

static void put16(unsigned v)
{
	buf_add_char(&reply, (char)(v >> 8));
	buf_add_char(&reply, (char)v);
}

static void put_name(const char *name)
{
	struct dns_name n;

	dns_name_read(&n, str_of(name));
	buf_add(&reply, n.octets, n.len);
}

/* Header and question of a reply to `query`. */
static void begin(unsigned flags, unsigned answers, unsigned authority, unsigned additional)
{
	size_t question = query.len - DNS_HEADER_BYTES - 11;

	buf_clear(&reply);
	buf_add(&reply, query.bytes, 2);
	put16(flags);
	put16(1);
	put16(answers);
	put16(authority);
	put16(additional);
	buf_add(&reply, query.bytes + DNS_HEADER_BYTES, question);
}

static void put_record(const char *owner, unsigned type, uint32_t ttl, struct str data)
{
	put_name(owner);
	put16(type);
	put16(1);
	put16(ttl >> 16);
	put16(ttl & 0xffff);
	put16((unsigned)data.len);
	buf_add_str(&reply, data);
}

static void put_name_record(const char *owner, unsigned type, uint32_t ttl, const char *name)
{
	struct dns_name n;

	dns_name_read(&n, str_of(name));
	put_record(owner, type, ttl, (struct str){ (const char *)n.octets, n.len });
}

static void put_soa(const char *zone, uint32_t ttl, unsigned minimum)
{
	char data[22] = { 0 };

	data[20] = (char)(minimum >> 8);
	data[21] = (char)minimum;
	put_record(zone, DNS_SOA, ttl, (struct str){ data, sizeof(data) });
}

/* --- reading them -------------------------------------------------------------------------------------------------- */

static struct arena memory;
static struct dns_reply got;

static enum dns_reply_kind read_len(size_t len, bool any_case)
{
	char *bytes = malloc(len + !len); /* of its exact size, for AddressSanitizer */

	arena_free(&memory);
	if (len)
		memcpy(bytes, buf_data(&reply), len);
	dns_reply_read(&got, (struct str){ bytes, len }, &query, any_case, &memory);
	if (got.kind == DNS_REPLY_ANSWER) { /* as its users do: what is kept is a copy */
		struct dns_answer *kept = dns_answer_new(&got.answer);

		dns_answer_unref(kept);
	}
	free(bytes);
	return got.kind;
}

static enum dns_reply_kind read_reply(void)
{
	return read_len(buf_len(&reply), false);
}

static bool is(enum dns_outcome outcome, size_t count, uint32_t ttl_s)
{
	return got.kind == DNS_REPLY_ANSWER && got.answer.outcome == outcome && got.answer.count == count &&
	       got.answer.ttl_s == ttl_s;
}

static const char *record(enum dns_type type, struct str data)
{
	static struct buf text;
	char *bytes;

	ask("a.test", type);
	begin(FOUND, 1, 0, 0);
	put_record("a.test", type, 60, data);
	buf_clear(&text);
	bytes = malloc(buf_len(&reply));
	memcpy(bytes, buf_data(&reply), buf_len(&reply));
	arena_free(&memory);
	dns_reply_read(&got, (struct str){ bytes, buf_len(&reply) }, &query, false, &memory);
	if (got.kind != DNS_REPLY_ANSWER)
		buf_printf(&text, got.kind == DNS_REPLY_BROKEN ? "broken" : "not an answer");
	else
		dns_record_print(type, &got.answer.records[0], &text);
	buf_add_char(&text, '\0');
	free(bytes);
	return buf_data(&text);
}

/* --- tests --------------------------------------------------------------------------------------------------------- */

static void test_query(void)
{
	static const char want[] = "\1\x20\0\1\0\0\0\0\0\1\2mx\4test\0\0\x0f\0\1\0\0\x29\4\xd0\0\0\0\0\0\0";
	struct dns_name n;
	unsigned numbers = 0, letters = 0;

	ask("MX.test", DNS_MX);
	ok(query.len == sizeof(want) + 1 && !memcmp(query.bytes + 2, want, query.len - 2),
		"a question wishes to recurse, for AD, and has EDNS without DO");
	dns_name_read(&n, STR("mx.test"));
	dns_query_build(&query, &n, DNS_MX, 0);
	ok(query.len == sizeof(want) + 1 - 11 && query.bytes[11] == 0, "EDNS is left out when told so");
	for (int i = 0; i < 200; i++) {
		dns_query_build(&query, &n, DNS_MX, DNS_QUERY_MIX);
		numbers |= (unsigned)(query.bytes[0] << 8 | query.bytes[1]);
		letters |= (query.bytes[13] == 'M') | (query.bytes[13] == 'm') << 1;
	}
	ok(numbers == 0xffff && letters == 3, "its number and, if wanted, its letters' case are by chance");
	memset(&n, 0, sizeof(n));
	for (int i = 0; i < 127; i++) {
		n.octets[n.len++] = 1;
		n.octets[n.len++] = 'a';
	}
	n.octets[n.len++] = 0;
	dns_query_build(&query, &n, DNS_A, DNS_QUERY_EDNS | DNS_QUERY_MIX);
	ok(query.len == DNS_QUERY_MAX, "the longest question is as long as there is room");
}

static void test_types(void)
{
	static const struct {
		enum dns_type type;
		struct str data;
		const char *want;
	} rows[] = {
		{ DNS_A, STR("\xc0\0\2\1"), "192.0.2.1" },
		{ DNS_A, STR("\xc0\0\2"), "broken" },
		{ DNS_A, STR("\xc0\0\2\1\0"), "broken" },
		{ DNS_AAAA, STR("\x20\1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\1"), "2001:db8::1" },
		{ DNS_AAAA, STR("\x20\1\r\xb8\0\0\0\0\0\0\0\0\0\0\0"), "broken" },
		{ DNS_MX, STR("\0\x0a\2mx\4TEST\0"), "10 mx.test" },
		{ DNS_MX, STR("\0\x0a\2mx\xc0\x0c"), "10 mx.a.test" },
		{ DNS_MX, STR("\0\0\0"), "0 ." },
		{ DNS_MX, STR("\0\x0a\2mx\4test\0\0"), "broken" },
		{ DNS_MX, STR("\0\x0a\2mx\4test"), "broken" },
		{ DNS_MX, STR("\0"), "broken" },
		{ DNS_TXT, STR("\3one\3two"), "\"onetwo\"" },
		{ DNS_TXT, STR("\0"), "\"\"" },
		{ DNS_TXT, STR("\1\"\2\\\x01"), "\"\\\"\\\\\\001\"" },
		{ DNS_TXT, STR("\3one\4two"), "broken" },
		{ DNS_TXT, STR(""), "broken" },
		{ DNS_PTR, STR("\4host\4test\0"), "host.test" },
		{ DNS_PTR, STR("\4host"), "broken" },
		{ DNS_SRV, STR("\0\1\0\2\x13\xc4\3sip\4test\0"), "1 2 5060 sip.test" },
		{ DNS_SRV, STR("\0\1\0\2\x13"), "broken" },
		{ DNS_NAPTR, STR("\0\1\0\2\1u\3E2U\7!^.*$!!\0"), "1 2 \"u\" \"E2U\" \"!^.*$!!\" ." },
		{ DNS_NAPTR, STR("\0\1\0\2\1u\3E2U\x09!^.*$!!\0"), "broken" },
		{ DNS_TLSA, STR("\3\1\1\xab\xcd"), "3 1 1 abcd" },
		{ DNS_TLSA, STR("\3\1"), "broken" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *text = record(rows[i].type, rows[i].data);

		ok(!strcmp(text, rows[i].want), "%s is %s", dns_type_text(rows[i].type), text);
	}
}

static void test_found(void)
{
	ask("a.test", DNS_A);
	begin(FOUND, 4, 0, 1);
	put_record("a.test", DNS_A, 300, STR("\1\2\3\4"));
	put_record("other.test", DNS_A, 1, STR("\1\2\3\5"));
	put_record("a.test", DNS_TXT, 1, STR("\1x"));
	put_record("A.TEST", DNS_A, 200, STR("\1\2\3\6"));
	put_record("a.test", DNS_A, 1, STR("\1\2\3\7"));
	read_reply();
	ok(is(DNS_FOUND, 2, 200), "records of the name and type count, with the least of their times to live");
	ok(str_eq(got.answer.name, STR("a.test")) && !got.authentic, "whose name it is is told");
	begin(FOUND | 0x20, 1, 0, 0);
	put_record("a.test", DNS_A, 0x80000000, STR("\1\2\3\4"));
	read_reply();
	ok(is(DNS_FOUND, 1, 0) && got.authentic, "AD; a time to live beyond 2^31 is none (RFC 2181, 8)");
}

static void test_aliases(void)
{
	char from[32], to[32];

	ask("a.test", DNS_A);
	begin(FOUND, 3, 0, 0);
	put_record("c.test", DNS_A, 50, STR("\1\2\3\4"));
	put_name_record("b.test", DNS_CNAME, 40, "c.test");
	put_name_record("a.test", DNS_CNAME, 60, "b.test");
	read_reply();
	ok(is(DNS_FOUND, 1, 40) && got.aliases == 2 && str_eq(got.answer.name, STR("c.test")),
		"aliases are followed in whatever order they come");
	begin(FOUND, 1, 0, 0);
	put_name_record("a.test", DNS_CNAME, 60, "b.test");
	read_reply();
	ok(got.kind == DNS_REPLY_ALIAS && got.aliases == 1 && got.answer.ttl_s == 60, "an alias alone");
	begin(FOUND, 1, 1, 0);
	put_name_record("a.test", DNS_CNAME, 60, "b.test");
	put_soa("test", 100, 30);
	read_reply();
	ok(is(DNS_NO_DATA, 0, 30) && str_eq(got.answer.name, STR("b.test")), "an alias to nothing of this type");
	begin(FOUND | 3, 1, 1, 0);
	put_name_record("a.test", DNS_CNAME, 60, "b.test");
	put_soa("test", 100, 90);
	read_reply();
	ok(is(DNS_NO_NAME, 0, 60) && got.aliases == 1, "an alias to no name");
	begin(FOUND, 2, 0, 0);
	put_name_record("a.test", DNS_CNAME, 60, "b.test");
	put_name_record("b.test", DNS_CNAME, 60, "a.test");
	ok(read_reply() == DNS_REPLY_BROKEN, "aliases in a circle");
	begin(FOUND, 1, 0, 0);
	put_record("a.test", DNS_CNAME, 60, STR("\1b\4test"));
	ok(read_reply() == DNS_REPLY_BROKEN, "an alias that is cut");
	for (int count = DNS_ALIASES_MAX; count <= DNS_ALIASES_MAX + 1; count++) {
		ask("a0.test", DNS_A);
		begin(FOUND, (unsigned)count, 0, 0);
		for (int i = 0; i < count; i++) {
			snprintf(from, sizeof(from), "a%d.test", i);
			snprintf(to, sizeof(to), "a%d.test", i + 1);
			put_name_record(from, DNS_CNAME, 60, to);
		}
		ok(read_reply() == (count > DNS_ALIASES_MAX ? DNS_REPLY_BROKEN : DNS_REPLY_ALIAS), "%d aliases", count);
	}
}

static void test_nothing(void)
{
	ask("a.example.test", DNS_MX);
	begin(FOUND, 0, 1, 0);
	put_soa("example.test", 100, 30);
	read_reply();
	ok(is(DNS_NO_DATA, 0, 30), "nothing of this type, for the SOA's minimum (RFC 2308, 5)");
	begin(FOUND | 3, 0, 1, 0);
	put_soa("example.test", 20, 30);
	read_reply();
	ok(is(DNS_NO_NAME, 0, 20), "no such name, for the SOA's own time if that is less");
	begin(FOUND | 3, 0, 1, 0);
	put_soa("other.test", 20, 30);
	read_reply();
	ok(is(DNS_NO_NAME, 0, 0), "the SOA of another zone says nothing");
	begin(FOUND | 3, 0, 1, 0);
	put_record("test", DNS_SOA, 20, STR("\0\0\1\2\3"));
	read_reply();
	ok(is(DNS_NO_NAME, 0, 0), "nor does a broken one");
	begin(FOUND, 0, 0, 0);
	read_reply();
	ok(is(DNS_NO_DATA, 0, 0), "nothing at all is nothing of this type, for now");
	begin(0x8000, 0, 1, 0);
	put_name_record("test", 2, 60, "ns.test");
	ok(read_reply() == DNS_REPLY_LAME, "a referral is from a server that does not recurse");
}

static void test_rcodes(void)
{
	ask("a.test", DNS_A);
	begin(FOUND | 2, 0, 0, 0);
	ok(read_reply() == DNS_REPLY_RCODE && got.rcode == DNS_RCODE_SERVER, "SERVFAIL");
	begin(FOUND | 5, 1, 0, 0);
	put_record("a.test", DNS_A, 60, STR("\1\2\3\4"));
	ok(read_reply() == DNS_REPLY_RCODE && got.rcode == DNS_RCODE_REFUSED, "REFUSED, whatever else is said");
	begin(FOUND, 0, 0, 1);
	put_record(".", DNS_OPT, 1u << 24, STR(""));
	ok(read_reply() == DNS_REPLY_RCODE && got.rcode == DNS_RCODE_VERSION, "BADVERS has its high bits in OPT");
}

static void test_frame(void)
{
	ask("a.test", DNS_A);
	begin(FOUND & 0x7fff, 0, 0, 0);
	ok(read_reply() == DNS_REPLY_BROKEN, "a question is no reply");
	begin(FOUND | 0x2800, 0, 0, 0);
	ok(read_reply() == DNS_REPLY_BROKEN, "nor is another operation's");
	begin(FOUND | 0x200, 0, 0, 0);
	ok(read_reply() == DNS_REPLY_BROKEN, "nor one that says it is cut");
	begin(FOUND, 0, 0, 0);
	buf_add_char(&reply, 0);
	ok(read_reply() == DNS_REPLY_BROKEN, "nor one with more behind it");
	begin(FOUND, 0, 0, 0);
	buf_data(&reply)[13] = 'b';
	ok(read_reply() == DNS_REPLY_BROKEN, "nor one to another question");
	begin(FOUND, 0, 0, 0);
	buf_data(&reply)[buf_len(&reply) - 3] = DNS_MX;
	ok(read_reply() == DNS_REPLY_BROKEN, "nor one to a question of another type");
	begin(FOUND, 0, 0, 0);
	buf_data(&reply)[13] = 'A';
	ok(read_reply() == DNS_REPLY_CASE, "a question in another case is told apart");
	ok(read_len(buf_len(&reply), true) == DNS_REPLY_ANSWER, "unless that does not matter");
	begin(FOUND, 0, 0, 0);
	buf_data(&reply)[5] = 2;
	ok(read_reply() == DNS_REPLY_BROKEN, "two questions were never asked");
	for (unsigned count = DNS_RECORDS_MAX; count <= DNS_RECORDS_MAX + 1; count++) {
		begin(FOUND, count, 0, 0);
		for (unsigned i = 0; i < count; i++)
			put_record("a.test", DNS_A, 60, STR("\1\2\3\4"));
		ok(read_reply() == (count > DNS_RECORDS_MAX ? DNS_REPLY_BROKEN : DNS_REPLY_ANSWER), "%u records",
			count);
	}
}

static void test_cut(void)
{
	bool good = true;

	ask("a.test", DNS_MX);
	begin(FOUND, 3, 1, 1);
	put_name_record("a.test", DNS_CNAME, 60, "b.test");
	put_record("b.test", DNS_MX, 60, STR("\0\x0a\2mx\xc0\x0c"));
	put_record("b.test", DNS_MX, 60, STR("\0\x0a\0"));
	put_soa("test", 60, 60);
	put_record(".", DNS_OPT, 0, STR(""));
	for (size_t len = 0; len < buf_len(&reply); len++)
		good &= read_len(len, false) == DNS_REPLY_BROKEN;
	ok(good && read_reply() == DNS_REPLY_ANSWER, "a reply that is cut is broken, wherever it is cut");
	for (size_t at = 2; at < buf_len(&reply); at++) /* no more is asked than that nothing is read beyond its end */
		for (int bit = 0; bit < 8; bit++) {
			buf_data(&reply)[at] ^= (char)(1 << bit);
			read_reply();
			buf_data(&reply)[at] ^= (char)(1 << bit);
		}
	ok(read_reply() == DNS_REPLY_ANSWER, "and any bit of it may be wrong");
}

/* SRV of one priority: three of weights 0, 1 and 9, of which the first is drawn by chance (RFC 2782). */
static void test_weights(void)
{
	struct dns_record records[4] = {
		{ .srv = { 1, 9, 9, STR("nine") } },
		{ .srv = { 1, 0, 0, STR("zero") } },
		{ .srv = { 0, 0, 7, STR("before") } },
		{ .srv = { 1, 1, 1, STR("one") } },
	};
	struct dns_answer draft = { .type = DNS_SRV, .count = 4, .records = records };
	unsigned firsts[10] = { 0 }, lasts[10] = { 0 };
	bool before = true;

	for (int i = 0; i < 11000; i++) {
		struct dns_answer *a = dns_answer_new(&draft);

		dns_answer_order(a);
		before &= a->records[0].srv.port == 7;
		firsts[a->records[1].srv.port]++;
		lasts[a->records[3].srv.port]++;
		dns_answer_unref(a);
	}
	ok(before, "SRV of the least priority come first");
	ok(firsts[9] > 8500 && firsts[9] < 9500, "nine of eleven times the heaviest is next: %u of 11000", firsts[9]);
	ok(firsts[1] > 700 && firsts[1] < 1300 && firsts[0] > 700 && firsts[0] < 1300,
		"once each the light ones: %u and %u", firsts[1], firsts[0]);
	ok(lasts[0] && lasts[1] && lasts[9], "each of them is last at times");
}

int main(void)
{
	test_query();
	test_types();
	test_found();
	test_aliases();
	test_nothing();
	test_rcodes();
	test_frame();
	test_cut();
	test_weights();
	arena_free(&memory);
	buf_free(&reply);
	return done();
}
