/* lines.h - lines of text: of JSON on the socket; sorted and in columns on a terminal. */
#ifndef PROTOCOLS_CLI_LINES_H
#define PROTOCOLS_CLI_LINES_H

#include "core/buf.h"
#include <jansson.h>

/* Adds an object as a line; takes it. Its texts are UTF-8. */
void lines_add_json(struct buf *out, json_t *line);
/* Puts the lines, each with its end, in order. */
void lines_sort(struct buf *text);
/* Prints text; what is not plain (core/plain.h), and might move a terminal's cursor, as question marks. */
void lines_put(struct str text);
/* Lines of cells with tabs between them, printed so in columns; the last column is as wide as it is. */
void lines_print(struct str lines);

#endif
