/* queue_print.c - see queue_print.h. Texts are other people's: what would move a terminal's cursor is a question mark. */
#include "protocols/cli/queue_print.h"
#include "protocols/cli/lines.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

static json_int_t number(const json_t *j, const char *name)
{
	return json_integer_value(json_object_get(j, name));
}

static const char *text(const json_t *j, const char *name)
{
	return json_string_value(json_object_get(j, name));
}

static void put(const char *text)
{
	lines_put(str_of(text));
}

const char *queue_span_text(char text[QUEUE_TEXT_SIZE], json_int_t seconds)
{
	long long s = seconds < 0 ? 0 : seconds;

	if (s < 60)
		snprintf(text, QUEUE_TEXT_SIZE, "%llds", s);
	else if (s < 3600)
		snprintf(text, QUEUE_TEXT_SIZE, "%lldm", s / 60);
	else if (s < 86400)
		snprintf(text, QUEUE_TEXT_SIZE, "%lldh%02lldm", s / 3600, s / 60 % 60);
	else
		snprintf(text, QUEUE_TEXT_SIZE, "%lldd%lldh", s / 86400, s / 3600 % 24);
	return text;
}

const char *queue_size_text(char text[QUEUE_TEXT_SIZE], json_int_t bytes)
{
	static const char units[] = "KMGT";
	double size = (double)bytes / 1024;
	unsigned i = 0;

	while (size >= 1024 && i < 3) {
		size /= 1024;
		i++;
	}
	if (bytes < 1024)
		snprintf(text, QUEUE_TEXT_SIZE, "%lld", (long long)bytes);
	else
		snprintf(text, QUEUE_TEXT_SIZE, "%.1f%c", size, units[i]);
	return text;
}

void queue_print_count(json_int_t count, const char *one, const char *many)
{
	printf("%lld %s", (long long)count, count == 1 ? one : many);
}

/* What the other side said last, a line for each of its lines. */
static void put_reply(const json_t *j, const char *indent)
{
	const char *reply = text(j, "reply"), *remote = text(j, "remote");
	struct str left = str_trim(str_of(reply));
	ptrdiff_t end;

	if (!reply)
		return;
	printf("%s", indent);
	if (remote) {
		put(remote);
		printf(" said: ");
	}
	while ((end = str_find(left, '\n')) >= 0) {
		lines_put(str_cut(left, 0, (size_t)end));
		printf("\n%s    ", indent);
		left = str_cut(left, (size_t)end + 1, left.len);
	}
	lines_put(left);
	putchar('\n');
}

static void put_state(const json_t *r)
{
	const char *state = text(r, "state");
	json_int_t tries = number(r, "tries");
	char span[QUEUE_TEXT_SIZE];

	if (!strcmp(state, "waits")) {
		if (number(r, "in_s") <= 0)
			printf("is to be tried now");
		else
			printf("next try in %s", queue_span_text(span, number(r, "in_s")));
	} else if (!strcmp(state, "trying")) {
		printf("is being tried");
	} else if (!strcmp(state, "ending")) {
		printf("is done, its end is being written");
	} else {
		printf("%s", state);
	}
	if (tries) {
		printf(", tried ");
		queue_print_count(tries, "time", "times");
	}
}

void queue_print_recipient(const json_t *r)
{
	const char *original = text(r, "original");

	printf("    ");
	put(text(r, "address"));
	if (original) {
		printf(" (as ");
		put(original);
		putchar(')');
	}
	printf("  ");
	put_state(r);
	if (text(r, "destination") && json_object_get(r, "local")) {
		printf(", by ");
		put(text(r, "destination"));
	}
	putchar('\n');
	put_reply(r, "        ");
}

static void put_sender(const json_t *m)
{
	put(*text(m, "sender") ? text(m, "sender") : "<>");
}

void queue_print_message(const json_t *m)
{
	const json_t *recipients = json_object_get(m, "recipients");
	char age[QUEUE_TEXT_SIZE], size[QUEUE_TEXT_SIZE];
	json_int_t more = number(m, "more");

	printf("%-10s %8s %8s  ", text(m, "id"), queue_span_text(age, number(m, "age_s")),
		queue_size_text(size, number(m, "size")));
	put_sender(m);
	putchar('\n');
	for (size_t i = 0; i < json_array_size(recipients); i++)
		queue_print_recipient(json_array_get(recipients, i));
	if (more)
		printf("    and %lld more\n", (long long)more);
}

static void put_row(const json_t *m, const char *name, const char *label)
{
	if (text(m, name)) {
		printf("%-10s", label);
		put(text(m, name));
		putchar('\n');
	}
}

static void put_time(const json_t *m, const char *name, const char *label)
{
	time_t seconds = (time_t)number(m, name);
	struct tm utc;
	char when[32];

	if (!seconds)
		return;
	gmtime_r(&seconds, &utc);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &utc);
	printf("%-10s%s\n", label, when);
}

void queue_print_envelope(const json_t *m)
{
	char size[QUEUE_TEXT_SIZE];

	printf("%-10s%s\n%-10s", "id", text(m, "id"), "sender");
	put_sender(m);
	printf("\n%-10s%s\n", "size", queue_size_text(size, number(m, "size")));
	put_time(m, "arrived_s", "arrived");
	put_row(m, "received", "session");
	put_row(m, "peer", "from");
	put_row(m, "account", "account");
	put_row(m, "envid", "envelope");
	put_row(m, "ret", "return");
	put_row(m, "body", "body");
	if (number(m, "priority"))
		printf("%-10s%lld\n", "priority", (long long)number(m, "priority"));
	put_time(m, "release_s", "not before");
	put_time(m, "by_s", "by");
	printf("recipients\n");
}

void queue_print_destination(const json_t *d)
{
	char span[QUEUE_TEXT_SIZE];

	put(text(d, "destination"));
	printf("  ");
	queue_print_count(number(d, "items"), "item", "items");
	if (number(d, "held"))
		printf(" (%lld held)", (long long)number(d, "held"));
	if (json_object_get(d, "oldest_s"))
		printf(", oldest %s", queue_span_text(span, number(d, "oldest_age_s")));
	printf(", ");
	queue_print_count(number(d, "sessions"), "session", "sessions");
	if (number(d, "next_s"))
		printf(", next try in %s", queue_span_text(span, number(d, "in_s")));
	printf("; sent %lld, deferred %lld, refused %lld\n", (long long)number(d, "sent"),
		(long long)number(d, "deferred"), (long long)number(d, "refused"));
	put_reply(d, "    ");
}
