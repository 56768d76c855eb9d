/* content.c - see content.h. */
#include "storage/mail/content.h"
#include "storage/mail/decode.h"
#include "storage/mail/header.h"
#include "storage/mail/token.h"

static const struct content_param us_ascii = { NULL, { "charset", 7 }, { "us-ascii", 8 } };

void content_set(struct content *c, const char *type, const char *subtype)
{
	c->type = str_of(type);
	c->subtype = str_of(subtype);
	c->params = NULL;
}

void content_plain(struct content *c)
{
	content_set(c, "text", "plain");
	c->params = &us_ascii;
}

bool content_is(const struct content *c, const char *type, const char *subtype)
{
	return str_eq_nocase(c->type, str_of(type)) && (!subtype || str_eq_nocase(c->subtype, str_of(subtype)));
}

struct str content_param(const struct content_param *params, const char *name)
{
	for (; params; params = params->next)
		if (str_eq_nocase(params->name, str_of(name)))
			return params->value;
	return STR_NONE;
}

/* The value of an extended parameter: what stands before the second ' in the first piece is charset and language. */
static void add_extended(struct buf *out, struct str value, bool first)
{
	for (int quotes = 0; first && quotes < 2; quotes++) {
		ptrdiff_t quote = str_find(value, '\'');

		if (quote >= 0)
			value = str_cut(value, (size_t)quote + 1, value.len);
	}
	for (size_t i = 0; i < value.len; i++) {
		int high = i + 2 < value.len ? decode_hex(value.p[i + 1]) : -1;
		int low = high >= 0 ? decode_hex(value.p[i + 2]) : -1;

		if (value.p[i] == '%' && low >= 0) {
			buf_add_char(out, (char)(high << 4 | low));
			i += 2;
		} else {
			buf_add_char(out, value.p[i]);
		}
	}
}

struct str content_param_joined(struct arena *a, const struct content_param *params, const char *name)
{
	struct str plain = content_param(params, name), value, joined = STR_NONE;
	struct buf out = { 0 };

	if (plain.p)
		return plain;
	value = content_param(params, arena_printf(a, "%s*", name));
	if (value.p)
		add_extended(&out, value, true);
	for (unsigned i = 0; !value.p && i < CONTENT_PARAMS_MAX; i++) {
		struct str piece = content_param(params, arena_printf(a, "%s*%u", name, i));
		struct str extended = content_param(params, arena_printf(a, "%s*%u*", name, i));

		if (piece.p)
			buf_add_str(&out, piece);
		else if (extended.p)
			add_extended(&out, extended, i == 0);
		else
			break;
	}
	if (buf_len(&out))
		joined = arena_str(a, buf_str(&out));
	buf_free(&out);
	return joined;
}

/* ---- the grammar of RFC 2045, 5.1 ---- */

static bool is_token_char(char c)
{
	return token_is_alpha(c) || (c > ' ' && c < 0x7f && !strchr("()<>@,;:\\\"/[]?=", c));
}

static struct str take_token(struct str *left)
{
	size_t len = 0;
	struct str token;

	while (len < left->len && is_token_char(left->p[len]))
		len++;
	token = str_cut(*left, 0, len);
	*left = str_cut(*left, len, left->len);
	return token;
}

static void skip_to_semicolon(struct str *left)
{
	ptrdiff_t at = str_find(*left, ';');

	*left = str_cut(*left, at < 0 ? left->len : (size_t)at, left->len);
}

static bool at_param(struct str left) /* "name=" */
{
	return take_token(&left).len && (token_space(&left, NULL), left.len) && left.p[0] == '=';
}

/* A value without quotes: to the semicolon, or to where another parameter begins though none stands there. What
 * should have been quoted is taken with its spaces. */
static void take_bare_value(struct str *left, struct buf *value)
{
	while (left->len && left->p[0] != ';') {
		size_t len = 0;

		while (len < left->len && !token_is_space(left->p[len]) && left->p[len] != ';' && left->p[len] != '(')
			len++;
		if (buf_len(value))
			buf_add_char(value, ' ');
		token_add(value, str_cut(*left, 0, len));
		*left = str_cut(*left, len, left->len);
		token_space(left, NULL);
		if (at_param(*left))
			break;
	}
}

/* One parameter; false if what stands there is none. */
static bool take_param(struct str *left, struct str *name, struct buf *value)
{
	*name = take_token(left);
	token_space(left, NULL);
	if (!name->len || !left->len || left->p[0] != '=')
		return false;
	*left = str_cut(*left, 1, left->len);
	token_space(left, NULL);
	buf_clear(value);
	if (left->len && left->p[0] == '"')
		token_quoted(left, value);
	else
		take_bare_value(left, value);
	return true;
}

static const struct content_param *read_params(struct arena *a, struct str left)
{
	const struct content_param *first = NULL, **link = &first;
	struct buf value = { 0 };
	unsigned count = 0;

	while (count < CONTENT_PARAMS_MAX) {
		struct str name;

		token_space(&left, NULL);
		if (!left.len)
			break;
		if (left.p[0] == ';') {
			left = str_cut(left, 1, left.len);
		} else if (take_param(&left, &name, &value)) {
			struct content_param *param = arena_new(a, struct content_param);

			param->name = arena_str(a, name);
			param->value = arena_str(a, buf_str(&value));
			*link = param;
			link = &param->next;
			count++;
		} else {
			skip_to_semicolon(&left);
		}
	}
	buf_free(&value);
	return first;
}

/* ---- the fields ---- */

static void read_type(struct arena *a, struct str left, struct content *c)
{
	struct str type, subtype;

	token_space(&left, NULL);
	type = take_token(&left);
	token_space(&left, NULL);
	if (!left.len || left.p[0] != '/')
		return;
	left = str_cut(left, 1, left.len);
	token_space(&left, NULL);
	subtype = take_token(&left);
	if (!type.len || !subtype.len)
		return;
	c->type = arena_str(a, type);
	c->subtype = arena_str(a, subtype);
	c->params = read_params(a, left);
}

static void read_disposition(struct arena *a, struct str left, struct content *c)
{
	struct str type;

	token_space(&left, NULL);
	type = take_token(&left);
	c->disposition_params = read_params(a, left);
	if (type.len)
		c->disposition = arena_str(a, type);
	else if (c->disposition_params)
		c->disposition = STR("attachment");
}

static void read_languages(struct arena *a, struct str left, struct content *c)
{
	const struct content_word **link = &c->languages;

	for (unsigned count = 0; left.len && count < CONTENT_LANGUAGES_MAX;) {
		struct str word;

		token_space(&left, NULL);
		word = take_token(&left);
		if (word.len) {
			struct content_word *language = arena_new(a, struct content_word);

			language->text = arena_str(a, word);
			*link = language;
			link = &language->next;
			count++;
		} else if (left.len) {
			left = str_cut(left, 1, left.len);
		}
	}
}

/* An encoding's name may be all but right ("7-bit", "8bit;"): the word as it stands, so that a reader can judge. */
static void read_encoding(struct arena *a, struct str left, struct content *c)
{
	size_t len = 0;

	token_space(&left, NULL);
	while (len < left.len && !token_is_space(left.p[len]) && left.p[len] != ';' && left.p[len] != '(' &&
		left.p[len])
		len++;
	if (len)
		c->encoding = arena_str(a, str_cut(left, 0, len));
}

static struct str text_of(struct arena *a, struct str value)
{
	return arena_str(a, header_unfold(a, value));
}

static void read_id(struct arena *a, struct str value, struct content *c)
{
	c->id = text_of(a, value);
}

static void read_description(struct arena *a, struct str value, struct content *c)
{
	c->description = text_of(a, value);
}

static void read_location(struct arena *a, struct str value, struct content *c)
{
	c->location = text_of(a, value);
}

static void read_md5(struct arena *a, struct str value, struct content *c)
{
	c->md5 = text_of(a, value);
}

void content_read(struct arena *a, struct str block, unsigned fields, struct content *c)
{
	static const struct {
		const char *name;
		void (*read)(struct arena *a, struct str value, struct content *c);
	} known[] = {
		{ "Content-Type", read_type },
		{ "Content-Transfer-Encoding", read_encoding },
		{ "Content-Disposition", read_disposition },
		{ "Content-ID", read_id },
		{ "Content-Description", read_description },
		{ "Content-Language", read_languages },
		{ "Content-Location", read_location },
		{ "Content-MD5", read_md5 },
	};
	struct header_walk w = header_walk(block);
	struct header_field field;
	unsigned seen = 0;

	*c = (struct content){ 0 };
	content_plain(c);
	while (fields-- && header_next(&w, &field)) {
		if (!str_starts_nocase(field.name, STR("Content-")))
			continue;
		for (unsigned i = 0; i < sizeof(known) / sizeof(*known); i++)
			if (!(seen & 1u << i) && str_eq_nocase(field.name, str_of(known[i].name))) {
				known[i].read(a, field.value, c);
				seen |= 1u << i;
			}
	}
}
