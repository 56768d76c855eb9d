/* smtp_parameter.c - see smtp_parameter.h. */
#include "protocols/smtp/smtp_parameter.h"
#include "storage/decode.h"
#include "storage/token.h"
#include "storage/utf8.h"

static int upper_hex(char c)
{
	return c >= 'a' && c <= 'f' ? -1 : decode_hex(c);
}

/* "+" and two hexadecimal digits, in upper case, stand for any byte; all other printing characters but "=" for
 * themselves. */
bool smtp_xtext(struct str text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];

		if (c <= ' ' || c > '~' || c == '=')
			return false;
		if (c == '+') {
			if (text.len - i < 3 || upper_hex(text.p[i + 1]) < 0 || upper_hex(text.p[i + 2]) < 0)
				return false;
			c = (char)(upper_hex(text.p[i + 1]) << 4 | upper_hex(text.p[i + 2]));
			i += 2;
		}
		buf_add_char(out, c);
	}
	return true;
}

/* Whether xtext means what may stand in a report: printing characters, and of those beyond ASCII whole ones. */
static bool printing_xtext(struct str text, bool beyond_ascii)
{
	struct buf meaning = { 0 };
	bool good = smtp_xtext(text, &meaning);
	struct str left = buf_str(&meaning);

	while (good && left.len) {
		size_t size = beyond_ascii ? utf8_size(left) : 1;

		good = size > 1 || (size == 1 && left.p[0] >= ' ' && left.p[0] <= '~');
		left = str_cut(left, good ? size : 0, left.len);
	}
	buf_free(&meaning);
	return good;
}

/* --- MAIL -------------------------------------------------------------------------------------------------------- */

static const char *take_size(struct str value, struct smtp_mail_parameters *p)
{
	return str_u64(value, &p->size) ? NULL : "501 5.5.4 SIZE wants a number";
}

static const char *take_body(struct str value, struct smtp_mail_parameters *p)
{
	if (str_eq_nocase(value, STR("7BIT")))
		p->body = SMTP_7BIT;
	else if (str_eq_nocase(value, STR("8BITMIME")))
		p->body = SMTP_8BITMIME;
	else if (str_eq_nocase(value, STR("BINARYMIME")))
		p->body = SMTP_BINARYMIME;
	else
		return "501 5.5.4 BODY is 7BIT, 8BITMIME or BINARYMIME";
	return NULL;
}

static const char *take_utf8(struct str value, struct smtp_mail_parameters *p)
{
	p->utf8 = true;
	return value.len ? "501 5.5.4 SMTPUTF8 has no value" : NULL;
}

static const char *take_ret(struct str value, struct smtp_mail_parameters *p)
{
	if (str_eq_nocase(value, STR("FULL")))
		p->ret = SMTP_RET_FULL;
	else if (str_eq_nocase(value, STR("HDRS")))
		p->ret = SMTP_RET_HDRS;
	else
		return "501 5.5.4 RET is FULL or HDRS";
	return NULL;
}

static const char *take_envid(struct str value, struct smtp_mail_parameters *p)
{
	p->envid = value;
	return value.len && value.len <= SMTP_ENVID_MAX && printing_xtext(value, false)
	               ? NULL
	               : "501 5.5.4 ENVID wants xtext, of 100 characters at most";
}

/* Who wrote it, says the client: checked, and then nobody is trusted with that (RFC 4954, 5). */
static const char *take_auth(struct str value, struct smtp_mail_parameters *p)
{
	(void)p;
	return str_eq(value, STR("<>")) || (value.len && value.len <= SMTP_ORCPT_MAX && printing_xtext(value, false))
	               ? NULL
	               : "501 5.5.4 AUTH wants xtext, or <>";
}

static const struct mail_row {
	const char *name;
	const char *(*take)(struct str value, struct smtp_mail_parameters *p); /* NULL, or the reply */
} mail_rows[] = {
	{ "SIZE", take_size },
	{ "BODY", take_body },
	{ "SMTPUTF8", take_utf8 },
	{ "RET", take_ret },
	{ "ENVID", take_envid },
	{ "AUTH", take_auth },
};

#define UNKNOWN "555 5.5.4 there is no such parameter here"
#define TWICE   "501 5.5.4 a parameter stands here once"

const char *smtp_mail_parameters(const struct smtp_path_line *line, struct smtp_mail_parameters *p)
{
	unsigned seen = 0;

	*p = (struct smtp_mail_parameters){ .envid = STR("") };
	for (size_t i = 0; i < line->count; i++) {
		size_t row = 0, rows = sizeof(mail_rows) / sizeof(*mail_rows);
		const char *wrong;

		while (row < rows && !str_eq_nocase(line->parameters[i].name, str_of(mail_rows[row].name)))
			row++;
		if (row == rows)
			return UNKNOWN;
		if (seen & 1u << row)
			return TWICE;
		seen |= 1u << row;
		if ((wrong = mail_rows[row].take(line->parameters[i].value, p)))
			return wrong;
	}
	return NULL;
}

/* --- RCPT -------------------------------------------------------------------------------------------------------- */

/* "NEVER", or a list of the others, each once (RFC 3461, 4.1). */
static const char *take_notify(struct str value, struct smtp_rcpt_parameters *p)
{
	static const struct {
		const char *word;
		enum smtp_notify bit;
	} words[] = {
		{ "NEVER", SMTP_NOTIFY_NEVER },
		{ "SUCCESS", SMTP_NOTIFY_SUCCESS },
		{ "FAILURE", SMTP_NOTIFY_FAILURE },
		{ "DELAY", SMTP_NOTIFY_DELAY },
	};

	for (;;) {
		ptrdiff_t comma = str_find(value, ',');
		struct str word = str_cut(value, 0, comma < 0 ? value.len : (size_t)comma);
		size_t i = 0;

		while (i < 4 && !str_eq_nocase(word, str_of(words[i].word)))
			i++;
		if (i == 4 || p->notify & (words[i].bit | SMTP_NOTIFY_NEVER) || (i == 0 && p->notify))
			return "501 5.5.4 NOTIFY is NEVER, or some of SUCCESS,FAILURE,DELAY";
		p->notify |= words[i].bit;
		if (comma < 0)
			return NULL;
		value = str_cut(value, (size_t)comma + 1, value.len);
	}
}

/* The address of a type: xtext; of the type utf-8 also letters as they are, where SMTPUTF8 was said (RFC 6533, 3). */
static bool original_address(struct str type, struct str address, bool utf8)
{
	bool beyond = str_eq_nocase(type, STR("utf-8"));
	size_t i = 0;

	while (i < address.len && (unsigned char)address.p[i] < 0x80)
		i++;
	if (!address.len || i == address.len)
		return address.len && printing_xtext(address, beyond);
	return beyond && utf8 && utf8_valid(address) && str_find(address, '=') < 0;
}

static bool is_type(struct str type)
{
	for (size_t i = 0; i < type.len; i++)
		if (!token_is_alpha(type.p[i]) && !token_is_digit(type.p[i]) && type.p[i] != '-')
			return false;
	return type.len > 0;
}

static const char *take_orcpt(struct str value, bool utf8, struct smtp_rcpt_parameters *p)
{
	ptrdiff_t semicolon = str_find(value, ';');
	struct str type = str_cut(value, 0, semicolon < 0 ? 0 : (size_t)semicolon);

	p->orcpt = value;
	if (value.len <= SMTP_ORCPT_MAX && is_type(type) &&
		original_address(type, str_cut(value, type.len + 1, value.len), utf8))
		return NULL;
	return "501 5.5.4 ORCPT wants a type, a semicolon and xtext, of 500 characters at most";
}

const char *smtp_rcpt_parameters(const struct smtp_path_line *line, bool utf8, struct smtp_rcpt_parameters *p)
{
	*p = (struct smtp_rcpt_parameters){ .orcpt = STR("") };
	for (size_t i = 0; i < line->count; i++) {
		const struct smtp_parameter *parameter = &line->parameters[i];
		bool notify = str_eq_nocase(parameter->name, STR("NOTIFY"));
		const char *wrong;

		if (!notify && !str_eq_nocase(parameter->name, STR("ORCPT")))
			return UNKNOWN;
		if (notify ? p->notify != 0 : p->orcpt.len > 0)
			return TWICE;
		wrong = notify ? take_notify(parameter->value, p) : take_orcpt(parameter->value, utf8, p);
		if (wrong)
			return wrong;
	}
	return NULL;
}
