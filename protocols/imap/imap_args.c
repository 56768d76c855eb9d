/* imap_args.c - see imap_args.h. */
#include "protocols/imap/imap_args.h"
#include "protocols/imap/imap_utf7.h"

#define FLAGS_MAX 100 /* words in one list */

struct args args_of(struct str command, struct arena *arena)
{
	struct args a = { command, arena, false };

	if (command.len >= 2) /* the CRLF, which imap_parse has seen */
		a.left.len -= 2;
	return a;
}

static struct str bad(struct args *a)
{
	a->bad = true;
	a->left.len = 0;
	return STR_NONE;
}

static struct str take(struct args *a, size_t len)
{
	struct str s = str_cut(a->left, 0, len);

	a->left = str_cut(a->left, len, a->left.len);
	return s;
}

bool args_end(struct args *a)
{
	return !a->bad && !a->left.len;
}

bool args_peek(const struct args *a, char c)
{
	return !a->bad && a->left.len && a->left.p[0] == c;
}

bool args_try(struct args *a, char c)
{
	if (!args_peek(a, c))
		return false;
	take(a, 1);
	return true;
}

bool args_char(struct args *a, char c)
{
	if (args_try(a, c))
		return true;
	bad(a);
	return false;
}

void args_space(struct args *a)
{
	args_char(a, ' ');
}

bool args_word(struct args *a, struct str word)
{
	if (a->bad || !str_starts_nocase(a->left, word))
		return false;
	take(a, word.len);
	return true;
}

/* ATOM-CHAR: any CHAR but atom-specials. Letters beyond ASCII are no CHAR, but some clients send them. */
static bool is_atom_char(char c)
{
	return (unsigned char)c > ' ' && c != 0x7f && !strchr("(){%*\"\\]", c);
}

static struct str take_while(struct args *a, bool (*is)(char c))
{
	size_t len = 0;

	while (len < a->left.len && is(a->left.p[len]))
		len++;
	return len ? take(a, len) : bad(a);
}

static bool is_tag_char(char c)
{
	return (is_atom_char(c) || c == ']') && c != '+';
}

static bool is_astring_char(char c)
{
	return is_atom_char(c) || c == ']';
}

static bool is_pattern_char(char c)
{
	return is_astring_char(c) || c == '%' || c == '*';
}

struct str args_tag(struct args *a)
{
	return take_while(a, is_tag_char);
}

struct str args_atom(struct args *a)
{
	return take_while(a, is_atom_char);
}

static struct str take_quoted(struct args *a)
{
	char *text = arena_alloc(a->arena, a->left.len);
	size_t len = 0, at = 1;

	for (;; at++) {
		if (at >= a->left.len)
			return bad(a);
		if (a->left.p[at] == '"')
			break;
		if (a->left.p[at] == '\\' && ++at >= a->left.len)
			return bad(a);
		if (a->left.p[at] == '\r' || a->left.p[at] == '\n')
			return bad(a);
		text[len++] = a->left.p[at];
	}
	take(a, at + 1);
	return (struct str){ text, len };
}

static struct str take_literal(struct args *a)
{
	ptrdiff_t close = str_find(a->left, '}');
	struct str digits;
	uint32_t len;

	if (close < 2)
		return bad(a);
	digits = str_cut(a->left, 1, (size_t)close);
	if (digits.p[digits.len - 1] == '+')
		digits.len--;
	take(a, (size_t)close + 1);
	if (!str_u32(digits, &len) || !str_starts(a->left, STR("\r\n")) || a->left.len - 2 < len)
		return bad(a);
	take(a, 2);
	return take(a, len);
}

struct str args_string(struct args *a)
{
	if (args_peek(a, '"'))
		return take_quoted(a);
	if (args_peek(a, '{'))
		return take_literal(a);
	return bad(a);
}

struct str args_astring(struct args *a)
{
	if (args_peek(a, '"') || args_peek(a, '{'))
		return args_string(a);
	return take_while(a, is_astring_char);
}

struct str args_nstring(struct args *a)
{
	if (args_word(a, STR("NIL")))
		return STR_NONE;
	return args_string(a);
}

static struct str from_utf7(struct args *a, struct str name)
{
	struct buf utf8 = { 0 };
	struct str copy = STR_NONE;

	if (!a->bad && !utf7_decode(name, &utf8))
		copy = arena_str(a->arena, buf_str(&utf8));
	else
		bad(a);
	buf_free(&utf8);
	return copy;
}

struct str args_mailbox(struct args *a)
{
	struct str name = args_astring(a);

	if (str_eq_nocase(name, STR("INBOX")))
		return STR("INBOX");
	return from_utf7(a, name);
}

struct str args_pattern(struct args *a)
{
	if (args_peek(a, '"') || args_peek(a, '{'))
		return from_utf7(a, args_string(a));
	return from_utf7(a, take_while(a, is_pattern_char));
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

uint32_t args_number(struct args *a)
{
	uint32_t number;

	if (str_u32(take_while(a, is_digit), &number))
		return number;
	bad(a);
	return 0;
}

int64_t args_date_time(struct args *a)
{
	struct date d;

	if (!args_peek(a, '"') || !date_imap(take_quoted(a), &d)) {
		bad(a);
		return 0;
	}
	return date_seconds(&d);
}

int64_t args_day(struct args *a)
{
	struct date d;
	struct str text = args_astring(a);

	if (a->bad || !date_imap_day(text, &d)) {
		bad(a);
		return 0;
	}
	return date_day(&d);
}

static void take_flag(struct args *a, struct flag_words *words, struct str *keywords)
{
	static const struct {
		struct str word;
		uint32_t flag;
	} flags[] = {
		{ { "Answered", 8 }, FLAG_ANSWERED },
		{ { "Flagged", 7 }, FLAG_FLAGGED },
		{ { "Deleted", 7 }, FLAG_DELETED },
		{ { "Seen", 4 }, FLAG_SEEN },
		{ { "Draft", 5 }, FLAG_DRAFT },
	};
	bool system = args_try(a, '\\');
	struct str word = args_atom(a);

	if (a->bad)
		return;
	if (!system) {
		if (words->count < FLAGS_MAX && word.len <= KEYWORD_BYTES_MAX)
			keywords[words->count++] = word;
		else
			bad(a);
		return;
	}
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (str_eq_nocase(word, flags[i].word)) {
			words->flags |= flags[i].flag;
			return;
		}
	if (!str_eq_nocase(word, STR("Recent"))) /* no client sets it, but some try: it is passed over */
		bad(a);
}

void args_flags(struct args *a, struct flag_words *words)
{
	struct str *keywords = arena_alloc(a->arena, FLAGS_MAX * sizeof(*keywords));
	bool list = args_try(a, '(');

	*words = (struct flag_words){ .keywords = keywords };
	if (list && args_try(a, ')'))
		return;
	do
		take_flag(a, words, keywords);
	while (!a->bad && args_peek(a, ' ') && (args_space(a), true));
	if (list)
		args_char(a, ')');
}

static uint32_t set_number(struct args *a)
{
	uint32_t number;

	if (args_try(a, '*'))
		return UINT32_MAX;
	number = args_number(a);
	if (!number || number == UINT32_MAX)
		bad(a);
	return number;
}

void args_set(struct args *a, struct set *set)
{
	size_t room = 1;

	for (size_t i = 0; i < a->left.len && a->left.p[i] != ' '; i++)
		room += a->left.p[i] == ',';
	set->count = 0;
	if (room > SET_RANGES_MAX) {
		bad(a);
		return;
	}
	set->ranges = arena_alloc(a->arena, room * sizeof(*set->ranges));
	do {
		struct uid_range r;

		r.first = r.last = set_number(a);
		if (args_try(a, ':'))
			r.last = set_number(a);
		if (r.first > r.last) /* RFC 3501, 9: 4:2 is 2:4 */
			r = (struct uid_range){ r.last, r.first };
		if (!a->bad)
			set->ranges[set->count++] = r;
	} while (args_try(a, ','));
	if (a->bad)
		set->count = 0;
}

bool set_holds(const struct set *set, uint32_t number, uint32_t last)
{
	for (size_t i = 0; i < set->count; i++) {
		uint32_t first = set->ranges[i].first, end = set->ranges[i].last;

		if (end == UINT32_MAX) { /* n:* holds the last number, even if n is greater */
			end = last;
			if (first > last)
				first = last;
		}
		if (number >= first && number <= end)
			return true;
	}
	return false;
}
