/* alias_file.h - an aliases(5) file as read, with what it includes: found by name, never changed.
 * Wrong lines are logged with file and line and passed over; the rest counts. */
#ifndef STORAGE_ROUTE_ALIAS_FILE_H
#define STORAGE_ROUTE_ALIAS_FILE_H

#include "storage/route/alias_line.h"

#define ALIAS_FILE_BYTES_MAX (16u << 20) /* of a file, and of all that it includes */
#define ALIAS_INCLUDES_MAX   1000        /* files included, each time they are named */
#define ALIAS_DEPTH_MAX      5           /* files included by included ones */
#define ALIAS_COMPLAINTS_MAX 20          /* lines logged at a reading; the rest is counted */

struct alias {
	struct str name;                    /* as alias_key makes it */
	const struct alias_target *targets; /* never ALIAS_INCLUDE: what is in the file stands here */
	size_t count;
	struct str owner; /* "owner-list" if the file has that name, too; else "" */
	bool incomplete;  /* a file that it includes could not be read */
};

struct alias_file;

/* Blocks: for lanes and starts. NULL: the file cannot be read, which was logged. */
struct alias_file *alias_file_read(const char *path);
bool alias_file_changed(const struct alias_file *f); /* it, or an included one, is not as it was read; blocks */
const struct alias *alias_file_find(const struct alias_file *f, struct str key); /* NULL: no such name */
size_t alias_file_count(const struct alias_file *f);
void alias_file_free(struct alias_file *f); /* NULL is fine */

#endif
