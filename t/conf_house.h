/* conf_house.h - a small house of settings, one row of each type, for the tests of settings and of their file. */
#ifndef T_CONF_HOUSE_H
#define T_CONF_HOUSE_H

#include "core/house.h"

struct top_conf {
	const char *directory;
	int64_t workers;
};

struct imap_conf {
	int64_t idle_ms, most;
	int64_t line_ends;
	bool strict;
	struct setting_list words;
	const char *secret;
};

struct listen_conf {
	struct setting_list address;
	int64_t backlog;
};

static const struct setting top_rows[] = {
	{ "directory", SETTING_TEXT, "/var/lib/postern", NULL, NULL, offsetof(struct top_conf, directory), "Where.",
		SETTING_RESTART },
	{ "workers", SETTING_NUMBER, "0", "-1", "64", offsetof(struct top_conf, workers), "How many.",
		SETTING_RESTART },
	{ 0 },
};

static const struct setting imap_rows[] = {
	{ "idle_timeout", SETTING_DURATION, "30m", "30m", "24h", offsetof(struct imap_conf, idle_ms), "Silence.", 0 },
	{ "most", SETTING_SIZE, "64K", "1K", NULL, offsetof(struct imap_conf, most), "Size.", 0 },
	{ "line_ends", SETTING_CHOICE, "strict", NULL, "strict|normalise|any", offsetof(struct imap_conf, line_ends),
		"Ends.", 0 },
	{ "strict", SETTING_BOOL, "true", NULL, NULL, offsetof(struct imap_conf, strict), "Strict.", 0 },
	{ "words", SETTING_LIST, "one two", NULL, NULL, offsetof(struct imap_conf, words), "Words.", 0 },
	{ "secret", SETTING_TEXT, "", NULL, NULL, offsetof(struct imap_conf, secret), "Secret.", SETTING_SECRET },
	{ 0 },
};

static const struct setting listen_rows[] = {
	{ "address", SETTING_LIST, "", NULL, NULL, offsetof(struct listen_conf, address), "Where.", 0 },
	{ "backlog", SETTING_NUMBER, "100", "1", NULL, offsetof(struct listen_conf, backlog), "Waiting.", 0 },
	{ 0 },
};

static bool listen_check(const void *values, const char *title, struct buf *why)
{
	const struct listen_conf *l = values;

	if (!strcmp(title, "nowhere"))
		buf_printf(why, "nobody is there\nnor will be\n");
	else if (!l->address.count && !strcmp(title, "smtp"))
		buf_printf(why, "listen \"%s\" needs an address", title);
	else
		return true;
	return false;
}

static const struct settings top_settings = { "", false, sizeof(struct top_conf), top_rows, "Top.", NULL };
static const struct settings imap_settings = { "imap", false, sizeof(struct imap_conf), imap_rows, "IMAP.", NULL };
static const struct settings listen_settings = { "listen", true, sizeof(struct listen_conf), listen_rows, "Listen.",
	listen_check };
static const struct setting no_rows[] = { { 0 } };
static const struct settings domain_settings = { "domain", true, 1, no_rows, "Domain.", NULL };
static const struct settings *const tables[] = { &top_settings, &imap_settings, &listen_settings, &domain_settings,
	NULL };

static const struct service imaps_service = { .role = "imaps", .port = 993, .tls = true };
static const struct service lmtp_service = { .role = "lmtp", .port = 24 };
static const struct service local_service = { .role = "control", .local = true };
static const struct service *const services[] = { &imaps_service, &lmtp_service, &local_service, NULL };

const struct house house = { .settings = tables, .services = services };

#endif
