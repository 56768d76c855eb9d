/* fsck_command.c - `postern fsck` and `postern index rebuild`: what the server finds is told while it looks. */
#include "conf/commands.h"
#include "protocols/cli/client.h"
#include "protocols/cli/commands.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_COLUMNS 79 /* of a line that tells how far it is */

struct telling {
	bool rebuilds, json, terminal;
	bool shown; /* a line that will be written over */
	json_int_t left;
};

static json_int_t number(const json_t *item, const char *name)
{
	return json_integer_value(json_object_get(item, name));
}

static const char *text(const json_t *item, const char *name)
{
	return json_string_value(json_object_get(item, name));
}

/* Names are other people's: what would move a terminal's cursor is a question mark. */
static void put(FILE *to, const char *text)
{
	for (; *text; text++)
		fputc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, to);
}

static void wipe(struct telling *t)
{
	if (t->shown)
		fprintf(stderr, "\r%*s\r", LINE_COLUMNS, "");
	t->shown = false;
}

static void put_place(FILE *to, const json_t *item)
{
	const char *account = text(item, "account"), *mailbox = text(item, "mailbox"), *file = text(item, "file");

	if (account) {
		put(to, account);
		fputc(' ', to);
	}
	if (mailbox) {
		fputc('"', to);
		put(to, mailbox);
		fputs("\" ", to);
	}
	if (number(item, "uid"))
		fprintf(to, "UID %lld ", (long long)number(item, "uid"));
	if (file) {
		put(to, file);
		if (number(item, "offset"))
			fprintf(to, " at %lld", (long long)number(item, "offset"));
	}
}

static void show_progress(struct telling *t, const json_t *item)
{
	if (!t->terminal || t->json)
		return;
	wipe(t);
	fprintf(stderr, "%lld mailboxes  ", (long long)number(item, "progress"));
	put_place(stderr, item);
	fflush(stderr);
	t->shown = true;
}

static void print_problem(const json_t *item)
{
	static const char *const mends[][2] = { { "can", "--repair: " }, { "done", "repaired: " },
		{ "failed", "could not be repaired: " }, { "note", "" }, { "none", "" } };
	const char *mend = text(item, "mend"), *repair = text(item, "repair");

	put_place(stdout, item);
	fputs(": ", stdout);
	put(stdout, text(item, "problem"));
	for (size_t i = 0; repair && i < sizeof(mends) / sizeof(*mends); i++)
		if (mend && !strcmp(mend, mends[i][0])) {
			printf("; %s", mends[i][1]);
			put(stdout, repair);
		}
	putchar('\n');
}

static void print_sum(const struct telling *t, const json_t *item)
{
	json_int_t problems = number(item, "problems"), left = number(item, "left");

	if (t->rebuilds)
		printf("The index of %lld mailboxes with %lld messages was made anew",
			(long long)number(item, "mailboxes"), (long long)number(item, "messages"));
	else
		printf("%lld mailboxes with %lld messages were looked at", (long long)number(item, "mailboxes"),
			(long long)number(item, "messages"));
	if (!problems)
		puts(t->rebuilds ? "." : ": nothing is wrong.");
	else if (!left)
		printf(": %lld problems, all repaired.\n", (long long)problems);
	else
		printf(": %lld problems, %lld left.\n", (long long)problems, (long long)left);
}

static void take(void *user, const json_t *item)
{
	struct telling *t = user;

	if (json_object_get(item, "progress")) {
		show_progress(t, item);
		return;
	}
	wipe(t);
	if (json_object_get(item, "problems"))
		t->left = number(item, "left");
	if (t->json) {
		json_dumpf(item, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
		putchar('\n');
	} else if (text(item, "problem")) {
		print_problem(item);
	} else {
		print_sum(t, item);
	}
	fflush(stdout);
}

/* The words behind the command: one account, or --all. */
static int go_through(const char *conf_path, const char *what, int argc, char **argv)
{
	struct telling t = { .rebuilds = !strcmp(what, "index-rebuild"), .terminal = isatty(STDERR_FILENO) };
	const char *name = NULL;
	bool repair = false, all = false, good = true;
	int status;

	for (int i = 0; i < argc; i++)
		if (!strcmp(argv[i], "--json"))
			t.json = true;
		else if (!strcmp(argv[i], "--repair") && !t.rebuilds)
			repair = true;
		else if (!strcmp(argv[i], "--all"))
			all = true;
		else if (!name && argv[i][0] != '-')
			name = argv[i];
		else
			good = false;
	if (!good || all == (name != NULL)) {
		client_complain("this wants one account, or --all; --help tells more");
		return EXIT_USAGE;
	}
	status = client_each(conf_path,
		json_pack("{s:s, s:s, s:b, s:b}", "do", what, "name", name ? name : "", "all", all, "repair", repair),
		take, &t);
	wipe(&t);
	return status ? status : t.left ? EXIT_FAILED : EXIT_FINE;
}

int fsck_run(int argc, char **argv, const char *conf_path)
{
	if (command_helped(argc, argv))
		return EXIT_FINE;
	return go_through(conf_path, "fsck", argc - 1, argv + 1);
}

int index_run(int argc, char **argv, const char *conf_path)
{
	if (command_helped(argc, argv))
		return EXIT_FINE;
	if (argc < 2 || strcmp(argv[1], "rebuild")) {
		client_complain("index knows rebuild; `postern index --help` tells more");
		return EXIT_USAGE;
	}
	return go_through(conf_path, "index-rebuild", argc - 2, argv + 2);
}
