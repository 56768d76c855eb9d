/* network.c - see network.h. */
#include "core/network.h"
#include "core/mem.h"
#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define V4_AT   12 /* where the four bytes of an IPv4 address are */
#define V4_BITS 96

static const uint8_t v4_start[V4_AT] = { [10] = 0xff, [11] = 0xff };

static void put_v4(struct ip *ip, const void *four)
{
	memcpy(ip->bytes, v4_start, V4_AT);
	memcpy(ip->bytes + V4_AT, four, 4);
}

bool ip_of(const struct sockaddr_storage *from, struct ip *ip)
{
	*ip = (struct ip){ 0 };
	if (from->ss_family == AF_INET)
		put_v4(ip, &((const struct sockaddr_in *)from)->sin_addr);
	else if (from->ss_family == AF_INET6)
		memcpy(ip->bytes, &((const struct sockaddr_in6 *)from)->sin6_addr, sizeof(ip->bytes));
	else
		return false;
	return true;
}

bool ip_read(struct str text, struct ip *ip)
{
	char word[INET6_ADDRSTRLEN];
	uint8_t four[4];

	*ip = (struct ip){ 0 };
	if (!text.len || text.len >= sizeof(word) || str_find(text, '\0') >= 0)
		return false;
	snprintf(word, sizeof(word), STR_FMT, STR_ARG(text));
	if (inet_pton(AF_INET, word, four) != 1)
		return inet_pton(AF_INET6, word, ip->bytes) == 1;
	put_v4(ip, four);
	return true;
}

bool ip_is_v4(const struct ip *ip)
{
	return !memcmp(ip->bytes, v4_start, V4_AT);
}

void ip_print(const struct ip *ip, char text[INET6_ADDRSTRLEN])
{
	if (ip_is_v4(ip))
		inet_ntop(AF_INET, ip->bytes + V4_AT, text, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, ip->bytes, text, INET6_ADDRSTRLEN);
}

/* Whether a and b agree in their first so many bits. */
static bool same_start(const struct ip *a, const struct ip *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	return !memcmp(a->bytes, b->bytes, whole) && (!rest || (a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest) == 0);
}

static bool is_zero_after(const struct ip *ip, unsigned bits)
{
	for (unsigned i = bits; i < 128; i++)
		if (ip->bytes[i / 8] & 0x80 >> i % 8)
			return false;
	return true;
}

bool network_read(struct str text, struct network *n)
{
	ptrdiff_t slash = str_find(text, '/');
	uint32_t bits;
	bool dotted;

	if (!ip_read(slash < 0 ? text : str_cut(text, 0, (size_t)slash), &n->ip))
		return false;
	n->bits = 128;
	if (slash < 0)
		return true;
	dotted = str_find(text, ':') < 0;
	if (!str_u32(str_cut(text, (size_t)slash + 1, text.len), &bits) || bits > (dotted ? 32 : 128))
		return false;
	n->bits = bits + (dotted ? V4_BITS : 0);
	return is_zero_after(&n->ip, n->bits);
}

bool network_has(const struct network *n, const struct ip *ip)
{
	return same_start(&n->ip, ip, n->bits);
}

void networks_read(struct networks *ns, const struct setting_list *list)
{
	ns->items = mem_alloc((list->count + 1) * sizeof(*ns->items));
	ns->count = 0;
	for (size_t i = 0; i < list->count; i++) {
		bool good = network_read(str_of(list->items[i]), &ns->items[ns->count++]);

		assert(good);
		(void)good;
	}
}

void networks_free(struct networks *ns)
{
	free(ns->items);
	*ns = (struct networks){ 0 };
}

bool networks_have(const struct networks *ns, const struct ip *ip)
{
	for (size_t i = 0; i < ns->count; i++)
		if (network_has(&ns->items[i], ip))
			return true;
	return false;
}

bool networks_check(const struct setting_list *list, const char *what, struct buf *why)
{
	struct network n;
	bool good = true;

	for (size_t i = 0; i < list->count; i++)
		if (!network_read(str_of(list->items[i]), &n)) {
			buf_printf(why,
				"%s: \"%s\" is not a network like 192.0.2.0/24 or 2001:db8::/32, nor an address\n",
				what, list->items[i]);
			good = false;
		}
	return good;
}
