/* imap_store.c - changes of messages: STORE, COPY, EXPUNGE, CLOSE (RFC 3501, 6.4; UIDPLUS of RFC 4315). */
#include "protocols/imap/imap_session.h"

/* A set of messages, the next argument, as sequence numbers; false: the reply is sent, in *next. */
static bool take_set(struct imap *s, struct args *a, struct set *seqs, enum next *next)
{
	struct set set = { 0 };

	args_space(a);
	args_set(a, &set);
	if (a->bad)
		*next = imap_bad(s, "%s wants a set of messages", s->command->word);
	else if (!imap_seqs(s, &set, seqs))
		*next = imap_bad(s, "there are only %u messages", selected_exists(s->mailbox));
	else
		return true;
	return false;
}

static void stored(void *user, enum err e)
{
	struct imap *s = user;
	struct set told = s->told;

	s->waiting = NULL;
	if (e || !told.count) /* .SILENT, or nothing was changed */
		imap_resume(s, imap_outcome(s, e));
	else
		imap_resume(s, imap_fetch_flags(s, &told));
}

static bool take_how(struct args *a, enum flags_how *how, bool *silent)
{
	*how = args_try(a, '+') ? FLAGS_ADD : args_try(a, '-') ? FLAGS_REMOVE : FLAGS_REPLACE;
	if (!args_word(a, STR("FLAGS")))
		return false;
	*silent = args_word(a, STR(".SILENT"));
	return true;
}

enum next cmd_store(struct imap *s, struct args *a)
{
	struct flag_words words;
	struct set seqs, uids;
	enum flags_how how;
	enum next next;
	bool silent;

	if (!take_set(s, a, &seqs, &next))
		return next;
	args_space(a);
	if (!take_how(a, &how, &silent))
		return imap_bad(s, "STORE wants FLAGS, +FLAGS or -FLAGS");
	args_space(a);
	args_flags(a, &words);
	if (!args_end(a))
		return imap_bad(s, "STORE wants a list of flags");
	if (s->read_only)
		return imap_no(s, "[READ-ONLY] the mailbox is read-only");
	if (!seqs.count)
		return imap_outcome(s, OK);
	uids = imap_uids(s, &seqs);
	s->silent = uids.ranges; /* the changes of one's own are told by the command, or not at all */
	s->silent_count = uids.count;
	s->told = silent ? (struct set){ 0 } : seqs;
	s->waiting = store_flags(s->worker, s->account, s->mailbox, uids.ranges, uids.count, how, &words, stored, s);
	return WAIT;
}

static void write_ranges(struct buf *out, const struct uid_range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		buf_printf(out, "%s%u", i ? "," : "", ranges[i].first);
		if (ranges[i].last != ranges[i].first)
			buf_printf(out, ":%u", ranges[i].last);
	}
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
	} else {
		write_ranges(&code, c->from, c->from_count);
		buf_add_char(&code, ' ');
		write_ranges(&code, c->to, c->to_count);
		imap_resume(s, imap_ok(s, "[COPYUID %u " STR_FMT "] %s done", c->uidvalidity, STR_ARG(buf_str(&code)),
				       s->command->word));
		buf_free(&code);
	}
}

enum next cmd_copy(struct imap *s, struct args *a)
{
	struct set seqs, uids;
	struct str to;
	enum next next;

	if (!take_set(s, a, &seqs, &next))
		return next;
	args_space(a);
	to = args_mailbox(a);
	if (!args_end(a))
		return imap_bad(s, "COPY wants a set of messages and a mailbox name");
	if (!seqs.count)
		return imap_outcome(s, OK);
	uids = imap_uids(s, &seqs);
	s->waiting = store_copy(s->worker, s->account, s->mailbox, uids.ranges, uids.count, to, false, copied, s);
	return WAIT;
}

static void expunged(void *user, enum err e)
{
	struct imap *s = user;

	s->waiting = NULL;
	imap_resume(s, imap_outcome(s, e));
}

/* EXPUNGE, and UID EXPUNGE with a set (RFC 4315, 2.1). */
enum next cmd_expunge(struct imap *s, struct args *a)
{
	struct set seqs, uids = { 0 };
	enum next next;

	if (s->command->besides & IS_UID) {
		if (!take_set(s, a, &seqs, &next))
			return next;
		uids = imap_uids(s, &seqs);
	}
	if (!args_end(a))
		return imap_bad(s, "EXPUNGE takes nothing");
	if (s->read_only)
		return imap_no(s, "[READ-ONLY] the mailbox is read-only");
	if (s->command->besides & IS_UID && !uids.count)
		return imap_outcome(s, OK);
	s->waiting = store_expunge(s->worker, s->account, s->mailbox, uids.ranges, uids.count, false, expunged, s);
	return WAIT;
}

static void closed(void *user, enum err e)
{
	struct imap *s = user;

	s->waiting = NULL;
	imap_leave(s);
	imap_resume(s, imap_outcome(s, e));
}

enum next cmd_close(struct imap *s, struct args *a)
{
	if (!args_end(a))
		return imap_bad(s, "CLOSE takes nothing");
	if (s->read_only) {
		imap_leave(s);
		return imap_outcome(s, OK);
	}
	s->waiting = store_expunge(s->worker, s->account, s->mailbox, NULL, 0, false, closed, s);
	return WAIT;
}
