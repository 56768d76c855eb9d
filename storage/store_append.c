/* store_append.c - APPEND: one message or several go into a mailbox, all of them or none, in one entry of the journal and
 * with UIDs that follow one another (RFC 3502). It is answered when they are seen. */
#include "core/counter.h"
#include "storage/arrival.h"
#include "storage/backup/restore_parts.h"

COUNTER(appends, "store.appends", "messages put into mailboxes by their account");

struct append_op {
	struct arrivals arrivals; /* first: t->op is both */
	struct str mailbox;
	struct flag_words *words; /* of each message */
	struct buf answer;
};

static void append_seen(struct task *t, enum err e)
{
	struct append_op *o = t->op;
	struct buf answer = o->answer;

	if (e) {
		buf_free(&answer);
		arrivals_fail(t, e);
		return;
	}
	counter_add(&appends, o->arrivals.count);
	arrivals_done(t);
	task_end(t, OK, buf_str(&answer));
	buf_free(&answer);
}

/* Flags and dates of the messages. What is refused takes no places of keywords. */
static enum err messages_fix(struct task *t)
{
	struct append_op *o = t->op;
	struct mailbox *m = o->arrivals.hold.m;
	unsigned before = m->seen.keywords.count;
	enum err e = OK;

	for (size_t i = 0; !e && i < o->arrivals.count; i++) {
		struct incoming *in = &o->arrivals.list[i].in;

		e = words_resolve(m, &o->words[i], true, &in->keywords);
		in->flags = o->words[i].flags;
		if (!in->date)
			in->date = store_seconds(t->st);
	}
	if (e)
		m->seen.keywords.count = before;
	return e;
}

static void append_held(struct task *t, enum err e)
{
	struct append_op *o = t->op;
	struct mailbox *m = o->arrivals.hold.m;
	struct change *c;
	struct commit *k;

	if (!e)
		e = arrivals_room(t);
	if (!e)
		e = quota_allows(t->h, arrivals_bytes(t), o->arrivals.count);
	if (!e)
		e = messages_fix(t);
	if (e) {
		arrivals_fail(t, e);
		return;
	}
	pack_u64(&o->answer, m->seen.head.id);
	pack_u32(&o->answer, m->seen.head.uidvalidity);
	pack_u32(&o->answer, m->uidnext);
	k = commit_new(t->st, t);
	c = commit_change(k, m);
	for (size_t i = 0; i < o->arrivals.count; i++)
		change_append(c, &o->arrivals.list[i].in);
	entry_name(commit_entry(k), t->name, buf_str(&o->answer));
	commit_go(k, ENTRY_MAIL, NULL, append_seen);
	mailbox_release(&o->arrivals.hold);
}

static void append_taken(struct task *t, enum err e)
{
	struct append_op *o = t->op;

	if (e)
		arrivals_fail(t, e);
	else
		mailbox_hold_made(t, &o->arrivals.hold, o->mailbox, append_held);
}

static void append_counted(struct task *t, enum err e)
{
	struct append_op *o = t->op;

	if (!e)
		e = quota_allows(t->h, arrivals_bytes(t), o->arrivals.count);
	if (e)
		task_end(t, e, STR_NONE);
	else
		arrivals_take(t, append_taken);
}

static void append_account(struct task *t, enum err e)
{
	if (e)
		task_end(t, e, STR_NONE);
	else
		quota_ask(t, false, append_counted);
}

static void append_begin(struct task *t)
{
	struct append_op *o;
	struct name name;
	uint32_t count;

	if (!t)
		return;
	o = task_op(t, struct append_op);
	t->writes = true;
	name = unpack_name(&t->args);
	o->mailbox = unpack_str(&t->args);
	count = unpack_u32(&t->args);
	if (!count || count > APPEND_MESSAGES_MAX) {
		t->args.bad = true;
		count = 0;
	}
	o->arrivals.count = count;
	o->arrivals.list = arena_alloc(&t->memory, count * sizeof(*o->arrivals.list));
	o->words = arena_alloc(&t->memory, count * sizeof(*o->words));
	for (uint32_t i = 0; i < count; i++) {
		o->arrivals.list[i].in.date = (int64_t)unpack_u64(&t->args);
		words_unpack(t, &o->words[i]);
		arrival_unpack(&t->args, &o->arrivals.list[i]);
	}
	if (task_args_end(t) && task_name(t, name))
		task_account(t, append_account);
}

void append_handle(struct worker *w, struct request *rq, struct str args)
{
	append_begin(task_new(w, rq, args, ASKER_ACCOUNT));
}

/* The same by an administrator, of a message that he brings back. */
void restore_message_handle(struct worker *w, struct request *rq, struct str args)
{
	append_begin(task_new(w, rq, args, ASKER_CONTROL));
}

static void append_tell(struct asked *k, enum err e, struct str answer)
{
	struct unpack u = unpack_of(answer);
	uint32_t uidvalidity, uid;

	unpack_u64(&u); /* the mailbox's id */
	uidvalidity = unpack_u32(&u);
	uid = unpack_u32(&u);
	if (!e && !unpack_end(&u))
		e = ERR_AGAIN;
	k->done.append(k->user, e, uidvalidity, uid);
}

struct call *store_append(struct worker *w, const struct account *a, struct str mailbox, const struct append *messages,
	size_t count, append_done *done, void *user)
{
	struct asked *k = ask_as(w, a);

	k->done.append = done;
	k->fresh = true;
	ask_name(k, name_next(w));
	pack_str(&k->args, mailbox);
	pack_u32(&k->args, (uint32_t)count);
	for (size_t i = 0; i < count; i++) {
		pack_u64(&k->args, (uint64_t)messages[i].date);
		words_pack(&k->args, &messages[i].flags);
		arrival_pack(&k->args, messages[i].draft, STR_NONE);
	}
	return ask_send(k, CALL_APPEND, append_tell, user);
}

struct call *store_restore_message(struct worker *w, struct str address, struct str mailbox, const struct picked *p,
	struct str file, append_done *done, void *user)
{
	struct asked *k = ask_new(w, ASKER_CONTROL, STR_NONE, address);
	const struct message *m = &p->message;
	struct str words[KEYWORDS_MAX];
	struct flag_words flags = { .flags = m->flags & FLAG_SYSTEM, .keywords = words };

	for (unsigned i = 0; i < p->words.count; i++)
		if (m->keywords >> i & 1)
			words[flags.count++] = str_of(p->words.word[i]);
	k->done.append = done;
	ask_name(k, name_next(w));
	pack_str(&k->args, mailbox);
	pack_u32(&k->args, 1);
	pack_u64(&k->args, (uint64_t)m->date);
	words_pack(&k->args, &flags);
	arrival_pack_file(&k->args, m->stored, m->wire, m->header, file);
	return ask_send(k, CALL_RESTORE_MESSAGE, append_tell, user);
}
