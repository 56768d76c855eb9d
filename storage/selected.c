/* selected.c - see selected.h.
 * Numbers are places of the `base` view less those before them that are gone. As long as the latest view is of base's
 * lineage their places are the same, and base just becomes the latest. One of another lineage (a new generation, a new life
 * of the owner) numbers anew: base stays, for the numbers, until the client may be told of expunges, and meanwhile the
 * messages are found in the latest view by their UIDs.
 * Always: gone is ascending, below count, and holds no place that the client counts. */
#include "core/mem.h"
#include "storage/shared.h"
#include <assert.h>
#include <stdlib.h>

#define CHANGES_MAX 1000  /* places looked at one by one; more, and every message is compared */
#define PART_PLACES 1024  /* that selected_sync_part looks at */
#define WALK_LEAST  16384 /* places: with fewer all may be looked at in one turn */

/* --- places and numbers ------------------------------------------------------------------------------------------- */

/* How many of gone lie before the place. */
static size_t gone_before(const struct selected *s, uint32_t place)
{
	size_t low = 0, high = s->gone_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (s->gone[middle] < place)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_gone(const struct selected *s, uint32_t place)
{
	size_t before = gone_before(s, place);

	return before < s->gone_count && s->gone[before] == place;
}

static uint32_t place_of(const struct selected *s, uint32_t seq)
{
	size_t low = 0, high = s->gone_count;

	assert(seq && seq <= selected_exists(s));
	while (low < high) { /* gone[i] - i places that count lie before gone[i] */
		size_t middle = (low + high) / 2;

		if (s->gone[middle] - middle <= seq - 1)
			low = middle + 1;
		else
			high = middle;
	}
	return seq - 1 + (uint32_t)low;
}

static uint32_t seq_of(const struct selected *s, uint32_t place)
{
	return place + 1 - (uint32_t)gone_before(s, place);
}

static bool is_moved(const struct selected *s)
{
	return !s->sh->latest || s->sh->latest->lineage != s->base->lineage;
}

/* The message at a place of base, as the latest view has it. */
static void message_at(const struct selected *s, uint32_t place, struct message *m)
{
	const struct mapped *latest = s->sh->latest;
	struct view_head h;
	uint32_t there;

	if (!is_moved(s)) {
		view_message(latest->view, place, m);
		return;
	}
	view_message(s->base->view, place, m);
	if (latest) {
		view_read_head(latest->view, &h);
		there = view_place(latest->view, m->uid);
		if (there < h.count) {
			struct message now;

			view_message(latest->view, there, &now);
			if (now.uid == m->uid) {
				*m = now;
				return;
			}
		}
	}
	m->flags |= FLAG_EXPUNGED;
}

/* --- what is asked ------------------------------------------------------------------------------------------------ */

uint32_t selected_exists(const struct selected *s)
{
	return s->count - (uint32_t)s->gone_count;
}

uint32_t selected_recent(const struct selected *s)
{
	uint32_t place = view_place(s->base->view, s->recent);

	if (place >= s->count)
		return 0;
	return s->count - place - (uint32_t)(s->gone_count - gone_before(s, place));
}

bool selected_is_recent(const struct selected *s, const struct message *m)
{
	return m->uid >= s->recent;
}

uint32_t selected_uidvalidity(const struct selected *s)
{
	struct view_head h;

	view_read_head(s->base->view, &h);
	return h.uidvalidity;
}

uint32_t selected_uidnext(const struct selected *s)
{
	return s->uidnext;
}

uint64_t selected_clock(const struct selected *s)
{
	return s->clock;
}

bool selected_read_only(const struct selected *s)
{
	return !s->claim;
}

uint32_t selected_first_unseen(const struct selected *s)
{
	uint32_t place = 0;

	if (!is_moved(s)) {
		while ((place = view_next_unseen(s->base->view, place)) < s->count && is_gone(s, place))
			place++;
		return place < s->count ? seq_of(s, place) : 0;
	}
	for (uint32_t seq = 1; seq <= selected_exists(s); seq++) {
		struct message m;

		selected_message(s, seq, &m);
		if (!(m.flags & FLAG_SEEN))
			return seq;
	}
	return 0;
}

void selected_message(const struct selected *s, uint32_t seq, struct message *m)
{
	message_at(s, place_of(s, seq), m);
}

uint32_t selected_seq_from(const struct selected *s, uint32_t uid)
{
	uint32_t place = view_place(s->base->view, uid);

	return seq_of(s, place < s->count ? place : s->count);
}

uint32_t selected_seq(const struct selected *s, uint32_t uid)
{
	uint32_t place = view_place(s->base->view, uid);
	struct message m;

	if (place >= s->count || is_gone(s, place))
		return 0;
	view_message(s->base->view, place, &m);
	return m.uid == uid ? seq_of(s, place) : 0;
}

static const struct mapped *words_of(const struct selected *s)
{
	return s->sh->latest ? s->sh->latest : s->base;
}

const char *selected_keyword(const struct selected *s, unsigned bit)
{
	return view_keyword(words_of(s)->view, bit);
}

unsigned selected_keyword_count(const struct selected *s)
{
	return view_keyword_count(words_of(s)->view);
}

/* --- beginning and end -------------------------------------------------------------------------------------------- */

void selected_moved(struct selected *s)
{
	struct mapped *latest = s->sh->latest;

	if (!latest || !s->base || latest->lineage != s->base->lineage)
		return;
	mapped_unref(s->base); /* a larger one of the same places */
	s->base = mapped_ref(latest);
	s->compare = true;
}

struct places {
	uint32_t *list;
	size_t count, cap;
};

static void places_add(struct places *p, uint32_t place)
{
	if (p->count == p->cap) {
		p->cap = p->cap ? 2 * p->cap : 64;
		p->list = mem_resize(p->list, p->cap * sizeof(*p->list));
	}
	p->list[p->count++] = place;
}

static void gone_take(struct selected *s, uint32_t *gone, size_t count)
{
	free(s->gone);
	s->gone = gone;
	s->gone_count = count;
}

/* Of the places from..to of the base those that are expunged already are gone without a word. */
static void gone_unseen(struct selected *s, uint32_t from, uint32_t to)
{
	size_t cap = s->gone_count;

	for (uint32_t place = from; (place = view_next_expunged(s->base->view, place)) < to; place++) {
		if (s->gone_count == cap) {
			cap = cap ? 2 * cap : 16;
			s->gone = mem_resize(s->gone, cap * sizeof(*s->gone));
		}
		s->gone[s->gone_count++] = place;
	}
}

void selected_begin(struct selected *s)
{
	struct view_head h;

	s->base = mapped_ref(s->sh->latest);
	view_read_head(s->base->view, &h);
	s->changes = h.changes;
	s->clock = h.clock;
	s->uidnext = h.uidnext;
	s->count = h.count;
	s->keywords = view_keyword_count(s->base->view);
	if (h.expunged)
		gone_unseen(s, 0, h.count);
}

void selected_free(struct selected *s)
{
	if (!s)
		return;
	call_cancel(s->telling);
	shared_leave(s);
	mapped_unref(s->base);
	free(s->gone);
	free(s);
}

/* The places of the latest view are numbers of a client that counts these UIDs. False: it lacks some of them. */
static bool resume_at_latest(struct selected *s, const uint32_t *uids, uint32_t count, uint32_t uidnext)
{
	struct mapped *latest = s->sh->latest;
	struct places gone = { 0 };
	uint32_t next = 0, end = latest ? view_place(latest->view, uidnext) : 0;

	for (uint32_t place = 0; place < end; place++) {
		uint32_t uid = view_uid(latest->view, place);

		if (next < count && uids[next] == uid)
			next++;
		else
			places_add(&gone, place);
	}
	if (!latest || next < count) {
		free(gone.list);
		return false;
	}
	s->base = mapped_ref(latest);
	s->count = end;
	gone_take(s, gone.list, gone.count);
	return true;
}

void selected_resume(struct selected *s, const uint32_t *uids, uint32_t count, uint32_t uidnext, uint32_t uidvalidity)
{
	if (!resume_at_latest(s, uids, count, uidnext)) {
		s->base = mem_new(struct mapped);
		s->base->refs = 1;
		s->base->view = view_of_uids(s->sh->id, uidvalidity, uids, count);
		s->base->generation = UINT32_MAX;
		s->base->fd = -1;
		s->count = count;
	}
	s->uidnext = uidnext;
	s->compare = s->untold = true;
}

/* --- watching ------------------------------------------------------------------------------------------------------- */

bool selected_has_news(const struct selected *s)
{
	struct view_head h;

	if (!s->sh->latest)
		return selected_exists(s) > 0;
	if (is_moved(s) || s->compare || s->untold)
		return true;
	view_read_head(s->base->view, &h);
	return h.clock != s->clock || h.count != s->count || h.changes != s->changes;
}

static void tell_changed(void *user, enum err e, struct str answer)
{
	struct selected *s = user;

	(void)e;
	(void)answer;
	s->telling = NULL;
	if (s->changed && s->armed && selected_has_news(s)) {
		s->armed = false;
		s->changed(s->changed_user);
	}
}

void selected_stir(struct selected *s)
{
	if (s->changed && s->armed && !s->telling)
		s->telling = call_later(s->sh->w, tell_changed, s);
}

void selected_watch(struct selected *s, void (*changed)(void *user), void *user)
{
	s->changed = changed;
	s->changed_user = user;
	s->armed = changed != NULL;
	if (changed && selected_has_news(s))
		selected_stir(s);
}

/* --- sync ----------------------------------------------------------------------------------------------------------- */

static int by_place(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Places among those told of that may have changed since the last sync, ascending; with `all`, every place. */
static void changed_places(struct selected *s, const struct view_head *h, bool all, struct places *out)
{
	size_t count, kept = 0;
	uint64_t now;

	out->list = mem_resize(out->list, (out->cap = CHANGES_MAX) * sizeof(*out->list));
	if (!all && view_changes(s->base->view, s->changes, out->list, CHANGES_MAX, &count, &now)) {
		s->changes = now;
		qsort(out->list, count, sizeof(*out->list), by_place);
		for (size_t i = 0; i < count; i++)
			if (out->list[i] < s->count && (!kept || out->list[kept - 1] != out->list[i]))
				out->list[kept++] = out->list[i];
		out->count = kept;
		return;
	}
	s->changes = h->changes;
	for (uint32_t place = 0; place < s->count; place++) {
		struct message m;

		view_message(s->base->view, place, &m);
		if (m.clock > s->clock || m.flags & FLAG_EXPUNGED)
			places_add(out, place);
	}
}

/* Tells that these places are gone, the last one first, so that each number is what the client has. */
static void tell_gone(struct selected *s, const struct places *gone, const struct selected_news *news, void *user)
{
	size_t i = s->gone_count, j = gone->count, at = i + j;
	uint32_t *merged;

	if (!gone->count)
		return;
	for (size_t n = gone->count; n-- > 0;)
		if (news->on_expunge)
			news->on_expunge(user, seq_of(s, gone->list[n]));
	merged = mem_alloc(at * sizeof(*merged));
	while (at) {
		bool old = i && (!j || s->gone[i - 1] > gone->list[j - 1]);

		merged[--at] = old ? s->gone[--i] : gone->list[--j];
	}
	gone_take(s, merged, s->gone_count + gone->count);
}

static void tell_flags(struct selected *s, const struct places *places, const struct selected_news *news, void *user)
{
	for (size_t i = 0; i < places->count; i++) {
		struct message m;

		message_at(s, places->list[i], &m);
		if (!(m.flags & FLAG_EXPUNGED) && news->on_flags)
			news->on_flags(user, seq_of(s, places->list[i]), &m);
	}
}

static void tell_keywords(struct selected *s, const struct selected_news *news, void *user)
{
	unsigned count = selected_keyword_count(s);

	if (count == s->keywords)
		return;
	s->keywords = count;
	if (news->on_keywords)
		news->on_keywords(user);
}

static void tell_exists(struct selected *s, const struct view_head *h, const struct selected_news *news, void *user)
{
	uint32_t before = selected_exists(s), from = s->count;

	s->uidnext = h->uidnext;
	s->count = h->count;
	if (h->expunged)
		gone_unseen(s, from, h->count);
	if (selected_exists(s) > before && news->on_exists)
		news->on_exists(user, selected_exists(s), selected_recent(s));
}

/* The latest view has the places of the base. */
static void sync_same(struct selected *s, bool may_expunge, const struct selected_news *news, void *user)
{
	struct places changed = { 0 }, gone = { 0 }, flags = { 0 };
	struct view_head h;

	view_read_head(s->base->view, &h);
	changed_places(s, &h, s->compare || (may_expunge && s->untold), &changed);
	s->compare = false;
	if (may_expunge)
		s->untold = false;
	for (size_t i = 0; i < changed.count; i++) {
		uint32_t place = changed.list[i];
		struct message m;

		view_message(s->base->view, place, &m);
		if (!(m.flags & FLAG_EXPUNGED))
			places_add(&flags, place);
		else if (is_gone(s, place))
			continue;
		else if (may_expunge)
			places_add(&gone, place);
		else
			s->untold = true;
	}
	tell_keywords(s, news, user);
	tell_gone(s, &gone, news, user);
	s->clock = h.clock;
	tell_exists(s, &h, news, user);
	tell_flags(s, &flags, news, user);
	free(changed.list);
	free(gone.list);
	free(flags.list);
}

/* Of what the client counts: places whose message is no more, and those whose flags changed. */
static void compare_moved(const struct selected *s, struct places *gone, struct places *flags)
{
	size_t next = 0;

	for (uint32_t place = 0; place < s->count; place++) {
		struct message m;

		if (next < s->gone_count && s->gone[next] == place) {
			next++;
			continue;
		}
		message_at(s, place, &m);
		if (m.flags & FLAG_EXPUNGED)
			places_add(gone, place);
		else if (m.clock > s->clock)
			places_add(flags, place);
	}
}

/* The latest view becomes the base: of its places below the UIDs told of, those that the client counts stay. */
static void rebase(struct selected *s, const struct view_head *h)
{
	struct mapped *old = s->base, *latest = mapped_ref(s->sh->latest);
	uint32_t count = view_place(latest->view, s->uidnext), place = 0;
	struct places gone = { 0 };
	size_t next = 0;

	for (uint32_t there = 0; there < count; there++) {
		struct message now, m = { 0 };

		view_message(latest->view, there, &now);
		for (; place < s->count; place++) { /* to the old place of this UID */
			view_message(old->view, place, &m);
			if (m.uid >= now.uid)
				break;
		}
		while (next < s->gone_count && s->gone[next] < place)
			next++;
		if (place >= s->count || m.uid != now.uid || (next < s->gone_count && s->gone[next] == place))
			places_add(&gone, there);
	}
	gone_take(s, gone.list, gone.count);
	s->base = latest;
	s->count = count;
	s->changes = h->changes;
	s->compare = s->untold = false;
	mapped_unref(old);
}

/* The latest view is of another lineage, or there is none any more. */
static void sync_moved(struct selected *s, bool may_expunge, const struct selected_news *news, void *user)
{
	struct places gone = { 0 }, flags = { 0 };
	struct view_head h = { 0 };

	if (s->sh->latest)
		view_read_head(s->sh->latest->view, &h);
	compare_moved(s, &gone, &flags);
	tell_keywords(s, news, user);
	if (may_expunge)
		tell_gone(s, &gone, news, user);
	tell_flags(s, &flags, news, user);
	if (s->sh->latest)
		s->clock = h.clock;
	if (s->sh->latest && may_expunge) {
		rebase(s, &h);
		tell_exists(s, &h, news, user);
	}
	free(gone.list);
	free(flags.list);
}

/* Whether every place is to be looked at, and there are many. */
static bool walk_is_due(const struct selected *s, bool may_expunge, const struct view_head *h)
{
	return s->count >= WALK_LEAST &&
	       (s->compare || (may_expunge && s->untold) || h->changes - s->changes > CHANGES_MAX);
}

static void walk_begin(struct selected *s, bool may_expunge, const struct view_head *h)
{
	s->walking = true;
	s->walk = 0;
	s->walk_clock = h->clock;
	s->walk_changes = h->changes;
	s->compare = false;
	if (may_expunge)
		s->untold = false;
}

/* A sync of all comes in between, or the places are others. */
static void walk_break(struct selected *s)
{
	if (s->walking)
		s->compare = s->untold = true;
	s->walking = false;
}

bool selected_sync_part(struct selected *s, bool may_expunge, const struct selected_news *news, void *user)
{
	struct places gone = { 0 }, flags = { 0 };
	uint32_t end;

	if (is_moved(s)) {
		walk_break(s);
		return false;
	}
	if (!s->walking) {
		struct view_head h;

		view_read_head(s->base->view, &h);
		if (!walk_is_due(s, may_expunge, &h))
			return false;
		walk_begin(s, may_expunge, &h);
		tell_keywords(s, news, user);
	}
	for (end = s->walk + PART_PLACES; s->walk < end && s->walk < s->count; s->walk++) {
		struct message m;

		view_message(s->base->view, s->walk, &m);
		if (!(m.flags & FLAG_EXPUNGED)) {
			if (m.clock > s->clock)
				places_add(&flags, s->walk);
		} else if (!is_gone(s, s->walk)) {
			if (may_expunge)
				places_add(&gone, s->walk);
			else
				s->untold = true;
		}
	}
	tell_gone(s, &gone, news, user);
	tell_flags(s, &flags, news, user);
	free(gone.list);
	free(flags.list);
	if (s->walk < s->count)
		return true;
	s->walking = false;
	s->clock = s->walk_clock;
	s->changes = s->walk_changes;
	return false;
}

struct call *selected_latest(struct selected *s, void (*done)(void *user, enum err e), void *user)
{
	return shared_can_be_newer(s->sh) ? ask_newer(s->sh, done, user) : NULL;
}

void selected_sync(struct selected *s, bool may_expunge, const struct selected_news *news, void *user)
{
	struct view_head h;

	if (s->sh->latest) { /* an event may be on its way still */
		view_read_head(s->sh->latest->view, &h);
		if (h.superseded)
			shared_refresh(s->sh);
	}
	walk_break(s);
	if (is_moved(s))
		sync_moved(s, may_expunge, news, user);
	else
		sync_same(s, may_expunge, news, user);
	s->armed = s->changed != NULL;
}
