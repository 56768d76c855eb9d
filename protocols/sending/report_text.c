/* report_text.c - the part of a report that people read: who, why, what happens next. */
#include "protocols/sending/report_parts.h"
#include "protocols/sending/report_words.h"
#include "storage/mail/charset.h"
#include "storage/mail/date.h"
#include "storage/mail/header.h"
#include "storage/route/alias_program.h"

#define RECIPIENTS_MAX 50  /* told of in words; all are in the second part */
#define SUBJECT_MAX    300 /* bytes */

static const struct {
	const char *one, *many, *next;
} words[] = {
	[REPORT_FAILED] = { "Your message could not be delivered to:",
		"Your message could not be delivered to these recipients:",
		"It will not be tried again. If you can mend what is wrong, please send it once more." },
	[REPORT_DELAYED] = { "Your message has not been delivered yet to:",
		"Your message has not been delivered yet to these recipients:", NULL },
	[REPORT_DELIVERED] = { "Your message was delivered to:", "Your message was delivered to these recipients:",
		"That is what you asked to be told. Whether it is read nobody can say." },
	[REPORT_RELAYED] = { "Your message was handed on to the server of:",
		"Your message was handed on to the servers of these recipients:",
		"That server does not tell of deliveries: unless something goes wrong you will hear no more of it." },
	[REPORT_EXPANDED] = { "Your message was handed on to the members of:",
		"Your message was handed on to the members of these lists:",
		"You will not be told what becomes of it at each of them." },
};

/* What a status means (RFC 3463, 3), where it says more than the other side usually does. */
static const struct {
	const char *detail, *text;
} meanings[] = {
	{ "1.1", "There is no such mailbox." },
	{ "1.2", "There is no such domain." },
	{ "1.3", "That is not an address." },
	{ "1.6", "The mailbox has moved, and nobody knows where to." },
	{ "1.10", "The domain takes no mail." },
	{ "2.1", "The mailbox is not in use." },
	{ "2.2", "The mailbox is full." },
	{ "2.3", "The message is too large for the mailbox." },
	{ "3.4", "The message is too large for the other server." },
	{ "4.1", "The other server does not answer." },
	{ "4.3", "The name servers of the domain do not answer." },
	{ "4.4", "No server takes mail for the domain." },
	{ "4.6", "The message goes in circles." },
	{ "4.7", "It was tried for as long as it is of use, in vain." },
	{ "6.7", "The other server does not know letters like those in the address." },
	{ "7.1", "The other server refuses it." },
};

static void add_meaning(enum report_action action, struct str code, struct buf *out)
{
	if (action != REPORT_FAILED && action != REPORT_DELAYED)
		return;
	for (size_t i = 0; i < sizeof(meanings) / sizeof(*meanings); i++)
		if (str_eq(str_cut(code, 2, code.len), str_of(meanings[i].detail)))
			report_paragraph(4, str_of(meanings[i].text), out);
}

static void add_recipient(const struct report *r, const struct report_recipient *rr, struct buf *out)
{
	const struct queue_recipient *to = rr->recipient;
	const struct outcome *o = &rr->outcome;
	struct str address = alias_program_name(to->address);
	struct buf line = { 0 };

	buf_add_char(out, '\n');
	report_paragraph(2, to->original.len ? to->original : address, out);
	if (to->original.len && !str_eq_nocase(to->original, address)) {
		buf_printf(&line, "which is here: " STR_FMT, STR_ARG(address));
		report_paragraph(4, buf_str(&line), out);
	}
	add_meaning(r->action, report_code(r->action, o), out);
	if (o->reply.len) {
		buf_clear(&line);
		if (o->remote.len)
			buf_printf(&line, STR_FMT " said:", STR_ARG(o->remote));
		else
			buf_printf(&line, "What is known:");
		report_paragraph(4, buf_str(&line), out);
		report_paragraph(8, report_reply(r, o), out);
	}
	buf_free(&line);
}

static void add_subject(struct str message, struct buf *out)
{
	struct header_field field;
	struct buf subject = { 0 }, line = { 0 };

	if (header_find(message, "Subject", &field)) {
		charset_words(str_cut(field.value, 0, field.value.len < SUBJECT_MAX ? field.value.len : SUBJECT_MAX),
			&subject);
		if (str_trim(buf_str(&subject)).len) {
			buf_printf(&line, "Subject: " STR_FMT, STR_ARG(str_trim(buf_str(&subject))));
			buf_add_char(out, '\n');
			report_paragraph(2, buf_str(&line), out);
		}
	}
	buf_free(&subject);
	buf_free(&line);
}

static void add_next(const struct report *r, struct buf *out)
{
	char until[DATE_TEXT_SIZE];
	struct buf text = { 0 };

	buf_add_char(out, '\n');
	if (words[r->action].next) {
		report_paragraph(0, str_of(words[r->action].next), out);
		return;
	}
	date_message_print(until, r->until_s, 0);
	buf_printf(&text,
		"You need not do anything: it will be tried again until %s. Should that be in vain, you will be told.",
		until);
	report_paragraph(0, buf_str(&text), out);
	buf_free(&text);
}

void report_text(const struct report *r, struct str hostname, struct str message, struct buf *out)
{
	size_t told = r->count < RECIPIENTS_MAX ? r->count : RECIPIENTS_MAX;

	buf_printf(out, "This is the mail system at " STR_FMT ".\n\n%s\n", STR_ARG(hostname),
		r->count == 1 ? words[r->action].one : words[r->action].many);
	for (size_t i = 0; i < told; i++)
		add_recipient(r, &r->recipients[i], out);
	if (told < r->count)
		buf_printf(out, "\n  and to %zu more, who are in the second part of this report.\n", r->count - told);
	if (r->more)
		buf_printf(out, "\n  and to %zu more: a report on all would be too long.\n", r->more);
	add_subject(message, out);
	add_next(r, out);
}
