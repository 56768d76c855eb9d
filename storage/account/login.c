/* login.c - the rows of login.h. */
#include "storage/account/login.h"

static const struct setting rows[] = {
	{ "clear_text", SETTING_CHOICE, "never", NULL, "never|loopback|always", offsetof(struct login_conf, clear_text),
		"Where logins, by whatever mechanism, are taken without encryption.", 0 },
	{ "hash", SETTING_CHOICE, "full", NULL, "full|cheap", offsetof(struct login_conf, hash),
		"How dear a password's hash is to compute; cheap is for scratch servers alone.", 0 },
	{ "remember", SETTING_DURATION, "5m", "0s", "1h", offsetof(struct login_conf, remember_ms),
		"How long after a login the same password is known again without computing its hash; 0s: never.", 0 },
	{ "fail_delay", SETTING_DURATION, "2s", "0s", "30s", offsetof(struct login_conf, fail_delay_ms),
		"How long a wrong password waits for its answer.", 0 },
	{ "fails_max", SETTING_NUMBER, "3", "1", "100", offsetof(struct login_conf, fails_max),
		"Wrong passwords in a session before it is ended.", 0 },
	{ "channel_binding", SETTING_BOOL, "no", NULL, NULL, offsetof(struct login_conf, channel_binding),
		"Whether SCRAM-SHA-256-PLUS is offered: mutt and NeoMutt choose it, though they cannot do it.", 0 },
	{ "line_max", SETTING_SIZE, "12288", "1K", "32K", offsetof(struct login_conf, line_max),
		"The longest line of an AUTH exchange, its line end included.", 0 },
	{ "default_domain", SETTING_TEXT, "", NULL, NULL, offsetof(struct login_conf, default_domain),
		"The domain of login names that have none; empty: such names are refused.", 0 },
	{ 0 },
};

const struct settings login_settings = {
	.section = "login", .size = sizeof(struct login_conf), .rows = rows, .text = "Who may log in, and how."
};
