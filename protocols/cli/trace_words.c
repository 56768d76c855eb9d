/* trace_words.c - see trace_words.h. A sentence for each event: {name} is the field of that name, and what stands in
 * brackets is left out if one of its fields is not there. */
#include "protocols/cli/trace_words.h"
#include <stdio.h>
#include <time.h>

static const struct sentence {
	const char *component, *event, *words;
} sentences[] = {
	{ "smtp", "open", "a client connects[ from {peer}][ to {role}]" },
	{ "smtp", "login", "logs in as {account}[ by {mechanism}]" },
	{ "smtp", "login failed", "a login as {account} fails: {reason}" },
	{ "smtp", "gone", "the session is over[ after {lasted_s} s]: {reason}" },
	{ "smtp", "idle, closing", "is silent, and the connection ends" },
	{ "smtp", "sender refused", "{from} is refused as sender: {reason}" },
	{ "smtp", "recipient refused", "{to} is refused: {reason}" },
	{ "smtp", "message refused", "the message from {from} is refused: {reason}" },
	{ "smtp", "queued",
		"taken[ from {from}] for {to}[, that is {as}][, that is {account}][, {size} bytes]: waits as {queue}" },
	{ "smtp", "delivered",
		"taken[ from {from}] for {to}[, that is {account}][, {size} bytes]: in the INBOX[ as message {uid}]" },
	{ "smtp", "not delivered", "not taken[ from {from}] for {to}[, that is {account}][, {size} bytes]: {reason}" },
	{ "smtp", "discarded", "taken[ from {from}] for {to} and thrown away" },
	{ "smtp", "had before", "{to}[, that is {as}][, that is {account}] has it by another way" },
	{ "smtp_client", "open", "connects to {host}[, {peer}][, port {port}]" },
	{ "smtp_client", "not ready", "finds {destination} not ready[, {remote}]: {reply}" },
	{ "smtp_client", "tls failed, once more without", "TLS fails[ with {remote}]: {error}; once more without" },
	{ "sending", "delivered",
		"delivered to {to}[, as message {uid} of the INBOX][, by {remote}][ after {delay_s} s][: {reply}]" },
	{ "sending", "relayed", "handed on for {to}[ to {remote}][ after {delay_s} s][: {reply}]" },
	{ "sending", "passed",
		"handed on for {to}[ to {remote}], which reports from now on[ after {delay_s} s][: {reply}]" },
	{ "sending", "deferred",
		"not delivered to {to} yet[, try {tries}][, next at {next_s}][; {remote} said][: {reply}]" },
	{ "sending", "refused", "refused for {to}[ by {remote}][: {reply}]" },
	{ "sending", "expired", "given up for {to}[ after {delay_s} s][: {reply}]" },
	{ "sending", "report", "a report ({action}) goes to {to} as {queue}" },
	{ "sending", "no report", "no report ({action})[ to {to}]: {reason}" },
	{ "sending", "held", "held by an operator, recipients: {items}" },
	{ "sending", "released", "released by an operator, recipients: {items}" },
	{ "sending", "retried", "an operator has it tried at once, recipients: {items}" },
	{ "sending", "deleted", "deleted by an operator, recipients: {items}" },
	{ "sending", "bounced", "sent back by an operator, recipients: {items}" },
	{ "sending", "moved", "moved by an operator to {to}, recipients: {items}" },
	{ "sending", "gone", "nothing of it is left in the queue" },
};

static void add_time(uint64_t seconds, struct buf *out)
{
	time_t at = (time_t)seconds;
	struct tm utc;
	char when[32];

	gmtime_r(&at, &utc);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &utc);
	buf_printf(out, "%s", when);
}

/* False: the line has no such field. */
static bool add_field(struct str fields, struct str name, struct buf *out)
{
	struct str left = fields, key, value;
	uint64_t seconds;

	while (log_field_next(&left, &key, &value)) {
		if (!str_eq(key, name))
			continue;
		if (str_eq(name, STR("next_s")) && str_u64(value, &seconds))
			add_time(seconds, out);
		else
			log_value(value.len ? value : STR("<>"), out);
		return true;
	}
	return false;
}

/* Words without brackets; false: a field of them is missing. */
static bool add_plain(struct str words, struct str fields, struct buf *out)
{
	bool whole = true;

	while (words.len) {
		ptrdiff_t open = str_find(words, '{'), close = str_find(words, '}');

		if (open < 0 || close < open) {
			buf_add_str(out, words);
			break;
		}
		buf_add_str(out, str_cut(words, 0, (size_t)open));
		whole &= add_field(fields, str_cut(words, (size_t)open + 1, (size_t)close), out);
		words = str_cut(words, (size_t)close + 1, words.len);
	}
	return whole;
}

static void add_sentence(struct str words, struct str fields, struct buf *out)
{
	while (words.len) {
		ptrdiff_t open = str_find(words, '['), close = str_find(words, ']');
		size_t before = buf_len(out);

		if (open) { /* up to the next bracket, or all */
			size_t len = open < 0 ? words.len : (size_t)open;

			add_plain(str_cut(words, 0, len), fields, out);
			words = str_cut(words, len, words.len);
			continue;
		}
		if (!add_plain(str_cut(words, 1, (size_t)close), fields, out))
			buf_cut(out, before);
		words = str_cut(words, (size_t)close + 1, words.len);
	}
}

void trace_words(const struct log_line *l, struct buf *out)
{
	for (size_t i = 0; i < sizeof(sentences) / sizeof(*sentences); i++)
		if (str_eq(l->component, str_of(sentences[i].component)) &&
			str_eq(l->event, str_of(sentences[i].event))) {
			add_sentence(str_of(sentences[i].words), l->fields, out);
			return;
		}
	buf_add_str(out, l->event);
	if (l->event.len && l->fields.len)
		buf_add_char(out, ' ');
	buf_add_str(out, l->fields);
}
