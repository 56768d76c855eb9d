/* imap_mailbox.c - mailboxes by name: SELECT to STATUS (RFC 3501, 6.3.1 to 6.3.10). */
#include "protocols/imap/imap_session.h"
#include "storage/path.h"
#include <stdio.h>
#include <stdlib.h>

/* ---- SELECT and EXAMINE ---- */

static void selected_done(void *user, enum err e, struct selected *mailbox)
{
	struct imap *s = user;
	uint32_t unseen;

	s->waiting = NULL;
	if (e) {
		imap_resume(s, imap_outcome(s, e));
		return;
	}
	s->mailbox = mailbox;
	imap_tell_flags(s);
	imap_untagged(s, "%u EXISTS", selected_exists(mailbox));
	imap_untagged(s, "%u RECENT", selected_recent(mailbox));
	if ((unseen = selected_first_unseen(mailbox)))
		imap_untagged(s, "OK [UNSEEN %u] the first unseen one", unseen);
	imap_untagged(s, "OK [UIDVALIDITY %u] UIDs are valid", selected_uidvalidity(mailbox));
	imap_untagged(s, "OK [UIDNEXT %u] the next UID", selected_uidnext(mailbox));
	imap_enter(s, SELECTED);
	imap_resume(s, imap_ok(s, "[READ-%s] %s done", s->read_only ? "ONLY" : "WRITE", s->command->word));
}

static enum next select_or_examine(struct imap *s, struct args *a, bool read_only)
{
	struct str name;

	args_space(a);
	name = args_mailbox(a);
	if (!args_end(a))
		return imap_bad(s, "%s wants one mailbox name", s->command->word);
	imap_leave(s); /* RFC 3501, 6.3.1: also if it fails */
	s->read_only = read_only;
	s->waiting = store_select(s->worker, s->account, name, !read_only, selected_done, s);
	return WAIT;
}

enum next cmd_select(struct imap *s, struct args *a)
{
	return select_or_examine(s, a, false);
}

enum next cmd_examine(struct imap *s, struct args *a)
{
	return select_or_examine(s, a, true);
}

/* UNSELECT is CLOSE without an EXPUNGE (RFC 3691). */
enum next cmd_unselect(struct imap *s, struct args *a)
{
	if (!args_end(a))
		return imap_bad(s, "UNSELECT takes nothing");
	imap_leave(s);
	return imap_outcome(s, OK);
}

/* ---- changes of names ---- */

static void name_changed(void *user, enum err e)
{
	struct imap *s = user;

	s->waiting = NULL;
	imap_resume(s, imap_outcome(s, e));
}

typedef struct call *change_one(
	struct worker *w, const struct account *a, struct str mailbox, store_done *done, void *user);

static enum next change_name(struct imap *s, struct args *a, change_one *change)
{
	struct str name;

	args_space(a);
	name = args_mailbox(a);
	if (name.len && name.p[name.len - 1] == '/') /* CREATE of a level to come: RFC 3501, 6.3.3 */
		name.len--;
	if (!args_end(a))
		return imap_bad(s, "%s wants one mailbox name", s->command->word);
	if (mailbox_name_check(name))
		return imap_no(s, "[CANNOT] no mailbox can have that name");
	s->waiting = change(s->worker, s->account, name, name_changed, s);
	return WAIT;
}

enum next cmd_create(struct imap *s, struct args *a)
{
	return change_name(s, a, store_create);
}

enum next cmd_delete(struct imap *s, struct args *a)
{
	return change_name(s, a, store_delete);
}

static struct call *subscribe(
	struct worker *w, const struct account *a, struct str mailbox, store_done *done, void *user)
{
	return store_subscribe(w, a, mailbox, true, done, user);
}

static struct call *unsubscribe(
	struct worker *w, const struct account *a, struct str mailbox, store_done *done, void *user)
{
	return store_subscribe(w, a, mailbox, false, done, user);
}

enum next cmd_subscribe(struct imap *s, struct args *a)
{
	return change_name(s, a, subscribe);
}

enum next cmd_unsubscribe(struct imap *s, struct args *a)
{
	return change_name(s, a, unsubscribe);
}

enum next cmd_rename(struct imap *s, struct args *a)
{
	struct str from, to;

	args_space(a);
	from = args_mailbox(a);
	args_space(a);
	to = args_mailbox(a);
	if (!args_end(a))
		return imap_bad(s, "RENAME wants two mailbox names");
	if (mailbox_name_check(to))
		return imap_no(s, "[CANNOT] no mailbox can have that name");
	s->waiting = store_rename(s->worker, s->account, from, to, name_changed, s);
	return WAIT;
}

/* ---- LIST and LSUB ---- */

/* Whether LSUB tells of an unsubscribed name: of one above a subscribed one that does not fit itself, as with "%"
 * (RFC 3501, 6.3.9). Those below a name stand somewhere behind it in the list, all together. */
static bool is_above_subscribed(
	const struct pattern *p, const struct mailbox_entry *entry, const struct mailbox_entry *entries, size_t count)
{
	for (const struct mailbox_entry *e = entry + 1; e < entries + count && str_starts(e->name, entry->name); e++) {
		bool below = e->name.len > entry->name.len && e->name.p[entry->name.len] == '/';

		if (below && e->subscribed && !pattern_fits(p, e->name))
			return true;
	}
	return false;
}

static void tell_entry(struct imap *s, const struct mailbox_entry *entry, bool noselect)
{
	struct buf *out = conn_out(s->conn);

	buf_printf(out, "* %s (%s%s) \"/\" ", s->command->word, noselect ? "\\Noselect " : "",
		entry->has_children ? "\\HasChildren" : "\\HasNoChildren");
	imap_write_mailbox(out, entry->name);
	buf_add_str(out, STR("\r\n"));
	conn_wrote(s->conn);
}

static void listed(void *user, enum err e, const struct mailbox_entry *entries, size_t count)
{
	struct imap *s = user;
	bool lsub = str_eq(str_of(s->command->word), STR("LSUB"));

	s->waiting = NULL;
	for (size_t i = 0; !e && i < count; i++) {
		const struct mailbox_entry *entry = &entries[i];

		if (!pattern_fits(s->pattern, entry->name))
			continue;
		if (!lsub || entry->subscribed)
			tell_entry(s, entry, !entry->exists);
		else if (is_above_subscribed(s->pattern, entry, entries, count))
			tell_entry(s, entry, true);
	}
	pattern_free(s->pattern);
	s->pattern = NULL;
	imap_resume(s, imap_outcome(s, e));
}

enum next cmd_list(struct imap *s, struct args *a)
{
	struct str reference, text;

	args_space(a);
	reference = args_mailbox(a);
	args_space(a);
	text = args_pattern(a);
	if (!args_end(a))
		return imap_bad(s, "%s wants a reference and a pattern", s->command->word);
	if (!text.len) { /* RFC 3501, 6.3.8: only the delimiter is asked for */
		imap_untagged(s, "%s (\\Noselect) \"/\" \"\"", s->command->word);
		return imap_outcome(s, OK);
	}
	text = str_of(arena_printf(&s->arena, STR_FMT STR_FMT, STR_ARG(reference), STR_ARG(text)));
	if (!(s->pattern = pattern_new(text)))
		return imap_no(s, "[CANNOT] no mailbox can have a name like that");
	s->waiting = store_list(s->worker, s->account, listed, s);
	return WAIT;
}

enum next cmd_lsub(struct imap *s, struct args *a)
{
	return cmd_list(s, a);
}

/* ---- STATUS ---- */

static const char *const status_words[] = { "MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN" };
#define STATUS_WORDS (sizeof(status_words) / sizeof(*status_words))

static void status_told(void *user, enum err e, const struct mailbox_status *st)
{
	struct imap *s = user;

	s->waiting = NULL;
	if (!e) {
		uint32_t values[STATUS_WORDS] = { st->messages, st->recent, st->uidnext, st->uidvalidity, st->unseen };
		struct buf *out = conn_out(s->conn);
		const char *space = "";

		buf_add_str(out, STR("* STATUS "));
		imap_write_mailbox(out, s->name);
		buf_add_str(out, STR(" ("));
		for (size_t i = 0; i < STATUS_WORDS; i++)
			if (s->status_items & 1u << i) {
				buf_printf(out, "%s%s %u", space, status_words[i], values[i]);
				space = " ";
			}
		buf_add_str(out, STR(")\r\n"));
		conn_wrote(s->conn);
	}
	imap_resume(s, imap_outcome(s, e));
}

static void status_item(struct imap *s, struct args *a)
{
	struct str word = args_atom(a);

	for (size_t i = 0; i < STATUS_WORDS; i++)
		if (str_eq_nocase(word, str_of(status_words[i]))) {
			s->status_items |= 1u << i;
			return;
		}
	a->bad = true;
}

enum next cmd_status(struct imap *s, struct args *a)
{
	args_space(a);
	s->name = args_mailbox(a);
	args_space(a);
	args_char(a, '(');
	s->status_items = 0;
	do
		status_item(s, a);
	while (!a->bad && args_try(a, ' '));
	args_char(a, ')');
	if (!args_end(a))
		return imap_bad(s, "STATUS wants a mailbox name and a list of items");
	s->waiting = store_status(s->worker, s->account, s->name, status_told, s);
	return WAIT;
}
