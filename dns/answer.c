/* answer.c - see answer.h. */
#include "dns/answer.h"
#include "core/mem.h"
#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>

#define TEXTS_MAX 4 /* of a record */

static const struct {
	enum dns_type type;
	const char *text;
} types[] = {
	{ DNS_A, "A" },
	{ DNS_AAAA, "AAAA" },
	{ DNS_MX, "MX" },
	{ DNS_TXT, "TXT" },
	{ DNS_SRV, "SRV" },
	{ DNS_NAPTR, "NAPTR" },
	{ DNS_PTR, "PTR" },
	{ DNS_TLSA, "TLSA" },
};

/* The record's texts, so that those who copy it need not know the types. */
static size_t texts_of(enum dns_type type, struct dns_record *r, struct str *texts[TEXTS_MAX])
{
	switch (type) {
	case DNS_PTR:
	case DNS_TXT:
		texts[0] = &r->text;
		return 1;
	case DNS_MX:
		texts[0] = &r->mx.host;
		return 1;
	case DNS_SRV:
		texts[0] = &r->srv.target;
		return 1;
	case DNS_NAPTR:
		texts[0] = &r->naptr.flags;
		texts[1] = &r->naptr.services;
		texts[2] = &r->naptr.regexp;
		texts[3] = &r->naptr.replacement;
		return 4;
	case DNS_TLSA:
		texts[0] = &r->tlsa.data;
		return 1;
	default:
		return 0;
	}
}

/* The text moves to *at, which moves behind it. */
static void take_text(char **at, struct str *text)
{
	if (text->len)
		memcpy(*at, text->p, text->len);
	text->p = *at;
	*at += text->len;
}

struct dns_answer *dns_answer_new(const struct dns_answer *draft)
{
	struct str *texts[TEXTS_MAX];
	size_t bytes = sizeof(*draft) + draft->count * sizeof(*draft->records) + draft->name.len;
	struct dns_answer *a;
	char *at;

	for (size_t i = 0; i < draft->count; i++)
		for (size_t n = texts_of(draft->type, &draft->records[i], texts); n; n--)
			bytes += texts[n - 1]->len;
	a = mem_alloc(bytes);
	*a = *draft;
	a->refs = 1;
	a->bytes = bytes;
	a->records = (struct dns_record *)(a + 1);
	at = (char *)(a->records + a->count);
	take_text(&at, &a->name);
	for (size_t i = 0; i < a->count; i++) {
		size_t count;

		a->records[i] = draft->records[i];
		count = texts_of(a->type, &a->records[i], texts);
		for (size_t k = 0; k < count; k++)
			take_text(&at, texts[k]);
	}
	return a;
}

struct dns_answer *dns_answer_ref(const struct dns_answer *a)
{
	struct dns_answer *shared = (struct dns_answer *)a;

	shared->refs++;
	return shared;
}

void dns_answer_unref(struct dns_answer *a)
{
	if (a && !--a->refs)
		free(a);
}

/* --- order --------------------------------------------------------------------------------------------------------- */

/* What comes first by the RFC: the high half before the low one. */
static uint32_t rank(enum dns_type type, const struct dns_record *r)
{
	if (type == DNS_MX)
		return r->mx.preference;
	if (type == DNS_SRV)
		return r->srv.priority;
	return (uint32_t)r->naptr.order << 16 | r->naptr.preference;
}

static int by_rank(enum dns_type type, const void *a, const void *b)
{
	uint32_t one = rank(type, a), other = rank(type, b);

	return one < other ? -1 : one > other;
}

static int by_mx(const void *a, const void *b)
{
	return by_rank(DNS_MX, a, b);
}

static int by_srv(const void *a, const void *b)
{
	return by_rank(DNS_SRV, a, b);
}

static int by_naptr(const void *a, const void *b)
{
	return by_rank(DNS_NAPTR, a, b);
}

static void swap(struct dns_record *a, struct dns_record *b)
{
	struct dns_record kept = *a;

	*a = *b;
	*b = kept;
}

static void shuffle(struct dns_record *records, size_t count)
{
	for (; count > 1; count--)
		swap(&records[count - 1], &records[arc4random_uniform((uint32_t)count)]);
}

/* Those of one priority: each next one is drawn from those left, with the chance that its weight gives (RFC 2782,
 * "Weight"; of weight 0 first, so that these have a very small chance too). */
static void draw(struct dns_record *records, size_t count)
{
	for (; count > 1; records++, count--) {
		uint32_t sum = 0, running = 0, chosen;
		size_t i, first = 0;

		for (i = 0; i < count; i++) {
			sum += records[i].srv.weight;
			if (records[i].srv.weight == 0)
				swap(&records[first++], &records[i]);
		}
		chosen = arc4random_uniform(sum + 1);
		for (i = 0; i < count - 1; i++)
			if ((running += records[i].srv.weight) >= chosen)
				break;
		swap(&records[0], &records[i]);
	}
}

typedef int comparison(const void *a, const void *b);

static comparison *order_of(enum dns_type type)
{
	switch (type) {
	case DNS_MX:
		return by_mx;
	case DNS_SRV:
		return by_srv;
	case DNS_NAPTR:
		return by_naptr;
	default:
		return NULL;
	}
}

void dns_answer_order(struct dns_answer *a)
{
	comparison *compare = order_of(a->type);

	assert(a->refs == 1);
	if (!compare)
		return;
	qsort(a->records, a->count, sizeof(*a->records), compare);
	for (size_t from = 0, to; from < a->count; from = to) {
		for (to = from + 1; to < a->count; to++)
			if (compare(&a->records[from], &a->records[to]))
				break;
		shuffle(a->records + from, to - from);
		if (a->type == DNS_SRV)
			draw(a->records + from, to - from);
	}
}

/* --- text ---------------------------------------------------------------------------------------------------------- */

const char *dns_outcome_text(enum dns_outcome o)
{
	static const char *const texts[DNS_OUTCOMES] = {
		[DNS_FOUND] = "found",
		[DNS_NO_DATA] = "no record of this type",
		[DNS_NO_NAME] = "no such name",
		[DNS_FAILED] = "the name servers cannot tell",
		[DNS_SILENT] = "no name server answers",
		[DNS_BAD_NAME] = "not a name",
	};

	assert(o < DNS_OUTCOMES);
	return texts[o];
}

const char *dns_type_text(enum dns_type type)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (types[i].type == type)
			return types[i].text;
	return "?";
}

bool dns_type_read(struct str text, enum dns_type *type)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (str_eq_nocase(text, str_of(types[i].text))) {
			*type = types[i].type;
			return true;
		}
	return false;
}

static void print_quoted(struct str text, struct buf *out)
{
	buf_add_char(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c < ' ' || c >= 0x7f)
			buf_printf(out, "\\%03u", c);
		else
			buf_add_char(out, (char)c);
	}
	buf_add_char(out, '"');
}

static void print_address(int family, const void *address, struct buf *out)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(family, address, text, sizeof(text));
	buf_printf(out, "%s", text);
}

static void print_naptr(const struct dns_record *r, struct buf *out)
{
	buf_printf(out, "%u %u ", r->naptr.order, r->naptr.preference);
	print_quoted(r->naptr.flags, out);
	buf_add_char(out, ' ');
	print_quoted(r->naptr.services, out);
	buf_add_char(out, ' ');
	print_quoted(r->naptr.regexp, out);
	buf_printf(out, " " STR_FMT, STR_ARG(r->naptr.replacement));
}

void dns_record_print(enum dns_type type, const struct dns_record *r, struct buf *out)
{
	switch (type) {
	case DNS_A:
		print_address(AF_INET, &r->a, out);
		break;
	case DNS_AAAA:
		print_address(AF_INET6, &r->aaaa, out);
		break;
	case DNS_MX:
		buf_printf(out, "%u " STR_FMT, r->mx.preference, STR_ARG(r->mx.host));
		break;
	case DNS_TXT:
		print_quoted(r->text, out);
		break;
	case DNS_PTR:
		buf_add_str(out, r->text);
		break;
	case DNS_SRV:
		buf_printf(
			out, "%u %u %u " STR_FMT, r->srv.priority, r->srv.weight, r->srv.port, STR_ARG(r->srv.target));
		break;
	case DNS_NAPTR:
		print_naptr(r, out);
		break;
	case DNS_TLSA:
		buf_printf(out, "%u %u %u ", r->tlsa.usage, r->tlsa.selector, r->tlsa.matching);
		for (size_t i = 0; i < r->tlsa.data.len; i++)
			buf_printf(out, "%02x", (uint8_t)r->tlsa.data.p[i]);
		break;
	default:
		break;
	}
}
