/* store_list.c - LIST: every name that an account has something to say of, with what is known of it. Which of them a
 * client wants is its protocol's business. The task leads the holding, so names and labels stay as they are while a lane
 * goes through them. */
#include "core/mem.h"
#include "storage/mailbox/mailbox.h"
#include <stdlib.h>

#define LIST_NOW_MAX 256 /* names; more are gone through in a lane */

enum { LIST_EXISTS = 1, LIST_HAS_CHILDREN = 2, LIST_SUBSCRIBED = 4 };

/* A name and the levels above it that are not there yet. */
static void levels_add(struct tree *all, struct str name)
{
	ptrdiff_t slash;

	tree_add(all, name, 0, 0);
	while ((slash = str_rfind(name, '/')) > 0) {
		name = str_cut(name, 0, (size_t)slash);
		if (tree_find(all, name))
			break;
		tree_add(all, name, 0, 0);
	}
}

/* The mailboxes, the names subscribed to, and the levels above them, which may be none; INBOX is always there. */
static void levels_make(const struct tree *tree, struct tree *all)
{
	tree_add(all, INBOX, 0, 0);
	for (size_t i = 0; i < tree->count; i++)
		levels_add(all, str_of(tree->leaves[i].name));
	for (size_t i = 0; i < tree->labels.count; i++)
		if (tree->labels.list[i].subscribed)
			levels_add(all, str_of(tree->labels.list[i].name));
}

static void entry_pack(struct buf *answer, const struct holding *h, const struct uses_given *given, struct str name)
{
	const struct label *label = labels_find(&h->tree.labels, name);
	bool exists = tree_find(&h->tree, name) || str_eq(name, INBOX);

	pack_str(answer, name);
	pack_u8(answer, (exists ? LIST_EXISTS : 0) | (tree_has_below(&h->tree, name) ? LIST_HAS_CHILDREN : 0) |
				(label && label->subscribed ? LIST_SUBSCRIBED : 0));
	pack_u32(answer, exists ? uses_find(given, label, name) : 0);
}

struct list_op {
	struct uses_given given;
	struct buf answer;
};

static enum err list_work(struct task *t)
{
	struct list_op *l = t->op;
	struct tree all = { 0 };

	levels_make(&t->h->tree, &all);
	pack_u32(&l->answer, (uint32_t)all.count);
	for (size_t i = 0; i < all.count; i++)
		entry_pack(&l->answer, t->h, &l->given, str_of(all.leaves[i].name));
	tree_free(&all);
	return OK;
}

static void list_end(struct task *t, enum err e)
{
	struct buf answer = ((struct list_op *)t->op)->answer;

	task_end(t, e, buf_str(&answer));
	buf_free(&answer);
}

static void list_lead(struct task *t, enum err e)
{
	struct list_op *l = task_op(t, struct list_op);

	if (e) {
		task_end(t, e, STR_NONE);
		return;
	}
	uses_give(t->h, &l->given);
	for (unsigned i = 0; i < l->given.count; i++) /* the configuration may go meanwhile */
		l->given.names[i] = arena_str(&t->memory, l->given.names[i]);
	if (t->h->tree.count + t->h->tree.labels.count > LIST_NOW_MAX)
		task_in_lane(t, t->st->w->slow, list_work, list_end);
	else
		list_end(t, list_work(t));
}

static void list_account(struct task *t, enum err e)
{
	if (e)
		task_end(t, e, STR_NONE);
	else
		holding_lead(t, list_lead);
}

void list_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_ACCOUNT);

	if (t && task_args_end(t))
		task_account(t, list_account);
}

static void list_tell(struct asked *k, enum err e, struct str answer)
{
	struct unpack u = unpack_of(answer);
	uint32_t count = unpack_u32(&u);
	struct mailbox_entry *entries = NULL;

	if (!e && (u.bad || count > answer.len))
		e = ERR_AGAIN;
	if (!e) {
		entries = mem_alloc(count * sizeof(*entries));
		for (uint32_t i = 0; i < count; i++) {
			uint8_t has;

			entries[i].name = unpack_str(&u);
			has = unpack_u8(&u);
			entries[i].exists = has & LIST_EXISTS;
			entries[i].has_children = has & LIST_HAS_CHILDREN;
			entries[i].subscribed = has & LIST_SUBSCRIBED;
			entries[i].uses = unpack_u32(&u);
		}
	}
	if (!e && !unpack_end(&u))
		e = ERR_AGAIN;
	k->done.list(k->user, e, e ? NULL : entries, e ? 0 : count);
	free(entries);
}

struct call *store_list(struct worker *w, const struct account *a, list_done *done, void *user)
{
	struct asked *k = ask_as(w, a);

	k->done.list = done;
	return ask_send(k, CALL_LIST, list_tell, user);
}
