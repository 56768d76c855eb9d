/* imap_mailbox.c - mailboxes by name: SELECT, EXAMINE and UNSELECT, CREATE, DELETE, RENAME and SUBSCRIBE (RFC 3501, 6.3.1
 * to 6.3.7; RFC 3691; CREATE-SPECIAL-USE of RFC 6154). */
#include "protocols/imap/imap_session.h"
#include "storage/path.h"

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

static void created(void *user, enum err e)
{
	struct imap *s = user;

	s->waiting = NULL;
	if (e == ERR_DENIED)
		imap_resume(s, imap_no(s, "[USEATTR] another mailbox is for that"));
	else
		imap_resume(s, imap_outcome(s, e));
}

/* " (USE (\Sent))" (RFC 6154, 3): what the mailbox is for. *other: something that ours cannot be for is among it. */
static unsigned take_uses(struct args *a, bool *other)
{
	unsigned uses = 0;

	if (!args_word(a, STR(" (USE (")))
		return 0;
	for (bool first = true; !a->bad && !args_peek(a, ')'); first = false) {
		unsigned use;

		if (!first)
			args_space(a);
		args_char(a, '\\');
		use = use_of(args_atom(a));
		*other |= !use;
		uses |= use;
	}
	args_char(a, ')');
	args_char(a, ')');
	return uses;
}

enum next cmd_create(struct imap *s, struct args *a)
{
	bool other = false;
	struct str name;
	unsigned uses;

	args_space(a);
	name = args_mailbox(a);
	uses = take_uses(a, &other);
	if (!args_end(a))
		return imap_bad(s, "CREATE wants one mailbox name, and perhaps what it is for");
	if (name.len > 1 && name.p[name.len - 1] == '/') /* names below it are to come: RFC 3501, 6.3.3 */
		name.len--;
	if (mailbox_name_check(name))
		return imap_no(s, "[CANNOT] no mailbox can have that name");
	if (other)
		return imap_no(s, "[USEATTR] no mailbox can be for that");
	s->waiting = store_create(s->worker, s->account, name, uses, created, s);
	return WAIT;
}

/* The one argument of the others; false: the reply is sent, in *next. */
static bool take_name(struct imap *s, struct args *a, struct str *name, enum next *next)
{
	args_space(a);
	*name = args_mailbox(a);
	if (!args_end(a))
		*next = imap_bad(s, "%s wants one mailbox name", s->command->word);
	else if (mailbox_name_check(*name))
		*next = imap_no(s, "[CANNOT] no mailbox can have that name");
	else
		return true;
	return false;
}

enum next cmd_delete(struct imap *s, struct args *a)
{
	struct str name;
	enum next next;

	if (!take_name(s, a, &name, &next))
		return next;
	s->waiting = store_delete(s->worker, s->account, name, name_changed, s);
	return WAIT;
}

static enum next subscribe(struct imap *s, struct args *a, bool subscribed)
{
	struct str name;
	enum next next;

	if (!take_name(s, a, &name, &next))
		return next;
	s->waiting = store_subscribe(s->worker, s->account, name, subscribed, name_changed, s);
	return WAIT;
}

enum next cmd_subscribe(struct imap *s, struct args *a)
{
	return subscribe(s, a, true);
}

enum next cmd_unsubscribe(struct imap *s, struct args *a)
{
	return subscribe(s, a, false);
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
