/* marks.h - the highest number told of each key: a table from bytes (a path, an id) to a number above 0.
 * Paths are looked up level by level, so that a mark on a directory holds for all that is in it. */
#ifndef STORAGE_JOURNAL_MARKS_H
#define STORAGE_JOURNAL_MARKS_H

#include "core/str.h"

struct marks;

struct marks *marks_new(void);
void marks_free(struct marks *m); /* NULL is fine */
size_t marks_count(const struct marks *m);

void marks_raise(struct marks *m, struct str key, uint64_t number); /* to `number`, if it is lower or not there */
uint64_t marks_get(const struct marks *m, struct str key);          /* 0: none */
void marks_drop(struct marks *m, struct str key);
void marks_drop_below(struct marks *m, uint64_t number); /* every mark lower than that */
void marks_each(const struct marks *m, void (*each)(void *user, struct str key, uint64_t number), void *user);

/* Of a path: the highest mark of it and of the directories it is in. */
uint64_t marks_of_path(const struct marks *m, struct str path);
/* Raises the mark of every directory that path is in. */
void marks_raise_parents(struct marks *m, struct str path, uint64_t number);

#endif
