/* log.c - see log.h. */
#include "core/log.h"
#include "core/log_print.h"
#include "core/str.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2000
#define COMPONENTS_MAX 32 /* with a level of their own */
#define NAME_MAX_BYTES 24

static const char *const level_words[] = { "error", "warn", "info", "debug" };

struct own_level {
	char component[NAME_MAX_BYTES];
	enum level level;
};

struct levels {
	enum level level;
	struct own_level own[COMPONENTS_MAX];
	unsigned owns;
};

static struct {
	int fd;
	struct levels levels;
	int64_t shift_ms;
} log_state = { .fd = 2, .levels.level = LEVEL_INFO };

void log_to(int fd)
{
	log_state.fd = fd;
}

void log_shift(int64_t ms)
{
	log_state.shift_ms = ms;
}

static bool level_of(struct str word, enum level *level)
{
	for (unsigned i = 0; i < sizeof(level_words) / sizeof(*level_words); i++)
		if (str_eq(word, str_of(level_words[i]))) {
			*level = (enum level)i;
			return true;
		}
	return false;
}

static bool levels_read(const char *text, struct levels *l)
{
	struct str left = str_trim(str_of(text));

	*l = (struct levels){ .level = LEVEL_INFO };
	while (left.len) {
		ptrdiff_t space = str_find(left, ' ');
		struct str word = str_cut(left, 0, space < 0 ? left.len : (size_t)space);
		ptrdiff_t equals = str_find(word, '=');

		if (equals < 0) {
			if (!level_of(word, &l->level))
				return false;
		} else {
			if (l->owns == COMPONENTS_MAX || equals == 0 || equals >= NAME_MAX_BYTES ||
				!level_of(str_cut(word, (size_t)equals + 1, word.len), &l->own[l->owns].level))
				return false;
			snprintf(l->own[l->owns].component, NAME_MAX_BYTES, STR_FMT, (int)equals, word.p);
			l->owns++;
		}
		left = str_trim(str_cut(left, word.len, left.len));
	}
	return true;
}

bool log_levels_valid(const char *text)
{
	struct levels l;

	return levels_read(text, &l);
}

enum err log_set_levels(const char *text)
{
	struct levels l;

	if (!levels_read(text, &l))
		return ERR_MISTAKE;
	log_state.levels = l;
	return OK;
}

bool log_wants(enum level level, const char *component)
{
	const struct levels *l = &log_state.levels;

	for (unsigned i = 0; i < l->owns; i++)
		if (!strcmp(l->own[i].component, component))
			return level <= l->own[i].level;
	return level <= l->level;
}

void log_event(enum level level, const char *component, const char *id, const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	struct timespec now;
	struct tm utc;
	time_t seconds;
	int64_t ms;
	size_t len;
	va_list ap;

	if (!log_wants(level, component))
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + log_state.shift_ms;
	seconds = (time_t)(ms / 1000);
	gmtime_r(&seconds, &utc);
	len = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &utc);
	len += (size_t)snprintf(line + len, sizeof(line) - len, ".%03dZ %s %.23s %.40s ", (int)(ms % 1000),
		level_words[level], component, id ? id : "-");
	va_start(ap, fmt);
	len += log_vprint(line + len, sizeof(line) - len - 1, fmt, ap);
	va_end(ap);
	line[len++] = '\n';
	if (write(log_state.fd, line, len) < 0)
		return; /* there is nowhere left to say so */
}
