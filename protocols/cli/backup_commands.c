/* backup_commands.c - `postern backup` and `postern restore`: the server does it, and tells how far it is. */
#include "conf/commands.h"
#include "core/core_settings.h"
#include "core/mem.h"
#include "protocols/cli/client.h"
#include "protocols/cli/commands.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_COLUMNS 79 /* of a line that tells how far it is */

struct telling {
	bool json, terminal;
	bool shown; /* a line that will be written over */
	bool restores;
	const char *directory;
};

static json_int_t number(const json_t *item, const char *name)
{
	return json_integer_value(json_object_get(item, name));
}

static void wipe(struct telling *t)
{
	if (t->shown)
		fprintf(stderr, "\r%*s\r", LINE_COLUMNS, "");
	t->shown = false;
}

static void put_numbers(FILE *to, const struct telling *t, const json_t *item)
{
	if (t->restores)
		fprintf(to, "%lld mailboxes, %lld messages, %lld KiB", (long long)number(item, "mailboxes"),
			(long long)number(item, "messages"), (long long)number(item, "bytes") / 1024);
	else
		fprintf(to, "%lld accounts, %lld files, %lld KiB", (long long)number(item, "accounts"),
			(long long)number(item, "files"), (long long)number(item, "bytes") / 1024);
}

static void take(void *user, const json_t *item)
{
	bool progress = json_object_get(item, "progress") != NULL;
	const char *name = json_string_value(json_object_get(item, "name"));
	struct telling *t = user;

	if (progress && (!t->terminal || t->json))
		return;
	wipe(t);
	if (progress) {
		put_numbers(stderr, t, item);
		t->shown = true;
	} else if (t->json) {
		json_dumpf(item, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
		putchar('\n');
	} else {
		put_numbers(stdout, t, item);
		if (t->restores)
			printf(" brought back as %s\n", name);
		else
			printf(" in %s\n", t->directory);
	}
	fflush(progress ? stderr : stdout);
}

/* Asks for it, tells what comes. */
static int ask(const char *conf_path, json_t *request, struct telling *t)
{
	int status;

	t->terminal = isatty(STDERR_FILENO);
	status = client_each(conf_path, request, take, t);
	wipe(t);
	return status;
}

/* The server writes there: a directory that we make as root is its user's. */
static bool directory_make(const char *conf_path, const char *path)
{
	struct conf *conf;
	struct stat store;

	if (mkdir(path, 0700)) {
		if (errno == EEXIST)
			return true;
		client_complain("cannot make %s: %s", path, strerror(errno));
		return false;
	}
	if (geteuid() || !(conf = client_conf(conf_path)))
		return true;
	if (!stat(((const struct core_conf *)conf_section(conf, &core_settings))->directory, &store) &&
		chown(path, store.st_uid, store.st_gid))
		client_complain("cannot give %s to the server's user: %s", path, strerror(errno));
	conf_unref(conf);
	return true;
}

int backup_run(int argc, char **argv, const char *conf_path)
{
	struct telling t = { 0 };
	const char *account = "", *path = NULL;
	char *directory;
	bool good = true, copy = false;
	int status = EXIT_FAILED;

	if (command_helped(argc, argv))
		return EXIT_FINE;
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--json"))
			t.json = true;
		else if (!strcmp(argv[i], "--copy"))
			copy = true;
		else if (!strcmp(argv[i], "--account") && i + 1 < argc)
			account = argv[++i];
		else if (!path && argv[i][0] != '-')
			path = argv[i];
		else
			good = false;
	if (!good || !path) {
		client_complain("backup wants a directory; `postern backup --help` tells more");
		return EXIT_USAGE;
	}
	if (!directory_make(conf_path, path))
		return EXIT_FAILED;
	if ((directory = realpath(path, NULL))) {
		t.directory = path;
		status = ask(conf_path,
			json_pack("{s:s, s:s, s:s, s:b}", "do", "backup", "directory", directory, "name", account,
				"copy", copy),
			&t);
	} else {
		client_complain("%s: %s", path, strerror(errno));
	}
	free(directory);
	return status;
}

struct restore_words {
	const char *words[4]; /* directory, account, mailbox, UID */
	unsigned count;
	const char *to;
	bool merge, replace;
};

static const char *restore_read(struct restore_words *r, struct telling *t, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--json"))
			t->json = true;
		else if (!strcmp(argv[i], "--merge"))
			r->merge = true;
		else if (!strcmp(argv[i], "--replace"))
			r->replace = true;
		else if (!strcmp(argv[i], "--to") && i + 1 < argc)
			r->to = argv[++i];
		else if (r->count < 4 && argv[i][0] != '-')
			r->words[r->count++] = argv[i];
		else
			return "restore does not know all of these words";
	if (r->count < 2)
		return "restore wants a backup's directory and an account";
	if (r->merge && (r->count > 2 || r->to))
		return "--merge is for an account, under its own name";
	if (r->replace && (r->count != 3 || r->to))
		return "--replace is for a mailbox, under its own name";
	return NULL;
}

int restore_run(int argc, char **argv, const char *conf_path)
{
	struct telling t = { .restores = true };
	struct restore_words r = { 0 };
	const char *wrong;
	char *directory, *end = "";
	long long uid = 0;
	int status = EXIT_FAILED;

	if (command_helped(argc, argv))
		return EXIT_FINE;
	wrong = restore_read(&r, &t, argc, argv);
	if (!wrong && r.count == 4 && ((uid = strtoll(r.words[3], &end, 10)) < 1 || *end || uid > UINT32_MAX))
		wrong = "a UID is a number from 1 on";
	if (wrong) {
		client_complain("%s; `postern restore --help` tells more", wrong);
		return EXIT_USAGE;
	}
	if ((directory = realpath(r.words[0], NULL)))
		status = ask(conf_path,
			json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:b, s:b}", "do", "restore", "directory", directory,
				"name", r.words[1], "mailbox", r.words[2] ? r.words[2] : "", "to", r.to ? r.to : "",
				"uid", (json_int_t)uid, "merge", r.merge, "replace", r.replace),
			&t);
	else
		client_complain("%s: %s", r.words[0], strerror(errno));
	free(directory);
	return status;
}
