/* pop3_maildrop.c - the maildrop between login and QUIT: locked, opened, and what was deleted removed (RFC 1939, 4 and 6).
 * A maildrop is one session's alone. Who has it is told by the tallies in shared memory: a session first counts itself
 * as one that has it and then looks whether anybody else does, so of two that come at once one may win, or none, but
 * never both; and what a worker held is free when it dies. The account's last login is kept there too (LOGIN-DELAY): its
 * place may be needed for others before the time is over, for there is only so much room. */
#include "core/log.h"
#include "core/mem.h"
#include "core/tally.h"
#include "protocols/pop3/pop3_session.h"
#include <stdlib.h>

void pop3_unlock(struct pop3 *s)
{
	if (s->lock)
		tally_hold(s->worker->shm, s->worker->slot, s->lock, TALLY_SESSIONS, -1);
	s->lock = NULL;
}

/* NULL: it is ours; else what the client is told. */
static const char *lock(struct pop3 *s)
{
	struct shm *shm = s->worker->shm;
	uint64_t key = tally_key(shm, 'm', str_of(s->account->address));
	int64_t now_ms = timers_now_ms(s->worker->timers);
	const char *why = NULL;

	s->lock = tally_of(shm, s->worker->slot, key, now_ms);
	if (!s->lock)
		return "[SYS/TEMP] too many maildrops are in use, try again";
	tally_hold(shm, s->worker->slot, s->lock, TALLY_SESSIONS, 1);
	if (tally_open(shm, key, TALLY_SESSIONS) > 1)
		why = "[IN-USE] another session has the maildrop";
	else if (s->conf->login_delay_ms && !tally_once(shm, key, s->lock, now_ms, s->conf->login_delay_ms))
		why = "[LOGIN-DELAY] the last login was too short a time ago";
	if (why)
		pop3_unlock(s);
	return why;
}

/* As before the login. */
static enum next cannot_open(struct pop3 *s, const char *why)
{
	pop3_unlock(s);
	account_free(s->account);
	s->account = NULL;
	s->session.account = "";
	return pop3_err(s, "%s", pop3_in(s->language, why));
}

static void opened(void *user, enum err e, struct selected *maildrop)
{
	struct pop3 *s = user;

	s->waiting = NULL;
	if (e) {
		pop3_resume(s, cannot_open(s, "[SYS/TEMP] the maildrop cannot be opened now, try again"));
		return;
	}
	s->maildrop = maildrop;
	s->messages = selected_exists(maildrop);
	for (uint32_t n = 1; n <= s->messages; n++) {
		struct message m;

		selected_message(maildrop, n, &m);
		s->bytes += m.wire;
	}
	pop3_enter(s, TRANSACTION);
	pop3_resume(s, pop3_ok(s, "%u messages, %llu octets", s->messages, (unsigned long long)s->bytes));
}

enum next pop3_open_maildrop(struct pop3 *s, struct account *account)
{
	const char *why;

	s->account = account;
	s->session.account = account->address;
	if ((why = lock(s))) {
		log_info("pop3", conn_id(s->conn), "maildrop refused account=%s peer=%s reason=\"%s\"",
			account->address, conn_peer(s->conn), why);
		return cannot_open(s, why);
	}
	s->waiting = store_select(s->worker, account, STR("INBOX"), true, opened, s);
	return WAIT;
}

/* --- UPDATE ------------------------------------------------------------------------------------------------------ */

static void update_done(void *user, enum err e)
{
	struct pop3 *s = user;

	s->waiting = NULL;
	if (e)
		pop3_err(s, "[SYS/TEMP] nothing was deleted, try again");
	else
		pop3_ok(s, "good-bye, %u messages deleted", s->deleted_count);
	log_info("pop3", conn_id(s->conn), "quit account=%s deleted=%u outcome=\"%s\"", s->account->address,
		s->deleted_count, err_text(e));
	pop3_resume(s, CLOSE);
}

/* The UIDs of what is deleted, as ranges. The caller frees. */
static struct uid_range *deleted_uids(const struct pop3 *s, size_t *count)
{
	struct uid_range *ranges = mem_alloc(s->deleted_count * sizeof(*ranges));
	uint32_t previous = 0; /* the number of the message that ended the last range */

	*count = 0;
	for (uint32_t n = 1; n <= s->messages; n++) {
		struct message m;

		if (!pop3_is_deleted(s, n))
			continue;
		selected_message(s->maildrop, n, &m);
		if (previous && previous == n - 1)
			ranges[*count - 1].last = m.uid;
		else
			ranges[(*count)++] = (struct uid_range){ m.uid, m.uid };
		previous = n;
	}
	return ranges;
}

enum next pop3_update(struct pop3 *s)
{
	struct uid_range *uids;
	size_t count;

	if (s->state == AUTHORIZATION || !s->deleted_count) {
		pop3_ok(s, "good-bye");
		return CLOSE;
	}
	pop3_enter(s, UPDATE);
	uids = deleted_uids(s, &count);
	s->waiting = store_expunge(s->worker, s->account, s->maildrop, uids, count, true, update_done, s);
	free(uids);
	return WAIT;
}
