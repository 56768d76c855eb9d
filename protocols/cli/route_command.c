/* route_command.c - the command `route`: what an address means to the running server. */
#include "conf/commands.h"
#include "protocols/cli/client.h"
#include "protocols/cli/commands.h"
#include <stdio.h>

static const char *text(const json_t *item, const char *name)
{
	const char *value = json_string_value(json_object_get(item, name));

	return value ? value : "";
}

static void print_pair(const json_t *leaf, const char *name, const char *quote)
{
	if (*text(leaf, name))
		printf(" %s=%s%s%s", name, quote, text(leaf, name), quote);
}

static void print_leaf(const json_t *leaf)
{
	static const char *const signs[] = { "forwarded", "relay", "backup" };

	printf("%s %s", text(leaf, "kind"), text(leaf, "address"));
	print_pair(leaf, "detail", "");
	print_pair(leaf, "next_hop", "");
	print_pair(leaf, "route", "\"");
	print_pair(leaf, "sender", "");
	for (size_t i = 0; i < sizeof(signs) / sizeof(*signs); i++)
		if (json_is_true(json_object_get(leaf, signs[i])))
			printf(" %s", signs[i]);
	print_pair(leaf, "text", "\"");
	putchar('\n');
}

static void print(json_t *items, bool json)
{
	json_t *steps = json_array(), *leaves = json_array(), *item, *step;
	size_t i;

	json_array_foreach(items, i, item)
	{
		if ((step = json_object_get(item, "step")))
			json_array_append(steps, step);
		else
			json_array_append(leaves, item);
	}
	if (json) {
		item = json_pack("{s:O, s:O}", "steps", steps, "leaves", leaves);
		json_dumpf(item, stdout, JSON_INDENT(1) | JSON_ENSURE_ASCII);
		putchar('\n');
		json_decref(item);
	} else {
		for (i = 0; i < json_array_size(steps); i++)
			printf("# %s\n", json_string_value(json_array_get(steps, i)));
		for (i = 0; i < json_array_size(leaves); i++)
			print_leaf(json_array_get(leaves, i));
	}
	json_decref(steps);
	json_decref(leaves);
}

/* Whether some of its mail comes to anything. */
static bool is_taken(const json_t *items)
{
	const json_t *item;
	const char *kind;
	size_t i;

	json_array_foreach(items, i, item)
	{
		kind = text(item, "kind");
		if (*kind && strcmp(kind, "reject") != 0 && strcmp(kind, "again") != 0)
			return true;
	}
	return false;
}

struct words {
	const char *address, *sender;
	bool json, login;
};

static bool words_read(int argc, char **argv, struct words *w)
{
	*w = (struct words){ .sender = "" };
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--json"))
			w->json = true;
		else if (!strcmp(argv[i], "--login"))
			w->login = true;
		else if (!strcmp(argv[i], "--from") && i + 1 < argc)
			w->sender = argv[++i];
		else if (argv[i][0] == '-' || w->address)
			return false;
		else
			w->address = argv[i];
	}
	return w->address != NULL;
}

int route_run(int argc, char **argv, const char *conf_path)
{
	struct words w;
	json_t *items;
	int status;

	if (command_helped(argc, argv))
		return EXIT_FINE;
	if (!words_read(argc, argv, &w)) {
		client_complain("route wants an address; `postern route --help` tells more");
		return EXIT_USAGE;
	}
	status = client_once(conf_path,
		json_pack("{s:s, s:s, s:s, s:b}", "do", "route", "address", w.address, "sender", w.sender, "login",
			w.login),
		&items);
	if (!status) {
		print(items, w.json);
		status = is_taken(items) ? EXIT_FINE : EXIT_FAILED;
	}
	json_decref(items);
	return status;
}
