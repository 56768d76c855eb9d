/* backup_files.h - files on their way into a backup and out of it. Blocking: for lanes.
 * `why` gets what the administrator is told of an error, once. */
#ifndef STORAGE_BACKUP_BACKUP_FILES_H
#define STORAGE_BACKUP_BACKUP_FILES_H

#include "core/buf.h"
#include "core/err.h"

#define BACKUP_MANIFEST   "manifest"
#define BACKUP_UNFINISHED "manifest.unfinished"
#define ACCOUNT_FILES     "/account.files"
#define QUEUE_FILES       "queue/files."

/* Text for why, and errno's kind. */
enum err backup_failed(struct buf *why, const char *what, const char *path);

enum err parents_make(int directory, const char *path, struct buf *why); /* the directories that path is in */

/* One file being copied, some MiB at a time. */
struct file_copy {
	int from, to;
	uint64_t at, length; /* of it: no more is copied */
	char *path;
	bool later; /* it is not synced now, but with all else */
};
/* from: an open file, which is then the copy's. */
enum err file_copy_begin(
	struct file_copy *c, int from, int to_directory, const char *path, uint64_t length, struct buf *why);
enum err file_copy_step(struct file_copy *c, bool *done, struct buf *why); /* done: synced, too, but for its name */
void file_copy_end(struct file_copy *c);                                   /* at any time; a zeroed one is fine */

/* path of `from` is a link at path of `to`, its first `length` bytes being meant (UINT64_MAX: all; then *length says how
 * many that is). If no link can be made, or `copies` says that none is wanted, c is begun. ERR_ABSENT: there is no such
 * file. */
enum err file_link(
	int from, int to, const char *path, bool copies, uint64_t *length, struct file_copy *c, struct buf *why);
/* The same of a small file, which is copied at once; later: synced with all else. */
enum err file_small(int from, int to, const char *path, bool later, uint64_t *length, struct buf *why);

/* ERR_ABSENT: this directory has none; ERR_NEVER: it is damaged, empty, or of a later version. copy: it is another file than
 * the backup's own. */
enum err manifest_read(int directory, bool *copy);

/* Lists of files: "<length> <path>" each. */
void files_add(struct buf *list, uint64_t length, struct str path);
bool files_next(struct str *list, uint64_t *length, struct str *path); /* false: that was all, or it is damaged */
/* Not synced: the whole backup is, before it says that it is one. */
enum err files_write(int directory, const char *path, struct str list, struct buf *why);
/* ERR_ABSENT: there is none; ERR_NEVER: of a later version, or not whole. */
enum err files_read(int directory, const char *path, struct buf *list);

#endif
