/* buf.c - see buf.h. */
#include "core/buf.h"
#include "core/mem.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define CAP_MIN 256

char *buf_room(struct buf *b, size_t len)
{
	size_t used = buf_len(b);

	if (b->cap && b->cap - b->end >= len)
		return b->bytes + b->end;
	if (b->cap && b->cap - used >= len &&
		b->start >= b->cap / 2) { /* the front half is free: move rather than grow */
		memmove(b->bytes, b->bytes + b->start, used);
	} else {
		size_t cap = b->cap ? b->cap : CAP_MIN;
		char *bytes;

		while (cap - used < len)
			cap *= 2;
		bytes = mem_resize(NULL, cap);
		if (used)
			memcpy(bytes, b->bytes + b->start, used);
		free(b->bytes);
		b->bytes = bytes;
		b->cap = cap;
	}
	b->start = 0;
	b->end = used;
	return b->bytes + b->end;
}

void buf_added(struct buf *b, size_t len)
{
	assert(b->cap - b->end >= len);
	b->end += len;
}

void buf_add(struct buf *b, const void *bytes, size_t len)
{
	if (!len)
		return;
	memcpy(buf_room(b, len), bytes, len);
	b->end += len;
}

void buf_add_str(struct buf *b, struct str s)
{
	buf_add(b, s.p, s.len);
}

void buf_add_number(struct buf *b, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + number % 10);
	while (number /= 10);
	buf_add(b, digits + at, sizeof(digits) - at);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	size_t room = 128;
	int len;

	va_copy(again, ap);
	len = vsnprintf(buf_room(b, room), room, fmt, ap);
	assert(len >= 0);
	if ((size_t)len >= room)
		vsnprintf(buf_room(b, (size_t)len + 1), (size_t)len + 1, fmt, again);
	va_end(again);
	b->end += (size_t)len;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

void buf_take(struct buf *b, size_t len)
{
	assert(len <= buf_len(b));
	b->start += len;
	if (b->start == b->end)
		b->start = b->end = 0;
}

void buf_cut(struct buf *b, size_t len)
{
	assert(len <= buf_len(b));
	b->end = b->start + len;
}

void buf_clear(struct buf *b)
{
	b->start = b->end = 0;
}

void buf_free(struct buf *b)
{
	free(b->bytes);
	*b = (struct buf){ 0 };
}
