/* store_copy_ask.c - asking the owner for COPY and MOVE (store_copy.c). */
#include "storage/ask.h"
#include "storage/mailbox/mailbox.h"
#include "storage/shared.h"

static void copy_tell(struct asked *k, enum err e, struct str answer)
{
	struct unpack u = unpack_of(answer);
	struct arena a = { 0 };
	struct copied c = { 0 };

	unpack_u64(&u); /* the target's id */
	c.uidvalidity = unpack_u32(&u);
	c.from = ranges_unpack(&u, &a, &c.from_count);
	c.to = ranges_unpack(&u, &a, &c.to_count);
	if (!e && !unpack_end(&u))
		e = ERR_AGAIN;
	k->done.copy(k->user, e, e ? NULL : &c);
	arena_free(&a);
}

struct call *store_copy(struct worker *w, const struct account *a, struct selected *s, const struct uid_range *uids,
	size_t count, struct str mailbox, bool move, copy_done *done, void *user)
{
	struct asked *k = ask_as(w, a);

	k->done.copy = done;
	k->fresh = true;
	ask_name(k, name_next(w));
	pack_u64(&k->args, s->sh->id);
	pack_str(&k->args, str_of(s->sh->name));
	pack_str(&k->args, mailbox);
	pack_u8(&k->args, move);
	ranges_pack(&k->args, uids, count);
	return ask_send(k, CALL_COPY, copy_tell, user);
}
