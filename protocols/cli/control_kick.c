/* control_kick.c - the request `kick`: sessions of an account, from an address or network, or of one id, are ended in
 * every worker. Accounts that are deleted or get another password are kicked as well (control_account.c). */
#include "core/log.h"
#include "core/network.h"
#include "core/pack.h"
#include "protocols/cli/control_session.h"
#include "protocols/cli/names.h"

#define KICK_DEADLINE_MS 5000

enum kick_by { BY_ID, BY_ACCOUNT, BY_NETWORK };

static bool is_meant(const struct session *s, enum kick_by by, struct str what)
{
	struct network network;
	struct ip ip;

	switch (by) {
	case BY_ID:
		return str_eq(str_of(conn_id(s->conn)), what);
	case BY_ACCOUNT:
		return str_eq(str_of(s->account), what);
	case BY_NETWORK:
		return network_read(what, &network) && ip_read(str_of(conn_peer(s->conn)), &ip) &&
		       network_has(&network, &ip);
	}
	return false;
}

/* Answers how many sessions of this worker are told to end. */
static void kick_handle(struct worker *w, struct request *rq, struct str args)
{
	struct unpack u = unpack_of(args);
	enum kick_by by = (enum kick_by)unpack_u32(&u);
	struct str what = unpack_str(&u);
	struct buf answer = { 0 };
	uint32_t count = 0;

	if (!unpack_end(&u)) {
		request_answer(rq, ERR_MISTAKE, STR_NONE);
		return;
	}
	for (struct session *s = w->sessions; s; s = s->next) { /* a farewell frees none of them */
		if (s->service->local || s->ending || !is_meant(s, by, what))
			continue;
		log_info(s->service->component, conn_id(s->conn), "kicked peer=%s account=%s", conn_peer(s->conn),
			s->account);
		session_end(w, s, "ended by the administrator");
		count++;
	}
	pack_u32(&answer, count);
	request_answer(rq, OK, buf_str(&answer));
	buf_free(&answer);
}

const struct call_type control_kick_calls[] = {
	{ "cli.kick", kick_handle },
	{ 0 },
};

static void kick_next(struct control *c);

static void kicked(void *user, enum err e, struct str answer)
{
	struct control *c = user;
	struct unpack u = unpack_of(answer);
	uint32_t count = e ? 0
	                   : unpack_u32(&u); /* a worker that does not answer has lost its sessions, or is about to */

	c->waiting = NULL;
	c->kicked += count;
	c->next_worker++;
	kick_next(c);
}

static void kick_next(struct control *c)
{
	if (c->next_worker < c->worker->workers) {
		c->waiting = call_send(c->worker, c->next_worker, &control_kick_calls[0], buf_str(&c->kick),
			KICK_DEADLINE_MS, kicked, c);
		return;
	}
	buf_free(&c->kick);
	control_item(c, json_pack("{s:I}", "sessions", (json_int_t)c->kicked));
	control_done(c);
}

static void kick(struct control *c, enum kick_by by, struct str what)
{
	pack_u32(&c->kick, by);
	pack_str(&c->kick, what);
	c->kicked = 0;
	c->next_worker = 0;
	kick_next(c);
}

void control_kick_account(struct control *c, struct str name)
{
	kick(c, BY_ACCOUNT, name);
}

static void handle_kick(struct control *c)
{
	struct str what = control_text(c, "what"), name;
	struct arena memory = { 0 };
	struct network network;

	if (str_find(what, '@') >= 0 && name_account(&memory, what, &name) == OK)
		kick(c, BY_ACCOUNT, name);
	else if (network_read(what, &network))
		kick(c, BY_NETWORK, what);
	else if (what.len && str_find(what, '-') > 0 && str_find(what, '@') < 0)
		kick(c, BY_ID, what);
	else
		control_error(c, ERR_MISTAKE, STR("an account, an address or network, or a session's id is wanted"));
	arena_free(&memory);
}

const struct control_request control_kick_requests[] = {
	{ "kick", handle_kick },
	{ 0 },
};
