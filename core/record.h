/* record.h - a call, an answer or an event on its way through a ring: a head, then its bytes.
 * Bytes that would take much of the ring stay out of it: they are a file under the run directory, named after the sender's
 * slot, life and count, so that a record can lead nowhere else; its reader unlinks it. */
#ifndef CORE_RECORD_H
#define CORE_RECORD_H

#include "core/err.h"
#include "core/pack.h"

#define RECORD_HEAD_BYTES 24
#define RECORD_DIRECTORY  "run/tmp" /* of the files, below the store's directory */

enum record_kind { RECORD_CALL = 1, RECORD_ANSWER, RECORD_EVENT };

struct record {
	enum record_kind kind;
	bool filed;                  /* `bytes` says which file, by record_file */
	enum err e;                  /* of an answer */
	uint32_t type;               /* of a call or event: its place among all types */
	uint32_t from_life, to_life; /* generations of the sender, and of the reader it was meant for */
	uint64_t number;             /* of the call; an answer repeats it */
	struct str bytes;
};

/* The head as it goes into a ring; the bytes follow it. */
void record_head(const struct record *r, char head[RECORD_HEAD_BYTES]);
/* False: these are not the bytes of a record. r->bytes is a span of them. */
bool record_read(struct record *r, struct str bytes);

/* Writes bytes to a file of this name (slot, life, count) under `directory`; `note` then goes in their place. */
enum err record_file(int directory, unsigned slot, uint32_t life, uint64_t count, struct str bytes, struct buf *note);
/* What is in the file of a note from that slot and life, which is unlinked. At most `max` bytes. */
enum err record_unfile(int directory, unsigned slot, uint32_t life, struct str note, size_t max, struct buf *bytes);
void record_unlink(int directory, unsigned slot, uint32_t life, struct str note); /* nobody reads it */

#endif
