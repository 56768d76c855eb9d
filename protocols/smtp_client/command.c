/* command.c - see command.h. */
#include "protocols/smtp_client/command.h"
#include "storage/mail/utf8.h"

static void add_by(const struct queue_envelope *env, int64_t now_s, struct buf *out)
{
	/* The time that is left; in mode N it may be over (RFC 2852, 4). */
	buf_printf(out, " BY=%lld;%c%s", (long long)(env->by_s - now_s), env->by == BY_RETURN ? 'R' : 'N',
		env->by_trace ? "T" : "");
}

void command_mail(
	const struct extensions *e, const struct queue_envelope *env, const struct command_terms *t, struct buf *out)
{
	buf_printf(out, "MAIL FROM:<" STR_FMT ">", STR_ARG(env->sender));
	if (e->offers & OFFERS_SIZE && t->size)
		buf_printf(out, " SIZE=%llu", (unsigned long long)t->size);
	if (e->offers & OFFERS_8BITMIME && t->eight_bit)
		buf_add_str(out, STR(" BODY=8BITMIME"));
	if (t->utf8)
		buf_add_str(out, STR(" SMTPUTF8"));
	if (e->offers & OFFERS_DSN && env->ret != RET_UNSAID)
		buf_add_str(out, env->ret == RET_FULL ? STR(" RET=FULL") : STR(" RET=HDRS"));
	if (e->offers & OFFERS_DSN && env->envid.len)
		buf_printf(out, " ENVID=" STR_FMT, STR_ARG(env->envid));
	if (e->offers & OFFERS_DELIVERBY && env->by != BY_NONE)
		add_by(env, t->now_s, out);
	if (e->offers & OFFERS_PRIORITY && env->priority)
		buf_printf(out, " MT-PRIORITY=%d", env->priority);
	buf_add_str(out, STR("\r\n"));
}

static void add_notify(unsigned notify, struct buf *out)
{
	static const struct {
		unsigned bit;
		const char *word;
	} words[] = { { NOTIFY_NEVER, "NEVER" }, { NOTIFY_SUCCESS, "SUCCESS" }, { NOTIFY_FAILURE, "FAILURE" },
		{ NOTIFY_DELAY, "DELAY" } };
	const char *before = " NOTIFY=";

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (notify & words[i].bit) {
			buf_printf(out, "%s%s", before, words[i].word);
			before = ",";
		}
}

/* xtext (RFC 3461, 4). */
static void add_xtext(struct str text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c > ' ' && c < 0x7f && c != '+' && c != '=')
			buf_add_char(out, (char)c);
		else
			buf_printf(out, "+%02X", c);
	}
}

/* The character at the front of text, of so many bytes: utf8_size says that it is one. */
static uint32_t character(struct str text, size_t size)
{
	static const unsigned char first[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t c = (unsigned char)text.p[0] & first[size];

	for (size_t i = 1; i < size; i++)
		c = c << 6 | ((unsigned char)text.p[i] & 0x3f);
	return c;
}

/* An address of type utf-8 (RFC 6533, 3): as it is where SMTPUTF8 is spoken, else in ASCII alone. encode: it is plain text,
 * in which a few characters are written otherwise. */
static void add_unitext(struct str text, bool utf8, bool encode, struct buf *out)
{
	for (size_t i = 0, size; i < text.len; i += size) {
		struct str left = str_cut(text, i, text.len);
		bool special = text.p[i] == '\\' || text.p[i] == '+' || text.p[i] == '=' || text.p[i] <= ' ' ||
		               text.p[i] == 0x7f;
		bool ascii = !((unsigned char)text.p[i] & 0x80);

		size = utf8_size(left);
		if (!size)
			size = 1;
		else if (ascii ? encode && special : !utf8)
			buf_printf(out, "\\x{%X}", (unsigned)character(left, size));
		else
			buf_add(out, left.p, size);
	}
}

static bool is_ascii(struct str s)
{
	return utf8_ascii(s) == s.len;
}

/* The original recipient: as the sender gave it, or as he named the recipient (RFC 3461, 5.2.1). */
static void add_orcpt(const struct queue_recipient *rcpt, bool utf8, struct buf *out)
{
	struct str named = rcpt->original.len ? rcpt->original : rcpt->address;
	size_t before = buf_len(out), value;

	buf_add_str(out, STR(" ORCPT="));
	value = buf_len(out);
	if (rcpt->orcpt.len && (utf8 || is_ascii(rcpt->orcpt))) {
		buf_add_str(out, rcpt->orcpt);
	} else if (rcpt->orcpt.len) {
		add_unitext(rcpt->orcpt, utf8, false, out);
	} else if (is_ascii(named)) {
		buf_add_str(out, STR("rfc822;"));
		add_xtext(named, out);
	} else {
		buf_add_str(out, STR("utf-8;"));
		add_unitext(named, utf8, true, out);
	}
	if (buf_len(out) - value > COMMAND_ORCPT_MAX)
		buf_cut(out, before);
}

/* Who wants to hear when the time is over is told of delays at least, by a host that does not mind the time. */
static unsigned with_delay(unsigned notify)
{
	if (!notify)
		return NOTIFY_FAILURE | NOTIFY_DELAY;
	return notify & NOTIFY_NEVER ? notify : notify | NOTIFY_DELAY;
}

void command_rcpt(
	const struct extensions *e, const struct queue_recipient *rcpt, const struct command_terms *t, struct buf *out)
{
	buf_printf(out, "RCPT TO:<" STR_FMT ">", STR_ARG(rcpt->address));
	if (e->offers & OFFERS_DSN) {
		add_notify(t->untimed ? with_delay(rcpt->notify) : rcpt->notify, out);
		add_orcpt(rcpt, t->utf8, out);
	}
	buf_add_str(out, STR("\r\n"));
}
