/* imap_search.c - SEARCH by flags, UIDs, dates and sizes (RFC 3501, 6.4.4).
 * A program is compiled to a list of keys in postfix order and run on each message with a stack of bits, so that
 * nesting takes no recursion. */
#include "protocols/imap/imap_session.h"

#define KEYS_MAX  500
#define DEPTH_MAX 32 /* of parentheses, NOT and OR; the stack of bits is one word */

enum key_kind {
	KEY_ALL,
	KEY_FLAGS,
	KEY_KEYWORD,
	KEY_RECENT,
	KEY_NEW,
	KEY_SEQS,
	KEY_UIDS,
	KEY_BEFORE,
	KEY_ON,
	KEY_SINCE,
	KEY_LARGER,
	KEY_SMALLER,
	KEY_AND, /* these three take what is on the stack */
	KEY_OR,
	KEY_NOT,
};

enum takes { NOTHING, A_WORD, A_SET, A_DAY, A_NUMBER }; /* behind the key's word */

struct key {
	enum key_kind kind;
	uint32_t mask, value; /* KEY_FLAGS: flags & mask == value; sizes in value */
	struct str word;      /* KEY_KEYWORD */
	int64_t day;
	struct set set;
};

struct program {
	struct key *keys;
	size_t count;
};

static const struct key_word {
	const char *word;
	enum key_kind kind;
	enum takes takes;
	uint32_t mask, value;
} key_words[] = {
	{ "ALL", KEY_ALL, NOTHING, 0, 0 },
	{ "ANSWERED", KEY_FLAGS, NOTHING, FLAG_ANSWERED, FLAG_ANSWERED },
	{ "DELETED", KEY_FLAGS, NOTHING, FLAG_DELETED, FLAG_DELETED },
	{ "DRAFT", KEY_FLAGS, NOTHING, FLAG_DRAFT, FLAG_DRAFT },
	{ "FLAGGED", KEY_FLAGS, NOTHING, FLAG_FLAGGED, FLAG_FLAGGED },
	{ "SEEN", KEY_FLAGS, NOTHING, FLAG_SEEN, FLAG_SEEN },
	{ "UNANSWERED", KEY_FLAGS, NOTHING, FLAG_ANSWERED, 0 },
	{ "UNDELETED", KEY_FLAGS, NOTHING, FLAG_DELETED, 0 },
	{ "UNDRAFT", KEY_FLAGS, NOTHING, FLAG_DRAFT, 0 },
	{ "UNFLAGGED", KEY_FLAGS, NOTHING, FLAG_FLAGGED, 0 },
	{ "UNSEEN", KEY_FLAGS, NOTHING, FLAG_SEEN, 0 },
	{ "NEW", KEY_NEW, NOTHING, 0, 0 },
	{ "RECENT", KEY_RECENT, NOTHING, 0, 1 },
	{ "OLD", KEY_RECENT, NOTHING, 0, 0 },
	{ "KEYWORD", KEY_KEYWORD, A_WORD, 0, 1 },
	{ "UNKEYWORD", KEY_KEYWORD, A_WORD, 0, 0 },
	{ "UID", KEY_UIDS, A_SET, 0, 0 },
	{ "BEFORE", KEY_BEFORE, A_DAY, 0, 0 },
	{ "ON", KEY_ON, A_DAY, 0, 0 },
	{ "SINCE", KEY_SINCE, A_DAY, 0, 0 },
	{ "LARGER", KEY_LARGER, A_NUMBER, 0, 0 },
	{ "SMALLER", KEY_SMALLER, A_NUMBER, 0, 0 },
};

static void emit(struct program *p, struct args *a, struct key key)
{
	if (p->count == KEYS_MAX)
		a->bad = true;
	else
		p->keys[p->count++] = key;
}

static void take_argument(struct args *a, enum takes takes, struct key *key)
{
	if (takes != NOTHING)
		args_space(a);
	if (takes == A_WORD)
		key->word = args_atom(a);
	else if (takes == A_SET)
		args_set(a, &key->set);
	else if (takes == A_DAY)
		key->day = args_day(a);
	else if (takes == A_NUMBER)
		key->value = args_number(a);
}

static void take_plain_key(struct program *p, struct args *a)
{
	struct key key = { .kind = KEY_SEQS };
	struct str word;

	if (args_peek(a, '*') || (a->left.len && a->left.p[0] >= '0' && a->left.p[0] <= '9')) {
		args_set(a, &key.set);
		emit(p, a, key);
		return;
	}
	word = args_atom(a);
	for (size_t i = 0; i < sizeof(key_words) / sizeof(*key_words); i++) {
		const struct key_word *k = &key_words[i];

		if (!str_eq_nocase(word, str_of(k->word)))
			continue;
		key = (struct key){ .kind = k->kind, .mask = k->mask, .value = k->value };
		take_argument(a, k->takes, &key);
		emit(p, a, key);
		return;
	}
	a->bad = true;
}

/* What waits for operands: a parenthesis joins its keys by AND, NOT takes one, OR two. */
struct level {
	enum key_kind kind;
	unsigned operands;
};

/* An operand is complete: whatever that completes is emitted. */
static void operand_done(struct program *p, struct args *a, struct level *levels, unsigned *depth)
{
	for (;;) {
		struct level *l = &levels[*depth];

		l->operands++;
		if (l->kind == KEY_AND) {
			if (l->operands > 1)
				emit(p, a, (struct key){ .kind = KEY_AND });
			return;
		}
		if (l->operands < (l->kind == KEY_OR ? 2u : 1u))
			return;
		emit(p, a, (struct key){ .kind = l->kind });
		--*depth;
	}
}

static bool open_level(struct args *a, struct level *levels, unsigned *depth, enum key_kind kind)
{
	if (++*depth == DEPTH_MAX) {
		a->bad = true;
		--*depth;
		return false;
	}
	levels[*depth] = (struct level){ kind, 0 };
	return true;
}

static void compile(struct program *p, struct args *a)
{
	struct level levels[DEPTH_MAX] = { { KEY_AND, 0 } };
	unsigned depth = 0;

	for (;;) {
		if (args_try(a, '(')) {
			if (!open_level(a, levels, &depth, KEY_AND))
				return;
			continue;
		}
		if (args_word(a, STR("NOT "))) {
			if (!open_level(a, levels, &depth, KEY_NOT))
				return;
			continue;
		}
		if (args_word(a, STR("OR "))) {
			if (!open_level(a, levels, &depth, KEY_OR))
				return;
			continue;
		}
		take_plain_key(p, a);
		operand_done(p, a, levels, &depth);
		while (depth && levels[depth].kind == KEY_AND && args_try(a, ')')) {
			depth--;
			operand_done(p, a, levels, &depth);
		}
		if (a->bad || !a->left.len)
			break;
		args_space(a);
	}
	if (depth)
		a->bad = true;
}

static bool has_keyword(struct imap *s, const struct message *m, struct str word)
{
	for (unsigned bit = 0; bit < selected_keyword_count(s->mailbox); bit++)
		if (m->keywords & 1ull << bit && str_eq_nocase(word, str_of(selected_keyword(s->mailbox, bit))))
			return true;
	return false;
}

static bool key_fits(struct imap *s, const struct key *k, uint32_t seq, const struct message *m, uint32_t last_uid)
{
	switch (k->kind) {
	case KEY_ALL:
		return true;
	case KEY_FLAGS:
		return (m->flags & k->mask) == k->value;
	case KEY_KEYWORD:
		return has_keyword(s, m, k->word) == (k->value == 1);
	case KEY_RECENT:
		return selected_is_recent(s->mailbox, m) == (k->value == 1);
	case KEY_NEW:
		return selected_is_recent(s->mailbox, m) && !(m->flags & FLAG_SEEN);
	case KEY_SEQS:
		return set_holds(&k->set, seq, selected_exists(s->mailbox));
	case KEY_UIDS:
		return set_holds(&k->set, m->uid, last_uid);
	case KEY_BEFORE:
		return m->date < k->day * 86400;
	case KEY_ON:
		return m->date >= k->day * 86400 && m->date < (k->day + 1) * 86400;
	case KEY_SINCE:
		return m->date >= k->day * 86400;
	case KEY_LARGER:
		return m->wire > k->value;
	default:
		return m->wire < k->value;
	}
}

static bool message_fits(
	struct imap *s, const struct program *p, uint32_t seq, const struct message *m, uint32_t last_uid)
{
	uint64_t stack = 0; /* bit 0 is its top; postfix order never has more than DEPTH_MAX + 1 on it */

	for (size_t i = 0; i < p->count; i++) {
		const struct key *k = &p->keys[i];
		uint64_t top = stack & 1, below = stack >> 1 & 1;

		if (k->kind == KEY_NOT)
			stack ^= 1;
		else if (k->kind == KEY_AND)
			stack = (stack >> 2 << 1) | (top & below);
		else if (k->kind == KEY_OR)
			stack = (stack >> 2 << 1) | (top | below);
		else
			stack = stack << 1 | key_fits(s, k, seq, m, last_uid);
	}
	return stack & 1;
}

enum next cmd_search(struct imap *s, struct args *a)
{
	struct program p = { arena_alloc(&s->arena, KEYS_MAX * sizeof(struct key)), 0 };
	uint32_t exists = selected_exists(s->mailbox), last_uid = 0;
	struct message m;
	struct buf *out;

	args_space(a);
	if (args_word(a, STR("CHARSET "))) {
		struct str charset = args_astring(a);

		args_space(a);
		if (!str_eq_nocase(charset, STR("US-ASCII")) && !str_eq_nocase(charset, STR("UTF-8")))
			return imap_no(s, "[BADCHARSET (US-ASCII UTF-8)] that charset is not known");
	}
	compile(&p, a);
	if (!args_end(a))
		return imap_bad(s, "SEARCH: keys are flags, sets, dates and sizes");
	if (exists) {
		selected_message(s->mailbox, exists, &m);
		last_uid = m.uid;
	}
	out = conn_out(s->conn);
	buf_add_str(out, STR("* SEARCH"));
	for (uint32_t seq = 1; seq <= exists; seq++) {
		selected_message(s->mailbox, seq, &m);
		if (!(m.flags & FLAG_EXPUNGED) && message_fits(s, &p, seq, &m, last_uid))
			buf_printf(out, " %u", s->command->besides & IS_UID ? m.uid : seq);
	}
	buf_add_str(out, STR("\r\n"));
	conn_wrote(s->conn);
	return imap_outcome(s, OK);
}
