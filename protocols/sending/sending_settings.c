/* sending_settings.c - the sections `sending` and `destination`: when mail is tried, and how much at a time. */
#include "core/setting_value.h"
#include "protocols/sending/sending_inside.h"

#define COUNT_MAX "1000000"

#define ROW(name, type, def, min, max, field, text)                                                                    \
	{                                                                                                              \
		name, type, def, min, max, offsetof(struct sending_conf, field), text, 0                               \
	}

static const struct setting rows[] = {
	ROW("retry", SETTING_LIST, "5m 15m 30m 1h 2h 4h", NULL, NULL, retry,
		"The times between tries: after the first, after the second and so on; the last one again and again."),
	ROW("expire", SETTING_DURATION, "5d", "1m", "60d", expire_ms,
		"After so long a message is given up and its sender told."),
	ROW("expire_null", SETTING_DURATION, "1d", "1m", "60d", expire_null_ms,
		"The same for mail without a sender, such as reports of failure."),
	ROW("warn", SETTING_LIST, "4h", NULL, NULL, warn,
		"After such times the sender is told that his message still waits."),
	ROW("sessions", SETTING_NUMBER, "2000", "2", "20000", sessions,
		"Sessions that a worker has open at once; to hosts that fail or are slow at most a quarter."),
	ROW("destination_sessions", SETTING_NUMBER, "20", "1", "1000", destination_sessions,
		"Sessions to one destination open at once; it gets so many if it bears them."),
	ROW("address_sessions", SETTING_NUMBER, "20", "0", "1000", address_sessions,
		"Connections to one address open at once, whatever domains it serves; 0: any number."),
	ROW("account_sessions", SETTING_NUMBER, "0", "0", COUNT_MAX, account_sessions,
		"Messages of one account being sent at a time; more wait in the queue. 0: any number."),
	ROW("domain_sessions", SETTING_NUMBER, "0", "0", COUNT_MAX, domain_sessions,
		"Messages with senders of one domain being sent at a time; more wait in the queue. 0: any number."),
	ROW("destination_rate", SETTING_NUMBER, "0", "0", COUNT_MAX, destination_rate,
		"Messages to one destination in a minute; 0: any number."),
	ROW("address_rate", SETTING_NUMBER, "0", "0", COUNT_MAX, address_rate,
		"Messages to one address in a minute, whatever domains it serves; 0: any number."),
	ROW("account_rate", SETTING_NUMBER, "0", "0", COUNT_MAX, account_rate,
		"Messages of one account in a minute; more wait in the queue. 0: any number."),
	ROW("domain_rate", SETTING_NUMBER, "0", "0", COUNT_MAX, domain_rate,
		"Messages with senders of one domain in a minute; more wait in the queue. 0: any number."),
	ROW("messages_per_session", SETTING_NUMBER, "100", "1", "10000", messages_per_session,
		"Messages sent over one connection, then it is closed."),
	ROW("recipients_per_message", SETTING_NUMBER, "100", "1", "1000", recipients_per_message,
		"Recipients of a message that are sent to in one transaction."),
	ROW("reports_per_sender", SETTING_NUMBER, "100", "0", COUNT_MAX, reports_per_sender,
		"Reports to one address in an hour, of failure, delay or success; 0: any number."),
	{ 0 },
};

/* Unset means as `sending` says, so nothing here has a default. */
#define OWN(name, type, def, min, max, field, text)                                                                    \
	{                                                                                                              \
		name, type, def, min, max, offsetof(struct destination_conf, field), text, 0                           \
	}

static const struct setting destination_rows[] = {
	OWN("retry", SETTING_LIST, "", NULL, NULL, retry, "As in the section sending; empty: as it is there."),
	OWN("expire", SETTING_DURATION, "0s", "0s", "60d", expire_ms, "As in sending; 0: as it is there."),
	OWN("expire_null", SETTING_DURATION, "0s", "0s", "60d", expire_null_ms, "As in sending; 0: as it is there."),
	OWN("warn", SETTING_LIST, "", NULL, NULL, warn,
		"As in sending; empty: as it is there. The word `never`: no warnings."),
	OWN("sessions", SETTING_NUMBER, "0", "0", "1000", sessions, "As destination_sessions; 0: as it is there."),
	OWN("rate", SETTING_NUMBER, "0", "0", COUNT_MAX, rate, "As destination_rate; 0: as it is there."),
	OWN("reports_per_sender", SETTING_NUMBER, "0", "0", COUNT_MAX, reports_per_sender,
		"Reports about mail to it, to one address in an hour, counted by themselves; 0: with all others, as in "
		"sending."),
	{ 0 },
};

/* --- lists of times -------------------------------------------------------------------------------------------------- */

static bool time_read(const char *text, uint32_t *seconds, struct buf *why)
{
	static const struct setting row = { .type = SETTING_DURATION, .min = "1s", .max = "60d" };
	int64_t ms;

	if (!setting_read(&row, text, &ms, why))
		return false;
	*seconds = (uint32_t)(ms / 1000);
	return true;
}

void times_read(const struct setting_list *list, struct times *out)
{
	struct buf why = { 0 };

	out->count = 0;
	for (size_t i = 0; i < list->count && out->count < TIMES_MAX; i++)
		if (time_read(list->items[i], &out->s[out->count], &why))
			out->count++;
	buf_free(&why);
}

/* growing: each is later than the one before. */
static bool times_check(
	const struct setting_list *list, const char *section, const char *name, bool growing, struct buf *why)
{
	uint32_t before = 0, seconds;
	bool right = true;

	if (list->count > TIMES_MAX) {
		buf_printf(why, "%s.%s: at most %d times\n", section, name, TIMES_MAX);
		return false;
	}
	for (size_t i = 0; i < list->count; i++) {
		struct buf wrong = { 0 };

		if (!time_read(list->items[i], &seconds, &wrong)) {
			buf_printf(why, "%s.%s: " STR_FMT "\n", section, name, STR_ARG(buf_str(&wrong)));
			right = false;
		} else if (growing && seconds <= before) {
			buf_printf(why, "%s.%s: each time is later than the one before it\n", section, name);
			right = false;
		} else {
			before = seconds;
		}
		buf_free(&wrong);
	}
	return right;
}

static bool sending_check(const void *values, const char *title, struct buf *why)
{
	const struct sending_conf *conf = values;
	bool right = times_check(&conf->retry, "sending", "retry", false, why);

	(void)title;
	if (right && !conf->retry.count) {
		buf_printf(why, "sending.retry: at least one time\n");
		right = false;
	}
	return times_check(&conf->warn, "sending", "warn", true, why) && right;
}

bool is_never(const struct setting_list *list)
{
	return list->count == 1 && str_eq(str_of(list->items[0]), STR("never"));
}

static bool destination_check(const void *values, const char *title, struct buf *why)
{
	const struct destination_conf *conf = values;
	bool right = times_check(&conf->retry, "destination", "retry", false, why);

	(void)title;
	return (is_never(&conf->warn) || times_check(&conf->warn, "destination", "warn", true, why)) && right;
}

const struct settings sending_settings = { "sending", false, sizeof(struct sending_conf), rows,
	"When mail for others is sent, and how much of it at a time.", sending_check };
const struct settings destination_settings = { "destination", true, sizeof(struct destination_conf), destination_rows,
	"Another schedule for mail to one domain: of its recipients, else of the host it goes to, else of its sender.",
	destination_check };
