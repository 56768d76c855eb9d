/* store_check.c - the calls by which the store is looked over: asking, answering, and what is above the accounts. */
#include "core/log.h"
#include "core/mem.h"
#include "storage/backup/staging.h"
#include "storage/check/check_parts.h"
#include "storage/path.h"
#include <stdlib.h>

#define PROBLEMS_MAX 1000              /* told of one thing looked at; more are counted */
#define DEADLINE_MS  (4 * 3600 * 1000) /* a mailbox may be very large */
#define DOMAINS      STR("@")          /* the address of the store as a whole */

/* --- the answer ------------------------------------------------------------------------------------------------------ */

void found_add(struct found *f, const struct problem *p)
{
	if (f->count == PROBLEMS_MAX) {
		f->left_out++;
		return;
	}
	f->count++;
	pack_str(&f->problems, p->mailbox);
	pack_u32(&f->problems, p->uid);
	pack_str(&f->problems, p->path);
	pack_u64(&f->problems, p->offset);
	pack_str(&f->problems, p->text);
	pack_str(&f->problems, p->repair);
	pack_u8(&f->problems, (uint8_t)p->mend);
}

void unpack_problem(struct unpack *u, struct problem *p)
{
	p->mailbox = unpack_str(u);
	p->uid = unpack_u32(u);
	p->path = unpack_str(u);
	p->offset = unpack_u64(u);
	p->text = unpack_str(u);
	p->repair = unpack_str(u);
	p->mend = (enum mend)unpack_u8(u);
}

void found_below(struct found *f, struct str name)
{
	f->below_count++;
	pack_str(&f->below, name);
}

void found_pack(const struct found *f, struct buf *answer)
{
	pack_u64(answer, f->left_out);
	pack_u64(answer, f->bytes);
	pack_u64(answer, f->messages);
	pack_u32(answer, f->count);
	buf_add_str(answer, buf_str(&f->problems));
	pack_u32(answer, f->below_count);
	buf_add_str(answer, buf_str(&f->below));
}

void found_free(struct found *f)
{
	buf_free(&f->problems);
	buf_free(&f->below);
}

void found_end(struct task *t, enum err e, struct found *f)
{
	struct buf answer = { 0 };

	if (!e)
		found_pack(f, &answer);
	found_free(f);
	task_end(t, e, buf_str(&answer));
	buf_free(&answer);
}

/* --- the store and its domains ---------------------------------------------------------------------------------------- */

static void below_add(void *user, struct str name)
{
	found_below(user, name);
}

static enum err domains_work(struct task *t)
{
	struct look *l = t->op;

	look_modes(t->st->w->directory, STR("domains"), l->task, &l->found);
	return domain_each(t->st->w->directory, below_add, &l->found);
}

static void left_tell(void *user, const char *path)
{
	struct task *t = user;
	struct look *l = t->op;
	struct problem p = { .path = str_of(path),
		.text = STR("what was being brought back when the server died is left over"),
		.repair = STR("it is removed"),
		.mend = MEND_CAN };

	if (l->task == CHECK_REPAIR)
		p.mend = staging_drop(t->st->w, path) ? MEND_DONE : MEND_FAILED;
	found_add(&l->found, &p);
}

static enum err accounts_work(struct task *t)
{
	struct look *l = t->op;
	struct buf path = { 0 };
	enum err e = path_domain(&path, domain_of(t->address));

	if (!e) {
		look_modes(t->st->w->directory, buf_str(&path), l->task, &l->found);
		e = account_each(t->st->w->directory, domain_of(t->address), below_add, &l->found);
		buf_add_char(&path, '\0');
		staging_left(t->st->w, buf_data(&path), left_tell, t);
	}
	buf_free(&path);
	return e;
}

static void below_done(struct task *t, enum err e)
{
	struct look *l = t->op;

	found_end(t, e, &l->found);
}

void look_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_CONTROL);
	struct look *l;

	if (!t)
		return;
	l = task_op(t, struct look);
	l->mailbox = unpack_str(&t->args);
	l->task = (enum check_task)unpack_u8(&t->args);
	if (!task_args_end(t))
		return;
	if (str_eq(t->address, DOMAINS))
		task_in_lane(t, w->files, domains_work, below_done);
	else if (str_find(t->address, '@') == 0)
		task_in_lane(t, w->files, accounts_work, below_done);
	else if (l->mailbox.len)
		look_mailbox(t);
	else
		look_account(t);
}

/* --- asking ----------------------------------------------------------------------------------------------------------- */

static enum err unpack_checked(struct str answer, struct checked *c)
{
	struct unpack u = unpack_of(answer);
	struct problem *problems = NULL;
	struct str *below = NULL;

	*c = (struct checked){ .left_out = unpack_u64(&u), .bytes = unpack_u64(&u) };
	c->messages = unpack_u64(&u);
	c->count = unpack_u32(&u);
	if (c->count <= PROBLEMS_MAX)
		problems = mem_alloc((c->count + 1) * sizeof(*problems));
	else
		u.bad = true;
	for (size_t i = 0; i < c->count && !u.bad; i++)
		unpack_problem(&u, &problems[i]);
	c->below_count = unpack_u32(&u);
	if (!u.bad && c->below_count <= answer.len)
		below = mem_alloc((c->below_count + 1) * sizeof(*below));
	else
		u.bad = true;
	for (size_t i = 0; i < c->below_count && !u.bad; i++)
		below[i] = unpack_str(&u);
	c->problems = problems;
	c->below = below;
	return unpack_end(&u) ? OK : ERR_AGAIN;
}

static void look_tell(struct asked *k, enum err e, struct str answer)
{
	struct checked c = { 0 };

	if (!e)
		e = unpack_checked(answer, &c);
	k->done.check(k->user, e, e ? NULL : &c);
	free((struct problem *)c.problems);
	free((struct str *)c.below);
}

struct call *store_look(
	struct worker *w, struct str address, struct str mailbox, enum check_task task, check_done *done, void *user)
{
	struct asked *k = ask_new(w, ASKER_CONTROL, STR_NONE, address);

	k->done.check = done;
	pack_str(&k->args, mailbox);
	pack_u8(&k->args, (uint8_t)task);
	return ask_send_until(k, CALL_LOOK, DEADLINE_MS, look_tell, user);
}

struct call *store_look_worker(struct worker *w, unsigned slot, check_done *done, void *user)
{
	struct asked *k = ask_new(w, ASKER_CONTROL, STR_NONE, DOMAINS);

	k->done.check = done;
	k->to = slot;
	return ask_send_until(k, CALL_LOOK_WORKER, DEADLINE_MS, look_tell, user);
}
