/* core_settings.h - the settings of the process itself: where the store is, how many workers, log, certificate and
 * what listens where. */
#ifndef CORE_CORE_SETTINGS_H
#define CORE_CORE_SETTINGS_H

#include "core/settings.h"

struct core_conf { /* outside any section */
	const char *directory;
	int64_t workers; /* 0: one per CPU */
	const char *user;
	bool scratch;
};

struct log_conf {
	const char *file; /* "": standard error */
	const char *levels;
};

struct tls_conf { /* certificate and key "": no TLS */
	const char *certificate, *key;
	const char *client_ca; /* "": clients are not asked for a certificate */
	const char *ca;        /* of servers whose certificates we verify */
};

struct certificate_conf { /* titled by whatever it is called */
	const char *file, *key;
};

struct listen_conf { /* titled by role */
	struct setting_list address;
	struct setting_list proxy; /* networks of balancers */
};

extern const struct settings core_settings, log_settings, tls_settings, certificate_settings, listen_settings;

#endif
