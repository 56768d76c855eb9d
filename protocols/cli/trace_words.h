/* trace_words.h - lines of the log about mail in plain words. */
#ifndef PROTOCOLS_CLI_TRACE_WORDS_H
#define PROTOCOLS_CLI_TRACE_WORDS_H

#include "protocols/cli/trace_log.h"

/* Adds what the line says; of a line that nobody made a sentence for, the line's own words. */
void trace_words(const struct log_line *l, struct buf *out);

#endif
