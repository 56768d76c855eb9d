/* rewrite.h - the table of the configuration: addresses that are other addresses, whoever they are and wherever.
 *   rewrite "sales" { from = "sales-*@example.test" to = "*@crm.test" }
 * The first that fits, in the order of the configuration, is taken; what stands for its * goes where `to` has one. What
 * comes out is looked at again. A domain in `from` does not become one of ours by it. */
#ifndef STORAGE_ROUTE_REWRITE_H
#define STORAGE_ROUTE_REWRITE_H

#include "core/arena.h"
#include "core/settings.h"

extern const struct settings rewrite_settings; /* rewrite "NAME" { from, to } */

/* `address` as idn_address makes it. True: *out, in the arena, is what it becomes by the rule of this title. */
bool rewrite_address(const struct conf *conf, struct arena *a, struct str address, struct str *out, const char **title);

/* An address in which a star, if there is one, stands for something: "*@crm.test". */
bool rewrite_target_good(struct str target);
struct str rewrite_target(struct arena *a, struct str target, struct str star);

#endif
