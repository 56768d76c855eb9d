/* copies.h - copies of all mail from or to somebody, for whoever must keep it: more recipients of the same message.
 *   copy "archive" { recipients = { "*@example.test" }, to = { "archive@example.test" } }
 *   copy "watched" { senders = { "mallory@example.test" }, to = { "boss@example.test" } }
 * A section fits a message if its sender is among `senders` and one of its recipients among `recipients`; a list that is
 * not given fits any. Recipients are both as they were named and whom that reaches: accounts and addresses elsewhere, behind
 * +detail, aliases, groups and catch-all. */
#ifndef STORAGE_ROUTE_COPIES_H
#define STORAGE_ROUTE_COPIES_H

#include "core/arena.h"
#include "core/settings.h"

extern const struct settings copy_settings; /* copy "NAME" { } */

/* Who gets a copy: local@domain, each once, none that is among the recipients. The list lies in the arena, its texts in
 * the configuration. sender: "" for <>. */
size_t copies_find(const struct conf *conf, struct arena *a, struct str sender, const struct str *recipients,
	size_t count, const struct str **to);

#endif
