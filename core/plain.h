/* plain.h - which characters of a stranger's text are text and nothing else: what is no UTF-8, controls (C0, DEL and C1, in
 * whatever form), line and paragraph separators and what turns the direction of writing may end a line, move a terminal's
 * cursor or hide what stands there. */
#ifndef CORE_PLAIN_H
#define CORE_PLAIN_H

#include "core/str.h"

/* Bytes of the character at the front of s; 0: it is not plain, or s is empty. */
size_t plain_size(struct str s);

#endif
