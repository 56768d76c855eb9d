/* imap_list.c - LIST and LSUB: the store tells all names of the account, imap_listing.c which of them are told on.
 * Where a STATUS is wanted with each, one mailbox follows the other: its status is asked for first, for a mailbox that is
 * gone by then is not told of (RFC 5819, 2). */
#include "core/mem.h"
#include "protocols/imap/imap_listing.h"
#include "protocols/imap/imap_session.h"
#include <stdlib.h>

#define NOW_MAX 256 /* names gone through in one turn */

struct told_name { /* a mailbox whose status is to follow, or not: then it cannot be selected */
	struct str name, line;
	bool exists;
};

struct listing_under_way {
	struct listing listing;
	struct mailbox_entry *entries; /* in the arena */
	size_t entry_count, entry;     /* gone through so far */
	struct told_name *names;       /* in the arena */
	size_t count, at;
};

void imap_list_drop(struct imap *s)
{
	if (!s->work->listing)
		return;
	listing_end(&s->work->listing->listing);
	free(s->work->listing);
	s->work->listing = NULL;
}

static void write_line(struct imap *s, struct str line)
{
	imap_untagged(s, "%s " STR_FMT, s->command->word, STR_ARG(line));
}

static void status_next(struct imap *s);

static void status_told(void *user, enum err e, const struct mailbox_status *st)
{
	struct imap *s = user;
	struct listing_under_way *l = s->work->listing;
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
	struct listing_under_way *l = s->work->listing;

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

static void lines_next(struct imap *s);

static void lines_later(void *user, enum err e, struct str answer)
{
	struct imap *s = user;

	(void)e, (void)answer;
	s->waiting = NULL;
	lines_next(s);
}

/* Some of the names; of very many the rest waits for later turns. */
static void lines_next(struct imap *s)
{
	struct listing_under_way *l = s->work->listing;
	size_t end = l->entry_count - l->entry > NOW_MAX ? l->entry + NOW_MAX : l->entry_count;
	struct buf line = { 0 };

	for (; l->entry < end; l->entry++) {
		const struct mailbox_entry *entry = &l->entries[l->entry];
		struct listing_line how = listing_line(&l->listing, l->entries, l->entry_count, l->entry);

		if (!how.told)
			continue;
		buf_clear(&line);
		listing_write(&l->listing, entry, &how, &line);
		if (l->names)
			l->names[l->count++] = (struct told_name){ entry->name,
				arena_str(&s->work->arena, buf_str(&line)), entry->exists };
		else
			write_line(s, buf_str(&line));
	}
	buf_free(&line);
	if (l->entry < l->entry_count) {
		s->waiting = call_later(s->worker, lines_later, s);
	} else if (l->names) {
		status_next(s);
	} else {
		imap_list_drop(s);
		imap_resume(s, imap_outcome(s, OK));
	}
}

/* The names do not outlive this, all of them have to be kept. */
static void entries_keep(struct imap *s, const struct mailbox_entry *entries, size_t count)
{
	struct listing_under_way *l = s->work->listing;

	l->entries = arena_alloc(&s->work->arena, (count + 1) * sizeof(*l->entries));
	l->entry_count = count;
	for (size_t i = 0; i < count; i++) {
		l->entries[i] = entries[i];
		l->entries[i].name = arena_str(&s->work->arena, entries[i].name);
	}
	if (l->listing.status_items)
		l->names = arena_alloc(&s->work->arena, (count + 1) * sizeof(*l->names));
}

static void listed(void *user, enum err e, const struct mailbox_entry *entries, size_t count)
{
	struct imap *s = user;

	s->waiting = NULL;
	if (e) {
		imap_list_drop(s);
		imap_resume(s, imap_outcome(s, e));
	} else if (!listing_begin(&s->work->listing->listing, &s->work->arena)) {
		imap_list_drop(s);
		imap_resume(s, imap_no(s, "[CANNOT] no mailbox can have a name like that"));
	} else {
		entries_keep(s, entries, count);
		lines_next(s);
	}
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
	s->work->listing = mem_new(struct listing_under_way);
	s->work->listing->listing = l;
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
