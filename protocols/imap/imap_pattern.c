/* imap_pattern.c - see imap_pattern.h.
 * Bit n of `at`: the first n bytes of the pattern stand for the name so far. */
#include "protocols/imap/imap_pattern.h"
#include "core/mem.h"
#include <stdlib.h>

#define WORDS ((PATTERN_BYTES_MAX + 1) / 64)

struct pattern {
	size_t len, words; /* words: so many hold len + 1 bits */
	struct bits {
		uint64_t word[WORDS];
	} is[256], star, percent; /* where in the pattern that byte, or a wildcard stands */
	bool inbox;               /* INBOX fits */
};

static void set_bit(struct bits *b, size_t n)
{
	b->word[n / 64] |= 1ull << n % 64;
}

static bool has_bit(const struct bits *b, size_t n)
{
	return b->word[n / 64] >> n % 64 & 1;
}

/* A wildcard may stand for nothing. No two stand side by side, so one step is all there is. */
static void pass_wildcards(const struct pattern *p, struct bits *at)
{
	uint64_t carry = 0;

	for (size_t i = 0; i < p->words; i++) {
		uint64_t wild = at->word[i] & (p->star.word[i] | p->percent.word[i]);

		at->word[i] |= wild << 1 | carry;
		carry = wild >> 63;
	}
}

static void take_byte(const struct pattern *p, unsigned char c, struct bits *at)
{
	uint64_t carry = 0;

	for (size_t i = 0; i < p->words; i++) {
		uint64_t moved = at->word[i] & p->is[c].word[i];
		uint64_t stays = at->word[i] & (p->star.word[i] | (c == '/' ? 0 : p->percent.word[i]));

		at->word[i] = stays | moved << 1 | carry;
		carry = moved >> 63;
	}
	pass_wildcards(p, at);
}

static bool fits(const struct pattern *p, struct str name)
{
	struct bits at = { { 1 } };

	pass_wildcards(p, &at);
	for (size_t i = 0; i < name.len; i++)
		take_byte(p, (unsigned char)name.p[i], &at);
	return has_bit(&at, p->len);
}

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* Makes the bits of a pattern; any_case: a small letter in it stands for the capital too. */
static void put(struct pattern *p, struct str text, bool any_case)
{
	p->len = 0;
	memset(p->is, 0, sizeof(p->is));
	p->star = p->percent = (struct bits){ 0 };
	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];
		bool wild = c == '*' || c == '%', before = i > 0 && (text.p[i - 1] == '*' || text.p[i - 1] == '%');

		if (wild && before) { /* of a run of wildcards a * decides */
			if (c == '*') {
				p->percent.word[(p->len - 1) / 64] &= ~(1ull << (p->len - 1) % 64);
				set_bit(&p->star, p->len - 1);
			}
			continue;
		}
		if (wild) {
			set_bit(c == '*' ? &p->star : &p->percent, p->len);
		} else {
			set_bit(&p->is[(unsigned char)c], p->len);
			if (any_case)
				set_bit(&p->is[(unsigned char)upper(c)], p->len);
		}
		p->len++;
	}
	p->words = p->len / 64 + 1;
}

static size_t length(struct str text)
{
	size_t len = 0;
	bool wild = false;

	for (size_t i = 0; i < text.len; i++) {
		bool was = wild;

		wild = text.p[i] == '*' || text.p[i] == '%';
		len += !(wild && was);
	}
	return len;
}

struct pattern *pattern_new(struct str text)
{
	struct pattern *p;

	if (length(text) > PATTERN_BYTES_MAX)
		return NULL;
	p = mem_new(struct pattern);
	put(p, text, true);
	p->inbox = fits(p, STR("INBOX"));
	put(p, text, false);
	return p;
}

bool pattern_fits(const struct pattern *p, struct str name)
{
	return str_eq(name, STR("INBOX")) ? p->inbox : fits(p, name);
}

void pattern_free(struct pattern *p)
{
	free(p);
}
