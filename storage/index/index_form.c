/* index_form.c - see index_form.h. */
#include "storage/index/index_form.h"
#include "core/pack.h"

void index_pack_message(struct buf *b, const struct message *m)
{
	pack_u32(b, m->flags);
	pack_u32(b, m->written);
	pack_u64(b, m->keywords);
	pack_u64(b, m->clock);
	pack_u64(b, m->offset);
	pack_u32(b, m->prefix);
	pack_u32(b, m->stored);
	pack_u32(b, m->wire);
	pack_u32(b, m->header);
	pack_u64(b, (uint64_t)m->date);
	pack_u64(b, m->print);
}

bool index_unpack_message(struct str value, struct message *m)
{
	struct unpack u = unpack_of(value);

	m->flags = unpack_u32(&u);
	m->written = unpack_u32(&u);
	m->keywords = unpack_u64(&u);
	m->clock = unpack_u64(&u);
	m->offset = unpack_u64(&u);
	m->prefix = unpack_u32(&u);
	m->stored = unpack_u32(&u);
	m->wire = unpack_u32(&u);
	m->header = unpack_u32(&u);
	m->date = (int64_t)unpack_u64(&u);
	m->print = unpack_u64(&u);
	return unpack_end(&u);
}

void index_pack_record(struct buf *b, const struct mailbox_record *r)
{
	pack_u64(b, r->head.id);
	pack_u32(b, r->head.generation);
	pack_u32(b, r->head.uidvalidity);
	pack_u32(b, r->head.uidnext);
	pack_u64(b, r->head.clock);
	pack_u64(b, r->mbox_end);
	pack_u64(b, r->state_end);
	pack_u32(b, r->messages);
	pack_u32(b, r->unseen);
	pack_u32(b, r->deleted);
	pack_u32(b, r->recents);
	pack_u64(b, r->bytes);
	pack_u64(b, r->garbage);
	pack_u32(b, r->recent);
	pack_u8(b, (uint8_t)r->keywords.count);
	for (unsigned i = 0; i < r->keywords.count; i++)
		pack_str(b, str_of(r->keywords.word[i]));
	if (r->head.mdir)
		pack_u8(b, true);
}

bool index_unpack_record(struct str value, struct mailbox_record *r)
{
	struct unpack u = unpack_of(value);
	unsigned count;

	*r = (struct mailbox_record){ 0 };
	r->head.id = unpack_u64(&u);
	r->head.generation = unpack_u32(&u);
	r->head.uidvalidity = unpack_u32(&u);
	r->head.uidnext = unpack_u32(&u);
	r->head.clock = unpack_u64(&u);
	r->mbox_end = unpack_u64(&u);
	r->state_end = unpack_u64(&u);
	r->messages = unpack_u32(&u);
	r->unseen = unpack_u32(&u);
	r->deleted = unpack_u32(&u);
	r->recents = unpack_u32(&u);
	r->bytes = unpack_u64(&u);
	r->garbage = unpack_u64(&u);
	r->recent = unpack_u32(&u);
	count = unpack_u8(&u);
	for (unsigned i = 0; i < count; i++)
		if (keywords_bit(&r->keywords, unpack_str(&u)) != (int)i)
			return false;
	r->head.mdir = u.left.len > 0;
	return (!r->head.mdir || unpack_u8(&u) == true) && unpack_end(&u);
}
