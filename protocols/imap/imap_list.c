/* imap_list.c - LIST and LSUB: the store tells all names of the account, imap_listing.c which of them are told on.
 * Where a STATUS is wanted with each, one mailbox follows the other: its status is asked for first, for a mailbox that is
 * gone by then is not told of (RFC 5819, 2). */
#include "core/mem.h"
#include "protocols/imap/imap_listing.h"
#include "protocols/imap/imap_session.h"
#include <stdlib.h>

struct told_name { /* a mailbox whose status is to follow, or not: then it cannot be selected */
	struct str name, line;
	bool exists;
};

struct listing_under_way {
	struct listing listing;
	struct told_name *names; /* in the arena */
	size_t count, at;
};

void imap_list_drop(struct imap *s)
{
	if (!s->listing)
		return;
	free(s->listing);
	s->listing = NULL;
}

static void write_line(struct imap *s, struct str line)
{
	imap_untagged(s, "%s " STR_FMT, s->command->word, STR_ARG(line));
}

static void status_next(struct imap *s);

static void status_told(void *user, enum err e, const struct mailbox_status *st)
{
	struct imap *s = user;
	struct listing_under_way *l = s->listing;
	const struct told_name *n = &l->names[l->at++];

	s->waiting = NULL;
	if (!e) {
		write_line(s, n->line);
		imap_write_status(s, n->name, l->listing.status_items, st);
	} else if (e != ERR_ABSENT) {
		imap_list_drop(s);
		imap_resume(s, imap_outcome(s, e));
		return;
	}
	status_next(s);
}

static void status_next(struct imap *s)
{
	struct listing_under_way *l = s->listing;

	for (; l->at < l->count; l->at++) {
		const struct told_name *n = &l->names[l->at];

		if (n->exists) {
			s->waiting = store_status(s->worker, s->account, n->name, status_told, s);
			return;
		}
		write_line(s, n->line);
	}
	imap_list_drop(s);
	imap_resume(s, imap_outcome(s, OK));
}

static void listed(void *user, enum err e, const struct mailbox_entry *entries, size_t count)
{
	struct imap *s = user;
	struct listing_under_way *l = s->listing;
	struct buf line = { 0 };

	s->waiting = NULL;
	if (!e && !listing_fit(&l->listing, entries, count, &s->arena)) {
		imap_list_drop(s);
		imap_resume(s, imap_no(s, "[CANNOT] no mailbox can have a name like that"));
		return;
	}
	if (!e && l->listing.status_items)
		l->names = arena_alloc(&s->arena, (count + 1) * sizeof(*l->names));
	for (size_t i = 0; !e && i < count; i++) {
		struct listing_line how = listing_line(&l->listing, entries, count, i);

		if (!how.told)
			continue;
		buf_clear(&line);
		listing_write(&l->listing, &entries[i], &how, &line);
		if (l->names)
			l->names[l->count++] = (struct told_name){ arena_str(&s->arena, entries[i].name),
				arena_str(&s->arena, buf_str(&line)), entries[i].exists };
		else
			write_line(s, buf_str(&line));
	}
	buf_free(&line);
	if (!e && l->names) {
		status_next(s);
		return;
	}
	imap_list_drop(s);
	imap_resume(s, imap_outcome(s, e));
}

static enum next list_or_lsub(struct imap *s, struct args *a, bool lsub)
{
	struct listing l;

	if (!listing_parse(a, lsub, &l))
		return imap_bad(s, "%s wants a reference and a pattern", s->command->word);
	if (!l.extended && !l.patterns[0].len) { /* RFC 3501, 6.3.8: only the delimiter is asked for */
		imap_untagged(s, "%s (\\Noselect) \"/\" \"\"", s->command->word);
		return imap_outcome(s, OK);
	}
	s->listing = mem_new(struct listing_under_way);
	s->listing->listing = l;
	s->waiting = store_list(s->worker, s->account, listed, s);
	return WAIT;
}

enum next cmd_list(struct imap *s, struct args *a)
{
	return list_or_lsub(s, a, false);
}

enum next cmd_lsub(struct imap *s, struct args *a)
{
	return list_or_lsub(s, a, true);
}
