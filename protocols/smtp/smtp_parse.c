/* smtp_parse.c - see smtp_parse.h. */
#include "protocols/smtp/smtp_parse.h"

ptrdiff_t smtp_parse_line(struct str bytes, struct smtp_line *line, size_t *size)
{
	ptrdiff_t lf = str_find(bytes, '\n');
	struct str text;
	size_t verb = 0;

	*size = lf < 0 ? bytes.len : (size_t)lf + 1;
	if (lf < 0)
		return 0;
	if (lf == 0 || bytes.p[lf - 1] != '\r')
		return -1;
	text = str_cut(bytes, 0, (size_t)lf - 1);
	if (str_find(text, '\r') >= 0 || str_find(text, '\0') >= 0)
		return -1;
	while (verb < text.len && text.p[verb] != ' ' && text.p[verb] != '\t')
		verb++;
	line->verb = str_cut(text, 0, verb);
	line->rest = str_trim(str_cut(text, verb, text.len));
	return lf + 1;
}

/* esmtp-param = esmtp-keyword ["=" esmtp-value]; a value is any printing characters but '=' and space. */
static bool parameter_parse(struct str word, struct smtp_parameter *p)
{
	ptrdiff_t equals = str_find(word, '=');

	p->name = str_cut(word, 0, equals < 0 ? word.len : (size_t)equals);
	p->value = str_cut(word, equals < 0 ? word.len : (size_t)equals + 1, word.len);
	if (!p->name.len || (equals >= 0 && !p->value.len))
		return false;
	for (size_t i = 0; i < p->name.len; i++) {
		char c = ascii_lower(p->name.p[i]);

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c == '-' && i > 0)))
			return false;
	}
	for (size_t i = 0; i < p->value.len; i++)
		if ((unsigned char)p->value.p[i] <= ' ' || p->value.p[i] == '=' || p->value.p[i] == 0x7f)
			return false;
	return true;
}

enum err smtp_parse_path(struct str rest, struct str word, unsigned allow, struct arena *a, struct smtp_path_line *out)
{
	enum err e;

	out->count = 0;
	if (!str_starts_nocase(rest, word))
		return ERR_MISTAKE;
	rest = str_trim(str_cut(rest, word.len, rest.len)); /* a space here is wrong, and very common */
	if ((e = address_path(a, &rest, allow, &out->path)))
		return e;
	if (rest.len && rest.p[0] != ' ')
		return ERR_MISTAKE;
	while ((rest = str_trim(rest)).len) {
		ptrdiff_t space = str_find(rest, ' ');
		size_t len = space < 0 ? rest.len : (size_t)space;

		if (out->count == SMTP_PARAMETERS_MAX ||
			!parameter_parse(str_cut(rest, 0, len), &out->parameters[out->count++]))
			return ERR_MISTAKE;
		rest = str_cut(rest, len, rest.len);
	}
	return OK;
}

bool smtp_parse_chunk(struct str rest, uint64_t *size, bool *last)
{
	struct str word = str_word(&rest);

	rest = str_trim(rest);
	*last = str_eq_nocase(rest, STR("LAST"));
	return (*last || !rest.len) && str_u64(word, size);
}
