/* mailbox_kept.c - the view of a large mailbox is kept when the mailbox leaves memory, also at a stop.
 * To make it from the index takes half a microsecond for each message, to take it up again next to nothing. It is sealed
 * (view.h) and lies beside the others by the mailbox's id; when the mailbox is loaded, and its record says just what it
 * did, its view is there. Any other is removed, and those that nobody asked for in a week. */
#include "core/mem.h"
#include "storage/mailbox/mailbox.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MESSAGES_LEAST 16384 /* a smaller view is not worth its file */
#define GONE_PART      4     /* nor is one of which more than one in so many is expunged */
#define UNASKED_S      (7 * 24 * 3600)
#define PATH_SIZE      80

static const char suffix[] = ".kept";

static void path_print(char path[PATH_SIZE], unsigned shard, uint64_t id)
{
	snprintf(path, PATH_SIZE, "index/%u/views/%016" PRIx64 "%s", shard, id, suffix);
}

/* --- the end of a life -------------------------------------------------------------------------------------------- */

struct keep {
	struct job job;
	int directory;
	struct view *view;
	char *path;
	char kept[PATH_SIZE];
	uint64_t mbox_end, state_end;
};

static void keep_work(struct job *job)
{
	struct keep *k = container_of(job, struct keep, job);

	view_seal(k->view, k->mbox_end, k->state_end);
	view_unmap(k->view);
	if (!renameat(k->directory, k->path, k->directory, k->kept))
		return;
	if (errno != ENOENT)
		err_errno("rename %s", k->path);
	unlinkat(k->directory, k->path, 0);
}

static void keep_done(struct job *job)
{
	struct keep *k = container_of(job, struct keep, job);

	free(k->path);
	free(k);
}

/* Whether it shows what the record says, and that is what the files say. */
static bool shows(const struct view *v, const struct mailbox_record *r)
{
	struct view_head h;

	view_read_head(v, &h);
	if (view_keyword_count(v) != r->keywords.count)
		return false;
	for (unsigned i = 0; i < r->keywords.count; i++) {
		const char *word = view_keyword(v, i);

		if (!word || strcmp(word, r->keywords.word[i]))
			return false;
	}
	return h.id == r->head.id && h.generation == r->head.generation && h.uidvalidity == r->head.uidvalidity &&
	       h.uidnext == r->head.uidnext && h.clock == r->head.clock && h.count - h.expunged == r->messages &&
	       h.unseen == r->unseen && h.deleted == r->deleted && h.bytes == r->bytes;
}

bool mailbox_view_keep(struct mailbox *m)
{
	struct view_head h;
	struct keep *k;

	if (!m->view || m->state != MAILBOX_READY || m->foreign || m->changes || m->view_making || m->watcher_count)
		return false;
	view_publish(m->view, m->seen.head.uidnext, m->seen.head.clock);
	view_read_head(m->view, &h);
	if (h.count < MESSAGES_LEAST || h.expunged > h.count / GONE_PART || h.superseded || !shows(m->view, &m->seen))
		return false;
	k = mem_new(struct keep);
	k->job = (struct job){ .work = keep_work, .done = keep_done };
	k->directory = m->st->w->directory;
	k->view = m->view;
	k->path = m->view_path;
	k->mbox_end = m->seen.mbox_end;
	k->state_end = m->seen.state_end;
	path_print(k->kept, m->h->shard, m->seen.head.id);
	m->view = NULL;
	m->view_path = NULL;
	lane_add(m->st->w->index, &k->job);
	return true;
}

/* --- the beginning of the next ------------------------------------------------------------------------------------ */

struct view *kept_take(int directory, unsigned shard, const struct mailbox_record *r, const char *path)
{
	char kept[PATH_SIZE];
	uint64_t mbox_end, state_end;
	struct view *v;
	enum err e;

	path_print(kept, shard, r->head.id);
	e = view_unseal(&v, directory, kept, r->head.id, &mbox_end, &state_end);
	if (e == ERR_ABSENT)
		return NULL;
	if (!e && mbox_end == r->mbox_end && state_end == r->state_end && shows(v, r) &&
		!renameat(directory, kept, directory, path))
		return v;
	view_unmap(v);
	unlinkat(directory, kept, 0);
	return NULL;
}

bool kept_stays(int views, const char *name)
{
	struct timespec now;
	struct stat st;
	size_t len = strlen(name);

	if (len < sizeof(suffix) || strcmp(name + len - (sizeof(suffix) - 1), suffix) || fstatat(views, name, &st, 0))
		return false;
	clock_gettime(CLOCK_REALTIME, &now);
	return st.st_mtim.tv_sec + UNASKED_S > now.tv_sec;
}
