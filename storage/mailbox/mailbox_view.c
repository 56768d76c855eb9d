/* mailbox_view.c - views of mailboxes, and the workers that watch them.
 * A view is made when a session first selects the mailbox or somebody changes flags: of a large mailbox from that of an
 * earlier life (mailbox_kept.c), else from the index, or, if that does not know all the messages that the record counts,
 * from the files. While one is made nothing new is seen, so what was
 * read stays true until it is there. A view without room is copied to a larger one, place by place: the two are of one
 * lineage, and readers move over without counting anew. */
#include "core/log.h"
#include "core/mem.h"
#include "storage/mailbox/lookup.h"
#include "storage/mailbox/mailbox.h"
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOM_MIN  256 /* messages that a new view has room for, at least */
#define LINGER_MS 60000
#define ROOM_MORE 4 /* a view has room for one in so many more than there are */

struct view_wait {
	struct view_wait *next;
	struct task *t;
	task_step *step;
};

struct making {
	struct job job;
	struct lookup lookup;
	struct mailbox *m;
	struct index *index;
	unsigned shard;
	struct mailbox_record seen; /* what the view is to show */
	struct mailbox_scan scan;   /* its messages */
	struct messages indexed;    /* or these */
	const struct view *old;     /* or those of this view */
	uint32_t capacity;
	struct buf path;
	struct view *view;
	bool lost, scanned; /* the index did not know all of them; the files were read */
	enum err e;
};

/* --- files -------------------------------------------------------------------------------------------------------- */

/* A view that is superseded stays for those who were told of it and are about to map it. */
struct unlinking {
	struct unlinking *next, **link; /* of store.unlinkings */
	struct store *st;
	struct job job;
	struct timer timer;
	char *path;
};

static void unlink_work(struct job *job)
{
	struct unlinking *u = container_of(job, struct unlinking, job);

	if (unlinkat(u->st->w->directory, u->path, 0) < 0 && errno != ENOENT)
		err_errno("unlink %s", u->path);
}

static void unlink_done(struct job *job)
{
	struct unlinking *u = container_of(job, struct unlinking, job);

	free(u->path);
	free(u);
}

static void unlink_now(void *user)
{
	struct unlinking *u = user;

	timer_stop(u->st->w->timers, &u->timer);
	*u->link = u->next;
	if (u->next)
		u->next->link = u->link;
	u->job = (struct job){ .work = unlink_work, .done = unlink_done };
	lane_add(u->st->w->files, &u->job);
}

static void unlink_later(struct store *st, char *path)
{
	struct unlinking *u = mem_new(struct unlinking);

	u->st = st;
	u->path = path;
	u->next = st->unlinkings;
	u->link = &st->unlinkings;
	if (u->next)
		u->next->link = &u->next;
	st->unlinkings = u;
	timer_start(st->w->timers, &u->timer, LINGER_MS, unlink_now, u);
}

void views_unlink_now(struct store *st)
{
	while (st->unlinkings)
		unlink_now(st->unlinkings);
}

void mailbox_view_drop(struct mailbox *m)
{
	if (!m->view)
		return;
	view_supersede(m->view);
	view_unmap(m->view);
	unlink_later(m->st, m->view_path);
	m->view = NULL;
	m->view_path = NULL;
	mailbox_news(m);
}

static void directory_empty(int directory, unsigned shard)
{
	const struct dirent *entry;
	char path[64];
	DIR *dir;
	int fd;

	snprintf(path, sizeof(path), "index/%u/views", shard);
	fd = openat(directory, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return; /* none was ever made */
	if (!(dir = fdopendir(fd))) {
		close(fd);
		return;
	}
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' && !kept_stays(fd, entry->d_name) && unlinkat(fd, entry->d_name, 0) < 0)
			err_errno("unlink %s/%s", path, entry->d_name);
	closedir(dir);
}

void views_start(struct store *st)
{
	for (unsigned shard = st->w->slot; shard < st->shards; shard += st->w->workers)
		directory_empty(st->w->directory, shard);
}

/* --- making ------------------------------------------------------------------------------------------------------- */

static void directory_make(int directory, unsigned shard)
{
	char path[64];

	mkdirat(directory, "index", 0700); /* mostly it is there; if none can be made, view_create says so */
	snprintf(path, sizeof(path), "index/%u", shard);
	mkdirat(directory, path, 0700);
	snprintf(path, sizeof(path), "index/%u/views", shard);
	mkdirat(directory, path, 0700);
}

static void view_write(struct making *k)
{
	const struct state_head *h = &k->seen.head;
	struct view_head old = { 0 };

	directory_make(k->scan.directory, k->shard);
	k->e = view_create(
		&k->view, k->scan.directory, buf_data(&k->path), h->id, h->generation, h->uidvalidity, k->capacity);
	if (k->e)
		return;
	if (h->mdir)
		view_is_mdir(k->view);
	view_keywords_set(k->view, &k->seen.keywords);
	if (k->old)
		view_read_head(k->old, &old);
	for (uint32_t i = 0; i < old.count; i++) {
		struct message msg;

		view_message(k->old, i, &msg);
		view_add(k->view, &msg);
	}
	for (size_t i = 0; i < k->scan.count; i++)
		if (!(k->scan.messages[i].flags & FLAG_EXPUNGED))
			view_add(k->view, &k->scan.messages[i]);
	view_publish(k->view, h->uidnext, h->clock);
	mailbox_scan_free(&k->scan); /* of a large mailbox that takes a while */
}

static void index_work(struct lookup *lookup)
{
	struct making *k = container_of(lookup, struct making, lookup);
	struct messages *all = &k->indexed;

	k->view = kept_take(k->scan.directory, k->shard, &k->seen, buf_data(&k->path));
	if (k->view) {
		k->capacity = view_capacity(k->view);
		return;
	}
	k->e = index_messages_work(k->index, k->shard, k->seen.head.id, messages_add, all);
	k->lost = k->e || all->count != k->seen.messages;
	k->scan.messages = all->list;
	k->scan.count = k->scan.cap = all->count;
	if (!k->lost)
		view_write(k);
}

static void copy_work(struct job *job)
{
	view_write(container_of(job, struct making, job));
}

static void files_work(struct job *job)
{
	struct making *k = container_of(job, struct making, job);

	k->e = mailbox_scan_files(&k->scan);
	if (!k->e && k->scan.r.messages != k->seen.messages) {
		log_error("store", NULL, "the files do not hold what was counted path=%s messages=%u counted=%u",
			k->scan.stem, k->scan.r.messages, k->seen.messages);
		k->e = ERR_AGAIN;
	}
	if (!k->e)
		view_write(k);
}

static void making_done(struct job *job);

static void waits_end(struct mailbox *m, enum err e)
{
	struct view_wait *wait = m->view_waits;

	m->view_waits = NULL;
	while (wait) {
		struct view_wait *next = wait->next;

		wait->step(wait->t, e);
		wait = next;
	}
}

/* The index does not know the messages that the record counts. */
static void make_from_files(struct making *k)
{
	struct mailbox *m = k->m;

	mailbox_scan_free(&k->scan);
	k->scan = (struct mailbox_scan){ .directory = m->st->w->directory,
		.stem = m->stem,
		.account = m->h->address,
		.mailbox = m->name,
		.mbox_max = k->seen.mbox_end,
		.uid_end = k->seen.head.uidnext,
		.state_max = k->seen.state_end };
	k->scan.r.keywords = k->seen.keywords; /* they keep their bits */
	k->scanned = true;
	k->job = (struct job){ .work = files_work, .done = making_done };
	lane_add(m->st->w->slow, &k->job);
}

static void making_done(struct job *job)
{
	struct making *k = container_of(job, struct making, job);
	struct mailbox *m = k->m;

	if (k->lost && !k->scanned) {
		log_warn("store", NULL, "the index lacks messages account=%s mailbox=\"%s\"", m->h->address, m->name);
		m->making = k;
		mailbox_view_go_on(m);
		return;
	}
	m->view_making = false;
	if (k->old)
		mailbox_view_drop(m);
	else
		m->lineage = m->st->serial++;
	if (!k->e) {
		m->view = k->view;
		m->view_cap = k->capacity;
		m->view_path = str_dup(str_of(buf_data(&k->path)));
	}
	if (!k->e && k->scanned) {
		size_t count;
		struct message *all = mailbox_seen(m, false, &count);

		mailbox_put_whole(m, all, count);
	}
	buf_free(&k->path);
	mailbox_scan_free(&k->scan);
	free(k);
	waits_end(m, m->view ? OK : ERR_AGAIN);
	mailbox_publish(m);
	mailbox_unpin(m);
}

void mailbox_view_go_on(struct mailbox *m)
{
	struct making *k = m->making;

	if (!k || mailbox_is_ahead(m))
		return;
	m->making = NULL;
	make_from_files(k);
}

void mailbox_view_forget(struct mailbox *m)
{
	struct making *k = m->making;

	if (!k)
		return;
	m->making = NULL;
	m->view_making = false;
	buf_free(&k->path);
	mailbox_scan_free(&k->scan);
	free(k);
	mailbox_unpin(m);
}

static struct making *making_new(struct mailbox *m, const struct view *old, uint64_t messages)
{
	struct making *k = mem_new(struct making);
	uint64_t capacity = messages + messages / ROOM_MORE;

	k->m = m;
	k->index = m->st->index;
	k->shard = m->h->shard;
	k->seen = m->seen;
	k->scan.directory = m->st->w->directory;
	k->scan.stem = m->stem;
	k->old = old;
	k->capacity = capacity < ROOM_MIN ? ROOM_MIN : capacity < UINT32_MAX ? (uint32_t)capacity : UINT32_MAX;
	buf_printf(&k->path, "index/%u/views/%016" PRIx64 "-%" PRIu32 "-%" PRIx64, k->shard, k->seen.head.id,
		k->seen.head.generation, m->st->serial++);
	buf_add_char(&k->path, '\0');
	return k;
}

/* The index is stuck, and so is what it was asked: another view is made, from the files. */
static void index_answered(struct lookup *lookup, bool is_left)
{
	struct making *k = container_of(lookup, struct making, lookup);
	struct mailbox *m = k->m;

	if (!is_left) {
		making_done(&k->job);
		return;
	}
	m->making = making_new(m, NULL, m->seen.messages);
	m->making->lost = true;
	mailbox_view_go_on(m);
}

static void index_dropped(struct lookup *lookup)
{
	struct making *k = container_of(lookup, struct making, lookup);

	if (k->view) {
		view_unmap(k->view);
		unlink_later(lookup->st, str_dup(str_of(buf_data(&k->path))));
	}
	buf_free(&k->path);
	mailbox_scan_free(&k->scan);
	free(k);
}

/* old: what is there already is copied to a larger one, and the index has no part in it. */
static void make(struct mailbox *m, const struct view *old, uint64_t messages)
{
	struct making *k = making_new(m, old, messages);

	m->view_making = true;
	mailbox_put_flush(m);
	mailbox_pin(m);
	if (old) {
		k->job = (struct job){ .work = copy_work, .done = making_done };
		lane_add(m->st->w->files, &k->job);
		return;
	}
	k->indexed.lane = m->st->w->index;
	k->lookup.work = index_work;
	k->lookup.done = index_answered;
	k->lookup.drop = index_dropped;
	lookup_go(m->st, &k->lookup);
}

/* Somebody removed its file, so that nobody can map it any more, and nobody but the asker relies on it now. */
static bool is_lost(const struct mailbox *m)
{
	return !m->changes && m->shared + (m->alone != NULL) <= 1 &&
	       faccessat(m->st->w->directory, m->view_path, F_OK, 0) < 0 && errno == ENOENT;
}

void mailbox_view(struct task *t, struct mailbox *m, task_step *step)
{
	struct view_wait *wait, **last = &m->view_waits;

	if (m->view && !m->view_making && is_lost(m))
		mailbox_view_drop(m);
	if (m->view && !m->view_making) {
		step(t, OK);
		return;
	}
	wait = arena_new(&t->memory, struct view_wait);
	wait->t = t;
	wait->step = step;
	while (*last)
		last = &(*last)->next;
	*last = wait;
	if (!m->view_making)
		make(m, NULL, m->seen.messages);
}

bool view_grow(struct mailbox *m, uint32_t more)
{
	struct view_head h;

	view_read_head(m->view, &h);
	if (h.count + (uint64_t)more <= m->view_cap)
		return false;
	make(m, m->view, h.count + (uint64_t)more);
	return true;
}

struct message *mailbox_seen(const struct mailbox *m, bool expunged, size_t *count)
{
	struct view_head h;
	struct message *all;
	size_t most;

	view_read_head(m->view, &h);
	most = expunged ? h.expunged : h.count - h.expunged;
	all = mem_alloc((most + 1) * sizeof(*all));
	*count = 0;
	for (uint32_t place = 0; place < h.count && *count < most; place++) {
		view_message(m->view, place, &all[*count]);
		*count += expunged == !!(all[*count].flags & FLAG_EXPUNGED);
	}
	return all;
}

/* --- watching ----------------------------------------------------------------------------------------------------- */

static uint32_t life_of(const struct store *st, unsigned slot)
{
	return atomic_load(&shm_slot(st->w->shm, slot)->generation);
}

/* Of a watcher that died nothing counts. */
static bool lives(const struct mailbox *m, const struct watcher *w)
{
	return w->life == life_of(m->st, w->slot);
}

const struct watcher *mailbox_watcher(const struct mailbox *m, unsigned slot)
{
	for (size_t i = 0; i < m->watcher_count; i++)
		if (m->watchers[i].slot == slot && lives(m, &m->watchers[i]))
			return &m->watchers[i];
	return NULL;
}

bool mailbox_is_claimed(const struct mailbox *m)
{
	for (size_t i = 0; i < m->watcher_count; i++)
		if (m->watchers[i].claims && lives(m, &m->watchers[i]))
			return true;
	return false;
}

static void watcher_remove(struct mailbox *m, size_t place)
{
	m->watchers[place] = m->watchers[--m->watcher_count];
	if (m->watcher_count)
		return;
	free(m->watchers);
	m->watchers = NULL;
	timer_stop(m->st->w->timers, &m->compact_timer); /* it need not wait for sessions any more */
	if (m->state == MAILBOX_READY)
		compact_if_due(m);
	mailbox_unpin(m);
}

void mailbox_unwatch_all(struct mailbox *m)
{
	while (m->watcher_count)
		watcher_remove(m, m->watcher_count - 1);
}

void mailbox_watch(struct mailbox *m, unsigned slot, int sessions, int claims)
{
	struct watcher *w;
	size_t place = 0;

	while (place < m->watcher_count && m->watchers[place].slot != slot)
		place++;
	if (place == m->watcher_count) {
		if (sessions <= 0)
			return;
		if (!m->watcher_count)
			mailbox_pin(m);
		m->watchers = mem_resize(m->watchers, (place + 1) * sizeof(*m->watchers));
		m->watchers[m->watcher_count++] = (struct watcher){ .slot = slot, .life = life_of(m->st, slot) };
	}
	w = &m->watchers[place];
	if (!lives(m, w))
		*w = (struct watcher){ .slot = slot, .life = life_of(m->st, slot) };
	w->sessions = (uint32_t)((int64_t)w->sessions + sessions > 0 ? (int64_t)w->sessions + sessions : 0);
	w->claims = (uint32_t)((int64_t)w->claims + claims > 0 ? (int64_t)w->claims + claims : 0);
	if (!w->sessions)
		watcher_remove(m, place);
}

void mailbox_news_now(struct mailbox *m)
{
	struct buf event = { 0 };

	pack_u64(&event, m->seen.head.id);
	pack_u32(&event, m->st->w->slot);
	for (size_t i = m->watcher_count; i-- > 0;)
		if (lives(m, &m->watchers[i]))
			event_send(m->st->w, m->watchers[i].slot, &store_calls[EVENT_CHANGED], buf_str(&event));
		else
			watcher_remove(m, i);
	buf_free(&event);
	sleepers_tell(m->st, m->seen.head.id);
}

static void news_send(void *user)
{
	struct store *st = user;
	struct mailbox *m;

	while ((m = st->news)) {
		st->news = m->news_next;
		m->news = false;
		mailbox_news_now(m);
		mailbox_unpin(m);
	}
}

/* What happens in one turn of the loop is told once. */
void mailbox_news(struct mailbox *m)
{
	struct store *st = m->st;

	if (m->news || m->state == MAILBOX_GONE || (!m->watcher_count && !sleepers_any(st, m->seen.head.id)))
		return;
	m->news = true;
	m->news_next = st->news;
	st->news = m;
	mailbox_pin(m);
	if (!timer_runs(&st->news_timer))
		timer_start(st->w->timers, &st->news_timer, 0, news_send, st);
}
