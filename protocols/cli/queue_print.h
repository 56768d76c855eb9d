/* queue_print.h - the queue as people read it. */
#ifndef PROTOCOLS_CLI_QUEUE_PRINT_H
#define PROTOCOLS_CLI_QUEUE_PRINT_H

#include <jansson.h>

void queue_print_message(const json_t *m);  /* of a list, with its recipients */
void queue_print_envelope(const json_t *m); /* of `show`: all of it */
void queue_print_recipient(const json_t *r);
void queue_print_destination(const json_t *d);
/* How many there are, in words and their plural: "1 message", "3 messages". */
void queue_print_count(json_int_t count, const char *one, const char *many);
#define QUEUE_TEXT_SIZE 24
const char *queue_size_text(char text[QUEUE_TEXT_SIZE], json_int_t bytes);   /* "512", "14.2K" */
const char *queue_span_text(char text[QUEUE_TEXT_SIZE], json_int_t seconds); /* "45s", "2h13m", "3d4h" */

#endif
