/* Replies of name servers, of any bytes, to a question of each type; the first byte chooses it. The question is put into
 * the reply, so that what follows is looked at. What is read is written, kept and put in order. */
#include "dns/message.h"
#include <assert.h>
#include <stdlib.h>

static const enum dns_type types[] = { DNS_A, DNS_AAAA, DNS_MX, DNS_TXT, DNS_SRV, DNS_NAPTR, DNS_PTR, DNS_TLSA };

static void use(const struct dns_reply *r)
{
	struct dns_answer *a = dns_answer_new(&r->answer);
	struct buf text = { 0 };

	assert((a->outcome == DNS_FOUND) == (a->count > 0));
	assert(a->count <= DNS_RECORDS_MAX && a->bytes < 4 << 20);
	dns_answer_order(a);
	for (size_t i = 0; i < a->count; i++)
		dns_record_print(a->type, &a->records[i], &text);
	for (size_t i = 0; i < buf_len(&text); i++)
		assert(buf_data(&text)[i] >= ' ' && buf_data(&text)[i] < 0x7f);
	buf_free(&text);
	dns_answer_unref(a);
}

static void read_name(struct str bytes)
{
	struct dns_name n, again;
	struct buf text = { 0 };

	if (!dns_name_read(&n, bytes))
		return;
	dns_name_print(&n, &text);
	assert(dns_name_read(&again, buf_str(&text)) && dns_name_eq(&n, &again));
	buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct arena memory = { 0 };
	struct buf message = { 0 };
	struct dns_query q;
	struct dns_reply r;
	struct dns_name n;

	if (size < 1 + DNS_HEADER_BYTES)
		return 0;
	read_name((struct str){ (const char *)bytes + 1, size - 1 });
	dns_name_read(&n, STR("a.test"));
	dns_query_build(&q, &n, types[bytes[0] % (sizeof(types) / sizeof(*types))], 0);
	buf_add(&message, bytes + 1, DNS_HEADER_BYTES);
	buf_add(&message, q.bytes + DNS_HEADER_BYTES, q.len - DNS_HEADER_BYTES);
	buf_add(&message, bytes + 1 + DNS_HEADER_BYTES, size - 1 - DNS_HEADER_BYTES);
	dns_reply_read(&r, buf_str(&message), &q, false, &memory);
	assert(r.kind != DNS_REPLY_CASE);
	if (r.kind == DNS_REPLY_ANSWER)
		use(&r);
	assert(r.aliases <= DNS_ALIASES_MAX + 1 && memory.used < 8 << 20);
	arena_free(&memory);
	buf_free(&message);
	return 0;
}
