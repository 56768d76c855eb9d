/* buf.h - a growing run of bytes: added at the end, taken from the front.
 * A zeroed struct buf is an empty one and holds no memory; buf_free makes it so again. Growth cannot fail (mem.h);
 * whoever adds what a stranger sent checks his limit first. */
#ifndef CORE_BUF_H
#define CORE_BUF_H

#include "core/str.h"
#include <stdarg.h>

struct buf {
	char *bytes;       /* what is in it: bytes[start .. end) */
	size_t start, end; /* use buf_data and buf_len */
	size_t cap;
};

static inline char *buf_data(const struct buf *b)
{
	return b->bytes ? b->bytes + b->start : NULL;
}

static inline size_t buf_len(const struct buf *b)
{
	return b->end - b->start;
}

static inline struct str buf_str(const struct buf *b) /* valid until b changes */
{
	return (struct str){ buf_data(b), buf_len(b) };
}

void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_add_str(struct buf *b, struct str s);
void buf_add_number(struct buf *b, uint64_t number); /* in decimal */
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap);
static inline void buf_add_char(struct buf *b, char c)
{
	if (b->end < b->cap)
		b->bytes[b->end++] = c;
	else
		buf_add(b, &c, 1);
}

void buf_take(struct buf *b, size_t len);  /* the first len bytes are done with */
char *buf_room(struct buf *b, size_t len); /* room for len more bytes at the end; then say buf_added */
void buf_added(struct buf *b, size_t len);
void buf_cut(struct buf *b, size_t len); /* keeps the first len bytes */
void buf_clear(struct buf *b);           /* empty, memory kept */
void buf_free(struct buf *b);            /* empty, memory given back */

#endif
