/* queue_command.c - the command `queue`: what waits to leave, and what an operator does with it. What comes is printed as it
 * comes and not kept, but for the numbers of `stats`, which are the workers' together. */
#include "conf/commands.h"
#include "core/setting_value.h"
#include "protocols/cli/client.h"
#include "protocols/cli/commands.h"
#include "protocols/cli/queue_print.h"
#include <stdio.h>

#define IDS_MAX 1000 /* of one command */

struct asked {            /* a command's words */
	const char *what; /* list, show, stats, or an order */
	json_t *request;
	bool json, all;
	const char *ids[IDS_MAX];
	size_t id_count;
};

/* --- words ----------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *option, *name;
} text_options[] = {
	{ "--to", "to" },
	{ "--from", "from" },
	{ "--destination", "destination" },
	{ "--id", "id" },
};

static const struct setting older_row = { .name = "--older", .type = SETTING_DURATION, .min = "0" };
static const struct setting limit_row = { .name = "--limit", .type = SETTING_NUMBER, .min = "1" };

/* An option of a number: what it means in the request. */
static bool take_number(struct asked *a, const struct setting *row, const char *name, const char *value)
{
	struct buf why = { 0 };
	int64_t number = 0;
	bool good = value && setting_read(row, value, &number, &why);

	if (good)
		json_object_set_new(a->request, name, json_integer((json_int_t)number));
	else
		client_complain(
			"%s wants %s", row->name, row == &older_row ? "a time such as 90m, 1h or 2d" : "a number");
	buf_free(&why);
	return good;
}

/* How many words it takes; 0: none such. */
static int take_option(struct asked *a, const char *word, const char *value)
{
	for (size_t i = 0; i < sizeof(text_options) / sizeof(*text_options); i++)
		if (!strcmp(word, text_options[i].option)) {
			if (!value || !*value ||
				json_object_set_new(a->request, text_options[i].name, json_string(value))) {
				client_complain("%s wants a word behind it, in UTF-8", word);
				return 0;
			}
			return 2;
		}
	if (!strcmp(word, "--older"))
		return take_number(a, &older_row, "older_ms", value) ? 2 : 0;
	if (!strcmp(word, "--limit"))
		return take_number(a, &limit_row, "limit", value) ? 2 : 0;
	if (!strcmp(word, "--json"))
		return a->json = true;
	if (!strcmp(word, "--held"))
		return json_object_set_new(a->request, "held", json_true()) == 0;
	if (!strcmp(word, "--all"))
		return json_object_set_new(a->request, "all", json_true()) == 0;
	client_complain("queue %s does not know %s; `postern queue --help` tells what it takes", a->what, word);
	return 0;
}

static bool take_words(struct asked *a, int argc, char **argv)
{
	for (int i = 2, taken; i < argc; i += taken) {
		taken = 1;
		if (!strncmp(argv[i], "--", 2))
			taken = take_option(a, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
		else
			a->ids[a->id_count++] = argv[i];
		if (!taken)
			return false;
	}
	return true;
}

/* --- list ------------------------------------------------------------------------------------------------------------ */

struct listing {
	bool json;
	json_int_t messages, recipients, bytes;
	bool partial; /* a worker did not answer */
};

/* A worker that did not answer is told of; true: it is no message. */
static bool is_complaint(const json_t *item)
{
	if (!json_object_get(item, "error"))
		return false;
	client_complain("worker %lld does not answer; try again in a moment",
		(long long)json_integer_value(json_object_get(item, "worker")));
	return true;
}

static void print_json(const json_t *item, bool first)
{
	char *text = json_dumps(item, JSON_ENSURE_ASCII | JSON_COMPACT);

	printf("%s%s", first ? "" : ",\n", text);
	free(text);
}

static void take_listed(void *user, const json_t *item)
{
	struct listing *l = user;

	if (is_complaint(item)) {
		l->partial = true;
		return;
	}
	if (l->json)
		print_json(item, !l->messages);
	else
		queue_print_message(item);
	l->messages++;
	l->bytes += json_integer_value(json_object_get(item, "size"));
	l->recipients += (json_int_t)json_array_size(json_object_get(item, "recipients")) +
	                 json_integer_value(json_object_get(item, "more"));
}

static int list(struct asked *a, const char *conf_path)
{
	struct listing l = { .json = a->json };
	char size[QUEUE_TEXT_SIZE];
	int status;

	if (a->json)
		printf("[");
	status = client_each(conf_path, json_incref(a->request), take_listed, &l);
	if (a->json) {
		printf("]\n");
	} else if (!status && !l.messages) {
		printf("%s\n",
			json_object_size(a->request) > 1 ? "nothing like that is in the queue" : "the queue is empty");
	} else if (!status) {
		printf("-- ");
		queue_print_count(l.messages, "message", "messages");
		printf(" to ");
		queue_print_count(l.recipients, "recipient", "recipients");
		printf(", %s bytes\n", queue_size_text(size, l.bytes));
	}
	return status ? status : l.partial ? EXIT_FAILED : EXIT_FINE;
}

/* --- show ------------------------------------------------------------------------------------------------------------ */

struct showing {
	bool json, begun;
	json_int_t recipients;
};

/* The message comes first, then each of its recipients. */
static void take_shown(void *user, const json_t *item)
{
	struct showing *s = user;
	char *text;

	if (is_complaint(item))
		return;
	if (!s->begun && s->json) {
		text = json_dumps(item, JSON_ENSURE_ASCII | JSON_COMPACT);
		printf("%.*s,\"recipients\":[", (int)strlen(text) - 1, text); /* without its last brace */
		free(text);
	} else if (!s->begun) {
		queue_print_envelope(item);
	} else if (s->json) {
		print_json(item, !s->recipients++);
	} else {
		queue_print_recipient(item);
	}
	s->begun = true;
}

static int show(struct asked *a, const char *conf_path)
{
	struct showing s = { .json = a->json };
	int status = client_each(conf_path, json_incref(a->request), take_shown, &s);

	if (s.begun && s.json)
		printf("]}\n");
	return status;
}

/* --- stats ----------------------------------------------------------------------------------------------------------- */

struct totals {
	json_t *all, *destinations; /* of all workers; by name */
	bool partial, reading;
};

static void add_number(json_t *sum, const json_t *item, const char *name)
{
	json_object_set_new(sum, name,
		json_integer(json_integer_value(json_object_get(sum, name)) +
			     json_integer_value(json_object_get(item, name))));
}

/* The sooner of both; 0 or not there: neither. */
static bool is_sooner(const json_t *sum, const json_t *item, const char *name)
{
	json_int_t old = json_integer_value(json_object_get(sum, name));
	json_int_t new = json_integer_value(json_object_get(item, name));

	return new && (!old || new < old);
}

static void add_destination(json_t *sum, json_t *item)
{
	static const char *const counts[] = { "items", "held", "sessions", "sent", "deferred", "refused" };
	static const char *const words[] = { "status", "reply", "remote" };

	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
		add_number(sum, item, counts[i]);
	if (is_sooner(sum, item, "oldest_s")) {
		json_object_set(sum, "oldest_s", json_object_get(item, "oldest_s"));
		json_object_set(sum, "oldest_age_s", json_object_get(item, "oldest_age_s"));
	}
	if (is_sooner(sum, item, "next_s")) {
		json_object_set(sum, "next_s", json_object_get(item, "next_s"));
		json_object_set(sum, "in_s", json_object_get(item, "in_s"));
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(*words) && json_object_get(item, "reply"); i++)
		if (json_object_get(item, words[i]))
			json_object_set(sum, words[i], json_object_get(item, words[i]));
}

static void take_stats(void *user, const json_t *item)
{
	static const char *const counts[] = { "messages", "items", "bytes", "held" };
	const char *name = json_string_value(json_object_get(item, "destination"));
	struct totals *t = user;
	json_t *sum;

	if (is_complaint(item)) {
		t->partial = true;
	} else if (!name) {
		for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
			add_number(t->all, item, counts[i]);
		t->reading |= json_is_true(json_object_get(item, "reading"));
	} else {
		if (!(sum = json_object_get(t->destinations, name))) {
			sum = json_pack("{s:s}", "destination", name);
			json_object_set_new(t->destinations, name, sum);
		}
		add_destination(sum, (json_t *)item);
	}
}

static void print_totals(const struct totals *t)
{
	char size[QUEUE_TEXT_SIZE];

	queue_print_count(json_integer_value(json_object_get(t->all, "messages")), "message", "messages");
	printf(" to ");
	queue_print_count(json_integer_value(json_object_get(t->all, "items")), "recipient", "recipients");
	printf(", %s bytes, %lld held%s\n", queue_size_text(size, json_integer_value(json_object_get(t->all, "bytes"))),
		(long long)json_integer_value(json_object_get(t->all, "held")),
		t->reading ? "; the queue is still being read" : "");
	for (void *d = json_object_iter(t->destinations); d; d = json_object_iter_next(t->destinations, d))
		queue_print_destination(json_object_iter_value(d));
}

static int stats(struct asked *a, const char *conf_path)
{
	struct totals t = { .all = json_object(), .destinations = json_object() };
	json_t *list = json_array();
	int status = client_each(conf_path, json_incref(a->request), take_stats, &t);

	for (void *d = json_object_iter(t.destinations); d; d = json_object_iter_next(t.destinations, d))
		json_array_append(list, json_object_iter_value(d));
	if (!status && a->json) {
		json_object_set_new(t.all, "reading", json_boolean(t.reading));
		json_object_set(t.all, "destinations", list);
		json_dumpf(t.all, stdout, JSON_INDENT(1) | JSON_ENSURE_ASCII);
		putchar('\n');
	} else if (!status) {
		print_totals(&t);
	}
	json_decref(list);
	json_decref(t.all);
	json_decref(t.destinations);
	return status ? status : t.partial ? EXIT_FAILED : EXIT_FINE;
}

/* --- orders ---------------------------------------------------------------------------------------------------------- */

struct ordered {
	json_int_t items;
	bool partial;
};

static void take_ordered(void *user, const json_t *item)
{
	struct ordered *o = user;

	if (is_complaint(item))
		o->partial = true;
	o->items += json_integer_value(json_object_get(item, "items"));
}

static int order(struct asked *a, const char *conf_path)
{
	struct ordered o = { 0 };
	int status = client_each(conf_path, json_incref(a->request), take_ordered, &o);

	if (!status && a->json) {
		printf("{\"order\":\"%s\",\"items\":%lld}\n", a->what, (long long)o.items);
	} else if (!status) {
		queue_print_count(o.items, "recipient", "recipients");
		putchar('\n');
	}
	return status ? status : o.partial ? EXIT_FAILED : EXIT_FINE;
}

/* --- the command ----------------------------------------------------------------------------------------------------- */

static const struct {
	const char *word, *request;
	int (*run)(struct asked *a, const char *conf_path);
	bool one; /* wants an id */
} verbs[] = {
	{ "list", "queue-list", list, false },
	{ "show", "queue-show", show, true },
	{ "stats", "queue-stats", stats, false },
	{ "retry", "queue-order", order, false },
	{ "hold", "queue-order", order, false },
	{ "release", "queue-order", order, false },
	{ "delete", "queue-order", order, false },
	{ "bounce", "queue-order", order, false },
	{ "move", "queue-order", order, false },
};

/* The first word of `move` is where to; the others are ids, each a request of its own. */
static int run_each(struct asked *a, int (*run)(struct asked *a, const char *conf_path), const char *conf_path)
{
	size_t first = 0;
	int status = EXIT_FINE;

	if (!strcmp(a->what, "move")) {
		if (!a->id_count) {
			client_complain("move wants a host and port to go to, such as mail.example.net:25");
			return EXIT_USAGE;
		}
		json_object_set_new(a->request, "via", json_string(a->ids[first++]));
	}
	if (first == a->id_count)
		return run(a, conf_path);
	for (; first < a->id_count && !status; first++) {
		json_object_set_new(a->request, "id", json_string(a->ids[first]));
		status = run(a, conf_path);
	}
	return status;
}

int queue_run(int argc, char **argv, const char *conf_path)
{
	struct asked a = { .what = argc > 1 ? argv[1] : "" };
	int status = EXIT_USAGE;
	size_t i = 0, count = sizeof(verbs) / sizeof(*verbs);

	if (command_helped(argc, argv))
		return EXIT_FINE;
	if (argc > IDS_MAX) {
		client_complain("queue takes at most %d words at a time", IDS_MAX);
		return EXIT_USAGE;
	}
	while (i < count && strcmp(verbs[i].word, a.what))
		i++;
	if (i == count) {
		client_complain(
			"queue wants list, show, stats, retry, hold, release, delete, bounce or move; `postern queue "
			"--help` tells more");
		return EXIT_USAGE;
	}
	a.request = json_pack("{s:s}", "do", verbs[i].request);
	if (verbs[i].run == order)
		json_object_set_new(a.request, "order", json_string(a.what));
	if (take_words(&a, argc, argv)) {
		if (verbs[i].one && !a.id_count && !json_object_get(a.request, "id"))
			client_complain("show wants the id of a message; `postern queue list` has them");
		else
			status = run_each(&a, verbs[i].run, conf_path);
	}
	json_decref(a.request);
	return status;
}
