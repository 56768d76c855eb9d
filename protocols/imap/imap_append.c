/* imap_append.c - APPEND, of one message or several (RFC 3501, 6.3.11; RFC 3502; literal8 of RFC 3516).
 * Its messages are not kept with the command but go into drafts as they come:
 *   "a APPEND mailbox" [flags] [date] {n} CRLF n bytes, [flags] [date] {n} CRLF n bytes ... CRLF
 * While a draft is ended the input rests; when the last line's end has come, all go to the store together. What is wrong
 * with a message is told when the next literal is announced, if its client waits to be asked for it, else at the end.
 * Messages are kept as lines: parts of any bytes, which a literal8 may hold, become base64. */
#include "core/mem.h"
#include "protocols/imap/imap_session.h"
#include "storage/journal/journal.h"
#include "storage/mail/recode.h"
#include <stdlib.h>

#define MEMORY_MAX    (4u << 20) /* of the messages of one APPEND that are held in memory; further ones become files */
#define SEGMENT_SHARE 8          /* nor is it more than this part of a journal's segment */
#define LINE_MAX      8192       /* what stands between two messages */

enum wrong { NOTHING_WRONG, TOO_BIG, TOO_MANY, EMPTY, BAD_BYTES, BAD_BINARY, FAILED };

struct appending {
	struct str mailbox;      /* in the session's arena, like the keywords */
	struct append *messages; /* theirs are the drafts */
	size_t count, cap;
	struct draft *draft;   /* of the message that is coming; NULL: its bytes are passed over, or none is */
	struct recode *recode; /* it is a literal8; NULL else */
	struct buf recoded;
	uint64_t left; /* of its bytes, still to come */
	bool within;   /* one is coming */
	bool binary;   /* as a literal8 */
	bool whole;    /* all has come, and the line's end */
	size_t in_memory;
	enum wrong wrong; /* the first thing */
	enum err e;       /* FAILED: so */
};

void imap_append_drop(struct imap *s)
{
	struct appending *p = s->work->append;

	if (!p)
		return;
	draft_free(p->draft);
	recode_free(p->recode);
	buf_free(&p->recoded);
	for (size_t i = 0; i < p->count; i++)
		draft_free(p->messages[i].draft);
	free(p->messages);
	free(p);
	s->work->append = NULL;
}

bool imap_append_takes(const struct imap *s)
{
	return s->work->append && !s->work->append->whole;
}

/* ---- what is announced ---- */

/* "[flags] [date] {n}" up to where the literal is announced. */
static bool parse_message(struct args *a, struct append *message)
{
	if (args_peek(a, '(')) {
		args_flags(a, &message->flags);
		args_space(a);
	}
	if (args_peek(a, '"')) {
		message->date = args_date_time(a);
		args_space(a);
	}
	args_try(a, '~');
	return args_peek(a, '{') && str_find(a->left, ' ') < 0;
}

/* "a APPEND mailbox " and the first message's. */
static bool parse_append(struct args *a, struct str *tag, struct str *mailbox, struct append *message)
{
	*tag = args_tag(a);
	args_space(a);
	if (!args_word(a, STR("APPEND")))
		return false;
	args_space(a);
	*mailbox = args_mailbox(a);
	args_space(a);
	return parse_message(a, message);
}

static void note_wrong(struct appending *p, enum wrong wrong)
{
	if (!p->wrong)
		p->wrong = wrong;
}

/* The reply to an APPEND of which something was wrong; nothing of it is kept. */
static enum next refuse(struct imap *s)
{
	enum wrong wrong = s->work->append->wrong;
	enum err e = s->work->append->e;

	imap_append_drop(s);
	switch (wrong) {
	case TOO_BIG:
		return imap_no(s, "[TOOBIG] a message has at most %lld bytes", (long long)imap_conf(s)->append_max);
	case TOO_MANY:
		return imap_no(s, "[LIMIT] an APPEND has at most %d messages", APPEND_MESSAGES_MAX);
	case EMPTY:
		return imap_no(s, "[CANNOT] a message of no bytes is none");
	case BAD_BYTES:
		return imap_bad(s, imap_conf(s)->line_ends == FORM_STRICT ? "a message has no NUL, CR or LF but in CRLF"
									  : "a message holds no NUL");
	case BAD_BINARY:
		return imap_no(s, "[UNKNOWN-CTE] what is not said to be binary has no NUL");
	default:
		return imap_outcome(s, e);
	}
}

static struct draft *draft_begin(const struct imap *s)
{
	const struct journal_conf *journal = conf_section(s->snapshot, &journal_settings);
	uint64_t memory = (uint64_t)journal->segment / SEGMENT_SHARE, max = (uint64_t)imap_conf(s)->append_max;
	struct draft *draft;

	draft = draft_new(s->worker, (enum form_lines)imap_conf(s)->line_ends, 2 * max); /* each LF may become CRLF */
	if (s->work->append->in_memory > (memory < MEMORY_MAX ? memory : MEMORY_MAX))
		draft_to_file(draft);
	return draft;
}

static void message_add(struct appending *p, const struct append *message)
{
	if (p->count == p->cap) {
		p->cap = p->cap ? 2 * p->cap : 1;
		p->messages = mem_resize(p->messages, p->cap * sizeof(*p->messages));
	}
	p->messages[p->count++] = *message;
}

/* A message is announced: takes note of it, and invites its bytes. */
static enum next message_begins(struct imap *s, const struct append *message)
{
	const struct imap_parser *parser = &s->work->parser;
	struct appending *p = s->work->append;

	if (parser->literal_len > (uint64_t)imap_conf(s)->append_max)
		note_wrong(p, TOO_BIG);
	if (p->count == APPEND_MESSAGES_MAX)
		note_wrong(p, TOO_MANY);
	if (p->wrong && parser->synchronising)
		return refuse(s);
	if (!parser->literal_len)
		note_wrong(p, EMPTY); /* so a client gives up (RFC 3502, 6.3.11) */
	if (!p->wrong) {
		message_add(p, message);
		p->draft = draft_begin(s);
		p->recode = parser->binary ? recode_new() : NULL;
	}
	p->binary = parser->binary;
	p->within = parser->literal_len > 0;
	p->left = parser->literal_len;
	if (parser->synchronising)
		conn_printf(s->conn, "+ go on\r\n");
	return DONE;
}

bool imap_append_begins(struct imap *s, struct str so_far, enum next *next)
{
	struct args a = args_of(so_far, &s->work->arena);
	struct append message = { 0 };
	struct str tag, mailbox;

	if (s->state == GREETED || !imap_literal_permitted(s) || !parse_append(&a, &tag, &mailbox, &message)) {
		arena_free(&s->work->arena);
		return false;
	}
	a = args_of(arena_str(&s->work->arena, so_far), &s->work->arena); /* once more, where it stays */
	parse_append(&a, &tag, &mailbox, &message);
	s->tag = arena_dup(&s->work->arena, tag);
	s->command = imap_command_find(STR("APPEND"), false);
	s->session.doing = s->command->word;
	s->work->append = mem_new(struct appending);
	s->work->append->mailbox = mailbox;
	*next = message_begins(s, &message);
	return true;
}

/* The line of an APPEND that had no message as it should: imap_append_begins takes the others. */
enum next cmd_append(struct imap *s, struct args *a)
{
	(void)a;
	return imap_bad(s, "APPEND wants a mailbox name, flags, a date and a message");
}

/* ---- when all has come ---- */

static void appended(void *user, enum err e, uint32_t uidvalidity, uint32_t uid)
{
	struct imap *s = user;
	uint32_t last = uid + (uint32_t)s->work->append->count - 1;

	s->waiting = NULL;
	imap_append_drop(s);
	if (e == ERR_ABSENT)
		imap_resume(s, imap_no(s, "[TRYCREATE] there is no such mailbox"));
	else if (e)
		imap_resume(s, imap_outcome(s, e));
	else if (uid == last)
		imap_resume(s, imap_ok(s, "[APPENDUID %u %u] APPEND done", uidvalidity, uid));
	else
		imap_resume(s, imap_ok(s, "[APPENDUID %u %u:%u] APPEND done", uidvalidity, uid, last));
}

static enum next append_ends(struct imap *s)
{
	struct appending *p = s->work->append;

	if (p->wrong)
		return refuse(s);
	p->whole = true;
	s->waiting = store_append(s->worker, s->account, p->mailbox, p->messages, p->count, appended, s);
	return WAIT;
}

/* ---- what comes ---- */

static enum wrong wrong_of(const struct appending *p, enum err e)
{
	if (e == ERR_MISTAKE)
		return p->binary ? BAD_BINARY : BAD_BYTES;
	return e == ERR_TOO_BIG ? TOO_BIG : FAILED;
}

static void message_whole(void *user, enum err e)
{
	struct imap *s = user;
	struct appending *p = s->work->append;

	if (e)
		note_wrong(p, wrong_of(p, e));
	p->e = e; /* nothing more is taken once it is one */
	p->in_memory += draft_bytes(p->draft).len;
	p->messages[p->count - 1].draft = p->draft;
	p->draft = NULL;
	imap_resume(s, DONE);
}

static void on_draft_room(void *user)
{
	imap_resume(user, DONE);
}

/* last: the message's last bytes. */
static void draft_take(struct appending *p, struct str bytes, bool last)
{
	if (!p->recode) {
		draft_feed(p->draft, bytes);
		return;
	}
	recode_feed(p->recode, bytes, &p->recoded);
	if (last) {
		recode_end(p->recode, &p->recoded);
		recode_free(p->recode);
		p->recode = NULL;
	}
	draft_feed(p->draft, buf_str(&p->recoded));
	buf_clear(&p->recoded);
}

/* Bytes of a message. */
static void take_bytes(struct imap *s, struct buf *in, enum next *next)
{
	struct appending *p = s->work->append;
	size_t len = buf_len(in) < p->left ? buf_len(in) : (size_t)p->left;

	if (p->draft)
		draft_take(p, str_cut(buf_str(in), 0, len), len == p->left);
	buf_take(in, len);
	p->left -= len;
	p->within = p->left > 0;
	if (p->draft && !p->left) {
		draft_end(p->draft, message_whole, s);
		*next = WAIT;
	} else if (p->draft && draft_is_behind(p->draft)) {
		draft_on_room(p->draft, on_draft_room, s);
		*next = WAIT;
	}
}

/* The session ends: what looks like commands from here on may be a message's text. */
static void give_up(struct imap *s, enum next *next)
{
	imap_append_drop(s);
	imap_bad(s, "a line end was expected behind the message, or another message");
	imap_untagged(s, "BYE it cannot be told where the next command begins");
	*next = CLOSE;
}

/* What stands behind a message: the line's end, or another message is announced. False: more must come. */
static bool take_line(struct imap *s, struct buf *in, enum next *next)
{
	char first = *buf_data(in);
	ptrdiff_t used = imap_parse(&s->work->parser, buf_str(in));
	struct append message = { 0 };
	struct args a;

	if (!used && !s->work->parser.announced && (first == ' ' || first == '\r') && buf_len(in) <= LINE_MAX)
		return false;
	if (used == 2) {
		buf_take(in, 2);
		s->work->parser = (struct imap_parser){ 0 };
		*next = append_ends(s);
		return true;
	}
	a = args_of(arena_str(&s->work->arena, str_cut(buf_str(in), 0, s->work->parser.scanned)), &s->work->arena);
	args_space(&a);
	if (!s->work->parser.announced || !imap_literal_permitted(s) || !parse_message(&a, &message)) {
		give_up(s, next);
		return true;
	}
	buf_take(in, s->work->parser.scanned);
	*next = message_begins(s, &message);
	s->work->parser = (struct imap_parser){ 0 };
	return true;
}

bool imap_append_input(struct imap *s, struct buf *in, enum next *next)
{
	if (!s->work->append->within)
		return take_line(s, in, next);
	take_bytes(s, in, next);
	return true;
}
