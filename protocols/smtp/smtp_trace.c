/* smtp_trace.c - what a message is given on its way through here: Received (RFC 5321, 4.4), and whom it was delivered to. */
#include "protocols/smtp/smtp_session.h"
#include "storage/mail/date.h"

/* How it came (RFC 3848; RFC 6531, 4.3): "ESMTPSA". */
static void with(const struct smtp *s, struct buf *out)
{
	bool tls = conn_secure(s->conn), known = *s->session.account;

	if (s->mail.utf8)
		buf_printf(out, "UTF8%s", s->lmtp ? "LMTP" : "SMTP");
	else
		buf_printf(out, s->lmtp ? "LMTP" : s->extended ? "ESMTP" : "SMTP");
	if (s->extended)
		buf_printf(out, "%s%s", tls ? "S" : "", known ? "A" : "");
}

/* Who he proved to be, as a comment; whatever could end it is no part of it. */
static void account(const struct smtp *s, struct buf *out)
{
	if (!*s->session.account)
		return;
	buf_printf(out, " (account ");
	for (const char *c = s->session.account; *c; c++)
		buf_add_char(out, strchr("()\\", *c) ? '?' : *c);
	buf_add_char(out, ')');
}

/* The cipher as a clause (RFC 8314, 4.3), the version behind it. */
static void tls_clause(const struct smtp *s, struct buf *out)
{
	struct str cipher = str_of(conn_cipher(s->conn)), version = str_word(&cipher);

	if (version.len)
		buf_printf(out, "\n\ttls " STR_FMT " (" STR_FMT ")", STR_ARG(cipher), STR_ARG(version));
}

/* With one recipient he is named. */
struct str smtp_received(struct smtp *s)
{
	char date[DATE_TEXT_SIZE];
	const char *peer = conn_peer(s->conn);
	struct buf out = { 0 };
	struct str field;

	date_message_print(date, worker_wall_ms(s->worker) / 1000, 0);
	buf_printf(&out, "Received: from %s ([%s%s])\n\tby %s with ", s->hello, strchr(peer, ':') ? "IPv6:" : "", peer,
		smtp_hostname(s));
	with(s, &out);
	account(s, &out);
	buf_printf(&out, " id %s", s->id);
	if (s->recipient_count == 1 || s->recipients[1].hidden)
		buf_printf(&out, "\n\tfor <" STR_FMT ">", STR_ARG(s->recipients[0].address));
	tls_clause(s, &out);
	buf_printf(&out, "; %s\n", date);
	field = arena_str(&s->transaction, buf_str(&out));
	buf_free(&out);
	return field;
}

/* As the client asked for it; by way of a group or alias it is the account's own address, so that the group itself can be
 * written to by whoever it brings mail to. */
struct str smtp_delivered_to(const struct smtp *s, const struct smtp_target *t)
{
	return t->forwarded ? t->address : s->recipients[t->recipient].address;
}
