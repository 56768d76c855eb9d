/* pattern.h - patterns of addresses, as the configuration writes them, and finding the first of many that fits.
 *   alice@example.test      that address
 *   *@example.test          any of the domain; @example.test is short for it
 *   sales-*@example.test    one * in the local part stands for anything, nothing included
 *   *@.example.test         of the domain and all below it
 *   info@*                  of any domain
 *   *                       any address at all, <> included
 *   <>                      the empty sender
 * Letters are compared as addresses are: ASCII without case, domains by their A-labels (idn.h). */
#ifndef STORAGE_PATTERN_H
#define STORAGE_PATTERN_H

#include "core/arena.h"
#include "core/err.h"
#include "core/settings.h"
#include "storage/table.h"

/* For the text of settings. */
#define PATTERN_FORMS                                                                                                  \
	"\"alice@example.test\", \"*@example.test\", \"sales-*@example.test\", \"*@.example.test\" (that domain and "  \
	"all "                                                                                                         \
	"below it), \"info@*\" or \"*\""

enum pattern_domain { PATTERN_DOMAIN, PATTERN_BELOW, PATTERN_ANY };

struct pattern {
	struct str before, after; /* the star of the local part; all of it is `before` without one */
	bool star;
	enum pattern_domain where;
	struct str domain; /* "" : any */
};

/* Texts lie in the arena. ERR_MISTAKE: none of the forms above. */
enum err pattern_read(struct arena *a, struct str text, struct pattern *p);
/* address: as idn_address gives it, or "" for <>. star, NULL is fine: what stands there for the star. */
bool pattern_matches(const struct pattern *p, struct str address, struct str *star);
/* Adds a line to why for each item that is no pattern: `route "x": recipients: ...`. */
bool patterns_check(
	const struct setting_list *list, const char *section, const char *title, const char *name, struct buf *why);

/* Many patterns, each at a place in the order in which the first that fits is wanted; made once, then only looked in. */
struct pattern_entry;
struct patterns { /* zeroed: none */
	struct table by_name;
	struct pattern_entry *anywhere, **anywhere_end; /* those that fit in any domain, in their order */
};
#define PATTERN_NOWHERE SIZE_MAX

/* Places are added in their order; several patterns may share one. What is kept lies in the arena. */
void patterns_add(struct patterns *ps, struct arena *a, const struct pattern *p, size_t place);
/* The lowest place below `below` of a pattern that fits the address and that `takes` (NULL: all) takes. */
size_t patterns_find(const struct patterns *ps, struct str address, size_t below,
	bool (*takes)(void *user, size_t place), void *user);
void patterns_free(struct patterns *ps); /* what the arena does not hold */

#endif
