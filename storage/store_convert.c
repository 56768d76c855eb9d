/* store_convert.c - a mailbox changes its form, from an mbox to an mdir or back, while it is in use: `postern mailbox
 * convert`. It is held alone while its next generation is made; sessions read on by the view that they have, and then by
 * the next one. */
#include "core/mem.h"
#include "storage/ask.h"
#include "storage/mailbox/mailbox.h"
#include "storage/store.h"

#define DEADLINE_MS (6 * 3600 * 1000) /* it may be very large */

struct converting {
	struct hold hold;
	struct str mailbox;
	bool mdir;
};

static void converted(struct task *t, enum err e)
{
	task_end(t, e, STR_NONE);
}

static void held(struct task *t, enum err e)
{
	struct converting *c = t->op;

	if (e || c->mdir == c->hold.m->seen.head.mdir)
		task_end(t, e, STR_NONE);
	else
		mailbox_convert(t, c->hold.m, c->mdir, converted);
}

static void account_known(struct task *t, enum err e)
{
	struct converting *c = t->op;

	if (e)
		task_end(t, e, STR_NONE);
	else
		mailbox_hold_name(t, &c->hold, c->mailbox, true, held);
}

void convert_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_CONTROL);
	struct converting *c;

	if (!t)
		return;
	c = task_op(t, struct converting);
	c->mailbox = mailbox_canonical(unpack_str(&t->args));
	c->mdir = unpack_u8(&t->args);
	if (task_args_end(t))
		task_account(t, account_known);
}

struct call *store_convert(struct worker *w, struct str address, struct str mailbox, enum store_format format,
	store_done *done, void *user)
{
	struct arena a = { 0 };
	struct str canonical = STR_NONE;
	enum err e = account_canonical(address, &a, &canonical, NULL);
	struct asked *k = ask_new(w, ASKER_CONTROL, STR_NONE, e ? STR_NONE : canonical);

	k->done.store = done;
	pack_str(&k->args, mailbox);
	pack_u8(&k->args, format == FORMAT_MDIR);
	arena_free(&a);
	return e ? ask_refuse(k, e, asked_store, user)
	         : ask_send_until(k, CALL_CONVERT, DEADLINE_MS, asked_store, user);
}
