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
	if (!args_end(a) || mailbox_name_check(name))
		return a->bad ? imap_bad(s, "%s wants one mailbox name", s->command->word)
		              : imap_no(s, "[CANNOT] no mailbox can have that name");
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

#define PATTERN_BYTES_MAX 1000

/* Whether name fits the pattern: `*` is any run of bytes, `%` any without '/' (RFC 3501, 6.3.8). Keeps the set of
 * places in the pattern that the name so far can have come to, so that no pattern takes long. */
static bool pattern_fits(struct str pattern, struct str name)
{
	bool at[PATTERN_BYTES_MAX + 1] = { true }, next[PATTERN_BYTES_MAX + 1];

	if (pattern.len > PATTERN_BYTES_MAX)
		return false;
	for (size_t i = 0;; i++) {
		for (size_t p = 0; p < pattern.len; p++) /* a wildcard may stand for nothing */
			if (at[p] && (pattern.p[p] == '*' || pattern.p[p] == '%'))
				at[p + 1] = true;
		if (i == name.len)
			return at[pattern.len];
		memset(next, 0, pattern.len + 1);
		for (size_t p = 0; p < pattern.len; p++) {
			char c = pattern.p[p];

			if (!at[p])
				continue;
			if (c == '*' || (c == '%' && name.p[i] != '/'))
				next[p] = true;
			else if (c == name.p[i])
				next[p + 1] = true;
		}
		memcpy(at, next, pattern.len + 1);
	}
}

static bool entry_fits(struct str pattern, struct str name)
{
	char upper[PATTERN_BYTES_MAX];

	if (pattern_fits(pattern, name))
		return true;
	if (!str_eq(name, STR("INBOX")) || pattern.len > PATTERN_BYTES_MAX)
		return false;
	for (size_t i = 0; i < pattern.len; i++) /* INBOX is INBOX in any case */
		upper[i] = pattern.p[i] >= 'a' && pattern.p[i] <= 'z' ? (char)(pattern.p[i] - 32) : pattern.p[i];
	return pattern_fits((struct str){ upper, pattern.len }, name);
}

static void tell_entry(struct imap *s, const struct mailbox_entry *entry)
{
	struct buf *out = conn_out(s->conn);

	buf_printf(out, "* %s (%s%s) \"/\" ", s->command->word, entry->exists ? "" : "\\Noselect ",
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
	for (size_t i = 0; !e && i < count; i++)
		if ((!lsub || entries[i].subscribed) && entry_fits(s->pattern, entries[i].name))
			tell_entry(s, &entries[i]);
	imap_resume(s, imap_outcome(s, e));
}

enum next cmd_list(struct imap *s, struct args *a)
{
	struct str reference, pattern;

	args_space(a);
	reference = args_mailbox(a);
	args_space(a);
	pattern = args_pattern(a);
	if (!args_end(a))
		return imap_bad(s, "%s wants a reference and a pattern", s->command->word);
	if (!pattern.len) { /* RFC 3501, 6.3.8: only the delimiter is asked for */
		imap_untagged(s, "%s (\\Noselect) \"/\" \"\"", s->command->word);
		return imap_outcome(s, OK);
	}
	s->pattern = str_of(arena_printf(&s->arena, STR_FMT STR_FMT, STR_ARG(reference), STR_ARG(pattern)));
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
		imap_write_mailbox(out, s->pattern);
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
	s->pattern = args_mailbox(a);
	args_space(a);
	args_char(a, '(');
	s->status_items = 0;
	do
		status_item(s, a);
	while (!a->bad && args_try(a, ' '));
	args_char(a, ')');
	if (!args_end(a))
		return imap_bad(s, "STATUS wants a mailbox name and a list of items");
	s->waiting = store_status(s->worker, s->account, s->pattern, status_told, s);
	return WAIT;
}
