/* envelope_form.h - how an envelope stands in a queue's mbox, between the postmark and the message.
 *   From alice@example.test Mon Nov 23 05:40:43 2026
 *   X-Postern-Queue: 1 q0-1f3a bytes=164 stored=812 wire=836 header=310 to=1 crc=90ab12cd
 *   X-Postern-Envelope: sender=alice@example.test arrived=1795412443 id=0-2f.1 peer=192.0.2.1 body=8bitmime
 *   X-Postern-To: 0 address=bob@far.test notify=failure,delay orcpt=rfc822;bob@far.test
 * The first line tells the version and how many bytes of envelope follow it, and bears a CRC-32C over what stands
 * before " crc=" in it and over these bytes. Whatever looks like such a line behind them is the message's and says
 * nothing. In values, what would end a word is written %XX; a word that is not known is of a later way to say more,
 * and passed over. A higher version than 1 is refused. */
#ifndef STORAGE_QUEUE_ENVELOPE_FORM_H
#define STORAGE_QUEUE_ENVELOPE_FORM_H

#include "core/arena.h"
#include "storage/queue/queue.h"

#define ENVELOPE_TEXT_MAX 4096 /* bytes of any text of an envelope */
#define ENVELOPE_HEAD_MAX 1024 /* bytes of postmark and first line */

struct envelope_head {
	uint64_t id;
	uint32_t prefix; /* bytes of postmark and envelope: the message follows */
	uint32_t lines;  /* of these, bytes before the envelope's second line */
	uint64_t stored, wire;
	uint32_t header, count; /* count: recipients */
};

/* Whether it can be written and read again: no text is too long or holds a control character. The first does not look
 * at the recipients. */
bool envelope_form_takes(const struct queue_envelope *e);
bool envelope_form_takes_recipient(const struct queue_recipient *r);

/* Postmark and envelope, into an empty buffer: its beginning, each recipient in the order of their numbers, its end. Then
 * h->prefix and h->lines are set, and what else is in it is written. */
void envelope_form_begin(struct buf *out, const struct queue_envelope *e);
void envelope_form_recipient(struct buf *out, size_t number, const struct queue_recipient *r);
void envelope_form_end(struct buf *out, struct envelope_head *h, const struct queue_envelope *e);
/* All of this, appended. */
void envelope_form_print(struct buf *out, struct envelope_head *h, const struct queue_envelope *e);

enum envelope_told {
	ENVELOPE_WELL,
	ENVELOPE_SHORT, /* more bytes are needed (never of ENVELOPE_HEAD_MAX bytes) */
	ENVELOPE_BAD,   /* this is none, or damaged */
	ENVELOPE_NEWER, /* of a version that is not known */
};
/* Reads postmark and first line at the start of bytes. */
enum envelope_told envelope_form_head(struct str bytes, struct envelope_head *h);
/* Reads the rest; bytes begin with the postmark and are h->prefix long at least. What e holds is spans of bytes or
 * lies in the arena. False: damaged. */
bool envelope_form_read(struct str bytes, const struct envelope_head *h, struct queue_envelope *e, struct arena *a);

/* Words of lines, here and in state files. */
void word_add(struct buf *out, const char *key, struct str value);    /* " key=value"; nothing without a value */
bool word_take(struct str *line, struct str *key, struct str *value); /* value: "" without '='; false: no more */
bool word_text(
	struct str value, size_t max, struct arena *a, struct str *text); /* false: too long, or control characters */

#endif
