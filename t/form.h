/* form.h - the stored form of a message, made and undone in pieces of any size. */
#ifndef T_FORM_H
#define T_FORM_H

#include "storage/mail/form.h"
#include <assert.h>

static enum err encode(struct str bytes, enum form_lines rule, size_t piece, struct buf *out, struct form_size *size)
{
	struct form f = { .rule = rule };
	enum err e = OK;

	for (size_t at = 0; at < bytes.len && !e; at += piece)
		e = form_feed(&f, str_cut(bytes, at, bytes.len - at < piece ? bytes.len : at + piece), out);
	if (!e)
		e = form_end(&f, out);
	*size = f.size;
	form_free(&f);
	return e;
}

static void decode(struct str stored, size_t piece, struct buf *out)
{
	struct buf kept = { 0 };
	bool at_line_start = true;

	for (size_t at = 0; at < stored.len; at += piece) {
		size_t end = stored.len - at < piece ? stored.len : at + piece;

		buf_add_str(&kept, str_cut(stored, at, end));
		buf_take(&kept, form_decode(buf_str(&kept), &at_line_start, end == stored.len, out));
		assert(buf_len(&kept) <= 5);
	}
	assert(!buf_len(&kept));
	buf_free(&kept);
}

#endif
