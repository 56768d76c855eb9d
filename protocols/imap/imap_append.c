/* imap_append.c - APPEND (RFC 3501, 6.3.11): its message is not kept with the command but goes into a draft as it comes. */
#include "core/mem.h"
#include "protocols/imap/imap_session.h"
#include <stdlib.h>

struct appending {
	struct str mailbox; /* in the session's arena, like the keywords */
	struct flag_words flags;
	int64_t date;
	uint64_t size;       /* of the message, as announced */
	uint64_t left;       /* bytes of it still to come */
	struct draft *draft; /* ours; NULL: too long, its bytes are passed over */
	bool whole;          /* all has come, and the line's end */
};

void imap_append_drop(struct imap *s)
{
	if (!s->append)
		return;
	draft_free(s->append->draft);
	free(s->append);
	s->append = NULL;
}

bool imap_append_takes(const struct imap *s)
{
	return s->append && !s->append->whole;
}

/* "a APPEND mailbox [flags] [date] {n}": a line whose literal is the message. */
static bool parse_append(struct args *a, struct str *tag, struct appending *p)
{
	*tag = args_tag(a);
	args_space(a);
	if (!args_word(a, STR("APPEND")))
		return false;
	args_space(a);
	p->mailbox = args_mailbox(a);
	args_space(a);
	if (args_peek(a, '(')) {
		args_flags(a, &p->flags);
		args_space(a);
	}
	if (args_peek(a, '"')) {
		p->date = args_date_time(a);
		args_space(a);
	}
	return args_peek(a, '{') && str_find(a->left, ' ') < 0;
}

static enum next too_big(struct imap *s)
{
	return imap_no(s, "[TOOBIG] a message has at most %lld bytes", (long long)imap_conf(s)->append_max);
}

bool imap_append_begins(struct imap *s, struct str so_far, enum next *next)
{
	struct args a = args_of(so_far, &s->arena);
	uint64_t max = (uint64_t)imap_conf(s)->append_max;
	struct appending p = { 0 };
	struct str tag;

	if (s->state == GREETED || !parse_append(&a, &tag, &p)) {
		arena_free(&s->arena);
		return false;
	}
	a = args_of(arena_str(&s->arena, so_far), &s->arena); /* once more, where it stays */
	parse_append(&a, &tag, &p);
	s->tag = arena_dup(&s->arena, tag);
	s->command = imap_command_find(STR("APPEND"), false);
	s->session.doing = s->command->word;
	p.size = p.left = s->parser.literal_len;
	if (p.size > max && s->parser.synchronising) {
		*next = too_big(s);
		return true;
	}
	if (p.size <= max)
		p.draft = draft_new(s->worker, FORM_NORMALISE, 2 * max); /* each LF may become CRLF */
	s->append = mem_copy(&p, sizeof(p));
	if (s->parser.synchronising)
		conn_printf(s->conn, "+ go on\r\n");
	return true;
}

/* The line of an APPEND that had no message as it should: imap_append_begins takes the others. */
enum next cmd_append(struct imap *s, struct args *a)
{
	(void)a;
	return imap_bad(s, "APPEND wants a mailbox name, flags, a date and a message");
}

static void appended(void *user, enum err e, uint32_t uidvalidity, uint32_t uid)
{
	struct imap *s = user;

	s->waiting = NULL;
	imap_append_drop(s);
	if (!e)
		imap_resume(s, imap_ok(s, "[APPENDUID %u %u] APPEND done", uidvalidity, uid));
	else if (e == ERR_ABSENT)
		imap_resume(s, imap_no(s, "[TRYCREATE] there is no such mailbox"));
	else
		imap_resume(s, imap_outcome(s, e));
}

static void draft_whole(void *user, enum err e)
{
	struct imap *s = user;
	struct appending *p = s->append;
	struct append append = { .mailbox = p->mailbox, .draft = p->draft, .flags = p->flags, .date = p->date };

	if (!e) {
		s->waiting = store_append(s->worker, s->account, &append, appended, s);
		return;
	}
	imap_append_drop(s);
	if (e == ERR_MISTAKE)
		imap_resume(s, imap_bad(s, "a message holds no NUL"));
	else
		imap_resume(s, imap_outcome(s, e));
}

static void on_draft_room(void *user)
{
	imap_resume(user, DONE);
}

/* All bytes of the message are there, and the line that it stands in ends. */
static enum next append_ends(struct imap *s)
{
	struct appending *p = s->append;
	uint64_t size = p->size;

	if (p->draft && size) {
		p->whole = true;
		draft_end(p->draft, draft_whole, s);
		return WAIT;
	}
	imap_append_drop(s);
	return size ? too_big(s) : imap_no(s, "[CANNOT] a message of no bytes is none");
}

/* What stands behind the message. False: more must come. */
static bool take_line_end(struct imap *s, struct buf *in, enum next *next)
{
	if (str_starts(STR("\r\n"), buf_str(in)) && buf_len(in) < 2)
		return false;
	if (str_starts(buf_str(in), STR("\r\n"))) {
		buf_take(in, 2);
		*next = append_ends(s);
		return true;
	}
	imap_append_drop(s);
	imap_bad(s, "a line end was expected behind the message");
	imap_untagged(s, "BYE it cannot be told where the next command begins");
	*next = CLOSE; /* where the next command begins cannot be told */
	return true;
}

bool imap_append_input(struct imap *s, struct buf *in, enum next *next)
{
	struct appending *p = s->append;
	size_t len = buf_len(in) < p->left ? buf_len(in) : (size_t)p->left;

	if (!p->left)
		return take_line_end(s, in, next);
	if (p->draft)
		draft_feed(p->draft, str_cut(buf_str(in), 0, len));
	buf_take(in, len);
	p->left -= len;
	if (p->draft && draft_is_behind(p->draft)) {
		draft_on_room(p->draft, on_draft_room, s);
		*next = WAIT;
	}
	return true;
}
