/* message.c - see message.h. */
#include "dns/message.h"
#include <stdlib.h>

#define CLASS_IN 1
#define TTL_MAX  0x7fffffffu /* what is larger counts as 0 (RFC 2181, 8) */

/* The second 16 bits of a header (RFC 1035, 4.1.1; AD from RFC 4035). */
#define FLAG_QR 0x8000
#define OPCODE  0x7800
#define FLAG_AA 0x0400
#define FLAG_TC 0x0200
#define FLAG_RD 0x0100
#define FLAG_RA 0x0080
#define FLAG_AD 0x0020
#define RCODE   0x000f

/* --- asking -------------------------------------------------------------------------------------------------------- */

static void add_u8(struct dns_query *q, unsigned v)
{
	q->bytes[q->len++] = (uint8_t)v;
}

static void add_u16(struct dns_query *q, unsigned v)
{
	add_u8(q, v >> 8);
	add_u8(q, v & 0xff);
}

/* An octet that counts a label is below 64 and so never taken for a letter. */
static void add_name(struct dns_query *q, const struct dns_name *name, bool mix)
{
	uint8_t chance[DNS_NAME_MAX] = { 0 };

	if (mix)
		arc4random_buf(chance, name->len);
	for (size_t i = 0; i < name->len; i++) {
		uint8_t c = name->octets[i];

		add_u8(q, c >= 'a' && c <= 'z' && (chance[i] & 1) ? c - 'a' + 'A' : c);
	}
}

void dns_query_build(struct dns_query *q, const struct dns_name *name, enum dns_type type, unsigned flags)
{
	bool edns = flags & DNS_QUERY_EDNS;

	q->type = type;
	q->len = 0;
	add_u16(q, arc4random_uniform(65536));
	add_u16(q, FLAG_RD | FLAG_AD);
	add_u16(q, 1);
	add_u16(q, 0);
	add_u16(q, 0);
	add_u16(q, edns);
	add_name(q, name, flags & DNS_QUERY_MIX);
	add_u16(q, type);
	add_u16(q, CLASS_IN);
	if (!edns)
		return;
	add_u8(q, 0); /* the root, OPT, our size, no extended rcode, version 0, no DO, no options */
	add_u16(q, DNS_OPT);
	add_u16(q, DNS_UDP_MAX);
	add_u16(q, 0);
	add_u16(q, 0);
	add_u16(q, 0);
}

/* --- taking records apart ------------------------------------------------------------------------------------------ */

struct cursor { /* once anything is amiss it answers zeros and stays bad */
	struct str message;
	size_t at, end;
	bool bad;
};

static size_t left(const struct cursor *c)
{
	return c->bad ? 0 : c->end - c->at;
}

static struct str take(struct cursor *c, size_t len)
{
	struct str s = STR_NONE;

	if (left(c) < len) {
		c->bad = true;
		return s;
	}
	s = str_cut(c->message, c->at, c->at + len);
	c->at += len;
	return s;
}

static unsigned take_u8(struct cursor *c)
{
	struct str s = take(c, 1);

	return s.len ? (uint8_t)s.p[0] : 0;
}

static unsigned take_u16(struct cursor *c)
{
	unsigned high = take_u8(c);

	return high << 8 | take_u8(c);
}

static uint32_t take_u32(struct cursor *c)
{
	uint32_t high = take_u16(c);

	return high << 16 | take_u16(c);
}

static struct str take_string(struct cursor *c) /* <character-string> (RFC 1035, 3.3) */
{
	return take(c, take_u8(c));
}

/* The labels must end where the cursor does at the latest; what they point to lies before. */
static void take_name(struct cursor *c, struct dns_name *n)
{
	struct str message = str_cut(c->message, 0, c->end);

	n->len = 0;
	if (c->bad || !dns_name_take(message, &c->at, n))
		c->bad = true;
}

struct rr {
	uint32_t ttl;
	uint16_t type, class;
	struct dns_name owner;
	struct cursor data;
};

static bool take_record(struct cursor *c, struct rr *rr)
{
	uint16_t len;

	take_name(c, &rr->owner);
	rr->type = (uint16_t)take_u16(c);
	rr->class = (uint16_t)take_u16(c);
	rr->ttl = take_u32(c);
	len = (uint16_t)take_u16(c);
	rr->data = *c;
	take(c, len);
	rr->data.end = c->at;
	if (rr->ttl > TTL_MAX && rr->type != DNS_OPT)
		rr->ttl = 0;
	return !c->bad;
}

/* --- a record's data ----------------------------------------------------------------------------------------------- */

struct reading {
	struct dns_reply *reply;
	struct arena *arena;
	const struct dns_query *q;
	struct str message;
	unsigned flags;
	size_t counts[3];         /* records of answer, authority, additional */
	size_t starts[3];         /* where each begins */
	struct dns_record *found; /* room for all of the answer section */
};

static struct str text_of_name(struct arena *a, const struct dns_name *n)
{
	struct buf text = { 0 };
	struct str kept;

	dns_name_print(n, &text);
	kept = arena_str(a, buf_str(&text));
	buf_free(&text);
	return kept;
}

static struct str take_name_text(struct cursor *c, struct arena *a)
{
	struct dns_name n;

	take_name(c, &n);
	return c->bad ? STR_NONE : text_of_name(a, &n);
}

/* One or more strings, joined (RFC 7208, 3.3, and all others who use TXT). */
static struct str take_joined(struct cursor *c, struct arena *a)
{
	char *joined = arena_alloc(a, left(c) + 1);
	size_t len = 0;

	do {
		struct str s = take_string(c);

		if (s.len)
			memcpy(joined + len, s.p, s.len);
		len += s.len;
	} while (left(c));
	return (struct str){ joined, len };
}

/* False: the data is not what the type wants, exactly. */
static bool read_data(struct reading *rd, struct cursor c, struct dns_record *r)
{
	struct str s;

	switch (rd->q->type) {
	case DNS_A:
		s = take(&c, sizeof(r->a));
		if (!c.bad)
			memcpy(&r->a, s.p, s.len);
		break;
	case DNS_AAAA:
		s = take(&c, sizeof(r->aaaa));
		if (!c.bad)
			memcpy(&r->aaaa, s.p, s.len);
		break;
	case DNS_MX:
		r->mx.preference = (uint16_t)take_u16(&c);
		r->mx.host = take_name_text(&c, rd->arena);
		break;
	case DNS_TXT:
		r->text = take_joined(&c, rd->arena);
		break;
	case DNS_PTR:
		r->text = take_name_text(&c, rd->arena);
		break;
	case DNS_SRV:
		r->srv.priority = (uint16_t)take_u16(&c);
		r->srv.weight = (uint16_t)take_u16(&c);
		r->srv.port = (uint16_t)take_u16(&c);
		r->srv.target = take_name_text(&c, rd->arena);
		break;
	case DNS_NAPTR:
		r->naptr.order = (uint16_t)take_u16(&c);
		r->naptr.preference = (uint16_t)take_u16(&c);
		r->naptr.flags = take_string(&c);
		r->naptr.services = take_string(&c);
		r->naptr.regexp = take_string(&c);
		r->naptr.replacement = take_name_text(&c, rd->arena);
		break;
	case DNS_TLSA:
		r->tlsa.usage = (uint8_t)take_u8(&c);
		r->tlsa.selector = (uint8_t)take_u8(&c);
		r->tlsa.matching = (uint8_t)take_u8(&c);
		r->tlsa.data = take(&c, left(&c));
		break;
	default:
		break;
	}
	return !c.bad && c.at == c.end;
}

/* --- what a whole reply says --------------------------------------------------------------------------------------- */

static struct cursor section(const struct reading *rd, unsigned place)
{
	return (struct cursor){ rd->message, rd->starts[place], rd->message.len, false };
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Header, question and the frame of every record. Extended rcodes and EDNS are in here too. */
static bool read_frame(struct reading *rd, bool any_case)
{
	const struct dns_query *q = rd->q;
	struct cursor c = { rd->message, 0, rd->message.len, false };
	struct str asked = { (const char *)q->bytes + DNS_HEADER_BYTES, 0 }, question;
	struct dns_name name;
	struct rr rr;
	size_t name_end = DNS_HEADER_BYTES;

	take_u16(&c);
	rd->flags = take_u16(&c);
	if ((rd->flags & (FLAG_QR | OPCODE | FLAG_TC)) != FLAG_QR || take_u16(&c) != 1)
		return false;
	for (int i = 0; i < 3; i++)
		rd->counts[i] = take_u16(&c);
	if (c.bad || rd->counts[0] + rd->counts[1] + rd->counts[2] > DNS_RECORDS_MAX)
		return false;
	dns_name_take((struct str){ (const char *)q->bytes, q->len }, &name_end, &name);
	asked.len = name_end + 4 - DNS_HEADER_BYTES;
	question = take(&c, asked.len);
	if (c.bad || !str_eq_nocase(question, asked) || memcmp(question.p + asked.len - 4, asked.p + asked.len - 4, 4))
		return false;
	if (!any_case && !str_eq(question, asked)) {
		rd->reply->kind = DNS_REPLY_CASE;
		return false;
	}
	rd->reply->rcode = rd->flags & RCODE;
	rd->reply->authentic = rd->flags & FLAG_AD;
	for (int i = 0; i < 3; i++) {
		rd->starts[i] = c.at;
		for (size_t n = rd->counts[i]; n; n--) {
			if (!take_record(&c, &rr))
				return false;
			if (i == 2 && rr.type == DNS_OPT)
				rd->reply->rcode |= rr.ttl >> 24 << 4; /* RFC 6891, 6.1.3 */
		}
	}
	return c.at == rd->message.len;
}

/* Records of `at`: of the type asked for, else its alias, which then is in *target. False: the reply is broken. */
static bool read_step(struct reading *rd, const struct dns_name *at, struct dns_name *target, bool *alias)
{
	struct dns_answer *answer = &rd->reply->answer;
	struct cursor c = section(rd, 0);
	uint32_t alias_ttl = 0;
	struct rr rr;

	*alias = false;
	for (size_t n = rd->counts[0]; n; n--) {
		take_record(&c, &rr);
		if (rr.class != CLASS_IN || !dns_name_eq(&rr.owner, at))
			continue;
		if (rr.type == rd->q->type) {
			if (!read_data(rd, rr.data, &rd->found[answer->count]))
				return false;
			answer->ttl_s = least(answer->ttl_s, rr.ttl);
			answer->count++;
		} else if (rr.type == DNS_CNAME && !*alias) {
			take_name(&rr.data, target);
			if (rr.data.bad || rr.data.at != rr.data.end)
				return false;
			alias_ttl = rr.ttl;
			*alias = true;
		}
	}
	*alias &= !answer->count;
	if (*alias)
		answer->ttl_s = least(answer->ttl_s, alias_ttl);
	return true;
}

/* From name to alias to the records. False: the reply is broken, or leads in a circle. */
static bool read_answers(struct reading *rd)
{
	struct dns_reply *reply = rd->reply;
	struct dns_name target;
	size_t at = DNS_HEADER_BYTES;
	bool alias;

	dns_name_take(rd->message, &at, &reply->alias);
	for (;;) {
		if (!read_step(rd, &reply->alias, &target, &alias))
			return false;
		if (!alias)
			return true;
		if (++reply->aliases > DNS_ALIASES_MAX)
			return false;
		reply->alias = target;
	}
}

/* How long it may be remembered that there is nothing (RFC 2308, 5): by the SOA of a zone that the name is in. */
static bool negative_ttl(struct reading *rd, uint32_t *ttl, bool *referral)
{
	struct cursor c = section(rd, 1);
	struct dns_name name;
	struct rr rr;
	bool found = false;

	*referral = false;
	for (size_t n = rd->counts[1]; n && !found; n--) {
		take_record(&c, &rr);
		*referral |= rr.class == CLASS_IN && rr.type == DNS_NS;
		if (rr.class != CLASS_IN || rr.type != DNS_SOA || !dns_name_within(&rd->reply->alias, &rr.owner))
			continue;
		take_name(&rr.data, &name);
		take_name(&rr.data, &name);
		take(&rr.data, 16);
		*ttl = least(rr.ttl, take_u32(&rr.data));
		found = !rr.data.bad && rr.data.at == rr.data.end;
	}
	return found;
}

static enum dns_reply_kind judge(struct reading *rd)
{
	struct dns_reply *reply = rd->reply;
	struct dns_answer *answer = &reply->answer;
	uint32_t ttl = 0;
	bool referral, soa;

	if (reply->rcode != DNS_RCODE_OK && reply->rcode != DNS_RCODE_NO_NAME)
		return DNS_REPLY_RCODE;
	rd->found = arena_alloc(rd->arena, (rd->counts[0] + 1) * sizeof(*rd->found));
	answer->type = rd->q->type;
	answer->records = rd->found;
	answer->ttl_s = TTL_MAX;
	if (!read_answers(rd))
		return DNS_REPLY_BROKEN;
	answer->name = text_of_name(rd->arena, &reply->alias);
	if (reply->rcode == DNS_RCODE_OK && answer->count)
		return DNS_REPLY_ANSWER;
	answer->count = 0;
	soa = negative_ttl(rd, &ttl, &referral);
	if (reply->rcode == DNS_RCODE_OK && !soa) {
		if (reply->aliases)
			return DNS_REPLY_ALIAS;
		if (referral && !(rd->flags & (FLAG_AA | FLAG_RA)))
			return DNS_REPLY_LAME;
	}
	answer->outcome = reply->rcode == DNS_RCODE_OK ? DNS_NO_DATA : DNS_NO_NAME;
	answer->ttl_s = least(answer->ttl_s, soa ? ttl : 0);
	return DNS_REPLY_ANSWER;
}

void dns_reply_read(struct dns_reply *r, struct str message, const struct dns_query *q, bool any_case, struct arena *a)
{
	struct reading rd = { .reply = r, .arena = a, .q = q, .message = message };

	memset(r, 0, sizeof(*r));
	r->kind = DNS_REPLY_BROKEN;
	if (read_frame(&rd, any_case))
		r->kind = judge(&rd);
}
