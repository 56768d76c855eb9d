/* account_commands.c - `postern domain`, `postern account`, `postern settle` and `postern mailbox`. */
#include "conf/commands.h"
#include "protocols/cli/ask_password.h"
#include "protocols/cli/client.h"
#include "protocols/cli/commands.h"
#include "protocols/cli/names.h"
#include "protocols/cli/order.h"
#include <stdio.h>

int domain_run(int argc, char **argv, const char *conf_path)
{
	const char *verb = argc > 1 ? argv[1] : "";
	struct order o = { .name = str_of(argc > 2 ? argv[2] : NULL) };
	struct buf names = { 0 };
	int status;

	if (command_helped(argc, argv))
		return EXIT_FINE;
	if (!strcmp(verb, "list") && argc == 2) {
		o.what = "domain-list";
		status = order_do_one(conf_path, &o, &names);
		buf_free(&names);
		return status;
	}
	if (argc != 3)
		return order_misused("domain", "wants add or delete and one domain, or list");
	if (!strcmp(verb, "add"))
		o.what = "domain-add";
	else if (!strcmp(verb, "delete"))
		o.what = "domain-delete";
	else
		return order_misused("domain", "knows add, delete and list");
	return order_do_one(conf_path, &o, NULL);
}

/* USER@DOMAIN and a password on each line; a line that cannot be done does not keep the others from it. */
static int add_batch(const char *conf_path)
{
	struct buf line = { 0 };
	int status;
	struct admin *a = admin_open(conf_path, &status);

	for (unsigned number = 1; a && read_line(&line); number++) {
		struct str text = str_trim(buf_str(&line));
		ptrdiff_t blank = str_find(text, ' ');
		struct order o = { .what = "account-add" };

		if (!text.len)
			continue;
		if (blank < 0) {
			client_complain("line %u has no password behind the address", number);
			status = EXIT_FAILED;
			continue;
		}
		o.name = str_cut(text, 0, (size_t)blank);
		o.password = str_cut(text, (size_t)blank + 1, text.len);
		if (order_do(a, &o, NULL))
			status = EXIT_FAILED;
	}
	buf_free(&line);
	admin_free(a);
	return status;
}

struct given { /* on the command line */
	struct order order;
	struct buf password; /* read or asked for */
	bool from_stdin, batch;
	const char *domain;
};

/* The options behind the verb and the name; answers what is wrong with them, or NULL. */
static const char *take_options(struct given *g, int argc, char **argv)
{
	unsigned secrets = 0;

	for (int i = 0; i < argc; i++) {
		bool more = i + 1 < argc;

		if (!strcmp(argv[i], "--admin") && !strcmp(g->order.what, "account-add"))
			g->order.admin = true;
		else if (!strcmp(argv[i], "--password-stdin") && ++secrets)
			g->from_stdin = true;
		else if (!strcmp(argv[i], "--password") && more && ++secrets)
			g->order.password = str_of(argv[++i]);
		else if (!strcmp(argv[i], "--hash") && more && ++secrets)
			g->order.hash = str_of(argv[++i]);
		else
			return "does not know an option given, or the option lacks its value";
	}
	return secrets > 1 ? "takes one of --password, --password-stdin and --hash" : NULL;
}

/* account add and passwd: the password comes from wherever it was said to, and is asked for otherwise. */
static int set_account(const char *conf_path, const char *what, int argc, char **argv)
{
	struct given g = { .order = { .what = what, .name = str_of(argv[0]) } };
	const char *wrong = take_options(&g, argc - 1, argv + 1);
	int status = EXIT_FAILED;

	if (wrong)
		return order_misused("account", wrong);
	if (g.from_stdin && !read_line(&g.password))
		client_complain("standard input holds no password");
	else if (!g.from_stdin && !g.order.password.p && !g.order.hash.p && !ask_password(argv[0], &g.password))
		status = EXIT_FAILED;
	else {
		if (buf_len(&g.password))
			g.order.password = buf_str(&g.password);
		status = order_do_one(conf_path, &g.order, NULL);
	}
	buf_free(&g.password);
	return status;
}

/* Who deletes one is told what leads nowhere now. */
static int delete_account(const char *conf_path, const char *name, bool quick)
{
	struct order o = { .what = "account-delete", .name = str_of(name) };
	int status;
	struct admin *a = admin_open(conf_path, &status);

	if (a)
		status = order_do(a, &o, NULL);
	if (!status && !quick)
		status = order_tell_pointers(a, o.name);
	admin_free(a);
	return status;
}

/* Sets both limits, the one not named to the domain's; with none named, tells. */
static int quota_account(const char *conf_path, int argc, char **argv)
{
	struct order o = { .what = "account-quota", .name = str_of(argv[0]) };
	struct buf lines = { 0 };
	int status;

	if (argc > 1) {
		o.bytes = str_of(argv[1]);
		o.messages = argc > 2 ? str_of(argv[2]) : STR(QUOTA_OF_DOMAIN);
	}
	status = order_do_one(conf_path, &o, &lines);
	buf_free(&lines);
	return status;
}

int account_run(int argc, char **argv, const char *conf_path)
{
	const char *verb = argc > 1 ? argv[1] : "";
	bool quick = argc == 4 && !strcmp(argv[3], "--quick");

	if (command_helped(argc, argv))
		return EXIT_FINE;
	if (!strcmp(verb, "list") && argc <= 3)
		return order_list("account-list", conf_path, argc == 3 ? argv[2] : NULL);
	if (argc < 3)
		return order_misused("account", "wants add, passwd or delete and USER@DOMAIN, or list");
	if (!strcmp(verb, "add") && !strcmp(argv[2], "--batch") && argc == 3)
		return add_batch(conf_path);
	if (!strcmp(verb, "add"))
		return set_account(conf_path, "account-add", argc - 2, argv + 2);
	if (!strcmp(verb, "passwd"))
		return set_account(conf_path, "account-passwd", argc - 2, argv + 2);
	if (!strcmp(verb, "quota") && argc <= 5)
		return quota_account(conf_path, argc - 2, argv + 2);
	if (!strcmp(verb, "delete") && (argc == 3 || quick))
		return delete_account(conf_path, argv[2], quick);
	return order_misused("account", "knows add, passwd, delete and list");
}

int settle_run(int argc, char **argv, const char *conf_path)
{
	json_t *items;
	int status;

	if (command_helped(argc, argv))
		return EXIT_FINE;
	if (argc != 2) {
		client_complain("settle wants one account; `postern settle --help` tells more");
		return EXIT_USAGE;
	}
	status = client_once(conf_path, json_pack("{s:s, s:s}", "do", "account-settle", "name", argv[1]), &items);
	json_decref(items);
	return status;
}

int mailbox_run(int argc, char **argv, const char *conf_path)
{
	json_t *items;
	int status;

	if (command_helped(argc, argv))
		return EXIT_FINE;
	if (argc < 2 || strcmp(argv[1], "convert"))
		return order_misused("mailbox", "knows convert");
	if (argc != 5 || (strcmp(argv[4], "mdir") && strcmp(argv[4], "mbox"))) {
		client_complain(
			"mailbox convert wants an account, a mailbox, and mdir or mbox; `postern mailbox --help` "
			"tells more");
		return EXIT_USAGE;
	}
	status = client_once(conf_path,
		json_pack("{s:s, s:s, s:s, s:s}", "do", "mailbox-convert", "name", argv[2], "mailbox", argv[3],
			"format", argv[4]),
		&items);
	json_decref(items);
	return status;
}
