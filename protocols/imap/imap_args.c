/* imap_args.c - see imap_args.h. */
#include "protocols/imap/imap_args.h"
#include "protocols/imap/imap_utf7.h"

struct args args_of(struct str command, struct arena *arena)
{
	struct args a = { command, arena, false };

	if (command.len >= 2) /* the CRLF, which imap_parse has seen */
		a.left.len -= 2;
	return a;
}

struct str args_wrong(struct args *a)
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
	args_wrong(a);
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
	return len ? take(a, len) : args_wrong(a);
}

static bool is_tag_char(char c)
{
	return (is_atom_char(c) || c == ']') && c != '+';
}

bool args_is_astring_char(char c)
{
	return is_atom_char(c) || c == ']';
}

static bool is_pattern_char(char c)
{
	return args_is_astring_char(c) || c == '%' || c == '*';
}

struct str args_tag(struct args *a)
{
	return take_while(a, is_tag_char);
}

struct str args_atom(struct args *a)
{
	return take_while(a, is_atom_char);
}

/* How many bytes the quoted string at the front has, its quotes included; 0: it does not end, or not in its line, or a
 * backslash stands before what needs none. */
static size_t quoted_size(struct str s)
{
	for (size_t at = 1; at < s.len && s.p[at] != '\r' && s.p[at] != '\n'; at++) {
		if (s.p[at] == '"')
			return at + 1;
		if (s.p[at] == '\\' && ++at < s.len && s.p[at] != '\\' && s.p[at] != '"')
			return 0;
	}
	return 0;
}

static struct str take_quoted(struct args *a)
{
	size_t size = quoted_size(a->left), len = 0;
	char *text;

	if (!size)
		return args_wrong(a);
	text = arena_alloc(a->arena, size);
	for (size_t at = 1; at < size - 1; at++) {
		at += a->left.p[at] == '\\';
		text[len++] = a->left.p[at];
	}
	take(a, size);
	return (struct str){ text, len };
}

static struct str take_literal(struct args *a)
{
	ptrdiff_t close = str_find(a->left, '}');
	struct str digits;
	uint32_t len;

	if (close < 2)
		return args_wrong(a);
	digits = str_cut(a->left, 1, (size_t)close);
	if (digits.p[digits.len - 1] == '+')
		digits.len--;
	take(a, (size_t)close + 1);
	if (!str_u32(digits, &len) || !str_starts(a->left, STR("\r\n")) || a->left.len - 2 < len)
		return args_wrong(a);
	take(a, 2);
	return str_find(str_cut(a->left, 0, len), '\0') < 0 ? take(a, len) : args_wrong(a);
}

struct str args_string(struct args *a)
{
	if (args_peek(a, '"'))
		return take_quoted(a);
	if (args_peek(a, '{'))
		return take_literal(a);
	return args_wrong(a);
}

struct str args_astring(struct args *a)
{
	if (args_peek(a, '"') || args_peek(a, '{'))
		return args_string(a);
	return take_while(a, args_is_astring_char);
}

static struct str from_utf7(struct args *a, struct str name)
{
	struct buf utf8 = { 0 };
	struct str copy = STR_NONE;

	if (!a->bad && !utf7_decode(name, &utf8))
		copy = arena_str(a->arena, buf_str(&utf8));
	else
		args_wrong(a);
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
	args_wrong(a);
	return 0;
}

int64_t args_date_time(struct args *a)
{
	struct date d;

	if (!args_peek(a, '"') || !date_imap(take_quoted(a), &d)) {
		args_wrong(a);
		return 0;
	}
	return date_seconds(&d);
}

int64_t args_day(struct args *a)
{
	struct date d;
	struct str text = args_astring(a);

	if (a->bad || !date_imap_day(text, &d)) {
		args_wrong(a);
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
			args_wrong(a);
		return;
	}
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (str_eq_nocase(word, flags[i].word)) {
			words->flags |= flags[i].flag;
			return;
		}
	if (!str_eq_nocase(word, STR("Recent"))) /* no client sets it, but some try: it is passed over */
		args_wrong(a);
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
	while (args_try(a, ' '));
	if (list)
		args_char(a, ')');
}
