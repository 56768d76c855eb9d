/* names.h - the changes that are done and might be asked for once more (exactly once, design: every change has a
 * name). Each is kept with its answer, until its sender says forget or the sender's life ends. Senders that never
 * do cannot fill the memory: the oldest make room. What is counted is bytes as packed for a checkpoint. */
#ifndef STORAGE_JOURNAL_NAMES_H
#define STORAGE_JOURNAL_NAMES_H

#include "core/buf.h"
#include "core/call.h"

#define NAMES_BYTES_MAX (1u << 20)
#define NAME_BYTES      21    /* of one besides its answer */
#define NAME_ANSWER_MAX 65536 /* bytes of one answer */

struct names;

/* bytes_max: NAMES_BYTES_MAX, or less where segments are small; enough for one name at least. */
struct names *names_new(size_t bytes_max);
void names_free(struct names *n); /* NULL is fine */
size_t names_count(const struct names *n);

/* Known already: the new answer replaces the old. Answers how many were dropped for it: 0 as a rule. */
size_t names_add(struct names *n, struct name name, struct str answer);
/* *answer is valid until the table changes. */
bool names_find(const struct names *n, struct name name, struct str *answer);
void names_forget(struct names *n, struct name name);   /* unknown is fine */
void names_forget_life(struct names *n, uint64_t life); /* but for those that last (name_lasts of store.h) */
void names_clear(struct names *n);
void names_each(const struct names *n, void (*each)(void *user, struct name name, struct str answer),
	void *user); /* oldest first */

#endif
