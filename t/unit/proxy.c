/* The PROXY protocol's header, whole, byte by byte, and on sockets: what is taken, and that nothing behind it is. */
#include "core/proxy.h"
#include "core/crc32c.h"
#include "core/network.h"
#include "core/pack.h"
#include "t/tap.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#define NEVER  -1
#define NOBODY ""

/* Of bytes[0..len) the answer must be `used`; a right header is 0 for less, and whatever stands behind is not used. */
static bool answers(struct str bytes, ptrdiff_t used, struct proxy_header *h)
{
	char *copy;
	bool right = true;

	for (size_t len = 0; len <= bytes.len; len++) { /* in memory of its own, so that a byte read too many is seen */
		ptrdiff_t now;

		copy = malloc(len ? len : 1);
		if (!copy)
			abort();
		memcpy(copy, bytes.p, len);
		now = proxy_parse((struct str){ copy, len }, h);
		free(copy);
		if (used > 0)
			right = right && now == (len < (size_t)used ? 0 : used);
		else
			right = right && (now == 0 || (now == used && used));
	}
	return right && proxy_parse(bytes, h) == used;
}

static bool is_from(const struct proxy_header *h, const char *peer, const char *here)
{
	char texts[2][INET6_ADDRSTRLEN];
	struct ip ips[2];

	if (!*peer)
		return !h->told;
	if (!h->told || !ip_of(&h->peer, &ips[0]) || !ip_of(&h->here, &ips[1]))
		return false;
	ip_print(&ips[0], texts[0]);
	ip_print(&ips[1], texts[1]);
	return !strcmp(texts[0], peer) && !strcmp(texts[1], here);
}

static void test_v1(void)
{
	static const struct {
		const char *what, *text;
		ptrdiff_t used;
		const char *peer, *here;
	} rows[] = {
		{ "TCP over IPv4", "PROXY TCP4 192.0.2.1 198.51.100.2 56324 25\r\nEHLO", 44, "192.0.2.1",
			"198.51.100.2" },
		{ "TCP over IPv6", "PROXY TCP6 2001:db8::1 2001:db8::2 56324 143\r\n", 46, "2001:db8::1",
			"2001:db8::2" },
		{ "the longest TCP6",
			"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
			"65535 65535\r\n",
			104, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
		{ "an IPv4 address written as IPv6", "PROXY TCP6 ::ffff:192.0.2.1 ::1 0 0\r\n", 37, "192.0.2.1",
			"::1" },
		{ "UNKNOWN", "PROXY UNKNOWN\r\nx", 15, NOBODY, NOBODY },
		{ "UNKNOWN with more, which is passed over", "PROXY UNKNOWN ffff::1 what ever\r\n", 33, NOBODY,
			NOBODY },
		{ "nothing yet", "", 0, NOBODY, NOBODY },
		{ "a start", "PROX", 0, NOBODY, NOBODY },
		{ "a line without its end", "PROXY TCP4 192.0.2.1 198.51.100.2 56324 25\r", 0, NOBODY, NOBODY },
		{ "a command instead", "EHLO client.test\r\n", NEVER, NOBODY, NOBODY },
		{ "lower case", "proxy TCP4 192.0.2.1 198.51.100.2 56324 25\r\n", NEVER, NOBODY, NOBODY },
		{ "a bare LF", "PROXY TCP4 192.0.2.1 198.51.100.2 56324 25\n", NEVER, NOBODY, NOBODY },
		{ "no family", "PROXY \r\n", NEVER, NOBODY, NOBODY },
		{ "nothing at all", "PROXY\r\n", NEVER, NOBODY, NOBODY },
		{ "another protocol", "PROXY UDP4 192.0.2.1 198.51.100.2 56324 25\r\n", NEVER, NOBODY, NOBODY },
		{ "an address of the other family", "PROXY TCP4 ::1 198.51.100.2 56324 25\r\n", NEVER, NOBODY, NOBODY },
		{ "a name", "PROXY TCP4 localhost 198.51.100.2 56324 25\r\n", NEVER, NOBODY, NOBODY },
		{ "no second port", "PROXY TCP4 192.0.2.1 198.51.100.2 56324\r\n", NEVER, NOBODY, NOBODY },
		{ "a port too many", "PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3\r\n", NEVER, NOBODY, NOBODY },
		{ "a port that is too large", "PROXY TCP4 192.0.2.1 198.51.100.2 65536 25\r\n", NEVER, NOBODY, NOBODY },
		{ "a port with a leading 0", "PROXY TCP4 192.0.2.1 198.51.100.2 056 25\r\n", NEVER, NOBODY, NOBODY },
		{ "two spaces", "PROXY TCP4  192.0.2.1 198.51.100.2 56324 25\r\n", NEVER, NOBODY, NOBODY },
		{ "a space at the end", "PROXY TCP4 192.0.2.1 198.51.100.2 56324 25 \r\n", NEVER, NOBODY, NOBODY },
		{ "a line too long",
			"PROXY UNKNOWN 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 "
			"0123456789 0123\r\n",
			NEVER, NOBODY, NOBODY },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct proxy_header h;

		ok(answers(str_of(rows[i].text), rows[i].used, &h) &&
				(rows[i].used <= 0 || is_from(&h, rows[i].peer, rows[i].here)),
			"version 1: %s", rows[i].what);
	}
}

static void test_nul(void)
{
	struct proxy_header h;

	ok(answers(STR("PROXY TCP4 192.0.2.1\0 198.51.100.2 56324 25\r\n"), NEVER, &h),
		"version 1: an address with a NUL");
}

#define SIGN "\r\n\r\n\0\r\nQUIT\n"
#define V4   "\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x00\x19"
#define V6                                                                                                             \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"                                                                   \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\xdc\x04\x00\x8f"

static void test_v2(void)
{
	static const struct {
		const char *what;
		struct str bytes;
		ptrdiff_t used;
		const char *peer, *here;
	} rows[] = {
		{ "TCP over IPv4", STR(SIGN "\x21\x11\x00\x0c" V4 "EHLO"), 28, "192.0.2.1", "198.51.100.2" },
		{ "TCP over IPv6", STR(SIGN "\x21\x21\x00\x24" V6), 52, "2001:db8::1", "2001:db8::2" },
		{ "LOCAL", STR(SIGN "\x20\x00\x00\x00x"), 16, NOBODY, NOBODY },
		{ "LOCAL, whatever else it says", STR(SIGN "\x20\x11\x00\x03zzz"), 19, NOBODY, NOBODY },
		{ "UNSPEC", STR(SIGN "\x21\x00\x00\x00"), 16, NOBODY, NOBODY },
		{ "UNSPEC with bytes, which are passed over", STR(SIGN "\x21\x00\x00\x02zz"), 18, NOBODY, NOBODY },
		{ "a datagram's addresses are not taken", STR(SIGN "\x21\x12\x00\x0c" V4), 28, NOBODY, NOBODY },
		{ "what is added of TLS and others is passed over",
			STR(SIGN "\x21\x11\x00\x1a" V4 "\x20\x00\x05\x01\0\0\0\0\x04\x00\x03xyz"), 42, "192.0.2.1",
			"198.51.100.2" },
		{ "a start", STR(SIGN "\x21"), 0, NOBODY, NOBODY },
		{ "addresses that are still to come", STR(SIGN "\x21\x11\x00\x0c\xc0"), 0, NOBODY, NOBODY },
		{ "another version", STR(SIGN "\x31\x11\x00\x0c" V4), NEVER, NOBODY, NOBODY },
		{ "another command", STR(SIGN "\x22\x11\x00\x0c" V4), NEVER, NOBODY, NOBODY },
		{ "another family", STR(SIGN "\x21\x41\x00\x0c" V4), NEVER, NOBODY, NOBODY },
		{ "another kind of socket", STR(SIGN "\x21\x13\x00\x0c" V4), NEVER, NOBODY, NOBODY },
		{ "too short for its family", STR(SIGN "\x21\x21\x00\x0c" V4), NEVER, NOBODY, NOBODY },
		{ "an addition that goes beyond the end", STR(SIGN "\x21\x11\x00\x10" V4 "\x04\x00\x02x"), NEVER,
			NOBODY, NOBODY },
		{ "half an addition", STR(SIGN "\x21\x11\x00\x0e" V4 "\x04\x00"), NEVER, NOBODY, NOBODY },
		{ "a checksum of another length", STR(SIGN "\x21\x11\x00\x11" V4 "\x03\x00\x02xy"), NEVER, NOBODY,
			NOBODY },
		{ "more than we take", STR(SIGN "\x21\x11\xff\xff" V4), NEVER, NOBODY, NOBODY },
		{ "a wrong signature", STR("\r\n\r\n\0\r\nQUIT\r"), NEVER, NOBODY, NOBODY },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct proxy_header h;

		ok(answers(rows[i].bytes, rows[i].used, &h) &&
				(rows[i].used <= 0 || is_from(&h, rows[i].peer, rows[i].here)),
			"version 2: %s", rows[i].what);
	}
}

static void test_unix(void)
{
	char bytes[16 + 216] = SIGN "\x21\x31\x00\xd8";
	struct proxy_header h;

	ok(answers((struct str){ bytes, sizeof(bytes) }, sizeof(bytes), &h) && !h.told,
		"version 2: a UNIX socket's names are passed over");
}

static void test_checksum(void)
{
	char bytes[] = SIGN "\x21\x11\x00\x17" V4 "\x03\x00\x04\0\0\0\0\x04\x00\x01x";
	struct str whole = { bytes, sizeof(bytes) - 1 };
	struct proxy_header h;
	uint32_t crc = htonl(crc32c(0, whole));

	memcpy(bytes + 31, &crc, sizeof(crc));
	ok(answers(whole, 39, &h) && is_from(&h, "192.0.2.1", "198.51.100.2"), "version 2: a right checksum is taken");
	bytes[38] ^= 1;
	ok(answers(whole, NEVER, &h), "version 2: a wrong one is not");
}

int main(void)
{
	test_v1();
	test_nul();
	test_v2();
	test_unix();
	test_checksum();
	return done();
}
