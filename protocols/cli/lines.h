/* lines.h - answers as lines of text: sorted, and in columns for a terminal. */
#ifndef PROTOCOLS_CLI_LINES_H
#define PROTOCOLS_CLI_LINES_H

#include "core/buf.h"

/* Puts the lines, each with its end, in order. */
void lines_sort(struct buf *text);
/* Lines of cells with tabs between them, printed in columns; the last column is as wide as it is. What would move a
 * terminal's cursor is printed as a question mark. */
void lines_print(struct str lines);

#endif
