/* store_label.c - labels of an account's mailbox names at their owner: what mailboxes are for, SUBSCRIBE, and the first
 * mailboxes of an account. Whoever changes labels leads the holding: he copies them, changes the copy, puts it into
 * his entry of the journal, and the holding takes it when that is done. */
#include "core/log.h"
#include "core/mem.h"
#include "storage/mailbox/mailbox.h"
#include "storage/path.h"

#define FILE_BYTES 4096 /* of the journal for the file of labels besides its text */

void labels_put(struct holding *h, struct entry *e, const struct labels *l)
{
	struct buf path = { 0 }, text = { 0 };

	if (!path_account(&path, str_of(h->address))) {
		buf_add_str(&path, STR(TREE_FILE));
		labels_print(l, h->tree.uidvalidity, &text);
		entry_put(e, buf_str(&path), buf_str(&text));
	}
	buf_free(&path);
	buf_free(&text);
}

void labels_take(struct holding *h, struct labels *l)
{
	labels_free(&h->tree.labels);
	h->tree.labels = *l;
	*l = (struct labels){ 0 };
}

uint64_t labels_bytes(const struct holding *h)
{
	uint64_t bytes = FILE_BYTES + buf_len(&h->tree.labels.rest);

	for (size_t i = 0; i < h->tree.labels.count; i++)
		bytes += 64 + 2 * strlen(h->tree.labels.list[i].name);
	return bytes;
}

/* --- what mailboxes are for ----------------------------------------------------------------------------------------- */

static bool is_there(const struct holding *h, struct str name)
{
	return str_eq(name, INBOX) || tree_find(&h->tree, name);
}

/* "Sent Items=sent"; false: it is not so. */
static bool item_read(const char *item, struct str *name, unsigned *use)
{
	struct str whole = str_of(item);
	ptrdiff_t equals = str_rfind(whole, '=');

	if (equals < 1)
		return false;
	*name = str_cut(whole, 0, (size_t)equals);
	*use = use_of(str_cut(whole, (size_t)equals + 1, whole.len));
	return *use != 0;
}

bool special_use_check(const struct setting_list *special_use, struct buf *why)
{
	for (size_t i = 0; i < special_use->count; i++) {
		struct str name;
		unsigned use;

		if (item_read(special_use->items[i], &name, &use) && !mailbox_name_check(name))
			continue;
		buf_printf(why,
			"store.special_use: \"%s\" is not NAME=USE with one of archive, drafts, junk, sent, trash\n",
			special_use->items[i]);
		return false;
	}
	return true;
}

bool new_mailboxes_check(const struct setting_list *new_mailboxes, struct buf *why)
{
	for (size_t i = 0; i < new_mailboxes->count; i++)
		if (mailbox_name_check(str_of(new_mailboxes->items[i]))) {
			buf_printf(
				why, "store.new_mailboxes: no mailbox can be called \"%s\"\n", new_mailboxes->items[i]);
			return false;
		}
	return true;
}

void uses_give(const struct holding *h, struct uses_given *given)
{
	const struct setting_list *items = &h->st->settings->special_use;
	const struct labels *labels = &h->tree.labels;

	*given = (struct uses_given){ 0 };
	for (size_t i = 0; i < labels->count; i++)
		if (labels->list[i].uses && is_there(h, str_of(labels->list[i].name)))
			given->taken |= labels->list[i].uses;
	for (size_t i = 0; i < items->count; i++) {
		struct str name;
		unsigned use;

		if (!item_read(items->items[i], &name, &use) || use & given->taken || !is_there(h, name))
			continue;
		given->taken |= use;
		given->names[given->count] = name;
		given->uses[given->count++] = use;
	}
}

unsigned uses_find(const struct uses_given *given, const struct label *label, struct str name)
{
	unsigned uses = label ? label->uses : 0;

	for (unsigned i = 0; i < given->count; i++)
		if (str_eq(given->names[i], name))
			uses |= given->uses[i];
	return uses;
}

unsigned uses_taken(const struct holding *h)
{
	struct uses_given given;

	uses_give(h, &given);
	return given.taken;
}

/* --- the first mailboxes -------------------------------------------------------------------------------------------- */

struct first {
	size_t at; /* in the list of the setting */
	struct labels labels;
	task_step *step;
};

bool first_due(const struct holding *h)
{
	return !h->tree.labels.made && h->st->settings->new_mailboxes.count && h->state == HOLDING_PRESENT &&
	       h->settings.kind == KIND_ACCOUNT;
}

/* What was asked for goes on, whatever became of them: they are tried for again. */
static void first_end(struct task *t, enum err e)
{
	struct first *f = t->first;

	if (!e)
		labels_take(t->h, &f->labels);
	labels_free(&f->labels);
	t->first = NULL;
	f->step(t, OK);
}

static void first_made(struct task *t)
{
	const struct setting_list *names = &t->st->settings->new_mailboxes;
	struct first *f = t->first;
	struct commit *k = commit_new(t->st, t);

	f->labels = labels_copy(&t->h->tree.labels);
	f->labels.made = true;
	for (size_t i = 0; i < names->count; i++)
		labels_subscribe(&f->labels, mailbox_canonical(str_of(names->items[i])), true);
	labels_put(t->h, commit_entry(k), &f->labels);
	commit_go(k, ENTRY_MAIL, NULL, first_end);
}

static void first_next(struct task *t, enum err e)
{
	const struct setting_list *names = &t->st->settings->new_mailboxes;
	struct first *f = t->first;

	if (!e || e == ERR_EXISTS)
		e = journal_room(t->st->journal, ENTRY_MAIL, MAILBOX_CREATE_BYTES + labels_bytes(t->h));
	if (e) {
		first_end(t, e);
		return;
	}
	while (f->at < names->count) {
		struct str name = mailbox_canonical(str_of(names->items[f->at++]));
		struct buf stem = { 0 };
		bool allowed = !mailbox_name_allowed(t->h, name, &stem);

		buf_free(&stem);
		if (!allowed || is_there(t->h, name))
			continue;
		mailbox_create(t, name, 0, NULL, first_next);
		return;
	}
	first_made(t);
}

void first_make(struct task *t)
{
	struct first *f = t->first = arena_new(&t->memory, struct first);

	f->step = t->step;
	log_info("store", NULL, "first mailboxes account=%s", t->h->address);
	first_next(t, OK);
}

/* --- SUBSCRIBE ------------------------------------------------------------------------------------------------------ */

struct subscribe {
	struct str name;
	bool subscribed;
	struct labels labels; /* as they will be */
};

static void subscribe_end(struct task *t, enum err e)
{
	struct subscribe *s = t->op;

	if (!e)
		labels_take(t->h, &s->labels);
	labels_free(&s->labels);
	task_end(t, e, STR_NONE);
}

static void subscribe_lead(struct task *t, enum err e)
{
	struct subscribe *s = t->op;
	const struct labels *labels = &t->h->tree.labels;
	const struct label *label = e ? NULL : labels_find(labels, s->name);
	struct commit *k;

	if (!e && (label && label->subscribed) == s->subscribed) {
		task_end(t, OK, STR_NONE);
		return;
	}
	if (!e && s->subscribed && labels->count >= (size_t)t->st->settings->mailboxes_per_account)
		e = ERR_TOO_BIG;
	if (!e)
		e = journal_room(t->st->journal, ENTRY_SMALL, labels_bytes(t->h));
	if (e) {
		task_end(t, e, STR_NONE);
		return;
	}
	s->labels = labels_copy(labels);
	labels_subscribe(&s->labels, s->name, s->subscribed);
	k = commit_new(t->st, t);
	labels_put(t->h, commit_entry(k), &s->labels);
	commit_go(k, ENTRY_SMALL, NULL, subscribe_end);
}

static void subscribe_account(struct task *t, enum err e)
{
	struct subscribe *s = t->op;

	if (!e)
		e = mailbox_name_check(s->name);
	if (e)
		task_end(t, e, STR_NONE);
	else
		holding_lead(t, subscribe_lead);
}

void subscribe_handle(struct worker *w, struct request *rq, struct str args)
{
	struct task *t = task_new(w, rq, args, ASKER_ACCOUNT);
	struct subscribe *s;

	if (!t)
		return;
	s = task_op(t, struct subscribe);
	s->name = mailbox_canonical(unpack_str(&t->args));
	s->subscribed = unpack_u8(&t->args);
	if (task_args_end(t))
		task_account(t, subscribe_account);
}

struct call *store_subscribe(
	struct worker *w, const struct account *a, struct str mailbox, bool subscribed, store_done *done, void *user)
{
	struct asked *k = ask_as(w, a);

	k->done.store = done;
	pack_str(&k->args, mailbox);
	pack_u8(&k->args, subscribed);
	return ask_send(k, CALL_SUBSCRIBE, asked_store, user);
}
