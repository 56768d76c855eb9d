/* mbox.h - one generation of a mailbox file: how a message is written to it, and how it is read again.
 *   postmark | X-IMAPbase (first message only) X-UID Status X-Status X-Keywords X-Postern | message | blank line
 * Always: (1) bytes before `end` never change in this generation; (2) UIDs grow along the file; (3) `end` moves only
 * over whole messages; (4) nobody is told of a message before its entry in the journal is synced and its bytes are
 * in the file. The postmark and the state headers, the prefix, are never shown to a client. X-Postern carries what
 * Dovecot and UW programs have no header for: the clock. */
#ifndef STORAGE_MAILBOX_MBOX_H
#define STORAGE_MAILBOX_MBOX_H

#include "core/buf.h"
#include "core/err.h"
#include "storage/mail/form.h"

enum flag { /* bits of message.flags; system flags of RFC 3501, 2.3.2 */
	FLAG_SEEN = 1,
	FLAG_ANSWERED = 2,
	FLAG_FLAGGED = 4,
	FLAG_DELETED = 8,
	FLAG_DRAFT = 16,
	FLAG_SYSTEM = 31,
	FLAG_EXPUNGED = 1 << 15, /* in a view and in the index only */
};

#define KEYWORDS_MAX      64 /* per mailbox: one bit each */
#define KEYWORD_BYTES_MAX 100

struct keywords { /* bit n of message.keywords is word[n]; a place once given is never given again */
	unsigned count;
	char word[KEYWORDS_MAX][KEYWORD_BYTES_MAX + 1];
};

/* The bit of word, given a place if it has none; -1: it is no atom, too long, or there are KEYWORDS_MAX already. */
int keywords_bit(struct keywords *k, struct str word);
int keywords_find(const struct keywords *k, struct str word); /* compared without case; -1 without */

struct message { /* one message of a mailbox, as index and view hold it */
	uint32_t uid;
	uint32_t flags;
	uint32_t written; /* system flags that its prefix in the mbox bears */
	uint64_t keywords;
	uint64_t clock;  /* of its last change */
	uint64_t offset; /* of its postmark in the mbox */
	uint32_t prefix; /* bytes of postmark and state headers; the message itself follows */
	uint32_t stored; /* bytes of the message as stored, without the blank line behind it */
	uint32_t wire;   /* with CRLF: RFC822.SIZE */
	uint32_t header; /* stored bytes of its header, blank line included */
	int64_t date;    /* INTERNALDATE, seconds since 1970 */
	uint64_t print;  /* print.h; 0: not known */
};

struct mbox_base { /* X-IMAPbase, in the first message of a file */
	uint32_t uidvalidity;
	uint32_t last_uid;
	uint64_t id; /* the mailbox's, in X-Postern of the first message, as are the next two */
	uint32_t generation;
	uint32_t version; /* of the form of the file: 0 where nothing is said, which is the first */
	uint64_t
		folder; /* where the first message begins if this stands in a place of its own, as UW programs have it */
};
#define MBOX_VERSION 1

/* Appends the prefix of a message to out; its length is m->prefix, which the caller sets. sender: the envelope sender
 * for the postmark, empty: MAILER-DAEMON. base: NULL but for the first. */
void mbox_prefix(struct buf *out, const struct message *m, struct str sender, const struct keywords *k,
	const struct mbox_base *base);
/* The first line of it alone. */
void mbox_postmark_print(struct buf *out, struct str sender, int64_t date);
#define MBOX_TAIL       "\n"  /* the blank line behind each message */
#define MBOX_PREFIX_MAX 65536 /* bytes of a prefix; what follows of a longer foreign one counts as the message's */

/* Reads a postmark, given without its LF: who sent (a span of it; empty: nobody is named) and when, in seconds since
 * 1970. False: it is none. Takes what other programs write: names of several words, zones, "remote from". */
bool mbox_postmark(struct str line, struct str *sender, int64_t *date);

/* Reads an mbox from `offset` (0, or the postmark of a message) on, in pieces of any size, in the slow lane. Takes
 * foreign files: mboxes without our headers give messages with uid 0 and clock 0 (the caller gives them), and so does
 * an X-UID that is not above the one before. A UID that is told is to be kept: readers look for it. A message begins at
 * a postmark at the start or behind an empty line, and behind a message that is not ours without one, if a header field
 * follows; the last one may lack even its last line end (form_decode gives it as it is, m.wire says so). What is not
 * ours may have postmarks in its text if its Content-Length ends just where another begins, or the file ends: so it was
 * written on Solaris, and by c-client. If our X-Postern is in the header behind such a postmark, a message begins there
 * all the same: we wrote it behind another program's, whose Content-Length is anything its sender likes. Lines may end in
 * CRLF, and are stored so. Bytes before the first postmark, and NULs between a message and a postmark, are damage and
 * passed over. */
struct mbox_scan;
struct mbox_scan_events {
	/* Told before the first message, if that one has a base. k: the scan's own, with the words of the base in it. */
	void (*on_base)(void *user, const struct mbox_base *base, struct keywords *k);
	/* A first message that UW programs keep the base in (X-IMAP) is not told. */
	void (*on_message)(void *user, const struct message *m); /* whole; keywords by the scan's table */
	bool any_uid; /* an X-UID is told as it stands, not above the one before either */
	/* Whether a message may end at `at` of the file: mbox_may_end says so of the bytes there. Asked where a postmark
	 * stands within the Content-Length of a message that is not ours. NULL: none is believed. */
	bool (*may_end)(void *user, uint64_t at);
};
struct mbox_scan *mbox_scan_new(uint64_t offset, struct keywords *k, const struct mbox_scan_events *ev, void *user);
/* ERR_NEVER: a message in it has 4 GiB, or, at the end, there is not one. It stays so; the caller, who knows the path,
 * logs it. */
enum err mbox_scan_feed(struct mbox_scan *s, struct str bytes);
enum err mbox_scan_end(struct mbox_scan *s); /* the last message is told */
uint64_t mbox_scan_passed_over(
	const struct mbox_scan *s, uint64_t *at); /* so many bytes; where the first of them are */
void mbox_scan_free(struct mbox_scan *s);         /* NULL is fine */
/* bytes: the last of what may be a message and as much as there is behind it, MBOX_LOOK being enough. all: they reach to the
 * end of the file. */
bool mbox_may_end(struct str bytes, bool all);
#define MBOX_LOOK 4096

/* A message is told with its prefix as if its X-UID is kept. If it is not, a prefix with that in it is the postmark alone,
 * or no reader would find the UID that the message is given: what becomes of it then. From within on_message. */
struct mbox_bare {
	uint32_t prefix; /* bytes of it then */
	uint32_t lines;  /* that are the message's then */
	bool strays;     /* fields of the mailbox's own stand elsewhere in its header */
};
void mbox_scan_bare(const struct mbox_scan *s, struct mbox_bare *bare);
void mbox_message_bare(struct message *m, const struct mbox_bare *bare);

/* Whether `head`, at least m->prefix bytes read at m->offset, begins with a prefix just that long, with the UID that m says:
 * a reader's check that the file is still what it thinks. A foreign message without X-UID passes by its place. */
bool mbox_is_message(struct str head, const struct message *m);

#endif
