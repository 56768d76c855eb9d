/* proxy.c - see proxy.h. */
#include "core/proxy.h"
#include "core/crc32c.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#define V2_HEAD     16 /* bytes before the addresses */
#define V2_TLV      3  /* type, length */
#define TYPE_CRC32C 0x03
#define CRC_BYTES   4

static const char signature[12] = "\r\n\r\n\0\r\nQUIT\n";

static void set_address(struct sockaddr_storage *sa, int family, const void *address, unsigned port)
{
	*sa = (struct sockaddr_storage){ .ss_family = (sa_family_t)family };
	if (family == AF_INET) {
		struct sockaddr_in *four = (struct sockaddr_in *)sa;

		memcpy(&four->sin_addr, address, sizeof(four->sin_addr));
		four->sin_port = htons((uint16_t)port);
	} else {
		struct sockaddr_in6 *six = (struct sockaddr_in6 *)sa;

		memcpy(&six->sin6_addr, address, sizeof(six->sin6_addr));
		six->sin6_port = htons((uint16_t)port);
	}
}

/* --- version 1 --------------------------------------------------------------------------------------------------- */

/* Takes the next word; the words of a line have one space between them. */
static struct str next_word(struct str *left)
{
	ptrdiff_t space = str_find(*left, ' ');
	struct str word = str_cut(*left, 0, space < 0 ? left->len : (size_t)space);

	*left = space < 0 ? STR_NONE : str_cut(*left, (size_t)space + 1, left->len);
	return word;
}

static bool read_port(struct str word, unsigned *port)
{
	uint32_t value;

	if (!str_u32(word, &value) || value > 65535 || (word.len > 1 && word.p[0] == '0'))
		return false;
	*port = value;
	return true;
}

static bool read_line(struct str line, struct proxy_header *h)
{
	struct str words[5], left = line;
	unsigned char addresses[2][16];
	unsigned ports[2];
	int family;

	for (size_t i = 0; i < 5; i++)
		words[i] = next_word(&left);
	if (str_eq(words[0], STR("UNKNOWN")))
		return true; /* whatever follows */
	family = str_eq(words[0], STR("TCP4")) ? AF_INET : str_eq(words[0], STR("TCP6")) ? AF_INET6 : 0;
	if (!family || left.len || line.p[line.len - 1] == ' ')
		return false;
	for (size_t i = 0; i < 2; i++) {
		char text[INET6_ADDRSTRLEN];

		if (words[1 + i].len >= sizeof(text) || str_find(words[1 + i], '\0') >= 0)
			return false;
		snprintf(text, sizeof(text), STR_FMT, STR_ARG(words[1 + i]));
		if (inet_pton(family, text, addresses[i]) != 1 || !read_port(words[3 + i], &ports[i]))
			return false;
	}
	set_address(&h->peer, family, addresses[0], ports[0]);
	set_address(&h->here, family, addresses[1], ports[1]);
	h->told = true;
	return true;
}

static ptrdiff_t parse_v1(struct str bytes, struct proxy_header *h)
{
	static const struct str start = { "PROXY ", 6 };
	struct str line = str_cut(bytes, 0, bytes.len < PROXY_V1_MAX ? bytes.len : PROXY_V1_MAX);
	ptrdiff_t lf = str_find(line, '\n');

	if (!str_starts(line, str_cut(start, 0, line.len < start.len ? line.len : start.len)))
		return -1;
	if (lf < 0)
		return line.len < PROXY_V1_MAX ? 0 : -1;
	if ((size_t)lf <= start.len || line.p[lf - 1] != '\r')
		return -1;
	return read_line(str_cut(line, start.len, (size_t)lf - 1), h) ? lf + 1 : -1;
}

/* --- version 2 --------------------------------------------------------------------------------------------------- */

static unsigned u16_at(struct str bytes, size_t at)
{
	return (unsigned)(unsigned char)bytes.p[at] << 8 | (unsigned char)bytes.p[at + 1];
}

/* The header's checksum is taken with 0 in its own place. */
static bool checksum_fits(struct str header, size_t at)
{
	uint32_t told, zero = 0, crc;

	memcpy(&told, header.p + at, sizeof(told));
	crc = crc32c(0, str_cut(header, 0, at));
	crc = crc32c(crc, (struct str){ (const char *)&zero, sizeof(zero) });
	return ntohl(told) == crc32c(crc, str_cut(header, at + CRC_BYTES, header.len));
}

static bool tlvs_fit(struct str header, size_t at)
{
	while (at < header.len) {
		size_t len;

		if (header.len - at < V2_TLV || header.len - at - V2_TLV < (len = u16_at(header, at + 1)))
			return false;
		if (header.p[at] == TYPE_CRC32C && (len != CRC_BYTES || !checksum_fits(header, at + V2_TLV)))
			return false;
		at += V2_TLV + len;
	}
	return true;
}

static bool read_v2(struct str header, struct proxy_header *h)
{
	static const size_t sizes[] = { 0, 12, 36, 216 }; /* of both addresses: unspecified, IPv4, IPv6, UNIX */
	unsigned command = (unsigned char)header.p[12], family = (unsigned char)header.p[13];
	const char *at = header.p + V2_HEAD;
	size_t size;

	if (command == 0x20) /* LOCAL: nothing of what follows counts */
		return true;
	if (command != 0x21)
		return false;
	if (family >> 4 > 3 || (family & 15) > 2)
		return false;
	size = sizes[family >> 4];
	if (header.len - V2_HEAD < size)
		return false;
	if (family >> 4 && !tlvs_fit(header, V2_HEAD + size)) /* without a family nobody knows where they begin */
		return false;
	if (family != 0x11 && family != 0x21)
		return true;
	if (family == 0x11) {
		set_address(&h->peer, AF_INET, at, u16_at(header, V2_HEAD + 8));
		set_address(&h->here, AF_INET, at + 4, u16_at(header, V2_HEAD + 10));
	} else {
		set_address(&h->peer, AF_INET6, at, u16_at(header, V2_HEAD + 32));
		set_address(&h->here, AF_INET6, at + 16, u16_at(header, V2_HEAD + 34));
	}
	h->told = true;
	return true;
}

static ptrdiff_t parse_v2(struct str bytes, struct proxy_header *h)
{
	size_t len;

	if (bytes.len < V2_HEAD)
		return 0;
	len = V2_HEAD + u16_at(bytes, 14);
	if (len > PROXY_MAX)
		return -1;
	if (bytes.len < len)
		return 0;
	return read_v2(str_cut(bytes, 0, len), h) ? (ptrdiff_t)len : -1;
}

ptrdiff_t proxy_parse(struct str bytes, struct proxy_header *h)
{
	struct str sign = { signature, bytes.len < sizeof(signature) ? bytes.len : sizeof(signature) };

	*h = (struct proxy_header){ 0 };
	if (!bytes.len)
		return 0;
	return str_starts(bytes, sign) ? parse_v2(bytes, h) : parse_v1(bytes, h);
}
