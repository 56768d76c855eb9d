/* imap_copy.c - COPY and MOVE (RFC 3501, 6.4.7; RFC 6851; COPYUID of RFC 4315, 3).
 * Either is one change at the owner: all of the messages or none. What a MOVE took away is told as news before its
 * tagged reply, so the UIDs that it gave are told ahead of that, untagged (RFC 6851, 4.3). */
#include "protocols/imap/imap_session.h"

/* "COPYUID 38505 304,319:320 3956:3958" */
static void write_copyuid(struct buf *out, const struct copied *c)
{
	buf_printf(out, "COPYUID %u ", c->uidvalidity);
	imap_write_ranges(out, c->from, c->from_count);
	buf_add_char(out, ' ');
	imap_write_ranges(out, c->to, c->to_count);
}

static void copied(void *user, enum err e, const struct copied *c)
{
	struct imap *s = user;
	struct buf code = { 0 };

	s->waiting = NULL;
	if (e == ERR_ABSENT) {
		imap_resume(s, imap_no(s, "[TRYCREATE] there is no such mailbox"));
	} else if (e || !c->from_count) {
		imap_resume(s, imap_outcome(s, e));
	} else if (str_eq(str_of(s->command->word), STR("MOVE"))) {
		write_copyuid(&code, c);
		imap_untagged(s, "OK [" STR_FMT "] moved", STR_ARG(buf_str(&code)));
		imap_resume(s, imap_outcome(s, OK));
	} else {
		write_copyuid(&code, c);
		imap_resume(s, imap_ok(s, "[" STR_FMT "] COPY done", STR_ARG(buf_str(&code))));
	}
	buf_free(&code);
}

static enum next copy_or_move(struct imap *s, struct args *a, bool move)
{
	struct set seqs, uids;
	struct str to;
	enum next next;

	if (!imap_take_set(s, a, &seqs, &next))
		return next;
	args_space(a);
	to = args_mailbox(a);
	if (!args_end(a))
		return imap_bad(s, "%s wants a set of messages and a mailbox name", s->command->word);
	if (move && s->read_only)
		return imap_no(s, "[READ-ONLY] the mailbox is read-only");
	if (!seqs.count)
		return imap_outcome(s, OK);
	uids = imap_uids(s, &seqs);
	s->waiting = store_copy(s->worker, s->account, s->mailbox, uids.ranges, uids.count, to, move, copied, s);
	return WAIT;
}

enum next cmd_copy(struct imap *s, struct args *a)
{
	return copy_or_move(s, a, false);
}

enum next cmd_move(struct imap *s, struct args *a)
{
	return copy_or_move(s, a, true);
}
