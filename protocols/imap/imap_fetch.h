/* imap_fetch.h - what FETCH's files share: the items asked for, and one FETCH under way. */
#ifndef PROTOCOLS_IMAP_FETCH_H
#define PROTOCOLS_IMAP_FETCH_H

#include "protocols/imap/imap_session.h"
#include "storage/mail/decode.h"
#include "storage/mail/mime.h"
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
	ITEM_SECTION,   /* BODY[...], RFC822 and its like, BINARY[...] */
	ITEM_BINARY_SIZE,
};

enum fields { FIELDS_ALL, FIELDS_THESE, FIELDS_NOT_THESE }; /* HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT */

struct item {
	enum item_kind kind;
	struct str label; /* as it is told: "BODY[1.TEXT]<0>" */
	bool peek;
	bool binary;       /* with the transfer encoding undone (RFC 3516) */
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

enum fetch_phase { NEXT, LOAD, ITEMS, COLLECT, COUNT, STREAM, LAST };

struct fetch {              /* FETCH under way */
	struct items items; /* in the session's arena */
	struct set seqs;    /* the same */
	size_t range, item; /* where in them we are */
	uint32_t seq;
	enum fetch_phase phase;
	bool told_seen;  /* the message became \\Seen by this */
	bool missed;     /* a message could not be read */
	bool unreadable; /* one may be read another time */
	bool unknown;    /* a part's transfer encoding was not known */
	struct message message;
	struct wire wire;
	struct buf piece;     /* wire bytes on their way */
	struct buf header;    /* of the message, wire form */
	struct buf collected; /* of a part, for its fields */
	uint64_t header_size; /* wire bytes, all of it */
	struct arena arena;   /* memory of one message's tree */
	struct mime *mime;
	const struct mime_part *root;
	size_t turn_bytes; /* read in this turn */

	/* the section under way */
	uint64_t start, end;    /* where it lies in the message */
	uint64_t skip, left;    /* of these bytes: before it still to pass over, of it to come */
	struct decoder decoder; /* what undoes its transfer encoding */
	bool lines;             /* it is text: its lines end in CRLF, however they were encoded (RFC 3516, 4.3) */
	bool cr;                /* its last byte so far is a CR */
	struct buf raw, plain;  /* decoded; and with such line ends */
	uint64_t counted;       /* bytes of that, before what is sent is known */
	bool nul;               /* NULs are among those to be sent */
	uint64_t pass, send;    /* bytes of that still to pass over, and then to be sent */
	bool announced;         /* the literal */
};

/* imap_fetch.c: the next piece of the message into f->piece. */
enum wire_step imap_fetch_read(struct imap *s, struct fetch *f);
void imap_fetch_ready(void *user); /* for wire_open: goes on */

/* imap_fetch_section.c: an item that is (part of) the message itself is begun: it is through in phase ITEMS, else goes on
 * by steps of its phase. */
void imap_section_begin(struct imap *s, struct fetch *f, const struct item *item);
enum wire_step imap_section_step(struct imap *s, struct fetch *f); /* WIRE_END: it is through */
/* The section under way cannot be read; false: too much was said of it already. */
bool imap_section_fail(struct imap *s, struct fetch *f);
/* Whether every transfer encoding that the items need undone is known (RFC 3516, 4.3). */
bool imap_section_decodes(const struct fetch *f);

/* imap_section.c: fetch-att (RFC 3501, 9), one or a list. False: a is bad. */
bool imap_take_items(struct args *a, struct items *items, bool uid);
/* The fields of a header block that the item asks for, and the empty line. */
void imap_filter_fields(const struct item *item, struct str block, struct buf *out);

/* imap_structure.c */
void imap_write_envelope(struct buf *out, const struct envelope *e);
void imap_write_structure(struct buf *out, const struct mime_part *root, bool extended);

#endif
