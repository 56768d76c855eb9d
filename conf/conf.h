/* conf.h - the configuration file: libconfuse's syntax, our rows.
 * The sections and settings that a file may hold are made from the house's tables, so a row is all that a new setting
 * takes. The file is read whole or not at all: with a single error there is no snapshot, and every error that could be
 * found is told as `file:line: reason`. Nothing is printed and nothing else is changed, so a running server can read
 * a broken file and go on. `include("FILE")` reads another file in its place; a relative name starts where the
 * including file lies. */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "core/settings.h"

#define CONF_BYTES_MAX     (16u << 20) /* of a file with all that it includes */
#define CONF_INCLUDE_DEPTH 8
#define CONF_ERRORS_MAX    50 /* told about one file; then reading ends */

/* A snapshot, the caller's; or NULL and in `why` a line, with its end, for each error. */
struct conf *conf_read(const char *path, struct buf *why);
/* The same of a text; name stands for its file in errors and for relative includes. */
struct conf *conf_parse(struct str text, const char *name, struct buf *why);

/* The bytes of a file. 0, or errno's number: EFBIG for what is larger than CONF_BYTES_MAX. */
int conf_read_file(const char *path, struct buf *text);

#endif
