/* imap_store.c - changes of messages: STORE, EXPUNGE, CLOSE (RFC 3501, 6.4; UIDPLUS of RFC 4315). */
#include "protocols/imap/imap_session.h"

#define PIECE 1000 /* messages that STORE.SILENT changes at a time, so that others have their turns */

/* ---- STORE ---- */

struct storing {
	enum flags_how how;
	bool silent;
	struct flag_words words;
	struct set seqs;
	struct set piece; /* of these, under way */
	size_t range;     /* what is left begins there, ... */
	uint32_t next;    /* ... with this number */
};

/* What the client makes of its own .SILENT change: whatever differs from it is another's and is told. */
static void expect(struct imap *s)
{
	const struct storing *st = s->work->store;
	uint64_t keywords = 0;

	for (size_t i = 0; i < st->words.count; i++)
		keywords |= imap_keyword_bits(s, st->words.keywords[i]);
	for (size_t i = 0; i < s->work->told_count; i++) {
		struct told *t = &s->work->told[i];

		if (st->how == FLAGS_REPLACE)
			*t = (struct told){ t->uid, 0, 0 };
		t->flags = st->how == FLAGS_REMOVE ? t->flags & ~st->words.flags : t->flags | st->words.flags;
		t->keywords = st->how == FLAGS_REMOVE ? t->keywords & ~keywords : t->keywords | keywords;
	}
}

/* What the client knows of these messages, having heard all news so far; what changed in this very moment it does not. */
static void note_known(struct imap *s, const struct set *seqs)
{
	uint64_t clock = selected_clock(s->mailbox);

	for (size_t i = 0; i < seqs->count; i++)
		for (uint32_t seq = seqs->ranges[i].first; seq <= seqs->ranges[i].last; seq++) {
			struct message m;

			imap_message(s, seq, &m);
			if (m.clock <= clock)
				s->work->told[s->work->told_count++] = (struct told){ m.uid, m.flags & FLAG_SYSTEM,
					m.keywords };
		}
}

/* False: there is none. */
static bool next_piece(struct storing *st)
{
	uint32_t left = PIECE;

	st->piece.count = 0;
	while (left && st->range < st->seqs.count) {
		const struct uid_range *r = &st->seqs.ranges[st->range];
		uint32_t first = st->next > r->first ? st->next : r->first;
		uint32_t last = r->last - first < left ? r->last : first + left - 1;

		st->piece.ranges[st->piece.count++] = (struct uid_range){ first, last };
		left -= last - first + 1;
		st->next = last + 1;
		st->range += last == r->last;
	}
	return st->piece.count > 0;
}

static void stored(void *user, enum err e);

static void store_piece(struct imap *s)
{
	struct storing *st = s->work->store;
	struct set uids;

	if (st->silent) {
		imap_news(s, false); /* with what was expected of the piece before */
		s->work->told_count = 0;
		note_known(s, &st->piece);
	}
	uids = imap_uids(s, &st->piece);
	s->waiting = store_flags(
		s->worker, s->account, s->mailbox, uids.ranges, uids.count, st->how, &st->words, stored, s);
}

static void stored(void *user, enum err e)
{
	struct imap *s = user;

	s->waiting = NULL;
	if (e) {
		s->work->told_count = 0;
		imap_resume(s, imap_outcome(s, e));
		return;
	}
	if (selected_keyword_count(s->mailbox) != s->keywords_told)
		imap_tell_flags(s);
	if (!s->work->store->silent) {
		imap_resume(s, imap_fetch_flags(s, &s->work->store->seqs));
		return;
	}
	expect(s);
	if (next_piece(s->work->store))
		store_piece(s);
	else
		imap_resume(s, imap_outcome(s, OK));
}

static bool take_how(struct args *a, struct storing *st)
{
	st->how = args_try(a, '+') ? FLAGS_ADD : args_try(a, '-') ? FLAGS_REMOVE : FLAGS_REPLACE;
	if (!args_word(a, STR("FLAGS")))
		return false;
	st->silent = args_word(a, STR(".SILENT"));
	return true;
}

enum next cmd_store(struct imap *s, struct args *a)
{
	struct storing *st = arena_new(&s->work->arena, struct storing);
	uint64_t count;
	enum next next;

	if (!imap_take_set(s, a, &st->seqs, &next))
		return next;
	args_space(a);
	if (!take_how(a, st))
		return imap_bad(s, "STORE wants FLAGS, +FLAGS or -FLAGS");
	args_space(a);
	args_flags(a, &st->words);
	if (!args_end(a))
		return imap_bad(s, "STORE wants a list of flags");
	if (s->read_only)
		return imap_no(s, "[READ-ONLY] the mailbox is read-only");
	if (!st->seqs.count)
		return imap_outcome(s, OK);
	s->work->store = st;
	count = imap_count(&st->seqs);
	st->piece = st->seqs;
	if (st->silent) {
		count = count < PIECE ? count : PIECE;
		st->piece.ranges = arena_alloc(&s->work->arena, count * sizeof(*st->piece.ranges));
		next_piece(st);
	}
	s->work->told = arena_alloc(&s->work->arena, count * sizeof(*s->work->told));
	store_piece(s);
	return WAIT;
}

/* ---- EXPUNGE, CLOSE ---- */

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
		if (!imap_take_set(s, a, &seqs, &next))
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
	if (!e)
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
