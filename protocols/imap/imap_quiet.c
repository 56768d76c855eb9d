/* imap_quiet.c - clients are quiet most of the time: then a session holds next to nothing.
 * Once its client was silent for so long (imap.quiet_time) the session gives back its memory of commands and lets go of
 * its mailbox but for what the client was told (selected.h: dormant). The client's next word waits until the mailbox is
 * there again; in IDLE a change of the mailbox does the same, and is then told. If it cannot be had, commands that need
 * it are refused, and the next one tries again. */
#include "core/counter.h"
#include "core/mem.h"
#include "core/slab.h"
#include "protocols/imap/imap_session.h"
#include <assert.h>
#include <stdlib.h>

COUNTER(quieted, "imap.quieted", "IMAP sessions that gave back what only a client who speaks needs");
COUNTER(wakings, "imap.woken", "IMAP sessions that had their mailbox again after that");

struct imap_work imap_no_work;
static struct slab works = { .size = sizeof(struct imap_work) };

static void woken(void *user, enum err e, struct selected *mailbox)
{
	struct imap *s = user;

	s->waiting = NULL;
	s->unwoken = e && conn_unread(s->conn);
	if (!e) {
		counter_add(&wakings, 1);
		s->dormant = NULL;
		s->mailbox = mailbox;
		if (s->watching && !s->parted)
			imap_watch(s, true);
	}
	if (!s->parted)
		imap_resume(s, DONE);
}

bool imap_wake(struct imap *s)
{
	assert(s->dormant && !s->waiting);
	s->waiting = store_wake(s->dormant, woken, s);
	conn_rest(s->conn);
	return true;
}

/* An idling client's mailbox changed. */
static void changed(void *user)
{
	struct imap *s = user;

	if (s->waiting || s->parted)
		return;
	imap_hear(s);
	conn_quiet(s->conn, (uint32_t)imap_conf(s)->quiet_ms);
	imap_wake(s);
}

void imap_hear(struct imap *s)
{
	if (s->work == &imap_no_work)
		s->work = slab_alloc(&works);
}

/* Whether nothing of a command is kept but, in IDLE, its tag. */
static bool may_sleep(const struct imap *s)
{
	const struct imap_work *k = s->work;

	return !s->parted && !s->waiting && !k->login && !k->sasl && !k->listing && !k->fetch && !k->search &&
	       !chore_runs(&k->telling) && !k->append && (!s->command || s->watching) && !conn_unread(s->conn) &&
	       conn_has_room(s->conn);
}

void imap_quiet(void *session)
{
	struct imap *s = session;
	struct dormant *d = NULL;

	if (!may_sleep(s) || (s->mailbox && (!imap_seen_forget(s) || !(d = dormant_new(s->mailbox, s->account,
									       s->watching ? changed : NULL, s))))) {
		conn_quiet(s->conn, (uint32_t)imap_conf(s)->quiet_ms);
		return;
	}
	if (d) {
		s->dormant = d;
		s->mailbox = NULL;
	}
	if (s->tag && !s->tag_kept) {
		s->tag = str_dup(str_of(s->tag));
		s->tag_kept = true;
	}
	imap_hear_drop(s);
	counter_add(&quieted, 1);
}

void imap_hear_drop(struct imap *s)
{
	if (s->work != &imap_no_work) {
		arena_free(&s->work->arena);
		slab_free(&works, s->work);
	}
	s->work = &imap_no_work;
}
