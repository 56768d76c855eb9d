/* operation.h - one thing that an entry of the journal does to the files, packed and unpacked.
 * Operations are physical and absolute: whole values at fixed places, never differences, so that done twice is the
 * same as done once. An entry is a row of them. */
#ifndef STORAGE_JOURNAL_OPERATION_H
#define STORAGE_JOURNAL_OPERATION_H

#include "core/call.h"
#include "core/pack.h"

enum operation_kind {     /* the numbers are on disk: never given anew */
	OP_WRITE = 1,     /* bytes to path at offset */
	OP_SPOOL = 2,     /* the first len bytes of the file `other` to path at offset */
	OP_PUT = 3,       /* path is a file of these bytes */
	OP_DIRECTORY = 4, /* path is a directory */
	OP_RENAME = 5,    /* path is called `other` from now on */
	OP_REMOVE = 6,    /* path is gone */
	OP_SETTLED = 7,   /* earlier writes with this id are not to be done again */
	OP_NAME = 8,      /* the change called name is done by this entry; bytes are its answer */
	OP_NAMES_ALL = 9, /* no names are remembered but those that follow */
	OP_EXPECT = 10,   /* what the entry renames takes its place only if path is the file of this stamp */
	OP_KIND_END
};

struct operation { /* what a kind has no use for is zero; spans are of the bytes unpacked */
	enum operation_kind kind;
	struct str path, other, bytes;
	uint64_t id; /* the mailbox's; 0: none */
	uint32_t generation;
	uint64_t offset, len;
	struct name name;
};

struct stamp {          /* which file, and as of when: other programs that write to a file leave another stamp */
	uint64_t inode; /* 0: there is none */
	uint64_t size;
	uint64_t mtime_ns;
};

/* Relative, of at most PATH_BYTES_MAX bytes, without NUL, empty levels, "." or "..": it cannot leave the store. */
bool operation_path_ok(struct str path);

/* Whether it writes to an mbox or a state file, which others than we may have written to. */
bool operation_of_mailbox(const struct operation *op);
bool operation_of_mbox(const struct operation *op); /* the mbox alone */

bool path_is_mailbox(struct str path); /* the same by its path alone */

/* Asserts that the paths are right. */
void operation_pack(struct buf *out, const struct operation *op);
/* The next of a row. False: there is none, or the rest cannot be understood, then u->bad. */
bool operation_next(struct unpack *u, struct operation *op);

/* OP_EXPECT carries a stamp. */
void operation_pack_expect(struct buf *out, struct str path, const struct stamp *stamp);
struct stamp operation_stamp(const struct operation *op);

#endif
