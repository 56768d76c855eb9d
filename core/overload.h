/* overload.h - what a worker leaves for later while it has too much to do: clients come first.
 * How long what comes waits for this worker, for its loop to turn or for the files and index lanes to begin what they
 * were asked, is averaged over a second. As that grows, work yields in this order: new generations of mailboxes and the
 * unlinking of what was deleted; mail that leaves; mail from strangers, who are told 421 when they connect and 451 when
 * they begin a message. Each yields from a lag of its own on (a setting) until the lag has fallen to half of it. Whoever
 * logged in, be it for IMAP, POP or submission, is served to the end. */
#ifndef CORE_OVERLOAD_H
#define CORE_OVERLOAD_H

#include "core/settings.h"

struct worker;

enum overload { OVERLOAD_BACKGROUND, OVERLOAD_OUTBOUND, OVERLOAD_STRANGERS, OVERLOADS };

struct overload_conf {
	int64_t lag_ms[OVERLOADS]; /* 0: it never yields */
};
extern const struct settings overload_settings;

const char *overload_name(enum overload what); /* "background" */

/* Whether this yields now. */
bool overloaded(const struct worker *w, enum overload what);

/* worker.c's: one for each worker, zeroed at first. */
struct strain {
	double lag_us; /* averaged */
	int64_t looked_us, since_us[OVERLOADS];
};
void strain_add(struct strain *s, int64_t lag_us, int64_t lasted_us); /* what came meanwhile waited so long */
void strain_look(struct strain *s, struct worker *w, int64_t now_us); /* decides; now_us: monotonic */

#endif
