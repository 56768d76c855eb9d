/* fates.h - what a segment's state file says, by message, while the segment is being read. */
#ifndef STORAGE_QUEUE_FATES_H
#define STORAGE_QUEUE_FATES_H

#include "storage/queue/fate_form.h"
#include "storage/queue/parts.h"

struct fates {                    /* a zeroed one is empty */
	struct fates_slot *slots; /* by id */
	size_t slot_count, used;
	struct fates_line *lines;
	uint32_t line_count, line_cap;
	char **tos; /* where operators sent items, each once */
	unsigned to_count;
	uint64_t size;  /* of the file */
	bool torn;      /* it does not end in LF */
	bool newer;     /* of a version that is not known: it says nothing */
	unsigned wrong; /* lines that say nothing */
};

/* Reads the file. ERR_ABSENT: it is not there, which is nothing unusual; others are logged. In a lane. */
enum err fates_read(struct fates *f, int directory, const char *path);
void fates_add(struct fates *f, const struct fate *fate, uint64_t at);
/* What is told of the message is done to it; an item's `to` is a place in f->tos then, counted from 1. False: nothing of
 * it is open. */
bool fates_apply(const struct fates *f, struct record *r);
void fates_free(struct fates *f);

#endif
