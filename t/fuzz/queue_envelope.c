/* Any bytes as an envelope of a queue: what is read can be written, and written it reads the same. The checksum of
 * the input is made right first, or hardly anything would be read. */
#include "core/crc32c.h"
#include "storage/queue/envelope_form.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define CRC_LINE 14 /* " crc=90ab12cd\n" */

static void crc_mend(char *bytes, size_t size)
{
	struct envelope_head h;
	struct str all = { bytes, size };
	char text[CRC_LINE + 1];
	uint32_t crc;
	ptrdiff_t head;

	if (envelope_form_head(all, &h) != ENVELOPE_WELL || h.prefix > size)
		return;
	head = str_find(all, '\n') + 1;
	if (h.lines < (size_t)head + CRC_LINE)
		return;
	crc = crc32c(0, str_cut(all, (size_t)head, h.lines - CRC_LINE));
	snprintf(text, sizeof(text), " crc=%08x\n", crc32c(crc, str_cut(all, h.lines, h.prefix)));
	memcpy(bytes + h.lines - CRC_LINE, text, CRC_LINE);
}

static void check_same(const struct queue_envelope *a, const struct queue_envelope *b)
{
	assert(str_eq(a->sender, b->sender) && str_eq(a->id, b->id) && str_eq(a->account, b->account));
	assert(str_eq(a->peer, b->peer) && str_eq(a->envid, b->envid) && a->body == b->body && a->utf8 == b->utf8);
	assert(a->ret == b->ret && a->priority == b->priority && a->arrived_s == b->arrived_s && a->by_s == b->by_s);
	assert(a->release_s == b->release_s && a->by == b->by && a->held == b->held && a->count == b->count);
	for (size_t i = 0; i < a->count; i++) {
		const struct queue_recipient *r = &a->recipients[i], *s = &b->recipients[i];

		assert(r->number == i && s->number == i && str_eq(r->address, s->address) && r->local == s->local);
		assert(str_eq(r->orcpt, s->orcpt) && str_eq(r->original, s->original) && r->notify == s->notify);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct envelope_head h, again;
	struct queue_envelope e, f;
	struct arena a = { 0 };
	struct buf out = { 0 };
	char *bytes = malloc(size + 1);
	struct str all = { bytes, size };

	memcpy(bytes, input, size);
	crc_mend(bytes, size);
	if (envelope_form_head(all, &h) == ENVELOPE_WELL && h.prefix <= size && envelope_form_read(all, &h, &e, &a)) {
		assert(envelope_form_takes(&e));
		for (size_t i = 0; i < e.count; i++)
			assert(envelope_form_takes_recipient(&e.recipients[i]));
		again = h;
		envelope_form_print(&out, &again, &e);
		assert(envelope_form_head(buf_str(&out), &again) == ENVELOPE_WELL);
		assert(again.id == h.id && again.stored == h.stored && again.wire == h.wire &&
			again.header == h.header);
		assert(again.prefix == buf_len(&out) && envelope_form_read(buf_str(&out), &again, &f, &a));
		check_same(&e, &f);
	}
	buf_free(&out);
	arena_free(&a);
	free(bytes);
	return 0;
}
