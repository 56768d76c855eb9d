/* store_quota.c - what an account may hold and holds: asked by itself, changed by administrators; and the message that tells
 * its owner that little room is left, which comes in the same entry of the journal as the mail that left so little. */
#include "core/log.h"
#include "storage/mail/date.h"
#include "storage/mail/form.h"
#include "storage/mailbox/mailbox.h"
#include "storage/route/domain.h"

/* --- asked --------------------------------------------------------------------------------------------------------- */

static void quota_answer(struct task *t, enum err e)
{
	struct quota limit = quota_of(t->h);
	const struct usage *u = &t->h->usage;
	struct buf answer = { 0 };

	if (!e && u->state != USAGE_KNOWN)
		e = ERR_AGAIN; /* it changed just now */
	if (!e) {
		pack_u64(&answer, u->bytes);
		pack_u64(&answer, u->messages);
		pack_u64(&answer, limit.bytes);
		pack_u64(&answer, limit.messages);
	}
	task_end(t, e, buf_str(&answer));
	buf_free(&answer);
}

static void quota_account(struct task *t, enum err e)
{
	if (e)
		task_end(t, e, STR_NONE);
	else
		quota_ask(t, true, quota_answer);
}

void quota_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_ACCOUNT);

	if (t && task_args_end(t))
		task_account(t, quota_account);
}

static void quota_tell(struct asked *k, enum err e, struct str answer)
{
	struct unpack u = unpack_of(answer);
	struct quota_status q = { .used.bytes = unpack_u64(&u) };

	q.used.messages = unpack_u64(&u);
	q.limit.bytes = unpack_u64(&u);
	q.limit.messages = unpack_u64(&u);
	if (!e && !unpack_end(&u))
		e = ERR_AGAIN;
	k->done.quota(k->user, e, e ? NULL : &q);
}

struct call *store_quota(struct worker *w, const struct account *a, quota_done *done, void *user)
{
	struct asked *k = ask_as(w, a);

	k->done.quota = done;
	return ask_send(k, CALL_QUOTA, quota_tell, user);
}

/* --- changed ------------------------------------------------------------------------------------------------------- */

struct quota_op {
	bool change;
	struct quota own;
	struct account_settings settings;
};

static void quota_changed(struct task *t, enum err e)
{
	struct quota_op *o = t->op;

	if (e) {
		task_end(t, e, STR_NONE);
		return;
	}
	holding_set(t->h, &o->settings);
	log_info("store", NULL, "quota changed account=" STR_FMT, STR_ARG(t->address));
	holding_led(t);
	quota_ask(t, true, quota_answer);
}

static void quota_lead(struct task *t, enum err e)
{
	struct quota_op *o = t->op;
	struct commit *k;

	if (!e)
		e = journal_room(t->st->journal, ENTRY_SMALL, 0);
	if (e) {
		task_end(t, e, STR_NONE);
		return;
	}
	o->settings = account_settings_copy(&t->memory, &t->h->settings);
	o->settings.quota = o->own;
	k = commit_new(t->st, t);
	account_put(commit_entry(k), t->address, &o->settings);
	entry_name(commit_entry(k), t->name, STR_NONE);
	commit_go(k, ENTRY_SMALL, NULL, quota_changed);
}

static void quota_change_account(struct task *t, enum err e)
{
	const struct quota_op *o = t->op;

	if (!e && o->change)
		holding_lead(t, quota_lead);
	else
		quota_account(t, e);
}

void quota_change_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_CONTROL);
	struct quota_op *o;
	struct name name;

	if (!t)
		return;
	o = task_op(t, struct quota_op);
	name = unpack_name(&t->args);
	o->change = unpack_u8(&t->args);
	o->own.bytes = unpack_u64(&t->args);
	o->own.messages = unpack_u64(&t->args);
	if (task_args_end(t) && (!o->change || task_name(t, name)))
		task_account(t, quota_change_account);
}

struct call *store_quota_change(
	struct worker *w, struct str address, const struct quota *own, quota_done *done, void *user)
{
	struct arena a = { 0 };
	struct str canonical = STR_NONE;
	enum err e = account_canonical(address, &a, &canonical, NULL);
	struct asked *k = ask_new(w, ASKER_CONTROL, STR_NONE, e ? STR_NONE : canonical);

	arena_free(&a);
	k->done.quota = done;
	if (e)
		return ask_refuse(k, e, quota_tell, user);
	ask_name(k, name_next(w));
	pack_u8(&k->args, own != NULL);
	pack_u64(&k->args, own ? own->bytes : 0);
	pack_u64(&k->args, own ? own->messages : 0);
	return ask_send(k, CALL_QUOTA_CHANGE, quota_tell, user);
}

/* --- a warning ----------------------------------------------------------------------------------------------------- */

static unsigned percent(uint64_t used, uint64_t limit)
{
	return limit ? (unsigned)((double)used * 100 / (double)limit) : 0;
}

static void notice_write(const struct holding *h, int64_t now_s, struct quota used, unsigned full, struct buf *out)
{
	struct quota limit = quota_of(h);
	struct str domain = domain_of(str_of(h->address));
	char date[DATE_TEXT_SIZE];

	date_message_print(date, now_s, 0);
	buf_printf(out, "Date: %s\r\nFrom: Mail Server <postmaster@" STR_FMT ">\r\nTo: <%s>\r\n", date, STR_ARG(domain),
		h->address);
	buf_printf(out, "Subject: Your mailbox is %u %% full\r\nMessage-ID: <quota.%llx.%llx@" STR_FMT ">\r\n", full,
		(unsigned long long)now_s, (unsigned long long)used.bytes, STR_ARG(domain));
	buf_printf(out,
		"Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
		"Content-Type: text/plain; charset=utf-8\r\n\r\nThe mail of <%s> takes %llu",
		h->address, (unsigned long long)used.bytes);
	if (limit.bytes)
		buf_printf(out, " of the %llu", (unsigned long long)limit.bytes);
	buf_printf(out, " bytes\r\nand %llu", (unsigned long long)used.messages);
	if (limit.messages)
		buf_printf(out, " of the %llu", (unsigned long long)limit.messages);
	buf_printf(out,
		" messages that there is room for.\r\n\r\nMail for which there is no room is refused. Delete what "
		"you no longer need,\r\nin all folders, the trash too, to make room.\r\n");
}

/* It takes room itself; what has no room for it is told by refusals soon enough. */
static void notice_append(struct holding *h, struct change *c, uint64_t more, struct quota used, unsigned full)
{
	struct incoming in = { .date = store_seconds(h->st) };
	struct buf wire = { 0 }, stored = { 0 };
	struct form f = { 0 };

	notice_write(h, in.date, used, full, &wire);
	if (!form_feed(&f, buf_str(&wire), &stored) && !form_end(&f, &stored) &&
		!quota_allows(h, more + f.size.wire, 2)) {
		in.bytes = buf_str(&stored);
		in.stored = f.size.stored;
		in.wire = f.size.wire;
		in.header = f.size.header;
		change_append(c, &in);
	}
	form_free(&f);
	buf_free(&wire);
	buf_free(&stored);
}

bool quota_notice(struct task *t, struct commit *k, struct change *c, uint64_t more)
{
	struct holding *h = t->h;
	const struct domain_conf *d = domain_find(h->st->w->conf, domain_of(str_of(h->address)));
	struct quota limit = quota_of(h), used = { h->usage.bytes + more, h->usage.messages + 1 };
	unsigned bytes = percent(used.bytes, limit.bytes), messages = percent(used.messages, limit.messages);
	unsigned full = bytes > messages ? bytes : messages;
	bool nearly = d->quota_warning && full >= (unsigned)d->quota_warning;

	if (nearly == h->settings.quota_warned)
		return false;
	h->settings.quota_warned = nearly;
	if (nearly) {
		log_info("store", NULL, "nearly over quota account=%s percent=%u", h->address, full);
		notice_append(h, c, more, used, full);
	}
	account_put(commit_entry(k), str_of(h->address), &h->settings);
	return true;
}
