/* smtp_submit.c - mail that our own people hand in (RFC 6409), or machines of relay.networks.
 * Its header is held back until it is whole. Of those who logged in it goes on without Bcc, which nobody but the envelope
 * should know (RFC 5322, 3.6.3), and without Return-Path, which is for the last server to write (RFC 5321, 4.4), but with
 * the Date and Message-ID that it may lack (RFC 6409, 8); its From fields are looked at if the configuration wants them to
 * be the account's, too. Hosts become the domain that they belong to (masquerade.h) in both. */
#include "core/log.h"
#include "protocols/smtp/smtp_session.h"
#include "storage/mail/address.h"
#include "storage/mail/date.h"
#include "storage/mail/header.h"
#include "storage/route/masquerade.h"

#define HEADER_MAX (1u << 20) /* bytes of it */
#define FROM_MAX   100        /* addresses in From and Sender fields */

static const struct setting rows[] = {
	{ "from", SETTING_BOOL, "false", NULL, NULL, offsetof(struct submission_conf, from),
		"The addresses of From and Sender fields must be the account's, too, not the envelope's sender alone.",
		0 },
	{ "hold_max", SETTING_DURATION, "30d", "0s", "365d", offsetof(struct submission_conf, hold_max_ms),
		"The longest that a message is held back for its sender (FUTURERELEASE).", 0 },
	{ 0 },
};

const struct settings submission_settings = { "submission", false, sizeof(struct submission_conf), rows,
	"Mail that people hand in once they have logged in.", NULL };

void smtp_submit_drop(struct smtp *s)
{
	buf_free(&s->submit.header.bytes);
	s->submit = (struct smtp_submit){ 0 };
}

void smtp_submit_begin(struct smtp *s)
{
	s->submit.holds = smtp_relay_trusted(s);
	s->submit.header.mend = smtp_message_lines(s) == FORM_NORMALISE;
}

/* --- the header, whole ------------------------------------------------------------------------------------------- */

static bool is_no_business_of_others(struct str name)
{
	return str_eq_nocase(name, STR("Bcc")) || str_eq_nocase(name, STR("Resent-Bcc")) ||
	       str_eq_nocase(name, STR("Return-Path"));
}

static bool says_who(struct str name)
{
	return str_eq_nocase(name, STR("From")) || str_eq_nocase(name, STR("Sender"));
}

static void add_missing(struct smtp *s, bool date, bool id, struct buf *out)
{
	char text[DATE_TEXT_SIZE];

	date_message_print(text, worker_wall_ms(s->worker) / 1000, 0);
	if (date)
		buf_printf(out, "Date: %s\r\n", text);
	if (id)
		buf_printf(out, "Message-ID: <%s@%s>\r\n", s->id, smtp_hostname(s));
}

/* As it goes out; whatever is no address is nobody's. */
static struct str address_of(const struct smtp *s, struct arena *a, const struct address *one)
{
	struct str address = str_of(arena_printf(a, STR_FMT "@" STR_FMT, STR_ARG(one->local), STR_ARG(one->host)));

	return masquerade_address(s->snapshot, a, address);
}

static void note_from(struct smtp *s, struct str value)
{
	struct arena *a = &s->transaction;

	for (const struct address *one = address_list(a, value, FROM_MAX + 1); one; one = one->next) {
		if (one->kind != ADDRESS_MAILBOX)
			continue;
		if (s->submit.from_count == FROM_MAX) {
			smtp_message_refuse(s, "550 5.7.1 it is from too many");
			return;
		}
		if (!s->submit.from)
			s->submit.from = arena_alloc(a, FROM_MAX * sizeof(struct str));
		s->submit.from[s->submit.from_count++] = address_of(s, a, one);
	}
}

/* What was held back goes on. */
static void release(struct smtp *s)
{
	const struct submission_conf *conf = conf_section(s->snapshot, &submission_settings);
	struct header_walk walk = header_walk(buf_str(&s->submit.header.bytes));
	bool date = true, id = true;
	struct buf out = { 0 }, missing = { 0 };
	struct header_field field;

	while (header_next(&walk, &field)) {
		if (s->account && is_no_business_of_others(field.name))
			continue;
		date &= !str_eq_nocase(field.name, STR("Date"));
		id &= !str_eq_nocase(field.name, STR("Message-ID"));
		if (s->account && conf->from && says_who(field.name))
			note_from(s, field.value);
		masquerade_field(s->snapshot, &field, &out);
	}
	buf_add_str(&out, walk.left); /* the blank line */
	if (s->account)
		add_missing(s, date, id, &missing);
	s->submit.holds = false;
	if (buf_len(&missing))
		smtp_message_keep(s, buf_str(&missing));
	if (buf_len(&out))
		smtp_message_keep(s, buf_str(&out));
	buf_free(&missing);
	buf_free(&out);
	buf_free(&s->submit.header.bytes);
}

/* --- and until it is --------------------------------------------------------------------------------------------- */

void smtp_submit_feed(struct smtp *s, struct str piece)
{
	struct smtp_header *h = &s->submit.header;
	bool ready = h->whole;
	size_t used = smtp_header_feed(h, piece, HEADER_MAX);

	if (s->submit.holds && !h->whole && buf_len(&h->bytes) > HEADER_MAX)
		smtp_message_refuse(s, "552 5.3.4 the header of a message is at most 1 MB");
	if (!h->whole || s->refused)
		return;
	if (!ready)
		release(s);
	if (piece.len > used)
		smtp_message_keep(s, str_cut(piece, used, piece.len));
}

void smtp_submit_end(struct smtp *s)
{
	if (s->submit.holds && !s->refused)
		release(s);
}

/* --- From -------------------------------------------------------------------------------------------------------- */

static void from_done(void *user, enum err e)
{
	struct smtp *s = user;

	s->waiting = NULL;
	if (e == ERR_AGAIN)
		smtp_message_refuse(s, "451 4.3.0 it cannot be known now whether the From field may be, try again");
	else if (e)
		smtp_message_refuse(
			s, arena_printf(&s->transaction, "550 5.7.1 From: <" STR_FMT "> is no address of %s",
				   STR_ARG(s->submit.from[s->submit.from_asked]), s->account->address));
	s->submit.from_asked++;
	smtp_message_checked(s);
}

bool smtp_submit_asks(struct smtp *s)
{
	struct smtp_submit *m = &s->submit;

	while (m->from_asked < m->from_count && str_eq_nocase(m->from[m->from_asked], str_of(s->account->address)))
		m->from_asked++;
	if (m->from_asked == m->from_count || s->refused)
		return false;
	s->waiting = route_may_send(s->worker, str_of(s->account->address), m->from[m->from_asked], from_done, s);
	return true;
}
