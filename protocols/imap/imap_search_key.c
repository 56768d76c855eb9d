/* imap_search_key.c - see imap_search_key.h. */
#include "protocols/imap/imap_search_key.h"
#include "storage/mail/charset.h"
#include "storage/mail/header.h"
#include <assert.h>

#define DAY_S 86400

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
	KEY_SENT_BEFORE,
	KEY_SENT_ON,
	KEY_SENT_SINCE,
	KEY_TEXT,
	KEY_AND, /* these three take what is on the stack */
	KEY_OR,
	KEY_NOT,
};

enum takes { NOTHING, A_WORD, A_SET, A_DAY, A_NUMBER, A_TEXT, A_FIELD }; /* behind the key's word */

struct search_key {
	enum key_kind kind;
	uint32_t mask,
		value; /* KEY_FLAGS: flags & mask == value; sizes in value; KEY_TEXT: mask is where, an enum search_in,
	                       * value which of the program's texts; others: whether it is to be so */
	struct str word; /* KEY_KEYWORD */
	uint64_t bits;   /* the same, once bound */
	int64_t day;
	struct set set;
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
	{ "RECENT", KEY_RECENT, NOTHING, 0, true },
	{ "OLD", KEY_RECENT, NOTHING, 0, false },
	{ "KEYWORD", KEY_KEYWORD, A_WORD, 0, true },
	{ "UNKEYWORD", KEY_KEYWORD, A_WORD, 0, false },
	{ "UID", KEY_UIDS, A_SET, 0, 0 },
	{ "BEFORE", KEY_BEFORE, A_DAY, 0, 0 },
	{ "ON", KEY_ON, A_DAY, 0, 0 },
	{ "SINCE", KEY_SINCE, A_DAY, 0, 0 },
	{ "LARGER", KEY_LARGER, A_NUMBER, 0, 0 },
	{ "SMALLER", KEY_SMALLER, A_NUMBER, 0, 0 },
	{ "SENTBEFORE", KEY_SENT_BEFORE, A_DAY, 0, 0 },
	{ "SENTON", KEY_SENT_ON, A_DAY, 0, 0 },
	{ "SENTSINCE", KEY_SENT_SINCE, A_DAY, 0, 0 },
	{ "BCC", KEY_TEXT, A_TEXT, SEARCH_ADDRESSES, 0 }, /* these are the fields' names, too */
	{ "CC", KEY_TEXT, A_TEXT, SEARCH_ADDRESSES, 0 },
	{ "FROM", KEY_TEXT, A_TEXT, SEARCH_ADDRESSES, 0 },
	{ "TO", KEY_TEXT, A_TEXT, SEARCH_ADDRESSES, 0 },
	{ "SUBJECT", KEY_TEXT, A_TEXT, SEARCH_FIELD, 0 },
	{ "HEADER", KEY_TEXT, A_FIELD, SEARCH_FIELD, 0 },
	{ "BODY", KEY_TEXT, A_TEXT, SEARCH_BODY, 0 },
	{ "TEXT", KEY_TEXT, A_TEXT, SEARCH_TEXT, 0 },
};

/* What waits for operands: a parenthesis joins its keys by AND, NOT takes one, OR two. */
struct level {
	enum key_kind kind;
	unsigned operands;
};

struct compiler {
	struct args *a;
	struct search_program *p;
	struct str charset;
	struct level levels[SEARCH_DEPTH_MAX + 1]; /* the first holds all of it */
	unsigned depth;
};

static void emit(struct compiler *c, struct search_key key)
{
	if (c->p->count == SEARCH_KEYS_MAX)
		args_wrong(c->a);
	else
		c->p->keys[c->p->count++] = key;
}

/* A text to look for, as it is compared, and where. */
static void take_text(struct compiler *c, const struct key_word *k, struct search_key *key)
{
	struct search_text t = { .in = (enum search_in)k->mask, .name = str_of(k->word) };
	struct buf utf8 = { 0 }, folded = { 0 };

	if (k->takes == A_FIELD) {
		t.name = args_astring(c->a);
		args_space(c->a);
	}
	charset_convert(c->charset, args_astring(c->a), &utf8);
	search_fold(buf_str(&utf8), &folded);
	t.text = arena_str(c->a->arena, buf_str(&folded));
	buf_free(&utf8);
	buf_free(&folded);
	if (c->a->bad || c->p->text_count == SEARCH_KEYS_MAX)
		return;
	key->value = (uint32_t)c->p->text_count;
	c->p->texts[c->p->text_count++] = t;
}

static void take_argument(struct compiler *c, const struct key_word *k, struct search_key *key)
{
	struct args *a = c->a;

	if (k->takes != NOTHING)
		args_space(a);
	if (k->takes == A_WORD)
		key->word = args_atom(a);
	else if (k->takes == A_SET)
		args_set(a, &key->set);
	else if (k->takes == A_DAY)
		key->day = args_day(a);
	else if (k->takes == A_NUMBER)
		key->value = args_number(a);
	else if (k->takes >= A_TEXT)
		take_text(c, k, key);
}

static void take_key(struct compiler *c)
{
	struct search_key key = { .kind = KEY_SEQS };
	struct args *a = c->a;
	struct str word;

	if (args_peek(a, '*') || (a->left.len && a->left.p[0] >= '0' && a->left.p[0] <= '9')) {
		args_set(a, &key.set);
		emit(c, key);
		return;
	}
	word = args_atom(a);
	for (size_t i = 0; i < sizeof(key_words) / sizeof(*key_words); i++) {
		const struct key_word *k = &key_words[i];

		if (!str_eq_nocase(word, str_of(k->word)))
			continue;
		key = (struct search_key){ .kind = k->kind, .mask = k->mask, .value = k->value };
		take_argument(c, k, &key);
		emit(c, key);
		return;
	}
	args_wrong(a);
}

/* An operand is complete: whatever that completes is emitted. */
static void operand_done(struct compiler *c)
{
	for (;;) {
		struct level *l = &c->levels[c->depth];

		l->operands++;
		if (l->kind == KEY_AND) {
			if (l->operands > 1)
				emit(c, (struct search_key){ .kind = KEY_AND });
			return;
		}
		if (l->operands < (l->kind == KEY_OR ? 2u : 1u))
			return;
		emit(c, (struct search_key){ .kind = l->kind });
		c->depth--;
	}
}

/* What takes operands begins here: "(", "NOT " or "OR ". */
static bool take_opening(struct compiler *c)
{
	enum key_kind kind;

	if (args_try(c->a, '('))
		kind = KEY_AND;
	else if (args_word(c->a, STR("NOT ")))
		kind = KEY_NOT;
	else if (args_word(c->a, STR("OR ")))
		kind = KEY_OR;
	else
		return false;
	if (c->depth == SEARCH_DEPTH_MAX)
		args_wrong(c->a);
	else
		c->levels[++c->depth] = (struct level){ kind, 0 };
	return true;
}

bool search_compile(struct args *a, struct str charset, struct search_program *p)
{
	struct compiler c = { .a = a, .p = p, .charset = charset, .levels = { { KEY_AND, 0 } } };

	*p = (struct search_program){ .keys = arena_alloc(a->arena, SEARCH_KEYS_MAX * sizeof(struct search_key)),
		.texts = arena_alloc(a->arena, SEARCH_KEYS_MAX * sizeof(struct search_text)) };
	for (;;) {
		while (take_opening(&c))
			;
		take_key(&c);
		operand_done(&c);
		while (c.depth && c.levels[c.depth].kind == KEY_AND && args_try(a, ')')) {
			c.depth--;
			operand_done(&c);
		}
		if (a->bad || !a->left.len)
			break;
		args_space(a);
	}
	if (c.depth)
		args_wrong(a);
	return !a->bad;
}

void search_bind(struct search_program *p, uint32_t exists, uint32_t last_uid,
	uint64_t (*bits)(const void *user, struct str word), const void *user)
{
	for (size_t i = 0; i < p->count; i++) {
		struct search_key *k = &p->keys[i];

		if (k->kind == KEY_SEQS || k->kind == KEY_UIDS)
			set_settle(&k->set, k->kind == KEY_SEQS ? exists : last_uid);
		else if (k->kind == KEY_KEYWORD)
			k->bits = bits(user, k->word);
	}
}

void search_begin(struct search_program *p, struct search_subject *subject)
{
	subject->read = NOTHING_READ;
	for (size_t i = 0; i < p->text_count; i++)
		p->texts[i].found = false;
}

void search_see_header(struct search_program *p, struct search_subject *subject, struct str block)
{
	struct header_field field;
	struct date d;

	subject->read = HEADER_READ;
	subject->dated = header_find(block, "Date", &field) && date_message(field.value, &d);
	if (subject->dated)
		subject->day = date_day(&d);
	search_header(p->texts, p->text_count, block);
}

static enum truth text_fits(const struct search_text *t, enum search_read read)
{
	if (t->found)
		return YES;
	return read == ALL_READ || (read == HEADER_READ && t->in <= SEARCH_ADDRESSES) ? NO : MAYBE;
}

/* Its first second lies in that day, by the clocks of UTC. */
static bool is_on(int64_t seconds, int64_t day)
{
	return seconds >= day * DAY_S && seconds < (day + 1) * DAY_S;
}

static bool plain_key_fits(const struct search_key *k, const struct search_subject *subject)
{
	const struct message *m = subject->message;

	switch (k->kind) {
	case KEY_FLAGS:
		return (m->flags & k->mask) == k->value;
	case KEY_KEYWORD:
		return !!(m->keywords & k->bits) == k->value;
	case KEY_RECENT:
		return subject->recent == k->value;
	case KEY_NEW:
		return subject->recent && !(m->flags & FLAG_SEEN);
	case KEY_SEQS:
		return set_holds(&k->set, subject->seq);
	case KEY_UIDS:
		return set_holds(&k->set, m->uid);
	case KEY_BEFORE:
		return m->date < k->day * DAY_S;
	case KEY_ON:
		return is_on(m->date, k->day);
	case KEY_SINCE:
		return m->date >= k->day * DAY_S;
	case KEY_LARGER:
		return m->wire > k->value;
	case KEY_SMALLER:
		return m->wire < k->value;
	case KEY_SENT_BEFORE:
		return subject->dated && subject->day < k->day;
	case KEY_SENT_ON:
		return subject->dated && subject->day == k->day;
	case KEY_SENT_SINCE:
		return subject->dated && subject->day >= k->day;
	default:
		return true;
	}
}

static enum truth key_fits(
	const struct search_program *p, const struct search_key *k, const struct search_subject *subject)
{
	bool sent = k->kind == KEY_SENT_BEFORE || k->kind == KEY_SENT_ON || k->kind == KEY_SENT_SINCE;

	if (k->kind == KEY_TEXT)
		return text_fits(&p->texts[k->value], subject->read);
	if (sent && subject->read == NOTHING_READ)
		return MAYBE;
	return plain_key_fits(k, subject) ? YES : NO;
}

enum truth search_fits(const struct search_program *p, const struct search_subject *subject)
{
	/* Every level has at most one operand waiting, beside the one just done. */
	enum truth stack[SEARCH_DEPTH_MAX + 2];
	size_t top = 0;

	for (size_t i = 0; i < p->count; i++) {
		const struct search_key *k = &p->keys[i];

		if (k->kind == KEY_NOT) {
			stack[top - 1] = YES - stack[top - 1];
		} else if (k->kind == KEY_AND || k->kind == KEY_OR) {
			enum truth a = stack[--top], *b = &stack[top - 1];

			if (k->kind == KEY_AND ? a < *b : a > *b)
				*b = a;
		} else {
			stack[top++] = key_fits(p, k, subject);
		}
	}
	assert(top == 1);
	return stack[0];
}
