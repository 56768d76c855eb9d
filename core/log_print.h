/* log_print.h - how a line of the log is put together, so that whoever reads it takes it apart as it was meant.
 * What the format says is ours, what its arguments say may be a stranger's. Where the format has key="%s", key=<%s> or key=%s
 * the argument is that value and cannot end it: " and > are written with a backslash before them where they would, a
 * backslash is written twice; in a value without such signs blanks, quotes, < and backslashes are \xNN. Whatever is not plain
 * (plain.h) is \xNN everywhere. An argument that stands elsewhere is words of ours, or fields made by log_print. */
#ifndef CORE_LOG_PRINT_H
#define CORE_LOG_PRINT_H

#include <stdarg.h>
#include <stddef.h>

struct buf;

/* Adds to a line that is a part of one: fields for log_event's "%s". */
void log_print(struct buf *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Writes at most size bytes and no NUL; a character or \xNN is written whole or not at all. Answers how many. */
size_t log_vprint(char *line, size_t size, const char *fmt, va_list args) __attribute__((format(printf, 3, 0)));

#endif
