/* relay.h - for whom mail is sent on that is neither from nor for anybody here: what the configuration says.
 * Who asks for it decides (protocols/smtp/smtp_relay.h); the router wants to know which domains are backed up. */
#ifndef STORAGE_RELAY_H
#define STORAGE_RELAY_H

#include "core/settings.h"
#include "core/str.h"

struct relay_conf {
	struct setting_list networks; /* of clients that may send anywhere */
	struct setting_list
		domains;        /* that we take mail for while their own servers cannot; ".x.test": all below x.test */
	const char *recipients; /* the file of their addresses; "" : each is asked of the domain's own server */
	bool hold;              /* what is sent on waits for an operator */
};
extern const struct settings relay_settings; /* relay { } */

/* The entry of `domains` by which we back up a domain, in lower case, as it was written; "" : we do not. */
struct str relay_entry(const struct conf *conf, struct str domain);
bool relay_backs_up(const struct conf *conf, struct str domain);

#endif
