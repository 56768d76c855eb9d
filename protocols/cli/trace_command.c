/* trace_command.c - the command `trace`: one message, or all of an address, through reception, routing, queue, delivery and
 * mailbox, by the log and by what the running server knows.
 *   session 1-19ab3c4d5e6 --- transaction 1-19ab3c4d5e6.1 --- in the queue q0-1f3a --- session 0-19ab3c4d777 to another host
 *                                                                    +--- its report q0-1f40
 * Each line bears an id, and some name another's (queue=, session=): from what is asked for, ids are gathered until there
 * are no more, both ways; then their lines are printed. Of sessions, which may bring many messages, only their own lines are,
 * and nothing is followed from there. The log is gone through a few times and never held. */
#include "conf/commands.h"
#include "core/core_settings.h"
#include "core/mem.h"
#include "core/setting_value.h"
#include "protocols/cli/client.h"
#include "protocols/cli/commands.h"
#include "protocols/cli/lines.h"
#include "protocols/cli/queue_print.h"
#include "protocols/cli/trace_log.h"
#include "protocols/cli/trace_words.h"
#include "storage/mail/date.h"
#include "storage/queue/queue.h"
#include "storage/table.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define IDS_MAX    20000 /* that are gathered; more are not followed */
#define PASSES_MAX 8     /* over the log: a message, its report and what made it are a few steps apart */
#define ASKED_MAX  100   /* ids that the running server is asked about */

struct known { /* an id */
	struct table_node node;
	bool followed; /* else it is a session */
	size_t len;
	char text[];
};

struct trace {
	struct str wanted; /* an id, or an address or Message-ID */
	bool is_address, json;
	const char *file; /* the log; NULL: the configuration's */
	int64_t since_ms; /* before the end of the log; -1: all */
	char since[32];   /* the same as a line has it; "" : all */
	struct table ids;
	bool grew, full;
	size_t printed, asked;
};

/* --- ids ------------------------------------------------------------------------------------------------------------- */

static struct known *find(const struct trace *t, struct str id)
{
	for (struct table_node *n = table_first(&t->ids, str_hash(id)); n; n = table_next(n)) {
		struct known *k = container_of(n, struct known, node);

		if (str_eq((struct str){ k->text, k->len }, id))
			return k;
	}
	return NULL;
}

static void add(struct trace *t, struct str id, bool followed)
{
	struct known *k = find(t, id);

	if (str_eq(id, STR("-")) || !id.len || (k && (k->followed || !followed)))
		return;
	if (t->ids.count >= IDS_MAX) {
		t->full = true;
		return;
	}
	if (!k) {
		k = mem_alloc(sizeof(*k) + id.len);
		k->len = id.len;
		memcpy(k->text, id.p, id.len);
		table_add(&t->ids, &k->node, str_hash(id));
	}
	k->followed = followed;
	t->grew = true;
}

static void ids_free(struct trace *t)
{
	struct table_node *n;

	while ((n = table_any(&t->ids))) {
		table_remove(&t->ids, n);
		free(container_of(n, struct known, node));
	}
	table_free(&t->ids);
}

/* "1-19ab.2" is the second transaction of the session "1-19ab". */
static struct str session_of(struct str id)
{
	ptrdiff_t dot = str_find(id, '.');

	return dot < 0 ? STR_NONE : str_cut(id, 0, (size_t)dot);
}

/* --- gathering ------------------------------------------------------------------------------------------------------- */

static bool is_mail(const struct log_line *l)
{
	return str_eq(l->component, STR("smtp")) || str_eq(l->component, STR("sending"));
}

static bool is_wanted(const struct trace *t, struct str value)
{
	struct buf plain = { 0 };
	bool is;

	log_value(value, &plain);
	is = str_eq_nocase(buf_str(&plain), t->wanted);
	buf_free(&plain);
	return is;
}

/* Whether the line is about mail from or to the address, or of that Message-ID. */
static bool concerns(const struct trace *t, const struct log_line *l)
{
	static const char *const keys[] = { "from", "to", "as", "account", "message_id" };
	struct str left = l->fields, key, value;

	if (str_eq(l->component, STR("smtp")) && !session_of(l->id).len)
		return false; /* a login, not a message */
	while (log_field_next(&left, &key, &value))
		for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
			if (str_eq(key, str_of(keys[i])) && is_wanted(t, value))
				return true;
	return false;
}

static bool is_asked_for(const struct trace *t, const struct log_line *l)
{
	if (find(t, l->id))
		return find(t, l->id)->followed;
	if (t->is_address)
		return concerns(t, l);
	return str_eq(session_of(l->id), t->wanted); /* all that a session brought */
}

static bool is_old(const struct trace *t, const struct log_line *l)
{
	return str_cmp(l->time, str_of(t->since)) < 0;
}

static void gather(void *user, const struct log_line *l)
{
	struct trace *t = user;
	struct str value;

	if (is_old(t, l) || !is_mail(l))
		return;
	if (is_asked_for(t, l)) {
		add(t, l->id, true);
		add(t, session_of(l->id), false);
		if (log_field(l->fields, "queue", &value))
			add(t, value, true);
		if (log_field(l->fields, "session", &value))
			add(t, value, false);
	} else if (memmem(l->fields.p, l->fields.len, "queue=", 6) && log_field(l->fields, "queue", &value) &&
		   find(t, value)) {
		add(t, l->id, true); /* where it came from */
	}
}

/* --- printing -------------------------------------------------------------------------------------------------------- */

static json_t *json_text(struct str text)
{
	json_t *j = json_stringn(text.p ? text.p : "", text.len);

	return j ? j : json_string("?");
}

static void print_json(const struct log_line *l, struct str words, bool first)
{
	json_t *fields = json_object(), *j;
	struct str left = l->fields, key, value;
	struct buf plain = { 0 };
	char *text;

	while (log_field_next(&left, &key, &value)) {
		buf_clear(&plain);
		log_value(value, &plain);
		json_object_setn_new_nocheck(fields, key.p, key.len, json_text(buf_str(&plain)));
	}
	buf_free(&plain);
	j = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "time", json_text(l->time), "level", json_text(l->level),
		"component", json_text(l->component), "id", json_text(l->id), "event", json_text(l->event), "fields",
		fields, "text", json_text(words));
	text = json_dumps(j, JSON_ENSURE_ASCII | JSON_COMPACT);
	printf("%s%s", first ? "" : ",\n", text);
	free(text);
	json_decref(j);
}

static void print_line(void *user, const struct log_line *l)
{
	struct trace *t = user;
	struct buf words = { 0 };

	if (is_old(t, l) || !find(t, l->id))
		return;
	trace_words(l, &words);
	if (t->json) {
		print_json(l, buf_str(&words), !t->printed);
	} else {
		lines_put(l->time);
		printf("  %-18.*s  ", STR_ARG(l->id));
		lines_put(buf_str(&words));
		putchar('\n');
	}
	t->printed++;
	buf_free(&words);
}

/* --- what the server knows now ---------------------------------------------------------------------------------------- */

struct asking {
	struct trace *t;
	json_t *message; /* NULL until it came; --json: with its recipients */
	size_t open;
};

static void take_shown(void *user, const json_t *item)
{
	struct asking *a = user;
	const char *state = json_string_value(json_object_get(item, "state"));

	if (json_object_get(item, "error"))
		return;
	if (!a->message) {
		a->message = json_deep_copy(item);
		json_object_set_new(a->message, "recipients", json_array());
	} else if (a->t->json) {
		json_array_append(json_object_get(a->message, "recipients"), (json_t *)item);
	} else if (state && strcmp(state, "done")) {
		if (!a->open++)
			printf("%s%s is in the queue:\n", a->t->asked++ ? "" : "now\n",
				json_string_value(json_object_get(a->message, "id")));
		queue_print_recipient(item);
	}
}

/* True: it answered, whatever it said. */
static void ask_about(struct trace *t, struct client *c, struct str id)
{
	struct asking a = { .t = t };
	struct buf why = { 0 };
	char *text;
	json_t *request = json_pack("{s:s, s:o}", "do", "queue-show", "id", json_text(id));

	client_ask_each(c, request, take_shown, &a, &why);
	if (a.message && t->json) {
		text = json_dumps(a.message, JSON_ENSURE_ASCII | JSON_COMPACT);
		printf("%s%s", t->asked++ ? ",\n" : "", text);
		free(text);
	}
	json_decref(a.message);
	buf_free(&why);
}

static void ask_server(struct trace *t, const struct conf *conf)
{
	struct client *c = NULL;
	struct buf why = { 0 };
	unsigned asked = 0;
	uint64_t id;

	if (client_open(&c, conf, &why) == OK)
		for (size_t i = 0; i < t->ids.chain_count; i++)
			for (struct table_node *n = t->ids.chains[i]; n; n = n->next) {
				struct known *k = container_of(n, struct known, node);
				struct str text = { k->text, k->len };

				if (k->followed && queue_id_read(text, &id) && asked++ < ASKED_MAX)
					ask_about(t, c, text);
			}
	client_free(c);
	buf_free(&why);
}

/* --- the command ------------------------------------------------------------------------------------------------------ */

static const struct setting since_row = { .name = "--since", .type = SETTING_DURATION, .min = "0" };

static bool read_since(struct trace *t, const char *word)
{
	struct buf why = { 0 };
	bool good = word && setting_read(&since_row, word, &t->since_ms, &why);

	if (!good)
		client_complain("--since wants a time such as 90m, 1h or 2d");
	buf_free(&why);
	return good;
}

static bool read_words(struct trace *t, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--json")) {
			t->json = true;
		} else if (!strcmp(argv[i], "--since")) {
			if (!read_since(t, argv[++i]))
				return false;
		} else if (!strcmp(argv[i], "--log") && i + 1 < argc) {
			t->file = argv[++i];
		} else if (*argv[i] != '-' && !t->wanted.len) {
			t->wanted = str_of(argv[i]);
		} else {
			client_complain("trace does not know %s; `postern trace --help` tells what it takes", argv[i]);
			return false;
		}
	}
	if (!t->wanted.len)
		client_complain("trace wants an id of the log or of the queue, or an address");
	if (t->wanted.len > 2 && t->wanted.p[0] == '<' && t->wanted.p[t->wanted.len - 1] == '>')
		t->wanted = str_cut(t->wanted, 1, t->wanted.len - 1);
	t->is_address = str_find(t->wanted, '@') >= 0;
	return t->wanted.len > 0;
}

/* So long before now, by the clock or by the log's end if that is later: a scratch server's clock moves. */
static void find_since(struct trace *t, const struct trace_log *log)
{
	struct str end = trace_log_end(log);
	time_t now = time(NULL), start;
	struct tm utc = { 0 };
	char text[32];

	if (t->since_ms < 0)
		return;
	gmtime_r(&now, &utc);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
	if (end.len && str_cmp(end, str_of(text)) > 0 && strptime(end.p, "%Y-%m-%dT%H:%M:%S", &utc))
		now = timegm(&utc);
	start = now - (time_t)(t->since_ms / 1000);
	gmtime_r(&start, &utc);
	strftime(t->since, sizeof(t->since), "%Y-%m-%dT%H:%M:%S", &utc);
}

static int follow(struct trace *t, const struct trace_log *log, const struct conf *conf)
{
	find_since(t, log);
	if (!t->is_address)
		add(t, t->wanted, true);
	for (unsigned i = 0; i < PASSES_MAX; i++) {
		t->grew = false;
		trace_log_each(log, gather, t);
		if (!t->grew)
			break;
	}
	if (t->json)
		printf("{\"lines\":[");
	trace_log_each(log, print_line, t);
	if (t->json)
		printf("],\n\"queue\":[");
	ask_server(t, conf);
	if (t->json)
		printf("]}\n");
	if (t->full)
		client_complain("more than %u messages: not all are followed; --since narrows it down", IDS_MAX);
	if (t->printed || t->asked)
		return EXIT_FINE;
	client_complain("there is nothing about " STR_FMT " in the log%s", STR_ARG(t->wanted),
		t->since_ms < 0 ? "" : " of that time");
	return EXIT_FAILED;
}

int trace_run(int argc, char **argv, const char *conf_path)
{
	struct trace t = { .since_ms = -1 };
	struct trace_log *log = NULL;
	struct buf why = { 0 };
	struct conf *conf;
	const char *file;
	int status = EXIT_FAILED;

	if (command_helped(argc, argv))
		return EXIT_FINE;
	if (!read_words(&t, argc, argv))
		return EXIT_USAGE;
	if (!(conf = client_conf(conf_path)))
		return EXIT_FAILED;
	file = t.file ? t.file : ((const struct log_conf *)conf_section(conf, &log_settings))->file;
	if (!*file)
		client_complain(
			"the log goes to standard error, where it cannot be looked through: set log.file in the "
			"configuration, or write it to a file and name that by --log");
	else if (trace_log_open(&log, file, &why))
		client_complain(STR_FMT, STR_ARG(buf_str(&why)));
	else
		status = follow(&t, log, conf);
	trace_log_free(log);
	ids_free(&t);
	buf_free(&why);
	conf_unref(conf);
	return status;
}
