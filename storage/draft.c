/* draft.c - see draft.h.
 * What is fed goes through the encoder to `waiting`. In memory it stays there; beyond DRAFT_MEMORY_MAX the draft
 * becomes a file, and pieces of `waiting` go to the files lane, one job at a time, each pushed towards the disk so that
 * the last one's fdatasync has little left to do. The job is part of the draft: a draft freed under it is ended
 * when it comes back. */
#include "storage/draft.h"
#include "core/call.h"
#include "core/mem.h"
#include "core/worker.h"
#include "storage/spool.h"
#include "storage/table.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define BEHIND_BYTES (1u << 20)   /* when more than that waits for the disk the input should rest */
#define PIECE_MIN    (128u << 10) /* a job is worth its while from so many bytes on */

struct draft {
	struct worker *w;
	struct form form;
	uint64_t max;
	enum err e; /* the first error */
	struct buf waiting;
	bool ending; /* draft_end was said */
	bool freed;

	struct buf path; /* of the file, NUL-ended; empty while it is in memory */
	bool busy;       /* the job is in the lane, and the fields below are the lane's */
	struct job job;
	int fd;
	bool made; /* the file is there */
	struct buf piece;
	uint64_t written;
	bool last;      /* nothing follows: sync */
	enum err job_e; /* what came of it */

	void (*on_room)(void *user);
	void *room_user;
	void (*done)(void *user, enum err e);
	void *done_user;
	struct call *telling;
};

struct draft *draft_new(struct worker *w, enum form_lines rule, uint64_t max)
{
	struct draft *d = mem_new(struct draft);

	d->w = w;
	d->form.rule = rule;
	d->max = max;
	d->fd = -1;
	return d;
}

/* --- the file ------------------------------------------------------------------------------------------------- */

static bool is_file(const struct draft *d)
{
	return buf_len(&d->path) > 0;
}

static enum err write_piece(struct draft *d)
{
	uint64_t from = d->written;

	if (d->fd < 0)
		d->fd = openat(d->w->directory, buf_data(&d->path), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (d->fd < 0)
		return err_errno("make %s", buf_data(&d->path));
	d->made = true;
	while (buf_len(&d->piece)) {
		ssize_t n = pwrite(d->fd, buf_data(&d->piece), buf_len(&d->piece), (off_t)d->written);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_errno("write %s", buf_data(&d->path));
		d->written += (uint64_t)n;
		buf_take(&d->piece, (size_t)n);
	}
	if (d->last) {
		enum err e = fdatasync(d->fd) < 0 ? err_errno("sync %s", buf_data(&d->path)) : OK;

		close(d->fd);
		d->fd = -1;
		return e;
	}
	sync_file_range(d->fd, (off_t)from, (off_t)(d->written - from), SYNC_FILE_RANGE_WRITE); /* only a head start */
	return OK;
}

static void piece_work(struct job *job)
{
	struct draft *d = container_of(job, struct draft, job);

	d->job_e = write_piece(d);
}

static void unlink_work(struct job *job)
{
	struct draft *d = container_of(job, struct draft, job);

	if (d->fd >= 0)
		close(d->fd);
	if (d->made && unlinkat(d->w->directory, buf_data(&d->path), 0) < 0)
		err_errno("unlink %s", buf_data(&d->path));
}

static void unlink_done(struct job *job)
{
	struct draft *d = container_of(job, struct draft, job);

	form_free(&d->form);
	buf_free(&d->waiting);
	buf_free(&d->piece);
	buf_free(&d->path);
	free(d);
}

static void draft_unlink(struct draft *d)
{
	d->job = (struct job){ .work = unlink_work, .done = unlink_done };
	if (is_file(d))
		lane_add(d->w->files, &d->job);
	else
		unlink_done(&d->job);
}

static void piece_done(struct job *job);

/* Gives the lane what waits, if it is enough or the last. */
static void push(struct draft *d)
{
	struct buf empty = d->piece;

	if (d->busy || !is_file(d) || d->e || (!d->ending && buf_len(&d->waiting) < PIECE_MIN))
		return;
	buf_clear(&empty);
	d->piece = d->waiting;
	d->waiting = empty;
	d->last = d->ending;
	d->busy = true;
	d->job = (struct job){ .work = piece_work, .done = piece_done };
	lane_add(d->w->files, &d->job);
}

static void piece_done(struct job *job)
{
	struct draft *d = container_of(job, struct draft, job);
	bool behind = draft_is_behind(d);

	d->busy = false;
	if (d->freed) {
		draft_unlink(d);
		return;
	}
	if (!d->e && (d->e = d->job_e))
		buf_free(&d->waiting);
	if (d->ending && (d->last || d->e)) {
		buf_free(&d->piece);
		buf_free(&d->waiting);
		d->done(d->done_user, d->e);
		return;
	}
	push(d);
	if (behind && !d->ending && !draft_is_behind(d) && d->on_room)
		d->on_room(d->room_user);
}

/* --- feeding -------------------------------------------------------------------------------------------------- */

/* Judges what the encoder made of it. */
static void take_in(struct draft *d, enum err e)
{
	if (!e && d->form.size.wire > d->max)
		e = ERR_TOO_BIG;
	if (e && !d->e)
		d->e = e;
	if (d->e)
		buf_free(&d->waiting);
	else if (!is_file(d) && buf_len(&d->waiting) > DRAFT_MEMORY_MAX)
		spool_name(d->w, &d->path);
	push(d);
}

void draft_to_file(struct draft *d)
{
	assert(!d->ending);
	if (!is_file(d))
		spool_name(d->w, &d->path);
}

void draft_feed(struct draft *d, struct str bytes)
{
	assert(!d->ending);
	if (!d->e)
		take_in(d, form_feed(&d->form, bytes, &d->waiting));
}

enum err draft_error(const struct draft *d)
{
	return d->e;
}

bool draft_is_behind(const struct draft *d)
{
	return is_file(d) && buf_len(&d->waiting) > BEHIND_BYTES;
}

void draft_on_room(struct draft *d, void (*on_room)(void *user), void *user)
{
	d->on_room = on_room;
	d->room_user = user;
}

static void tell_later(void *user, enum err e, struct str answer)
{
	struct draft *d = user;

	(void)e;
	(void)answer;
	d->telling = NULL;
	d->done(d->done_user, d->e);
}

void draft_end(struct draft *d, void (*done)(void *user, enum err e), void *user)
{
	assert(!d->ending);
	d->done = done;
	d->done_user = user;
	d->ending = true;
	if (!d->e)
		take_in(d, form_end(&d->form, &d->waiting));
	if (!d->busy)
		d->telling = call_later(d->w, tell_later, d);
}

const struct form_size *draft_size(const struct draft *d)
{
	return &d->form.size;
}

struct str draft_bytes(const struct draft *d)
{
	return is_file(d) ? STR_NONE : buf_str(&d->waiting);
}

struct str draft_file(const struct draft *d)
{
	return is_file(d) ? str_of(buf_data(&d->path)) : STR_NONE;
}

void draft_free(struct draft *d)
{
	if (!d)
		return;
	call_cancel(d->telling);
	d->freed = true;
	if (!d->busy)
		draft_unlink(d);
}
