/* imap_fetch.h - what FETCH's files share: the items asked for, and one FETCH under way. */
#ifndef PROTOCOLS_IMAP_FETCH_H
#define PROTOCOLS_IMAP_FETCH_H

#include "protocols/imap/imap_session.h"
#include "storage/mime.h"
#include "storage/wire.h"

#define ITEMS_MAX         100 /* of one FETCH */
#define NAMES_MAX         200 /* of one HEADER.FIELDS */
#define SECTION_DEPTH_MAX 100 /* numbers of one part */

enum item_kind {
	ITEM_FLAGS,
	ITEM_UID,
	ITEM_DATE, /* INTERNALDATE */
	ITEM_SIZE, /* RFC822.SIZE */
	ITEM_ENVELOPE,
	ITEM_STRUCTURE, /* BODYSTRUCTURE */
	ITEM_BODY,      /* BODY: the same without extension data */
	ITEM_SECTION,   /* BODY[...], RFC822 and its like */
};

enum fields { FIELDS_ALL, FIELDS_THESE, FIELDS_NOT_THESE }; /* HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT */

struct item {
	enum item_kind kind;
	struct str label; /* as it is told: "BODY[1.TEXT]<0>" */
	bool peek;
	unsigned *numbers; /* of the part */
	size_t depth;
	enum mime_section section;
	enum fields fields;
	struct str *names;
	size_t name_count;
	bool partial;
	uint32_t from, len;
};

enum { NEEDS_HEADER = 1, NEEDS_TREE = 2 };

struct items {
	struct item *list; /* in the arena */
	size_t count;
	unsigned needs;
	bool sets_seen, tells_flags;
};

/* imap_section.c: fetch-att (RFC 3501, 9), one or a list. False: a is bad. */
bool imap_take_items(struct args *a, struct items *items, bool uid);
/* The fields of a header block that the item asks for, and the empty line. */
void imap_filter_fields(const struct item *item, struct str block, struct buf *out);

/* imap_structure.c */
void imap_write_envelope(struct buf *out, const struct envelope *e);
void imap_write_structure(struct buf *out, const struct mime_part *root, bool extended);

#endif
