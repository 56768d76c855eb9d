/* setting_value.c - see setting_value.h. */
#include "core/setting_value.h"
#include <assert.h>
#include <inttypes.h>

struct unit { /* largest first: printing takes the first that divides the value */
	const char *suffix;
	int64_t worth;
};

static const struct unit sizes[] = {
	{ "T", INT64_C(1) << 40 },
	{ "G", INT64_C(1) << 30 },
	{ "M", INT64_C(1) << 20 },
	{ "K", INT64_C(1) << 10 },
	{ "", 1 },
	{ NULL, 0 },
};

static const struct unit durations[] = {
	{ "d", INT64_C(86400000) },
	{ "h", 3600000 },
	{ "m", 60000 },
	{ "s", 1000 },
	{ "ms", 1 },
	{ NULL, 0 },
};

static const struct unit plain[] = {
	{ "", 1 },
	{ NULL, 0 },
};

static const struct {
	const char *word;
	bool value;
} truths[] = {
	{ "true", true },
	{ "yes", true },
	{ "on", true },
	{ "false", false },
	{ "no", false },
	{ "off", false },
};

static const struct unit *units_of(enum setting_type type)
{
	return type == SETTING_SIZE ? sizes : type == SETTING_DURATION ? durations : plain;
}

static bool read_bool(const char *text, int64_t *value)
{
	for (size_t i = 0; i < sizeof(truths) / sizeof(*truths); i++)
		if (str_eq_nocase(str_of(text), str_of(truths[i].word))) {
			*value = truths[i].value;
			return true;
		}
	return false;
}

static bool read_choice(const char *words, const char *text, int64_t *value)
{
	struct str left = str_of(words);

	for (int64_t place = 0;; place++) {
		ptrdiff_t bar = str_find(left, '|');
		struct str word = str_cut(left, 0, bar < 0 ? left.len : (size_t)bar);

		if (str_eq(word, str_of(text))) {
			*value = place;
			return true;
		}
		if (bar < 0)
			return false;
		left = str_cut(left, (size_t)bar + 1, left.len);
	}
}

/* Digits, then a unit. A bare 0 is 0 of anything; other durations must say their unit. */
static bool read_measure(enum setting_type type, const char *text, int64_t *value)
{
	bool minus = type == SETTING_NUMBER && text[0] == '-';
	struct str s = str_of(text + minus);
	uint64_t count;
	size_t digits = 0;

	while (digits < s.len && s.p[digits] >= '0' && s.p[digits] <= '9')
		digits++;
	if (!str_u64(str_cut(s, 0, digits), &count) || count > INT64_MAX)
		return false;
	for (const struct unit *u = units_of(type); u->suffix; u++) {
		if (!str_eq(str_cut(s, digits, s.len), str_of(u->suffix)) && !(count == 0 && digits == s.len))
			continue;
		if (count > (uint64_t)(INT64_MAX / u->worth))
			return false;
		*value = (int64_t)count * u->worth * (minus ? -1 : 1);
		return true;
	}
	return false;
}

static bool read_any(const struct setting *row, const char *text, int64_t *value)
{
	switch (row->type) {
	case SETTING_BOOL:
		return read_bool(text, value);
	case SETTING_CHOICE:
		return read_choice(row->max, text, value);
	case SETTING_NUMBER:
	case SETTING_SIZE:
	case SETTING_DURATION:
		return read_measure(row->type, text, value);
	case SETTING_TEXT:
	case SETTING_LIST:
		break;
	}
	assert(!"a text or a list is not read as a number");
	return false;
}

static bool has_limits(const struct setting *row)
{
	return row->type == SETTING_NUMBER || row->type == SETTING_SIZE || row->type == SETTING_DURATION;
}

static bool within_limits(const struct setting *row, int64_t value)
{
	int64_t limit;

	if (row->min && (!read_measure(row->type, row->min, &limit) || value < limit))
		return false;
	return !row->max || (read_measure(row->type, row->max, &limit) && value <= limit);
}

/* ", from 1 to 10", or nothing. */
static void print_limits(const struct setting *row, struct buf *out)
{
	if (!has_limits(row))
		return;
	if (row->min && row->max)
		buf_printf(out, ", from %s to %s", row->min, row->max);
	else if (row->min)
		buf_printf(out, ", at least %s", row->min);
	else if (row->max)
		buf_printf(out, ", at most %s", row->max);
}

static void print_words(const char *words, struct buf *out)
{
	struct str left = str_of(words);
	ptrdiff_t bar;

	while ((bar = str_find(left, '|')) >= 0) {
		buf_add(out, left.p, (size_t)bar);
		left = str_cut(left, (size_t)bar + 1, left.len);
		buf_printf(out, str_find(left, '|') < 0 ? " or " : ", ");
	}
	buf_add_str(out, left);
}

void setting_print_kind(const struct setting *row, bool examples, struct buf *out)
{
	static const struct {
		const char *kind, *examples;
	} kinds[] = {
		[SETTING_BOOL] = { "true or false", "" },
		[SETTING_NUMBER] = { "a number", "" },
		[SETTING_SIZE] = { "a size", " such as 512, 64K, 50M or 1G" },
		[SETTING_DURATION] = { "a duration", " such as 500ms, 30s, 5m, 2h or 1d" },
		[SETTING_TEXT] = { "a text", "" },
		[SETTING_CHOICE] = { "", "" },
		[SETTING_LIST] = { "a list", " such as { \"one\", \"two\" }" },
	};

	if (row->type == SETTING_CHOICE)
		print_words(row->max, out);
	buf_printf(out, "%s%s", kinds[row->type].kind, examples ? kinds[row->type].examples : "");
	print_limits(row, out);
}

bool setting_read(const struct setting *row, const char *text, int64_t *value, struct buf *why)
{
	int64_t v;

	if (read_any(row, text, &v) && (!has_limits(row) || within_limits(row, v))) {
		*value = v;
		return true;
	}
	if (row->flags & SETTING_SECRET)
		buf_printf(why, "what is given");
	else
		buf_printf(why, "\"%.60s\"", text);
	buf_printf(why, " is not ");
	setting_print_kind(row, true, why);
	return false;
}

bool setting_text_fits(const char *text, struct buf *why)
{
	size_t len = strnlen(text, SETTING_TEXT_MAX + 1);

	if (len > SETTING_TEXT_MAX) {
		buf_printf(why, "a text is longer than %d bytes", SETTING_TEXT_MAX);
		return false;
	}
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f) {
			buf_printf(why, "a text holds a control character, 0x%02x", (unsigned char)text[i]);
			return false;
		}
	return true;
}

/* In the double quotes of libconfuse, where `\` escapes and `${` stands for the environment. */
void setting_print_quoted(const char *text, struct buf *out)
{
	buf_add_char(out, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\' || *text == '$')
			buf_add_char(out, '\\');
		buf_add_char(out, *text);
	}
	buf_add_char(out, '"');
}

static void print_measure(enum setting_type type, int64_t value, struct buf *out)
{
	const struct unit *u = units_of(type);

	while (value == 0 ? u[1].suffix != NULL : value % u->worth != 0)
		u++;
	buf_printf(out, "%" PRId64 "%s", value / u->worth, value ? u->suffix : "");
}

static void print_choice(const char *words, int64_t place, struct buf *out)
{
	struct str left = str_of(words);
	ptrdiff_t bar;

	for (; place > 0 && (bar = str_find(left, '|')) >= 0; place--)
		left = str_cut(left, (size_t)bar + 1, left.len);
	bar = str_find(left, '|');
	buf_add(out, left.p, bar < 0 ? left.len : (size_t)bar);
}

static void print_list(const struct setting_list *list, struct buf *out)
{
	buf_add_char(out, '{');
	for (size_t i = 0; i < list->count; i++) {
		buf_printf(out, i ? ", " : " ");
		setting_print_quoted(list->items[i], out);
	}
	buf_printf(out, list->count ? " }" : "}");
}

void setting_print(const struct setting *row, const void *values, enum conf_dump how, struct buf *out)
{
	const void *at = (const char *)values + row->offset;

	if (how == CONF_FOR_PEOPLE && (row->flags & SETTING_SECRET)) {
		buf_printf(out, "***");
		return;
	}
	switch (row->type) {
	case SETTING_BOOL:
		buf_printf(out, *(const bool *)at ? "true" : "false");
		break;
	case SETTING_NUMBER:
	case SETTING_SIZE:
	case SETTING_DURATION:
		print_measure(row->type, *(const int64_t *)at, out);
		break;
	case SETTING_CHOICE:
		print_choice(row->max, *(const int64_t *)at, out);
		break;
	case SETTING_TEXT:
		setting_print_quoted(*(const char *const *)at, out);
		break;
	case SETTING_LIST:
		print_list(at, out);
		break;
	}
}

static void print_default_list(struct str words, struct buf *out)
{
	const char *before = " ";

	buf_add_char(out, '{');
	while ((words = str_trim(words)).len) {
		ptrdiff_t space = str_find(words, ' ');
		size_t len = space < 0 ? words.len : (size_t)space;

		buf_printf(out, "%s\"" STR_FMT "\"", before, (int)len, words.p);
		words = str_cut(words, len, words.len);
		before = ", ";
	}
	buf_printf(out, *before == ',' ? " }" : "}");
}

void setting_print_default(const struct setting *row, struct buf *out)
{
	int64_t truth;

	if (row->type == SETTING_BOOL && read_bool(row->def, &truth))
		buf_printf(out, truth ? "true" : "false");
	else if (row->type == SETTING_TEXT)
		setting_print_quoted(row->def, out);
	else if (row->type == SETTING_LIST)
		print_default_list(str_of(row->def), out);
	else
		buf_printf(out, "%s", row->def);
}
