/* name_commands.c - `postern alias`, `postern forwarder` and `postern group`. */
#include "conf/commands.h"
#include "protocols/cli/ask_password.h"
#include "protocols/cli/client.h"
#include "protocols/cli/commands.h"
#include "protocols/cli/order.h"
#include <limits.h>

#define TO_BYTES_MAX 30000 /* of addresses in one order: a request is a line of at most 64 KiB */
#define TO_MAX       500
#define FORWARD_MAX  100 /* all in one order */

/* What each may be told to do. */
static const struct verb {
	const char *command, *verb, *what;
	bool rules;      /* --owner and the like */
	unsigned to_min; /* addresses behind the name, at least */
	unsigned to_max; /* 0: none */
} verbs[] = {
	{ "alias", "add", "alias-add", false, 1, 1 },
	{ "alias", "set", "alias-set", false, 1, 1 },
	{ "alias", "delete", "alias-delete", false, 0, 0 },
	{ "alias", "show", "alias-show", false, 0, 0 },
	{ "forwarder", "add", "forwarder-add", false, 1, FORWARD_MAX },
	{ "forwarder", "set", "forwarder-set", false, 1, FORWARD_MAX },
	{ "forwarder", "delete", "forwarder-delete", false, 0, 0 },
	{ "forwarder", "show", "forwarder-show", false, 0, 0 },
	{ "group", "add", "group-add", true, 0, UINT_MAX },
	{ "group", "set", "group-set", true, 0, 0 },
	{ "group", "member-add", "group-member-add", false, 0, UINT_MAX },
	{ "group", "member-delete", "group-member-delete", false, 0, UINT_MAX },
	{ "group", "delete", "group-delete", false, 0, 0 },
	{ "group", "show", "group-show", false, 0, 0 },
};

struct given { /* on the command line */
	struct order order;
	struct buf to; /* addresses, a line each */
	unsigned count;
	bool from_stdin;
};

static const struct verb *verb_find(const char *command, const char *verb)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (!strcmp(verbs[i].command, command) && !strcmp(verbs[i].verb, verb))
			return &verbs[i];
	return NULL;
}

/* What stands behind the name; answers what is wrong with it, or NULL. */
static const char *take_words(struct given *g, const struct verb *v, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (v->rules && !strcmp(argv[i], "--owner") && i + 1 < argc)
			g->order.owner = str_of(argv[++i]);
		else if (v->rules && !strcmp(argv[i], "--members-only"))
			g->order.members_only = true;
		else if (v->rules && !strcmp(argv[i], "--skip-author"))
			g->order.skip_author = true;
		else if (v->to_max == UINT_MAX && !strcmp(argv[i], "--stdin"))
			g->from_stdin = true;
		else if (argv[i][0] == '-')
			return "does not know an option given, or the option lacks its value";
		else if (g->count++ < v->to_max)
			buf_printf(&g->to, "%s\n", argv[i]);
		else
			return "takes no more addresses";
	}
	return g->count < v->to_min ? "wants an address behind the name" : NULL;
}

static void take_stdin(struct given *g)
{
	struct buf line = { 0 };

	while (read_line(&line)) {
		struct str text = str_trim(buf_str(&line));

		if (!text.len)
			continue;
		buf_add_str(&g->to, text);
		buf_add_char(&g->to, '\n');
	}
	buf_free(&line);
}

/* The next order's share of the addresses, with commas between them. */
static void take_share(struct str *left, struct buf *to)
{
	buf_clear(to);
	for (unsigned i = 0; i < TO_MAX && buf_len(to) < TO_BYTES_MAX && left->len; i++) {
		size_t end = (size_t)str_find(*left, '\n');

		buf_add(to, left->p, end);
		buf_add_char(to, ',');
		*left = str_cut(*left, end + 1, left->len);
	}
}

/* Many members are added or removed by several orders. */
static int do_shares(struct given *g, const char *conf_path)
{
	struct str left = buf_str(&g->to);
	struct buf share = { 0 };
	int status;
	struct admin *a = admin_open(conf_path, &status);

	for (bool first = true; a && !status && (first || left.len); first = false) {
		take_share(&left, &share);
		g->order.to = buf_str(&share);
		status = order_do(a, &g->order, NULL);
		if (!strcmp(g->order.what, "group-add"))
			g->order.what = "group-member-add";
	}
	buf_free(&share);
	admin_free(a);
	return status;
}

static int names_run(int argc, char **argv, const char *conf_path, const char *list)
{
	const struct verb *v = argc > 1 ? verb_find(argv[0], argv[1]) : NULL;
	struct given g = { 0 };
	struct buf shown = { 0 };
	const char *wrong;
	int status;

	if (command_helped(argc, argv))
		return EXIT_FINE;
	if (argc > 1 && !strcmp(argv[1], "list") && argc <= 3)
		return order_list(list, conf_path, argc == 3 ? argv[2] : NULL);
	if (!v || argc < 3)
		return order_misused(argv[0], "wants what to do and NAME@DOMAIN, or list");
	g.order.what = v->what;
	g.order.name = str_of(argv[2]);
	if ((wrong = take_words(&g, v, argc - 3, argv + 3))) {
		status = order_misused(argv[0], wrong);
	} else if (!strcmp(v->verb, "show")) {
		status = order_do_one(conf_path, &g.order, &shown);
	} else {
		if (g.from_stdin)
			take_stdin(&g);
		status = do_shares(&g, conf_path);
	}
	buf_free(&shown);
	buf_free(&g.to);
	return status;
}

int alias_run(int argc, char **argv, const char *conf_path)
{
	return names_run(argc, argv, conf_path, "alias-list");
}

int forwarder_run(int argc, char **argv, const char *conf_path)
{
	return names_run(argc, argv, conf_path, "forwarder-list");
}

int group_run(int argc, char **argv, const char *conf_path)
{
	return names_run(argc, argv, conf_path, "group-list");
}
