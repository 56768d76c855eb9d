/* log.h - the administrator's log: one plain line per event.
 *   2026-11-23T05:40:43.123Z info smtp 1-2f accepted from=<a@b.test> size=1234
 * is time (UTC), level, component, the id that ties a session's lines together (or -), what happened, key=value.
 * Lines go out by one write(2) each, so processes may share the file. Nothing a stranger sends can forge a line or a field
 * (log_print.h); a line is cut at 2,000 bytes. */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include "core/err.h"
#include <stdbool.h>
#include <stdint.h>

enum level { LEVEL_ERROR, LEVEL_WARN, LEVEL_INFO, LEVEL_DEBUG };

/* Where lines go from now on: a descriptor that stays the caller's. At first it is standard error. */
void log_to(int fd);

/* Levels: "info" or "info imap=debug journal=warn". ERR_MISTAKE leaves all as it was. */
enum err log_set_levels(const char *text);
bool log_levels_valid(const char *text);
bool log_wants(enum level level, const char *component);

/* Milliseconds to add to the clock in every line: the scratch server's moved clock. */
void log_shift(int64_t ms);

/* component: one word, a literal. id: NULL for none. */
void log_event(enum level level, const char *component, const char *id, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#define log_error(component, id, ...) log_event(LEVEL_ERROR, component, id, __VA_ARGS__)
#define log_warn(component, id, ...)  log_event(LEVEL_WARN, component, id, __VA_ARGS__)
#define log_info(component, id, ...)  log_event(LEVEL_INFO, component, id, __VA_ARGS__)
#define log_debug(component, id, ...)                                                                                  \
	do {                                                                                                           \
		if (log_wants(LEVEL_DEBUG, component))                                                                 \
			log_event(LEVEL_DEBUG, component, id, __VA_ARGS__);                                            \
	} while (0)

#endif
