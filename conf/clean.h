/* clean.h - a configuration text made ready for libconfuse, which overlooks more than an administrator would like:
 * it takes an unclosed section or comment for a whole one, drops stray characters in silence, and miscounts lines
 * behind comments. Here such texts are refused, and comments become blanks, so that its line numbers are right. */
#ifndef CONF_CLEAN_H
#define CONF_CLEAN_H

#include "core/buf.h"

#define CLEAN_BRACES_MAX 16 /* nested; no table needs more than two */

/* Adds to `out` a text of the same length and lines. False: *line is where it is amiss, and why says how. */
bool conf_clean(struct str text, struct buf *out, unsigned *line, struct buf *why);

#endif
