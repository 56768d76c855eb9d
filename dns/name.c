/* name.c - see name.h. */
#include "dns/name.h"
#include <stdio.h>

#define POINTER     0xc0 /* the two high bits of a length octet: the rest is a place in the message */
#define HEADER_SIZE 12   /* no name lies in a message's header */

/* Adds a label; false if it makes the name too long. Room for the root's empty one always stays. */
static bool add_label(struct dns_name *n, const uint8_t *octets, size_t len)
{
	if (len == 0 || len > DNS_LABEL_MAX || n->len + 1 + len + 1 > DNS_NAME_MAX)
		return false;
	n->octets[n->len++] = (uint8_t)len;
	for (size_t i = 0; i < len; i++)
		n->octets[n->len++] = (uint8_t)ascii_lower((char)octets[i]);
	return true;
}

static void add_root(struct dns_name *n)
{
	n->octets[n->len++] = 0;
}

/* One octet of a label, escaped or not; -1: none can be written so. */
static int read_octet(struct str text, size_t *at)
{
	unsigned char c = (unsigned char)text.p[(*at)++];
	int value = 0;

	if (c <= ' ' || c >= 0x7f)
		return -1;
	if (c != '\\')
		return c;
	if (*at == text.len)
		return -1;
	c = (unsigned char)text.p[*at];
	if (c < '0' || c > '9') {
		(*at)++;
		return c > ' ' && c < 0x7f ? c : -1;
	}
	for (int digits = 0; digits < 3; digits++, (*at)++) {
		if (*at == text.len || text.p[*at] < '0' || text.p[*at] > '9')
			return -1;
		value = value * 10 + text.p[*at] - '0';
	}
	return value <= 255 ? value : -1;
}

bool dns_name_read(struct dns_name *n, struct str text)
{
	uint8_t label[DNS_LABEL_MAX];
	size_t at = 0, len = 0;

	n->len = 0;
	if (!str_eq(text, STR("."))) {
		while (at < text.len) {
			bool dot = text.p[at] == '.';
			int octet = dot ? 0 : read_octet(text, &at);

			if (dot) {
				at++;
				if (!add_label(n, label, len))
					return false;
				len = 0;
			} else if (octet < 0 || len == sizeof(label)) {
				return false;
			} else {
				label[len++] = (uint8_t)octet;
			}
		}
		if (len ? !add_label(n, label, len) : n->len == 0)
			return false;
	}
	add_root(n);
	return true;
}

void dns_name_print(const struct dns_name *n, struct buf *out)
{
	if (n->len <= 1)
		buf_add_char(out, '.');
	for (size_t at = 0; n->octets[at]; at += 1 + n->octets[at]) {
		if (at)
			buf_add_char(out, '.');
		for (size_t i = 1; i <= n->octets[at]; i++) {
			uint8_t c = n->octets[at + i];

			if (c == '.' || c == '\\')
				buf_printf(out, "\\%c", c);
			else if (c <= ' ' || c >= 0x7f)
				buf_printf(out, "\\%03u", c);
			else
				buf_add_char(out, (char)c);
		}
	}
}

bool dns_name_take(struct str message, size_t *at, struct dns_name *n)
{
	const uint8_t *octets = (const uint8_t *)message.p;
	size_t here = *at, start = here, len;
	bool jumped = false;

	n->len = 0;
	while (here < message.len && (len = octets[here])) {
		if (len < POINTER) {
			if (len > DNS_LABEL_MAX || message.len - here < 1 + len ||
				!add_label(n, octets + here + 1, len))
				return false;
			here += 1 + len;
			continue;
		}
		if (message.len - here < 2)
			return false;
		if (!jumped)
			*at = here + 2;
		jumped = true;
		here = (len & ~(size_t)POINTER) << 8 | octets[here + 1];
		if (here < HEADER_SIZE || here >= start)
			return false;
		start = here;
	}
	if (here >= message.len)
		return false;
	if (!jumped)
		*at = here + 1;
	add_root(n);
	return true;
}

bool dns_name_eq(const struct dns_name *a, const struct dns_name *b)
{
	return a->len == b->len && !memcmp(a->octets, b->octets, a->len);
}

bool dns_name_within(const struct dns_name *n, const struct dns_name *parent)
{
	size_t at = 0;

	while (n->len - at > parent->len)
		at += 1 + n->octets[at];
	return n->len - at == parent->len && !memcmp(n->octets + at, parent->octets, parent->len);
}

void dns_name_of_ip(struct dns_name *n, const struct ip *ip)
{
	const uint8_t *b = ip->bytes;
	char text[80];
	size_t len = 0;

	if (ip_is_v4(ip)) {
		snprintf(text, sizeof(text), "%u.%u.%u.%u.in-addr.arpa", b[15], b[14], b[13], b[12]);
	} else {
		for (int i = 15; i >= 0; i--)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%x.%x.", b[i] & 15, b[i] >> 4);
		snprintf(text + len, sizeof(text) - len, "ip6.arpa");
	}
	dns_name_read(n, str_of(text));
}
