/* sasl_scram_message.c - see sasl_scram_message.h. */
#include "protocols/sasl_scram_message.h"
#include "storage/mail/token.h"
#include "storage/mail/utf8.h"

/* Takes what stands before the next comma, and the comma. */
static struct str take(struct str *left)
{
	ptrdiff_t comma = str_find(*left, ',');
	size_t len = comma < 0 ? left->len : (size_t)comma;
	struct str part = str_cut(*left, 0, len);

	*left = str_cut(*left, comma < 0 ? len : len + 1, left->len);
	return part;
}

/* "x=value", the value not empty; it is of printing characters as the whole message is UTF-8 without NUL. */
static bool attribute(struct str part, char name, struct str *value)
{
	if (part.len < 3 || part.p[0] != name || part.p[1] != '=')
		return false;
	*value = str_cut(part, 2, part.len);
	return true;
}

static bool is_message(struct str message)
{
	return utf8_valid(message) && str_find(message, '\0') < 0;
}

static bool is_nonce(struct str nonce) /* printable, and no comma as they part attributes */
{
	for (size_t i = 0; i < nonce.len; i++)
		if (nonce.p[i] < '!' || nonce.p[i] > '~')
			return false;
	return nonce.len > 0;
}

static bool is_binding_name(struct str name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!token_is_alpha(name.p[i]) && !token_is_digit(name.p[i]) && name.p[i] != '.' && name.p[i] != '-')
			return false;
	return name.len > 0;
}

/* What else a client says, "x=value" each: to be ignored if it is of that form. */
static bool are_extensions(struct str left)
{
	while (left.len) {
		struct str part = take(&left), value;

		if (!part.len || !token_is_alpha(part.p[0]) || !attribute(part, part.p[0], &value))
			return false;
		if (part.p[0] == 'm')
			return false;
	}
	return true;
}

static bool ends_in_comma(struct str text)
{
	return text.len && text.p[text.len - 1] == ',';
}

static bool header_parse(struct str *left, struct scram_first *f)
{
	const char *start = left->p;
	struct str flag = take(left), authorize = take(left);

	if (attribute(flag, 'p', &f->binding) ? !is_binding_name(f->binding)
					      : !str_eq(flag, STR("n")) && !str_eq(flag, STR("y")))
		return false;
	f->flag = flag.p[0];
	if (authorize.len && !str_eq(authorize, STR("a=")) && !attribute(authorize, 'a', &f->authorize))
		return false; /* "a=" is not right, but GNU SASL says so for nobody else than oneself */
	f->header = (struct str){ start, (size_t)(left->p - start) };
	return true;
}

bool scram_first_parse(struct str message, struct scram_first *f)
{
	struct str left = message;

	*f = (struct scram_first){ .authorize = STR(""), .binding = STR("") };
	if (!is_message(message) || ends_in_comma(message) || !header_parse(&left, f))
		return false;
	f->bare = left;
	return attribute(take(&left), 'n', &f->name) && attribute(take(&left), 'r', &f->nonce) && is_nonce(f->nonce) &&
	       are_extensions(left);
}

bool scram_final_parse(struct str message, struct scram_final *f)
{
	ptrdiff_t comma = str_rfind(message, ',');
	struct str left;

	*f = (struct scram_final){ 0 };
	if (comma < 0 || !is_message(message) ||
		!attribute(str_cut(message, (size_t)comma + 1, message.len), 'p', &f->proof))
		return false;
	f->without_proof = left = str_cut(message, 0, (size_t)comma);
	return !ends_in_comma(left) && attribute(take(&left), 'c', &f->binding) &&
	       attribute(take(&left), 'r', &f->nonce) && is_nonce(f->nonce) && are_extensions(left);
}

bool scram_name(struct str name, struct buf *out)
{
	while (name.len) {
		ptrdiff_t equals = str_find(name, '=');
		size_t len = equals < 0 ? name.len : (size_t)equals;

		buf_add(out, name.p, len);
		name = str_cut(name, len, name.len);
		if (!name.len)
			break;
		if (!str_starts(name, STR("=2C")) && !str_starts(name, STR("=3D")))
			return false;
		buf_add_char(out, name.p[1] == '2' ? ',' : '=');
		name = str_cut(name, 3, name.len);
	}
	return true;
}
