/* wire.c - see wire.h. */
#include "storage/wire.h"

#define PIECE_BYTES (64u << 10)
#define NUL_SHOWN   0x80

void wire_open(struct wire *w, struct selected *mailbox, const struct message *m, void (*ready)(void *user), void *user)
{
	*w = (struct wire){ .mailbox = mailbox, .message = *m, .at_line_start = true, .ready = ready, .user = user };
}

void wire_start_at(struct wire *w, const struct wire_place *place)
{
	w->at = place->stored;
	w->given = place->wire;
	w->at_line_start = !place->within;
	w->before = *place;
}

void wire_close(struct wire *w)
{
	call_cancel(w->waiting);
	w->waiting = NULL;
	buf_free(&w->stored);
}

static void read_done(void *user, enum err e, struct str bytes)
{
	struct wire *w = user;

	w->waiting = NULL;
	if (e || !bytes.len) {
		w->failed = true;
	} else {
		buf_add_str(&w->stored, bytes);
		w->at += (uint32_t)bytes.len;
	}
	w->ready(w->user);
}

/* The next piece into w->stored; false: it must be waited for. */
static bool read_piece(struct wire *w)
{
	size_t before = buf_len(&w->stored), left = w->message.stored - w->at;
	size_t len = left < PIECE_BYTES ? left : PIECE_BYTES;

	if (!selected_read_now(w->mailbox, &w->message, w->at, len, &w->stored)) {
		w->waiting = selected_read(w->mailbox, &w->message, w->at, len, read_done, w);
		return false;
	}
	w->at += (uint32_t)(buf_len(&w->stored) - before);
	w->failed = buf_len(&w->stored) == before; /* the mailbox has less of it than the view said */
	return true;
}

static void hide_nul(char *bytes, size_t len)
{
	char *end = bytes + len;

	while (bytes < end && (bytes = memchr(bytes, '\0', (size_t)(end - bytes))))
		*bytes++ = (char)NUL_SHOWN;
}

enum wire_step wire_next(struct wire *w, struct buf *out)
{
	size_t before = buf_len(out);

	for (;;) {
		bool last = w->at >= w->message.stored;

		if (w->failed)
			return WIRE_FAILED;
		if (w->waiting)
			return WIRE_WAIT;
		w->before = (struct wire_place){ w->at - (uint32_t)buf_len(&w->stored), w->given, !w->at_line_start };
		buf_take(&w->stored, form_decode(buf_str(&w->stored), &w->at_line_start, last, out));
		hide_nul(buf_data(out) + before, buf_len(out) - before);
		w->given += buf_len(out) - before;
		if (buf_len(out) > before)
			return WIRE_BYTES;
		if (last)
			return WIRE_END;
		if (!read_piece(w))
			return WIRE_WAIT;
	}
}
