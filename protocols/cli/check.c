/* check.c - `postern check`: whether a configuration file is right, and what it would change. */
#include "conf/commands.h"
#include "conf/conf.h"
#include "core/certs.h"
#include "core/core_settings.h"
#include "core/home.h"
#include "protocols/cli/client.h"
#include "protocols/cli/commands.h"
#include <stdio.h>

/* What a reload would find: whether certificates and keys are there, can be used and belong to each other. Files that we
 * may not read say nothing of the server. */
static bool check_tls(const char *conf_path, const struct conf *conf)
{
	static const uint8_t ticket_key[TLS_TICKET_KEY_BYTES];
	struct certs certs = { 0 };
	struct buf why = { 0 };
	struct tls *tls = NULL;
	enum err e = certs_read(&certs, conf, &why);
	bool mute = e == ERR_DENIED;

	if (!e)
		e = certs_tls(&certs, ticket_key, &tls, &why);
	if (mute)
		printf("certificates are not tried: " STR_FMT "\n", STR_ARG(str_trim(buf_str(&why))));
	else if (e)
		fprintf(stderr, "%s: " STR_FMT "\n", conf_path, STR_ARG(str_trim(buf_str(&why))));
	tls_unref(tls);
	certs_free(&certs);
	buf_free(&why);
	return !e || mute;
}

/* Whom the workers of a server that root starts become; a server of somebody else's stays that. */
static bool check_user(const char *conf_path, const struct conf *conf)
{
	const struct core_conf *core = conf_section(conf, &core_settings);
	struct buf why = { 0 };
	struct owner owner;
	enum err e = owner_find(&owner, core->user, &why);

	if (e)
		fprintf(stderr, "%s: " STR_FMT "\n", conf_path, STR_ARG(buf_str(&why)));
	buf_free(&why);
	return !e;
}

/* The server's configuration, if one runs on the directory of `conf`; NULL without. */
static struct conf *running_conf(const struct conf *conf)
{
	struct client *c;
	struct buf why = { 0 };
	struct conf *running = NULL;
	json_t *items = NULL;
	const char *text;

	if (!client_open(&c, conf, &why)) {
		if (!client_ask(c, json_pack("{s:s, s:b}", "do", "conf", "whole", 1), &items, &why)) {
			text = json_string_value(json_object_get(json_array_get(items, 0), "text"));
			running = conf_parse(str_of(text), "the running server", &why);
		}
		if (!running)
			client_complain("the running server cannot be compared with: " STR_FMT,
				STR_ARG(str_trim(buf_str(&why))));
		json_decref(items);
	}
	client_free(c);
	buf_free(&why);
	return running;
}

static void print_changes(const struct conf *running, const struct conf *conf)
{
	struct buf lines = { 0 };

	conf_diff(running, conf, &lines);
	if (buf_len(&lines))
		printf("A reload would change:\n" STR_FMT, STR_ARG(buf_str(&lines)));
	else
		printf("The running server has these settings.\n");
	buf_free(&lines);
}

int check_run(int argc, char **argv, const char *conf_path)
{
	struct conf *conf, *running;

	if (command_helped(argc, argv))
		return EXIT_FINE;
	if (argc > 2) {
		client_complain("check wants one file; `postern check --help` tells more");
		return EXIT_USAGE;
	}
	if (argc == 2)
		conf_path = argv[1];
	if (!(conf = client_conf(conf_path)))
		return EXIT_FAILED;
	if (!check_user(conf_path, conf) || !check_tls(conf_path, conf)) {
		conf_unref(conf);
		return EXIT_FAILED;
	}
	printf("%s: fine\n", conf_path);
	if ((running = running_conf(conf)))
		print_changes(running, conf);
	conf_unref(running);
	conf_unref(conf);
	return EXIT_FINE;
}
