/* extensions.c - see extensions.h. */
#include "protocols/smtp_client/extensions.h"

static const struct {
	struct str word;
	unsigned bit;
} words[] = {
	{ { "PIPELINING", 10 }, OFFERS_PIPELINING },  /* RFC 2920 */
	{ { "SIZE", 4 }, OFFERS_SIZE },               /* RFC 1870 */
	{ { "8BITMIME", 8 }, OFFERS_8BITMIME },       /* RFC 6152 */
	{ { "SMTPUTF8", 8 }, OFFERS_SMTPUTF8 },       /* RFC 6531 */
	{ { "CHUNKING", 8 }, OFFERS_CHUNKING },       /* RFC 3030 */
	{ { "DSN", 3 }, OFFERS_DSN },                 /* RFC 3461 */
	{ { "STARTTLS", 8 }, OFFERS_STARTTLS },       /* RFC 3207 */
	{ { "DELIVERBY", 9 }, OFFERS_DELIVERBY },     /* RFC 2852 */
	{ { "MT-PRIORITY", 11 }, OFFERS_PRIORITY },   /* RFC 6710 */
}, mechanisms[] = {
	{ { "PLAIN", 5 }, OFFERS_PLAIN },
	{ { "LOGIN", 5 }, OFFERS_LOGIN },
	{ { "SCRAM-SHA-256", 13 }, OFFERS_SCRAM_SHA_256 },
};

static void read_mechanisms(struct str left, struct extensions *e)
{
	for (struct str word = str_word(&left); word.len; word = str_word(&left))
		for (size_t i = 0; i < sizeof(mechanisms) / sizeof(*mechanisms); i++)
			if (str_eq_nocase(word, mechanisms[i].word))
				e->mechanisms |= mechanisms[i].bit;
}

static void read_line(struct str line, struct extensions *e)
{
	struct str left = str_trim(line), word = str_word(&left);
	uint64_t number = 0;

	if (str_eq_nocase(word, STR("AUTH")))
		read_mechanisms(left, e);
	else if (str_starts_nocase(word, STR("AUTH="))) /* as some wrote it before it was a standard */
		read_mechanisms(str_cut(line, 5, line.len), e);
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (str_eq_nocase(word, words[i].word)) {
			e->offers |= words[i].bit;
			str_u64(str_word(&left), &number);
			if (words[i].bit == OFFERS_SIZE)
				e->size_max = number;
			else if (words[i].bit == OFFERS_DELIVERBY)
				e->by_least_s = number;
		}
}

void extensions_read(const struct reply *r, struct extensions *e)
{
	struct str left = r->lines, line;

	*e = (struct extensions){ 0 };
	reply_line(&left, &line); /* its name and greeting */
	while (reply_line(&left, &line))
		read_line(line, e);
	if (e->offers & OFFERS_SMTPUTF8)
		e->offers |= OFFERS_8BITMIME; /* RFC 6531, 3.1, item 8: the one goes not without the other */
}
