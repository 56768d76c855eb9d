/* report_status.c - the part of a report that programs read: message/delivery-status (RFC 3464, 2), or with letters beyond
 * ASCII in addresses message/global-delivery-status (RFC 6533, 3 and 4). */
#include "protocols/sending/report_parts.h"
#include "protocols/sending/report_words.h"
#include "protocols/smtp/smtp_parameter.h"
#include "storage/mail/date.h"
#include "storage/mail/token.h"
#include "storage/mail/utf8.h"
#include "storage/route/alias_program.h"
#include <arpa/inet.h>

#define SHORT_REPLY 80 /* bytes */

static const char *const actions[] = {
	[REPORT_FAILED] = "failed",
	[REPORT_DELAYED] = "delayed",
	[REPORT_DELIVERED] = "delivered",
	[REPORT_RELAYED] = "relayed",
	[REPORT_EXPANDED] = "expanded",
};

const char *report_action_text(enum report_action action)
{
	return actions[action];
}

bool report_is_ascii(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.p[i] >= 0x80)
			return false;
	return true;
}

/* --- status codes ------------------------------------------------------------------------------------------------- */

static size_t digits_at(struct str text, size_t at)
{
	size_t digits = 0;

	while (at + digits < text.len && token_is_digit(text.p[at + digits]))
		digits++;
	return digits;
}

/* Bytes of "5.1.1" at the front (RFC 3463, 2); 0: there is none. */
static size_t code_size(struct str text)
{
	size_t subject, detail;

	if (text.len < 5 || !strchr("245", text.p[0]) || text.p[1] != '.')
		return 0;
	subject = digits_at(text, 2);
	if (!subject || subject > 3 || 2 + subject == text.len || text.p[2 + subject] != '.')
		return 0;
	detail = digits_at(text, 3 + subject);
	return detail && detail <= 3 ? 3 + subject + detail : 0;
}

/* A failure may be for now or for ever, for what is given up may have been tried for long; a delay is for now. */
static bool fits(enum report_action action, char class)
{
	return action == REPORT_FAILED ? class != '2' : class == (action == REPORT_DELAYED ? '4' : '2');
}

struct str report_code(enum report_action action, const struct outcome *o)
{
	struct str code = o->status, reply = o->reply;

	if (!code.len && digits_at(reply, 0) == 3 && reply.len > 4) /* the reply's own, behind its three digits */
		code = str_cut(reply, 4, reply.len);
	code.len = code_size(code);
	if (code.len && fits(action, *code.p))
		return code;
	if (action == REPORT_DELAYED)
		return STR("4.0.0");
	return action == REPORT_FAILED ? STR("5.0.0") : STR("2.0.0");
}

/* --- addresses ---------------------------------------------------------------------------------------------------- */

static bool is_beyond_ascii(const struct queue_recipient *to)
{
	return !report_is_ascii(to->address) || !report_is_ascii(to->orcpt) ||
	       str_starts_nocase(to->orcpt, STR("utf-8;"));
}

bool report_is_international(const struct report *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (is_beyond_ascii(r->recipients[i].recipient))
			return true;
	return false;
}

/* "\x{20AC}" at the front, which stands for a character (RFC 6533, 3): its bytes; 0: it is none. */
static size_t embedded(struct str text, uint64_t *c)
{
	ptrdiff_t end = str_starts(text, STR("\\x{")) ? str_find(text, '}') : -1;

	if (end < 0 || end > 9 || !str_hex(str_cut(text, 3, (size_t)end), c))
		return 0;
	return *c >= 0x80 && *c <= 0x10ffff && (*c < 0xd800 || *c > 0xdfff) ? (size_t)end + 1 : 0;
}

static void add_embedded(struct str text, struct buf *out)
{
	while (text.len) {
		uint64_t c;
		size_t size = embedded(text, &c);

		if (size)
			utf8_add(out, (uint32_t)c);
		else
			buf_add_char(out, *text.p);
		text = str_cut(text, size ? size : 1, text.len);
	}
}

/* As the sender called the recipient (RFC 3461, 4.2): the type, and what xtext means. */
static void add_original(struct str orcpt, bool international, struct buf *out)
{
	ptrdiff_t semicolon = str_find(orcpt, ';');
	struct str type = str_cut(orcpt, 0, semicolon < 0 ? 0 : (size_t)semicolon), address;
	struct buf plain = { 0 }, value = { 0 };

	if (semicolon <= 0)
		return;
	address = str_cut(orcpt, type.len + 1, orcpt.len);
	if (!smtp_xtext(address, &plain)) { /* letters as they are */
		buf_clear(&plain);
		buf_add_str(&plain, address);
	}
	buf_printf(&value, STR_FMT "; ", STR_ARG(type));
	if (international && str_eq_nocase(type, STR("utf-8")))
		add_embedded(buf_str(&plain), &value);
	else
		buf_add_str(&value, buf_str(&plain));
	report_field_whole("Original-Recipient", buf_str(&value), !international, out);
	buf_free(&plain);
	buf_free(&value);
}

static void add_final(struct str address, bool international, struct buf *out)
{
	struct buf value = { 0 };

	buf_printf(&value, "%s; " STR_FMT, report_is_ascii(address) ? "rfc822" : "utf-8", STR_ARG(address));
	report_field_whole("Final-Recipient", buf_str(&value), !international, out);
	buf_free(&value);
}

/* --- fields ------------------------------------------------------------------------------------------------------- */

static void add_date(const char *name, int64_t seconds, struct buf *out)
{
	char date[DATE_TEXT_SIZE];

	date_message_print(date, seconds, 0);
	buf_printf(out, "%s: %s\n", name, date);
}

static void add_message(const struct queue_envelope *e, struct str hostname, struct buf *out)
{
	struct buf value = { 0 };

	buf_printf(&value, "dns; " STR_FMT, STR_ARG(hostname));
	report_field_whole("Reporting-MTA", buf_str(&value), true, out);
	buf_clear(&value);
	if (e->envid.len && smtp_xtext(e->envid, &value))
		report_field_whole("Original-Envelope-Id", buf_str(&value), true, out);
	add_date("Arrival-Date", e->arrived_s, out);
	if (e->by != BY_NONE)
		add_date("Deliver-By-Date", e->by_s, out); /* RFC 2852, 5 */
	buf_free(&value);
}

struct str report_reply(const struct report *r, const struct outcome *o)
{
	return str_cut(o->reply, 0, r->size >= REPORT_SHORT && o->reply.len > SHORT_REPLY ? SHORT_REPLY : o->reply.len);
}

/* What the other side said, with its code and on one line (RFC 3464, 2.3.6). */
static void add_diagnostic(const struct report *r, const struct outcome *o, bool international, struct buf *out)
{
	struct str type = o->diagnostic_type.len ? o->diagnostic_type : STR("x-postern");
	struct buf value = { 0 };

	buf_printf(&value, STR_FMT "; " STR_FMT, STR_ARG(type), STR_ARG(report_reply(r, o)));
	report_field_words("Diagnostic-Code", buf_str(&value), !international, out);
	buf_free(&value);
}

/* A domain, or an address as mail names it (RFC 5321, 4.1.3). */
static void add_host(struct str host, struct buf *out)
{
	unsigned char bytes[16];
	struct arena a = { 0 };
	const char *text = arena_dup(&a, host);

	buf_add_str(out, STR("dns; "));
	if (inet_pton(AF_INET, text, bytes) == 1)
		buf_printf(out, "[%s]", text);
	else if (inet_pton(AF_INET6, text, bytes) == 1)
		buf_printf(out, "[IPv6:%s]", text);
	else
		buf_add_str(out, host);
	arena_free(&a);
}

static void add_recipient(
	const struct report *r, const struct report_recipient *rr, int64_t now_s, bool international, struct buf *out)
{
	const struct outcome *o = &rr->outcome;
	struct str remote = o->remote;
	struct buf value = { 0 };

	buf_add_char(out, '\n');
	add_original(rr->recipient->orcpt, international, out);
	add_final(alias_program_name(rr->recipient->address), international, out);
	buf_printf(out, "Action: %s\nStatus: " STR_FMT "\n", report_action_text(r->action),
		STR_ARG(report_code(r->action, o)));
	remote = str_word(&remote); /* its name; the address behind it is no part of the field */
	if (remote.len) {
		add_host(remote, &value);
		report_field_whole("Remote-MTA", buf_str(&value), true, out);
	}
	if (o->reply.len)
		add_diagnostic(r, o, international, out);
	add_date("Last-Attempt-Date", now_s, out);
	if (r->action == REPORT_DELAYED)
		add_date("Will-Retry-Until", r->until_s, out);
	buf_free(&value);
}

void report_status(const struct report *r, struct str hostname, int64_t now_s, bool international, struct buf *out)
{
	add_message(&r->copy->envelope, hostname, out);
	for (size_t i = 0; i < r->count; i++)
		add_recipient(r, &r->recipients[i], now_s, international, out);
}
