/* Addresses and networks as numbers: what is read, what is in what. */
#include "core/network.h"
#include "t/tap.h"
#include <arpa/inet.h>

static void test_reading(void)
{
	static const struct {
		const char *text;
		int bits; /* -1: no network */
	} rows[] = {
		{ "10.0.0.0/8", 104 },
		{ "192.0.2.1", 128 },
		{ "192.0.2.1/32", 128 },
		{ "0.0.0.0/0", 96 },
		{ "::/0", 0 },
		{ "2001:db8::/32", 32 },
		{ "2001:db8::1", 128 },
		{ "::ffff:10.0.0.0/104", 104 },
		{ "fe80::/10", 10 },
		{ "10.0.0.1/8", -1 },
		{ "10.0.0.0/33", -1 },
		{ "2001:db8::/129", -1 },
		{ "2001:db8::/16", -1 },
		{ "10.0.0/8", -1 },
		{ "10.0.0.0/", -1 },
		{ "10.0.0.0/-1", -1 },
		{ "10.0.0.0/8/8", -1 },
		{ "/8", -1 },
		{ "", -1 },
		{ "localhost", -1 },
		{ "10.0.0.0 /8", -1 },
		{ "[::1]", -1 },
		{ "0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0", -1 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct network n;
		bool good = network_read(str_of(rows[i].text), &n);

		ok(good == (rows[i].bits >= 0) && (!good || (int)n.bits == rows[i].bits), "\"%s\" is %s network",
			rows[i].text, rows[i].bits >= 0 ? "a" : "no");
	}
}

static void test_having(void)
{
	static const struct {
		const char *network, *ip;
		bool has;
	} rows[] = {
		{ "10.0.0.0/8", "10.255.255.255", true },
		{ "10.0.0.0/8", "11.0.0.0", false },
		{ "10.0.0.0/8", "::ffff:10.1.2.3", true },
		{ "10.0.0.0/8", "::10.1.2.3", false },
		{ "0.0.0.0/0", "255.255.255.255", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "::/0", "192.0.2.1", true },
		{ "192.0.2.128/25", "192.0.2.128", true },
		{ "192.0.2.128/25", "192.0.2.127", false },
		{ "2001:db8::/63", "2001:db8:0:1::1", true },
		{ "2001:db8::/63", "2001:db8:0:2::1", false },
		{ "::1", "::1", true },
		{ "::1", "::2", false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct network n;
		struct ip ip;

		ok(network_read(str_of(rows[i].network), &n) && ip_read(str_of(rows[i].ip), &ip) &&
				network_has(&n, &ip) == rows[i].has,
			"%s is %s %s", rows[i].ip, rows[i].has ? "in" : "not in", rows[i].network);
	}
}

static void test_sockets(void)
{
	struct sockaddr_storage a = { .ss_family = AF_INET }, b = { .ss_family = AF_INET6 },
				c = { .ss_family = AF_UNIX };
	struct sockaddr_in *four = (struct sockaddr_in *)&a;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)&b;
	char text[INET6_ADDRSTRLEN];
	struct ip x, y;

	inet_pton(AF_INET, "192.0.2.7", &four->sin_addr);
	inet_pton(AF_INET6, "::ffff:192.0.2.7", &six->sin6_addr);
	ok(ip_of(&a, &x) && ip_of(&b, &y) && !memcmp(&x, &y, sizeof(x)), "a peer is the same by either kind of socket");
	ip_print(&y, text);
	ok(ip_is_v4(&y) && !strcmp(text, "192.0.2.7"), "and has one name");
	ok(!ip_of(&c, &x), "a UNIX socket has no address");
	ok(ip_read(STR("2001:DB8::1"), &x) && !ip_is_v4(&x), "an IPv6 address is none of IPv4");
	ip_print(&x, text);
	ok(!strcmp(text, "2001:db8::1"), "and is printed in its short form");
}

static void test_lists(void)
{
	const char *words[] = { "10.0.0.0/8", "2001:db8::/32" }, *wrong[] = { "10.0.0.0/8", "here", "there" };
	struct setting_list good = { words, 2 }, bad = { wrong, 3 };
	struct networks ns = { 0 };
	struct buf why = { 0 };
	struct ip ip;

	ok(networks_check(&good, "x.y", &why) && !buf_len(&why), "a list of networks is right");
	networks_read(&ns, &good);
	ok(ip_read(STR("2001:db8::5"), &ip) && networks_have(&ns, &ip), "an address in one of them is in the list");
	ok(ip_read(STR("2001:db9::5"), &ip) && !networks_have(&ns, &ip), "another is not");
	networks_free(&ns);
	ok(!networks_have(&ns, &ip), "nothing is in an empty list");
	ok(!networks_check(&bad, "x.y", &why), "a list with something else is not right");
	ok(memmem(buf_data(&why), buf_len(&why), "x.y: \"here\"", 11) &&
			memmem(buf_data(&why), buf_len(&why), "x.y: \"there\"", 12),
		"each wrong item is told");
	buf_free(&why);
}

int main(void)
{
	test_reading();
	test_having();
	test_sockets();
	test_lists();
	return done();
}
