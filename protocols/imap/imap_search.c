/* imap_search.c - SEARCH (RFC 3501, 6.4.4): message by message, in turns of the loop that others can bear. */
#include "core/mem.h"
#include "protocols/imap/imap_search_key.h"
#include "protocols/imap/imap_session.h"
#include <stdlib.h>

#define TURN_KEYS 100000 /* keys looked at in one turn of the loop */

struct searching {
	struct search_program program; /* in the session's arena */
	uint32_t seq;                  /* looked at last */
};

void imap_search_drop(struct imap *s)
{
	free(s->search);
	s->search = NULL;
}

static uint64_t keyword_bits(const void *user, struct str word)
{
	return imap_keyword_bits(user, word);
}

static void look_at(struct imap *s, uint32_t seq)
{
	struct message m;
	struct search_subject subject = { .seq = seq, .message = &m };

	imap_message(s, seq, &m);
	subject.recent = selected_is_recent(s->mailbox, &m);
	if (!(m.flags & FLAG_EXPUNGED) && search_fits(&s->search->program, &subject))
		conn_printf(s->conn, " %u", s->command->besides & IS_UID ? m.uid : seq);
}

static void next_turn(void *user, enum err e, struct str answer)
{
	struct imap *s = user;

	(void)e, (void)answer;
	s->waiting = NULL;
	imap_search_on(s);
}

static enum next search_run(struct imap *s)
{
	uint32_t exists = selected_exists(s->mailbox);
	struct searching *g = s->search;

	for (size_t keys = 0; g->seq < exists; keys += g->program.count) {
		if (!conn_has_room(s->conn))
			return WAIT;
		if (keys > TURN_KEYS) {
			s->waiting = call_later(s->worker, next_turn, s);
			return WAIT;
		}
		look_at(s, ++g->seq);
	}
	conn_printf(s->conn, "\r\n");
	imap_search_drop(s);
	return imap_outcome(s, OK);
}

void imap_search_on(struct imap *s)
{
	enum next next;

	if (!s->search || s->waiting || s->parted)
		return;
	next = search_run(s);
	if (next != WAIT)
		imap_resume(s, next);
}

/* CHARSET (RFC 3501, 6.4.4); false: the reply is sent, in *next. */
static bool take_charset(struct imap *s, struct args *a, enum next *next)
{
	struct str charset;

	if (!args_word(a, STR("CHARSET ")))
		return true;
	charset = args_astring(a);
	args_space(a);
	if (a->bad)
		*next = imap_bad(s, "CHARSET wants a name");
	else if (!str_eq_nocase(charset, STR("US-ASCII")) && !str_eq_nocase(charset, STR("UTF-8")))
		*next = imap_no(s, "[BADCHARSET (US-ASCII UTF-8)] that charset is not known");
	else
		return true;
	return false;
}

enum next cmd_search(struct imap *s, struct args *a)
{
	uint32_t exists = selected_exists(s->mailbox);
	struct message last = { 0 };
	struct searching g = { 0 };
	enum next next;

	args_space(a);
	if (!take_charset(s, a, &next))
		return next;
	if (!search_compile(a, &g.program))
		return imap_bad(s, "SEARCH: keys are flags, sets, dates and sizes");
	if (exists)
		selected_message(s->mailbox, exists, &last);
	search_bind(&g.program, exists, last.uid, keyword_bits, s);
	s->search = mem_copy(&g, sizeof(g));
	conn_printf(s->conn, "* SEARCH");
	return search_run(s);
}
