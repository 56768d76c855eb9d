/* server_commands.c - the commands that look into a running server or tell it something: status, stats, who, kick,
 * reload, stop, clock. */
#include "conf/commands.h"
#include "core/core_settings.h"
#include "core/setting_value.h"
#include "protocols/cli/client.h"
#include "protocols/cli/commands.h"
#include "protocols/cli/lines.h"
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define STOP_WAIT_MS 120000
#define STOP_STEP_MS 20

static int64_t number(const json_t *item, const char *name)
{
	return json_integer_value(json_object_get(item, name));
}

static const char *text(const json_t *item, const char *name)
{
	const char *value = json_string_value(json_object_get(item, name));

	return value && *value ? value : "-";
}

static int print_json(json_t *j)
{
	json_dumpf(j, stdout, JSON_INDENT(1) | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(j);
	return EXIT_FINE;
}

/* What all of these take: nothing, or --json. */
static bool parse_options(int argc, char **argv, bool *json, int *status)
{
	*json = argc == 2 && !strcmp(argv[1], "--json");
	*status = EXIT_FINE;
	if (command_helped(argc, argv))
		return false;
	if (argc == 1 || *json)
		return true;
	client_complain("%s does not know %s; `postern %s --help` tells what it takes", argv[0], argv[1], argv[0]);
	*status = EXIT_USAGE;
	return false;
}

/* Asks `name` for a command without arguments; items is NULL unless the answer is to be printed. */
static int ask(const char *conf_path, const char *name, json_t **items)
{
	return client_once(conf_path, json_pack("{s:s}", "do", name), items);
}

static void add_time(int64_t ms, struct buf *out)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm utc;
	char when[32];

	gmtime_r(&seconds, &utc);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &utc);
	buf_printf(out, "%s", when);
}

static void add_percent(int64_t part, int64_t whole, struct buf *out)
{
	buf_printf(out, "%" PRId64 "%%", whole ? part * 100 / whole : 0);
}

static void print_server(const json_t *server)
{
	const json_t *certificates = json_object_get(server, "certificates");

	printf("server  process %" PRId64 ", %" PRId64 " workers, directory %s%s\n", number(server, "pid"),
		number(server, "workers"), text(server, "directory"),
		json_is_true(json_object_get(server, "scratch")) ? ", scratch" : "");
	for (size_t i = 0; i < json_array_size(certificates); i++) {
		const json_t *c = json_array_get(certificates, i);

		printf("certificate  %s, %s, %" PRId64 " days left\n", text(c, "name"), text(c, "kind"),
			number(c, "days"));
	}
	if (!json_array_size(certificates))
		printf("certificate  none\n");
	putchar('\n');
}

static void add_worker(const json_t *w, struct buf *out)
{
	const json_t *lanes = json_object_get(w, "lanes");
	double age = json_number_value(json_object_get(w, "checkpoint_age_s"));

	buf_printf(out, "%" PRId64 "\t%" PRId64 "\t%s\t%" PRId64 "\t", number(w, "worker"), number(w, "pid"),
		text(w, "state"), number(w, "starts"));
	buf_printf(out, "%.1f ms\t%.1f ms\t%" PRId64 "\t", (double)number(w, "lag_us") / 1000,
		(double)number(w, "lag_max_us") / 1000, number(w, "connections"));
	buf_printf(out, "%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 "\t", number(lanes, "journal"),
		number(lanes, "files"), number(lanes, "index"), number(lanes, "slow"));
	add_percent(number(w, "journal_used"), number(w, "journal_size"), out);
	if (age < 0)
		buf_printf(out, "\t-");
	else
		buf_printf(out, "\t%.0f s ago", age);
	buf_printf(out, "\t%s\n", text(w, "running"));
}

int status_run(int argc, char **argv, const char *conf_path)
{
	struct buf lines = { 0 };
	json_t *items, *server;
	bool json;
	int status;

	if (!parse_options(argc, argv, &json, &status) || (status = ask(conf_path, "status", &items)))
		return status;
	server = json_incref(json_array_get(items, 0));
	json_array_remove(items, 0);
	if (json)
		return print_json(json_pack("{s:o, s:o}", "server", server, "workers", items));
	print_server(server);
	buf_printf(&lines, "worker\tprocess\tstate\tstarts\tlag\tworst\tconnections\tlanes j f i s\tjournal\tcheckpoint"
			   "\trunning\n");
	for (size_t i = 0; i < json_array_size(items); i++)
		add_worker(json_array_get(items, i), &lines);
	lines_print(buf_str(&lines));
	buf_free(&lines);
	json_decref(server);
	json_decref(items);
	return EXIT_FINE;
}

int stats_run(int argc, char **argv, const char *conf_path)
{
	struct buf lines = { 0 };
	json_t *items, *values;
	bool json;
	int status;

	if (!parse_options(argc, argv, &json, &status) || (status = ask(conf_path, "stats", &items)))
		return status;
	values = json_object();
	for (size_t i = 0; i < json_array_size(items); i++) {
		const json_t *item = json_array_get(items, i);

		json_object_set(values, text(item, "name"), json_object_get(item, "value"));
		buf_printf(
			&lines, "%s\t%" PRId64 "\t%s\n", text(item, "name"), number(item, "value"), text(item, "text"));
	}
	lines_sort(&lines);
	if (json)
		print_json(json_incref(values));
	else
		lines_print(buf_str(&lines));
	buf_free(&lines);
	json_decref(values);
	json_decref(items);
	return EXIT_FINE;
}

static void add_session(const json_t *s, struct buf *out)
{
	if (json_object_get(s, "error")) {
		buf_printf(out, "-\tworker %" PRId64 " does not answer\n", number(s, "worker"));
		return;
	}
	buf_printf(out, "%s\t%s\t%s\t%s\t%s\t", text(s, "id"), text(s, "service"), text(s, "peer"), text(s, "account"),
		text(s, "state"));
	add_time(number(s, "started_ms"), out);
	buf_add_char(out, '\n');
}

int who_run(int argc, char **argv, const char *conf_path)
{
	struct buf lines = { 0 };
	json_t *items;
	bool json;
	int status;

	if (!parse_options(argc, argv, &json, &status) || (status = ask(conf_path, "who", &items)))
		return status;
	if (json)
		return print_json(items);
	buf_printf(&lines, "session\tservice\tpeer\taccount\tstate\tsince\n");
	for (size_t i = 0; i < json_array_size(items); i++)
		add_session(json_array_get(items, i), &lines);
	lines_print(buf_str(&lines));
	buf_free(&lines);
	json_decref(items);
	return EXIT_FINE;
}

/* Prints what the server has to say, a line each. */
static void print_texts(json_t *items)
{
	for (size_t i = 0; i < json_array_size(items); i++) {
		struct str said = str_trim(
			str_of(json_string_value(json_object_get(json_array_get(items, i), "text"))));

		printf(STR_FMT "\n", STR_ARG(said));
	}
	json_decref(items);
}

static int tell(int argc, char **argv, const char *conf_path)
{
	json_t *items;
	bool json;
	int status;

	if (!parse_options(argc, argv, &json, &status) || (status = ask(conf_path, argv[0], &items)))
		return status;
	print_texts(items);
	return EXIT_FINE;
}

int kick_run(int argc, char **argv, const char *conf_path)
{
	json_t *items;
	int64_t count;
	int status;

	if (command_helped(argc, argv))
		return EXIT_FINE;
	if (argc != 2) {
		client_complain(
			"kick wants an account, an address or a session's id; `postern kick --help` tells more");
		return EXIT_USAGE;
	}
	if ((status = client_once(conf_path, json_pack("{s:s, s:s}", "do", "kick", "what", argv[1]), &items)))
		return status;
	count = number(json_array_get(items, 0), "sessions");
	json_decref(items);
	if (!count) {
		client_complain("there is no session of %s; `postern who` lists those that are", argv[1]);
		return EXIT_FAILED;
	}
	printf("%" PRId64 " session%s ended\n", count, count == 1 ? "" : "s");
	return EXIT_FINE;
}

int reload_run(int argc, char **argv, const char *conf_path)
{
	return tell(argc, argv, conf_path);
}

/* The server's processes hold a lock on run/pid as long as one of them lives (core/home.h). */
static bool wait_until_gone(const char *directory)
{
	int held = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = openat(held, "run/pid", O_RDONLY | O_CLOEXEC), waited_ms = 0;
	bool gone;

	while (!(gone = fd < 0 || !flock(fd, LOCK_SH | LOCK_NB)) && waited_ms < STOP_WAIT_MS) {
		poll(NULL, 0, STOP_STEP_MS);
		waited_ms += STOP_STEP_MS;
	}
	if (fd >= 0)
		close(fd);
	if (held >= 0)
		close(held);
	return gone;
}

int stop_run(int argc, char **argv, const char *conf_path)
{
	struct conf *conf;
	int status = tell(argc, argv, conf_path);

	if (status || argc > 1 || !(conf = client_conf(conf_path)))
		return status;
	if (!wait_until_gone(((const struct core_conf *)conf_section(conf, &core_settings))->directory)) {
		client_complain("the server still finishes what it is doing; it will stop then");
		status = EXIT_FAILED;
	}
	conf_unref(conf);
	return status;
}

static const struct setting move_row = { .name = "+TIME", .type = SETTING_DURATION, .min = "0" };

/* Asks a scratch server to `word` by so much time. */
static int ask_time(const char *word, int64_t ms, const char *conf_path)
{
	json_t *items;
	int status = client_once(conf_path, json_pack("{s:s, s:I}", "do", word, "ms", (json_int_t)ms), &items);

	json_decref(items);
	return status;
}

int lag_run(int argc, char **argv, const char *conf_path)
{
	struct buf why = { 0 };
	int64_t ms = 0;

	if (command_helped(argc, argv))
		return EXIT_FINE;
	if (argc == 2 && setting_read(&move_row, argv[1], &ms, &why))
		return ask_time("lag", ms, conf_path);
	client_complain("lag wants how long, such as 300ms, or 0s; `postern lag --help` tells more");
	buf_free(&why);
	return EXIT_USAGE;
}

int clock_run(int argc, char **argv, const char *conf_path)
{
	struct buf why = { 0 };
	int64_t ms = 0;

	if (command_helped(argc, argv))
		return EXIT_FINE;
	if (argc != 2 || argv[1][0] != '+' || !setting_read(&move_row, argv[1] + 1, &ms, &why)) {
		client_complain("clock wants how far to move, such as +1801s; `postern clock --help` tells more");
		buf_free(&why);
		return EXIT_USAGE;
	}
	return ask_time("clock", ms, conf_path);
}
