/* shared.c - see shared.h. */
#include "storage/shared.h"
#include "core/log.h"
#include "core/mem.h"
#include "storage/mailbox/mdir.h"
#include "storage/path.h"
#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#define LOOK_MS  1000 /* an owner's death, and an event that it took with it, are noticed after so long */
#define AGAIN_MS 1000 /* between tries to get a view */

struct shareds {
	struct worker *w;
	struct table table;
	struct timer look;
};

static void look(void *user);

struct shareds *shareds_new(struct worker *w)
{
	struct shareds *all = mem_new(struct shareds);

	all->w = w;
	return all;
}

void shareds_free(struct shareds *all)
{
	if (!all)
		return;
	assert(!all->table.count);
	timer_stop(all->w->timers, &all->look);
	table_free(&all->table);
	free(all);
}

/* --- views ---------------------------------------------------------------------------------------------------------- */

struct mapped *mapped_ref(struct mapped *m)
{
	m->refs++;
	return m;
}

void mapped_unref(struct mapped *m)
{
	if (!m || --m->refs)
		return;
	view_unmap(m->view);
	if (m->fd >= 0)
		close(m->fd);
	free(m);
}

static enum err map(struct mapped **out, struct worker *w, const struct view_answer *a)
{
	struct mapped *m = mem_new(struct mapped);
	struct view_head h;
	char *path = str_dup(a->path);
	enum err e = view_map(&m->view, w->directory, path, a->id);

	free(path);
	if (e) {
		free(m);
		return ERR_AGAIN;
	}
	view_read_head(m->view, &h);
	m->refs = 1;
	m->lineage = a->lineage;
	m->generation = h.generation;
	m->mdir = h.mdir;
	m->fd = -1;
	*out = m;
	return OK;
}

/* --- mailboxes ------------------------------------------------------------------------------------------------------ */

static struct shared *shared_find(const struct worker *w, uint64_t id)
{
	struct table_node *n = w->store ? table_first(&w->store->shareds->table, id) : NULL;

	return n ? container_of(n, struct shared, node) : NULL;
}

static uint32_t owner_life(const struct worker *w, unsigned owner)
{
	return atomic_load(&shm_slot(w->shm, owner)->generation);
}

bool shared_is_stale(const struct shared *sh)
{
	struct view_head h;

	if (sh->asking)
		return true;
	if (!sh->latest)
		return false;
	view_read_head(sh->latest->view, &h);
	return h.superseded || sh->life != owner_life(sh->w, sh->owner);
}

static struct shared *shared_new(struct worker *w, struct str address, const struct view_answer *a)
{
	struct shareds *all = w->store->shareds;
	struct shared *sh = mem_new(struct shared);

	sh->w = w;
	sh->id = a->id;
	sh->address = str_dup(address);
	sh->name = str_dup(a->name);
	sh->owner = store_owner(w->store, address);
	table_add(&all->table, &sh->node, sh->id);
	if (!timer_runs(&all->look))
		timer_start(w->timers, &all->look, LOOK_MS, look, all);
	return sh;
}

static void waiting_end(struct shared *sh)
{
	while (sh->waiting) {
		struct asked *k = sh->waiting;

		sh->waiting = k->next;
		k->waits_for = NULL;
		asked_go_on(k);
	}
}

static void shared_free(struct shared *sh)
{
	table_remove(&sh->w->store->shareds->table, &sh->node);
	call_cancel(sh->asking);
	timer_stop(sh->w->timers, &sh->again);
	waiting_end(sh);
	mapped_unref(sh->latest);
	free(sh->address);
	free(sh->name);
	free(sh);
}

/* Takes up a view; every session learns of it. */
static void take_view(struct shared *sh, struct mapped *m)
{
	mapped_unref(sh->latest);
	sh->latest = m;
	sh->life = owner_life(sh->w, sh->owner);
	for (struct selected *s = sh->sessions; s; s = s->next) {
		selected_moved(s);
		selected_stir(s);
	}
}

static struct selected *join(struct shared *sh, bool claim)
{
	struct selected *s = mem_new(struct selected);

	s->sh = sh;
	s->claim = claim;
	s->next = sh->sessions;
	s->link = &sh->sessions;
	if (s->next)
		s->next->link = &s->next;
	sh->sessions = s;
	sh->session_count++;
	sh->claims += claim;
	return s;
}

/* The mailbox with the view that its owner answered. */
static enum err shared_open(struct shared **out, struct worker *w, struct str address, const struct view_answer *a)
{
	struct shared *sh = shared_find(w, a->id);
	struct mapped *m = NULL;

	*out = NULL;
	if (!sh || !sh->latest || sh->latest->lineage != a->lineage || shared_is_stale(sh)) {
		enum err e = map(&m, w, a);

		if (e)
			return e;
	}
	if (!sh)
		sh = shared_new(w, address, a);
	if (m)
		take_view(sh, m);
	*out = sh;
	return OK;
}

enum err shared_select(
	struct selected **out, struct worker *w, struct str address, const struct view_answer *a, bool claim)
{
	struct shared *sh;
	enum err e = shared_open(&sh, w, address, a);

	*out = NULL;
	if (e)
		return e;
	*out = join(sh, claim);
	(*out)->recent = a->recent;
	selected_begin(*out);
	return OK;
}

enum err shared_resume(struct selected **out, const struct dormant *d, const struct view_answer *a)
{
	struct str address = str_of(d->account->address);
	struct view_answer gone = { .id = d->id, .name = { d->bytes, d->name_len } };
	struct shared *sh = a ? NULL : shared_find(d->w, d->id);
	enum err e = a ? shared_open(&sh, d->w, address, a) : OK;
	struct selected *s;
	uint32_t *uids;

	*out = NULL;
	if (e)
		return e;
	if (!sh)
		sh = shared_new(d->w, address, &gone);
	s = join(sh, d->claim);
	s->recent = d->recent;
	s->clock = d->clock;
	s->keywords = d->keywords;
	uids = dormant_uids(d);
	selected_resume(s, uids, d->exists, d->uidnext, d->uidvalidity);
	free(uids);
	*out = s;
	return OK;
}

void shared_unwatch(struct worker *w, unsigned owner, uint64_t id, enum unwatch what)
{
	struct buf event = { 0 };

	pack_u64(&event, id);
	pack_u32(&event, w->slot);
	pack_u8(&event, (uint8_t)what);
	event_send(w, owner, &store_calls[EVENT_UNWATCH], buf_str(&event));
	buf_free(&event);
}

void shared_leave(struct selected *s)
{
	struct shared *sh = s->sh;

	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
	sh->session_count--;
	sh->claims -= s->claim;
	shared_unwatch(sh->w, sh->owner, sh->id, s->claim ? UNWATCH_CLAIM : UNWATCH_ONE);
	if (!sh->sessions)
		shared_free(sh);
}

/* --- newer views ------------------------------------------------------------------------------------------------------ */

static void refresh_again(void *user)
{
	shared_refresh(user);
}

static void refreshed(struct asked *k, enum err e, struct str answer)
{
	struct shared *sh = k->user;
	struct view_answer a;
	struct mapped *m = NULL;

	sh->asking = NULL;
	if (!e && !view_answer_read(answer, &a))
		e = ERR_AGAIN;
	if (!e && a.id != sh->id)
		e = ERR_ABSENT; /* another one has its name now */
	if (!e)
		e = map(&m, sh->w, &a);
	if (e && e != ERR_ABSENT) {
		timer_start(sh->w->timers, &sh->again, AGAIN_MS, refresh_again, sh);
	} else {
		if (m) {
			free(sh->name);
			sh->name = str_dup(a.name);
		} else {
			log_info("store", NULL, "a selected mailbox is gone account=%s mailbox=\"%s\"", sh->address,
				sh->name);
		}
		take_view(sh, m);
		if (shared_is_stale(sh))
			shared_refresh(sh);
	}
	if (!sh->asking)
		waiting_end(sh);
}

void shared_refresh(struct shared *sh)
{
	if (sh->asking || !sh->latest)
		return;
	timer_stop(sh->w->timers, &sh->again);
	sh->asking = shared_ask(sh, refreshed);
}

static void look(void *user)
{
	struct shareds *all = user;

	for (size_t i = 0; all->table.count && i < all->table.chain_count; i++)
		for (struct table_node *n = all->table.chains[i]; n; n = n->next) {
			struct shared *sh = container_of(n, struct shared, node);

			if (shared_is_stale(sh))
				shared_refresh(sh);
		}
	if (all->table.count)
		timer_start(all->w->timers, &all->look, LOOK_MS, look, all);
}

void changed_handle(struct worker *w, struct request *rq, struct str args)
{
	struct unpack u = unpack_of(args);
	uint64_t id = unpack_u64(&u);
	uint32_t owner = unpack_u32(&u);
	struct shared *sh = shared_find(w, id);

	(void)rq;
	if (!w->store || !unpack_end(&u) || owner >= w->workers)
		return;
	/* Else it may be the one that is being selected. Said before anybody wakes, who is counted behind it. */
	if (!sh && !w->store->selecting) /* an answer to SELECT may have come after its deadline: nobody watches */
		shared_unwatch(w, owner, id, UNWATCH_ALL);
	dormants_stir(w, id);
	if (!sh)
		return;
	if (shared_is_stale(sh))
		shared_refresh(sh);
	else
		for (struct selected *s = sh->sessions; s; s = s->next)
			selected_stir(s);
}

void shared_wait_add(struct shared *sh, struct asked *k)
{
	k->waits_for = sh;
	k->next = sh->waiting;
	sh->waiting = k;
}

bool shared_can_be_newer(const struct shared *sh)
{
	return shared_is_stale(sh) && !timer_runs(&sh->again);
}

bool shared_wait(struct worker *w, uint64_t id, struct asked *k)
{
	struct shared *sh = shared_find(w, id);

	if (!sh || !shared_is_stale(sh))
		return false;
	shared_refresh(sh);
	shared_wait_add(sh, k);
	return true;
}

void shared_wait_drop(struct asked *k)
{
	struct asked **at = &k->waits_for->waiting;

	while (*at != k)
		at = &(*at)->next;
	*at = k->next;
}

char *shared_mbox_path(const struct shared *sh, const struct mapped *in, uint32_t uid)
{
	struct buf path = { 0 }, file = { 0 };
	char *copy;

	path_mailbox(&path, str_of(sh->address), str_of(sh->name)); /* its name was good when it was selected */
	buf_add_char(&path, '\0');
	if (in->mdir)
		mdir_path(&file, buf_data(&path), uid);
	else
		buf_printf(&file, "%s.mbox", buf_data(&path));
	copy = str_dup(buf_str(&file));
	buf_free(&path);
	buf_free(&file);
	return copy;
}
