/* sleepers.c - who is to be told once that a mailbox changes, though none of his sessions has it selected just now: the
 * owner's side of dormant.c. A mailbox that only sleepers care for may leave memory, since what is not in memory does not
 * change. A worker is here at most once for a mailbox; one that died is told nothing, and takes its own place when it
 * lives again. */
#include "core/mem.h"
#include "storage/mailbox/mailbox.h"
#include "storage/shared.h"
#include <stdlib.h>

struct sleeper {
	struct table_node node; /* by the mailbox's id */
	uint32_t slot, life;
};

static uint32_t life_of(const struct store *st, unsigned slot)
{
	return atomic_load(&shm_slot(st->w->shm, slot)->generation);
}

static struct sleeper *sleeper_find(const struct store *st, uint64_t id, uint32_t slot)
{
	struct table_node *n = table_first(&st->sleepers, id);

	while (n && container_of(n, struct sleeper, node)->slot != slot)
		n = table_next(n);
	return n ? container_of(n, struct sleeper, node) : NULL;
}

static void sleeper_free(struct store *st, struct sleeper *sl)
{
	table_remove(&st->sleepers, &sl->node);
	free(sl);
}

bool sleepers_any(const struct store *st, uint64_t id)
{
	return st->sleepers.count && table_first(&st->sleepers, id);
}

static void tell(struct store *st, uint64_t id, unsigned slot)
{
	struct buf event = { 0 };

	pack_u64(&event, id);
	pack_u32(&event, st->w->slot);
	event_send(st->w, slot, &store_calls[EVENT_CHANGED], buf_str(&event));
	buf_free(&event);
}

void sleepers_tell(struct store *st, uint64_t id)
{
	struct table_node *n;

	while (st->sleepers.count && (n = table_first(&st->sleepers, id))) {
		struct sleeper *sl = container_of(n, struct sleeper, node);

		if (sl->life == life_of(st, sl->slot))
			tell(st, id, sl->slot);
		sleeper_free(st, sl);
	}
}

/* Whether the mailbox is as it was when the sleeper saw it last. */
static bool is_same(const struct store *st, uint64_t id, uint64_t clock, uint32_t uidnext)
{
	const struct mailbox *m = mailbox_by_id((struct store *)st, id);

	return m && m->state == MAILBOX_READY && !m->news && m->seen.head.clock == clock &&
	       m->seen.head.uidnext == uidnext;
}

void sleep_handle(struct worker *w, struct request *rq, struct str args)
{
	struct unpack u = unpack_of(args);
	uint64_t id = unpack_u64(&u);
	uint32_t slot = unpack_u32(&u);
	uint8_t what = unpack_u8(&u);
	uint64_t clock = unpack_u64(&u);
	uint32_t uidnext = unpack_u32(&u);
	struct store *st = w->store;
	struct sleeper *sl;

	(void)rq;
	if (!st || !unpack_end(&u) || slot >= w->workers)
		return;
	if (what == SLEEP_LOOKED) {
		mailbox_look_now(mailbox_by_id(st, id));
		return;
	}
	sl = sleeper_find(st, id, slot);
	if (what == SLEEP_BEGINS && !is_same(st, id, clock, uidnext)) {
		tell(st, id, slot);
	} else if (what == SLEEP_BEGINS && !sl) {
		sl = mem_new(struct sleeper);
		sl->slot = slot;
		table_add(&st->sleepers, &sl->node, id);
	} else if (what == SLEEP_ENDS && sl) {
		sleeper_free(st, sl);
		return;
	}
	if (sl)
		sl->life = life_of(st, slot);
}

void sleepers_free(struct store *st)
{
	struct table_node *n;

	while ((n = table_any(&st->sleepers)))
		sleeper_free(st, container_of(n, struct sleeper, node));
	table_free(&st->sleepers);
}
