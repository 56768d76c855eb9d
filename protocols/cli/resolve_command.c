/* resolve_command.c - the command `resolve`: what the DNS tells the running server. */
#include "conf/commands.h"
#include "protocols/cli/client.h"
#include "protocols/cli/commands.h"
#include <inttypes.h>
#include <stdio.h>

static const char *text(const json_t *item, const char *name)
{
	return json_string_value(json_object_get(item, name));
}

static void print_outcome(const json_t *outcome)
{
	const char *name = text(outcome, "name");
	int64_t ttl_s = json_integer_value(json_object_get(outcome, "ttl"));

	printf("# %s", text(outcome, "text"));
	if (ttl_s)
		printf(", for %" PRId64 " s", ttl_s);
	if (name && *name)
		printf(", at %s", name);
	printf("%s\n", json_is_true(json_object_get(outcome, "secure")) ? ", validated" : "");
}

static void print(json_t *items, bool json)
{
	json_t *outcome = json_array_get(items, 0), *records = json_array();

	for (size_t i = 1; i < json_array_size(items); i++)
		json_array_append(records, json_object_get(json_array_get(items, i), "record"));
	if (json) {
		json_object_set(outcome, "records", records);
		json_dumpf(outcome, stdout, JSON_INDENT(1) | JSON_ENSURE_ASCII);
		putchar('\n');
	} else {
		print_outcome(outcome);
		for (size_t i = 0; i < json_array_size(records); i++)
			puts(json_string_value(json_array_get(records, i)));
	}
	json_decref(records);
}

int resolve_run(int argc, char **argv, const char *conf_path)
{
	const char *outcome;
	json_t *items;
	bool json;
	int status;

	if (command_helped(argc, argv))
		return EXIT_FINE;
	json = argc > 1 && !strcmp(argv[1], "--json");
	argv += json;
	argc -= json;
	if (argc < 2 || argc > 3) {
		client_complain("resolve wants a name and, if you like, a type; `postern resolve --help` tells more");
		return EXIT_USAGE;
	}
	status = client_once(conf_path,
		json_pack("{s:s, s:s, s:s}", "do", "resolve", "name", argv[1], "type", argc > 2 ? argv[2] : ""),
		&items);
	if (!status) {
		print(items, json);
		outcome = text(json_array_get(items, 0), "outcome");
		status = outcome && !strcmp(outcome, "found") ? EXIT_FINE : EXIT_FAILED;
	}
	json_decref(items);
	return status;
}
