/* lane.c - see lane.h.
 *   lane_add -> waiting -> the thread works -> finished -> lane_collect
 * Both queues are guarded by the mutex; the depth belongs to the loop's thread alone. The thread writes the eventfd
 * when `finished` ceases to be empty: a loop that reads the eventfd first and then collects misses nothing. */
#include "core/lane.h"
#include "core/log.h"
#include "core/mem.h"
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct queue {
	struct job *first, **last; /* last: the link to hang the next job on */
};

struct lane {
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t work_came, work_done;
	struct queue waiting, finished;
	bool ending;
	int wake_fd;
	size_t depth; /* the loop's */
};

static void queue_clear(struct queue *q)
{
	q->first = NULL;
	q->last = &q->first;
}

static void queue_add(struct queue *q, struct job *job)
{
	job->next = NULL;
	*q->last = job;
	q->last = &job->next;
}

static struct job *queue_take(struct queue *q)
{
	struct job *job = q->first;

	q->first = job->next;
	if (!q->first)
		q->last = &q->first;
	return job;
}

static void wake(int fd)
{
	uint64_t one = 1;

	while (write(fd, &one, sizeof(one)) < 0)
		if (errno != EINTR) {
			assert(errno == EAGAIN); /* the eventfd is full of wakes already */
			return;
		}
}

static void *lane_thread(void *user)
{
	struct lane *l = user;

	pthread_mutex_lock(&l->mutex);
	for (;;) {
		struct job *job;
		bool first;

		while (!l->waiting.first && !l->ending)
			pthread_cond_wait(&l->work_came, &l->mutex);
		if (!l->waiting.first)
			break;
		job = queue_take(&l->waiting);
		pthread_mutex_unlock(&l->mutex);
		job->work(job);
		pthread_mutex_lock(&l->mutex);
		first = !l->finished.first;
		queue_add(&l->finished, job);
		if (first) {
			pthread_cond_signal(&l->work_done);
			pthread_mutex_unlock(&l->mutex);
			wake(l->wake_fd);
			pthread_mutex_lock(&l->mutex);
		}
	}
	pthread_mutex_unlock(&l->mutex);
	return NULL;
}

struct lane *lane_new(const char *name, int wake_fd)
{
	struct lane *l = mem_new(struct lane);
	sigset_t all, before;
	int failed;

	pthread_mutex_init(&l->mutex, NULL);
	pthread_cond_init(&l->work_came, NULL);
	pthread_cond_init(&l->work_done, NULL);
	queue_clear(&l->waiting);
	queue_clear(&l->finished);
	l->wake_fd = wake_fd;
	sigfillset(&all); /* the thread is born with every signal blocked: they are the loop's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	failed = pthread_create(&l->thread, NULL, lane_thread, l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed) { /* as with want of memory: the machine's failure, and no worker can be without its lanes */
		log_error("core", NULL, "cannot start a thread lane=%s error=\"%s\"", name, strerror(failed));
		abort();
	}
	pthread_setname_np(l->thread, name); /* for ps and gdb; a name over 15 bytes is not set */
	return l;
}

void lane_add(struct lane *l, struct job *job)
{
	bool first;

	assert(job->work && job->done);
	l->depth++;
	pthread_mutex_lock(&l->mutex);
	first = !l->waiting.first; /* the thread waits for no other */
	queue_add(&l->waiting, job);
	pthread_mutex_unlock(&l->mutex);
	if (first)
		pthread_cond_signal(&l->work_came); /* it need not wait for the mutex, too */
}

size_t lane_collect(struct lane *l)
{
	size_t count = 0;
	struct job *job;

	pthread_mutex_lock(&l->mutex);
	job = l->finished.first;
	queue_clear(&l->finished);
	pthread_mutex_unlock(&l->mutex);
	while (job) {
		struct job *next = job->next; /* done may free the job, or add it again */

		l->depth--;
		job->done(job);
		job = next;
		count++;
	}
	return count;
}

size_t lane_depth(const struct lane *l)
{
	return l->depth;
}

void lane_drain(struct lane *l)
{
	while (l->depth) {
		pthread_mutex_lock(&l->mutex);
		while (!l->finished.first)
			pthread_cond_wait(&l->work_done, &l->mutex);
		pthread_mutex_unlock(&l->mutex);
		lane_collect(l);
	}
}

void lane_free(struct lane *l)
{
	if (!l)
		return;
	lane_drain(l);
	pthread_mutex_lock(&l->mutex);
	l->ending = true;
	pthread_cond_signal(&l->work_came);
	pthread_mutex_unlock(&l->mutex);
	pthread_join(l->thread, NULL);
	pthread_cond_destroy(&l->work_done);
	pthread_cond_destroy(&l->work_came);
	pthread_mutex_destroy(&l->mutex);
	free(l);
}
