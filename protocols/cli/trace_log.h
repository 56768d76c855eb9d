/* trace_log.h - the server's log files (core/log.h) as lines, for `postern trace`.
 * A log is a file and those that were its earlier parts: FILE.1, FILE.2 ... They are opened once, so that what is renamed
 * or written meanwhile changes nothing, and may be gone through as often as one likes; no more than a piece is in memory. */
#ifndef PROTOCOLS_CLI_TRACE_LOG_H
#define PROTOCOLS_CLI_TRACE_LOG_H

#include "core/buf.h"
#include "core/err.h"

struct log_line {                              /* spans of the piece in memory */
	struct str time, level, component, id; /* id "-": none */
	struct str event;                      /* the words before the first field: "recipient refused" */
	struct str fields;                     /* key=value ... */
};

/* Takes a line apart, without its end. False: it is none of the log's. */
bool log_line_read(struct str line, struct log_line *l);

/* The next field: key=word, key=<address>, key="words"; an address without its brackets, words without their quotes, both
 * with the backslashes of log_print.h. What is none is passed over. False: there is no more. */
bool log_field_next(struct str *left, struct str *key, struct str *value);
/* The first of that name; false: there is none. */
bool log_field(struct str fields, const char *key, struct str *value);

/* Adds a value as it was before log_print wrote it; \xNN stays. */
void log_value(struct str value, struct buf *out);

struct trace_log;
/* ERR_ABSENT, ERR_DENIED ...: the newest file cannot be read; why says so. */
enum err trace_log_open(struct trace_log **out, const char *path, struct buf *why);
void trace_log_free(struct trace_log *t); /* NULL is fine */
/* Calls `take` for each line, the oldest first. */
void trace_log_each(const struct trace_log *t, void (*take)(void *user, const struct log_line *l), void *user);
/* When it ends: the time of its last line; "" : it is empty. Valid as long as the log. */
struct str trace_log_end(const struct trace_log *t);

#endif
