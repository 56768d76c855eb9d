/* smtp_parameter.c - see smtp_parameter.h. */
#include "protocols/smtp/smtp_parameter.h"
#include "storage/mail/date.h"
#include "storage/mail/decode.h"
#include "storage/mail/token.h"
#include "storage/mail/utf8.h"

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

/* A number of so many digits at the front of *left, with `behind` after it. */
static bool time_part(struct str *left, size_t digits, char behind, int *value)
{
	uint32_t number;

	if (left->len <= digits || ascii_lower(left->p[digits]) != behind ||
		!str_u32(str_cut(*left, 0, digits), &number))
		return false;
	*value = (int)number;
	*left = str_cut(*left, digits + 1, left->len);
	return true;
}

bool smtp_time(struct str text, int64_t *seconds)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	struct date d = { 0 };
	int leap;

	if (!time_part(&text, 4, '-', &d.year) || !time_part(&text, 2, '-', &d.month) ||
		!time_part(&text, 2, 't', &d.day) || !time_part(&text, 2, ':', &d.hour) ||
		!time_part(&text, 2, ':', &d.minute) || !time_part(&text, 2, 'z', &d.second) || text.len)
		return false;
	leap = d.month == 2 && d.year % 4 == 0 && (d.year % 100 || d.year % 400 == 0);
	if (d.year < 1 || d.month < 1 || d.month > 12 || d.day < 1 || d.day > days[d.month - 1] + leap || d.hour > 23 ||
		d.minute > 59 || d.second > 60)
		return false;
	*seconds = date_seconds(&d);
	return true;
}

/* --- MAIL -------------------------------------------------------------------------------------------------------- */

static const char *take_size(struct str value, struct smtp_mail_parameters *p)
{
	return str_u64(value, &p->size) ? NULL : "501 5.5.4 SIZE wants a number";
}

static const char *take_body(struct str value, struct smtp_mail_parameters *p)
{
	if (str_eq_nocase(value, STR("7BIT")))
		p->body = BODY_7BIT;
	else if (str_eq_nocase(value, STR("8BITMIME")))
		p->body = BODY_8BITMIME;
	else if (str_eq_nocase(value, STR("BINARYMIME")))
		p->body = BODY_BINARYMIME;
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
		p->ret = RET_FULL;
	else if (str_eq_nocase(value, STR("HDRS")))
		p->ret = RET_HDRS;
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

/* "-9" to "9", a sign perhaps before it; at most `digits` of them. */
static bool signed_number(struct str text, size_t digits, int64_t *value)
{
	bool minus = text.len && text.p[0] == '-', sign = minus || (text.len && text.p[0] == '+');
	uint64_t number;

	text = str_cut(text, sign, text.len);
	if (text.len > digits || !str_u64(text, &number))
		return false;
	*value = minus ? -(int64_t)number : (int64_t)number;
	return true;
}

/* by-time ";" by-mode [by-trace] (RFC 2852, 4): what is to be returned when it is too late needs time to be early. */
static const char *take_by(struct str value, struct smtp_mail_parameters *p)
{
	ptrdiff_t semicolon = str_find(value, ';');
	struct str how = str_cut(value, (size_t)(semicolon + 1), value.len);

	if (semicolon < 0 || !signed_number(str_cut(value, 0, (size_t)semicolon), 9, &p->by_time))
		return "501 5.5.4 BY wants seconds, a semicolon, and R or N, perhaps T";
	p->by_trace = how.len == 2 && ascii_lower(how.p[1]) == 't';
	p->by = !how.len ? BY_NONE : ascii_lower(how.p[0]) == 'r' ? BY_RETURN : BY_NOTIFY;
	if (!how.len || how.len > 2 || (how.len == 2 && !p->by_trace) || !strchr("rn", ascii_lower(how.p[0])))
		return "501 5.5.4 BY wants seconds, a semicolon, and R or N, perhaps T";
	return p->by == BY_RETURN && p->by_time <= 0 ? "501 5.5.4 it is too late for that already" : NULL;
}

#define HELD_TWICE "501 5.5.4 HOLDFOR or HOLDUNTIL, not both"

/* A number of at most 9 digits that does not begin with 0 (RFC 4865, 4). */
static const char *take_hold_for(struct str value, struct smtp_mail_parameters *p)
{
	if (p->hold_until)
		return HELD_TWICE;
	return value.len && value.p[0] != '0' && token_is_digit(value.p[0]) && signed_number(value, 9, &p->hold_for)
	               ? NULL
	               : "501 5.5.4 HOLDFOR wants seconds";
}

static const char *take_hold_until(struct str value, struct smtp_mail_parameters *p)
{
	if (p->hold_for)
		return HELD_TWICE;
	return smtp_time(value, &p->hold_until) && p->hold_until > 0
	               ? NULL
	               : "501 5.5.4 HOLDUNTIL wants a time like 2026-11-23T12:00:00Z";
}

static const char *take_priority(struct str value, struct smtp_mail_parameters *p)
{
	int64_t priority;

	if (!signed_number(value, 1, &priority))
		return "501 5.5.4 MT-PRIORITY is from -9 to 9";
	p->priority = (int)priority;
	return NULL;
}

static const struct mail_row {
	const char *name;
	const char *(*take)(struct str value, struct smtp_mail_parameters *p); /* NULL, or the reply */
	unsigned may;                                                          /* who may say it; 0: anybody */
} mail_rows[] = {
	{ "SIZE", take_size, 0 },
	{ "BODY", take_body, 0 },
	{ "SMTPUTF8", take_utf8, 0 },
	{ "RET", take_ret, 0 },
	{ "ENVID", take_envid, 0 },
	{ "AUTH", take_auth, 0 },
	{ "BY", take_by, 0 },
	{ "HOLDFOR", take_hold_for, SMTP_MAY_HOLD },
	{ "HOLDUNTIL", take_hold_until, SMTP_MAY_HOLD },
	{ "MT-PRIORITY", take_priority, SMTP_MAY_URGE },
};

#define UNKNOWN "555 5.5.4 there is no such parameter here"
#define TWICE   "501 5.5.4 a parameter stands here once"

const char *smtp_mail_parameters(const struct smtp_path_line *line, unsigned may, struct smtp_mail_parameters *p)
{
	unsigned seen = 0;

	*p = (struct smtp_mail_parameters){ .envid = STR("") };
	for (size_t i = 0; i < line->count; i++) {
		size_t row = 0, rows = sizeof(mail_rows) / sizeof(*mail_rows);
		const char *wrong;

		while (row < rows && !str_eq_nocase(line->parameters[i].name, str_of(mail_rows[row].name)))
			row++;
		if (row == rows || mail_rows[row].may & ~may)
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
		enum queue_notify bit;
	} words[] = {
		{ "NEVER", NOTIFY_NEVER },
		{ "SUCCESS", NOTIFY_SUCCESS },
		{ "FAILURE", NOTIFY_FAILURE },
		{ "DELAY", NOTIFY_DELAY },
	};

	for (;;) {
		ptrdiff_t comma = str_find(value, ',');
		struct str word = str_cut(value, 0, comma < 0 ? value.len : (size_t)comma);
		size_t i = 0;

		while (i < 4 && !str_eq_nocase(word, str_of(words[i].word)))
			i++;
		if (i == 4 || p->notify & (words[i].bit | NOTIFY_NEVER) || (i == 0 && p->notify))
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
