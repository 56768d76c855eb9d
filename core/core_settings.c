/* core_settings.c - see core_settings.h. */
#include "core/core_settings.h"
#include "core/listen.h"
#include "core/log.h"
#include "core/network.h"
#include "core/shm.h"

#define TEXT_OF_(number) #number
#define TEXT_OF(number)  TEXT_OF_(number)

static bool core_check(const void *values, const char *title, struct buf *why)
{
	const struct core_conf *conf = values;

	(void)title;
	if (conf->directory[0] == '/')
		return true;
	buf_printf(why, "directory: \"%s\" is not an absolute path\n", conf->directory);
	return false;
}

static const struct setting core_rows[] = {
	{ "directory", SETTING_TEXT, "/var/lib/postern", NULL, NULL, offsetof(struct core_conf, directory),
		"Where everything is kept: accounts, mailboxes, journals.", SETTING_RESTART },
	{ "workers", SETTING_NUMBER, "0", "0", TEXT_OF(WORKERS_MAX), offsetof(struct core_conf, workers),
		"How many processes serve; 0 is one per CPU.", SETTING_RESTART },
	{ "user", SETTING_TEXT, "postern", NULL, NULL, offsetof(struct core_conf, user),
		"Whom the workers become when the server is started as root.", SETTING_RESTART },
	{ "scratch", SETTING_BOOL, "no", NULL, NULL, offsetof(struct core_conf, scratch),
		"A server for tests: its clock may be moved.", 0 },
	{ 0 },
};

const struct settings core_settings = { "", false, sizeof(struct core_conf), core_rows, "The server as a whole.",
	core_check };

static bool log_check(const void *values, const char *title, struct buf *why)
{
	const struct log_conf *conf = values;

	(void)title;
	if (conf->file[0] && conf->file[0] != '/') {
		buf_printf(why, "log.file: \"%s\" is not an absolute path\n", conf->file);
		return false;
	}
	if (log_levels_valid(conf->levels))
		return true;
	buf_printf(why, "log.levels: \"%s\" is not a level (error, warn, info, debug) and then component=level\n",
		conf->levels);
	return false;
}

static const struct setting log_rows[] = {
	{ "file", SETTING_TEXT, "", NULL, NULL, offsetof(struct log_conf, file),
		"The log file; without one the log goes to standard error.", 0 },
	{ "levels", SETTING_TEXT, "info", NULL, NULL, offsetof(struct log_conf, levels),
		"The least level that is logged, then exceptions, like \"info imap=debug\".", 0 },
	{ 0 },
};

const struct settings log_settings = { "log", false, sizeof(struct log_conf), log_rows, "The administrator's log.",
	log_check };

static bool tls_check(const void *values, const char *title, struct buf *why)
{
	const struct tls_conf *conf = values;

	(void)title;
	if (!conf->certificate[0] != !conf->key[0])
		buf_printf(why, "tls: certificate and key are given together or not at all\n");
	else if (conf->client_ca[0] && !conf->certificate[0])
		buf_printf(why, "tls: client_ca is of no use without a certificate of our own\n");
	else
		return true;
	return false;
}

static const struct setting tls_rows[] = {
	{ "certificate", SETTING_TEXT, "", NULL, NULL, offsetof(struct tls_conf, certificate),
		"File of the certificate and its chain, PEM.", 0 },
	{ "key", SETTING_TEXT, "", NULL, NULL, offsetof(struct tls_conf, key), "File of the certificate's key, PEM.",
		0 },
	{ "client_ca", SETTING_TEXT, "", NULL, NULL, offsetof(struct tls_conf, client_ca),
		"File of the authorities (PEM) by whose certificates clients may log in (EXTERNAL); without one none "
		"is asked "
		"for.",
		0 },
	{ "ca", SETTING_TEXT, "/etc/ssl/certs/ca-certificates.crt", NULL, NULL, offsetof(struct tls_conf, ca),
		"File of the authorities (PEM) that certify other servers, where a route wants theirs verified.", 0 },
	{ 0 },
};

const struct settings tls_settings = { "tls", false, sizeof(struct tls_conf), tls_rows,
	"What the server shows of itself in TLS, to whom asks for no other name, and whom it trusts.", tls_check };

static bool certificate_check(const void *values, const char *title, struct buf *why)
{
	const struct certificate_conf *conf = values;

	if (conf->file[0] && conf->key[0])
		return true;
	buf_printf(why, "certificate \"%s\": file and key are both wanted\n", title);
	return false;
}

static const struct setting certificate_rows[] = {
	{ "file", SETTING_TEXT, "", NULL, NULL, offsetof(struct certificate_conf, file),
		"File of the certificate and its chain, PEM. One of RSA, for names that an ECDSA one has too, is for "
		"old "
		"clients.",
		0 },
	{ "key", SETTING_TEXT, "", NULL, NULL, offsetof(struct certificate_conf, key),
		"File of the certificate's key, PEM.", 0 },
	{ 0 },
};

const struct settings certificate_settings = { "certificate", true, sizeof(struct certificate_conf), certificate_rows,
	"One more certificate, shown to clients that ask for a name in it (SNI).", certificate_check };

static bool listen_check(const void *values, const char *title, struct buf *why)
{
	const struct listen_conf *conf = values;
	bool good = true;

	if (!listen_role(title)) {
		buf_printf(why, "listen \"%s\": there is no such role\n", title);
		good = false;
	}
	for (size_t i = 0; i < conf->address.count; i++)
		if (!listen_address(conf->address.items[i], NULL, NULL)) {
			buf_printf(why,
				"listen \"%s\": \"%s\" is not an address like 192.0.2.1:25 or [2001:db8::1]:25\n",
				title, conf->address.items[i]);
			good = false;
		}
	return networks_check(&conf->proxy, "listen.proxy", why) && good;
}

static const struct setting listen_rows[] = {
	{ "address", SETTING_LIST, "", NULL, NULL, offsetof(struct listen_conf, address),
		"Addresses and ports, like \"0.0.0.0:25\" and \"[::]:25\".", 0 },
	{ "proxy", SETTING_LIST, "", NULL, NULL, offsetof(struct listen_conf, proxy),
		"Networks of load balancers: who comes from there must begin with a PROXY protocol header.", 0 },
	{ 0 },
};

const struct settings listen_settings = { "listen", true, sizeof(struct listen_conf), listen_rows,
	"Where a role (smtp, imaps ...) listens; nowhere without such a section.", listen_check };
