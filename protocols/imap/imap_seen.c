/* imap_seen.c - the implicit \Seen of FETCH (RFC 3501, 6.4.5): told to the client at once, and to the owner, who is not
 * waited for. Until the mailbox shows it the session remembers, so that its client sees no message turn unseen again and
 * hears of its own doing once. */
#include "core/mem.h"
#include "protocols/imap/imap_session.h"
#include <stdlib.h>

#define BATCH_MAX   1000 /* messages told to the owner at once */
#define QUIET_MAX   32   /* messages that are remembered while the client is quiet */
#define BATCHES_MAX 16   /* that are remembered; beyond, messages are marked all the same */

struct seeing { /* of one FETCH */
	struct seeing *next;
	struct call *call;
	bool sent, done;   /* done: the mailbox shows it by now */
	struct told *list; /* what the client was told, ascending; ours */
	size_t count;
};

static int by_uid(const void *key, const void *told)
{
	uint32_t uid = *(const uint32_t *)key, other = ((const struct told *)told)->uid;

	return (uid > other) - (uid < other);
}

const struct told *imap_told_find(const struct told *list, size_t count, uint32_t uid)
{
	return count ? bsearch(&uid, list, count, sizeof(*list), by_uid) : NULL;
}

const struct told *imap_seen_find(const struct imap *s, uint32_t uid)
{
	for (const struct seeing *g = s->seeing; g; g = g->next) {
		const struct told *t = imap_told_find(g->list, g->count, uid);

		if (t)
			return t;
	}
	return NULL;
}

void imap_seen_mend(const struct imap *s, struct message *m)
{
	for (const struct seeing *g = s->seeing; g; g = g->next)
		if (!g->done && imap_told_find(g->list, g->count, m->uid))
			m->flags |= FLAG_SEEN;
}

static void batch_done(void *user, enum err e)
{
	struct seeing *g = user;

	(void)e; /* if it went wrong the message is unseen again, and news */
	g->call = NULL;
	g->done = true;
}

static void batch_free(struct seeing *g)
{
	call_cancel(g->call); /* it runs all the same */
	free(g->list);
	free(g);
}

void imap_seen_send(struct imap *s)
{
	struct flag_words seen = { .flags = FLAG_SEEN };
	struct seeing *g = s->seeing;
	struct uid_range *uids;
	unsigned batches = 0;

	if (!g || g->sent)
		return;
	uids = mem_alloc(g->count * sizeof(*uids));
	for (size_t i = 0; i < g->count; i++)
		uids[i] = (struct uid_range){ g->list[i].uid, g->list[i].uid };
	g->sent = true;
	g->list = mem_resize(g->list, g->count * sizeof(*g->list));
	g->call = store_flags(s->worker, s->account, s->mailbox, uids, g->count, FLAGS_ADD, &seen, batch_done, g);
	free(uids);
	for (struct seeing **link = &s->seeing; *link; link = &(*link)->next)
		if (++batches == BATCHES_MAX)
			while ((g = (*link)->next)) {
				(*link)->next = g->next;
				batch_free(g);
			}
}

void imap_seen_add(struct imap *s, const struct message *m)
{
	struct seeing *g = s->seeing;

	if (!g || g->sent) {
		g = mem_new(struct seeing);
		g->list = mem_alloc(BATCH_MAX * sizeof(*g->list));
		g->next = s->seeing;
		s->seeing = g;
	}
	g->list[g->count++] = (struct told){ m->uid, m->flags & FLAG_SYSTEM, m->keywords };
	if (g->count == BATCH_MAX)
		imap_seen_send(s);
}

void imap_seen_synced(struct imap *s)
{
	for (struct seeing **link = &s->seeing; *link;) {
		struct seeing *g = *link;

		if (g->done) {
			*link = g->next;
			batch_free(g);
		} else {
			link = &g->next;
		}
	}
}

/* Few are remembered all the same, lest the client hears again what it was told. */
bool imap_seen_forget(struct imap *s)
{
	size_t count = 0;

	for (const struct seeing *g = s->seeing; g; g = g->next) {
		if (!g->sent || !g->done)
			return false;
		count += g->count;
	}
	if (count > QUIET_MAX)
		imap_seen_drop(s);
	return true;
}

void imap_seen_drop(struct imap *s)
{
	struct seeing *g;

	imap_seen_send(s);
	while ((g = s->seeing)) {
		s->seeing = g->next;
		batch_free(g);
	}
}
