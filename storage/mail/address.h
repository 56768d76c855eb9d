/* address.h - mail addresses: the lists in header fields, and the one of an SMTP command.
 * A list (RFC 5322, 3.4) is read generously, in the parts that IMAP's ENVELOPE shows: everybody has written odd ones,
 * and a reader wants to see what can be seen. An SMTP path (RFC 5321, 4.1.2) is read strictly: it decides where mail
 * goes. Both keep what they find in the caller's arena. */
#ifndef STORAGE_MAIL_ADDRESS_H
#define STORAGE_MAIL_ADDRESS_H

#include "core/arena.h"
#include "core/err.h"
#include "core/str.h"

/* ---- lists in header fields ---- */

enum address_kind {
	ADDRESS_MAILBOX,
	ADDRESS_GROUP, /* "local" is the group's name; its members follow */
	ADDRESS_GROUP_END,
};

/* Quoting and comments are removed; encoded words (RFC 2047) are left as they are. A span that is not there has
 * p NULL, which is IMAP's NIL (RFC 3501, 7.4.2). */
struct address {
	struct address *next;
	enum address_kind kind;
	struct str name;  /* the display name, else the comment of "a@b.test (A. Person)" */
	struct str route; /* "@one.test,@two.test" of old source routes */
	struct str local; /* a mailbox always has local and host; what was missing is empty, not NULL */
	struct str host;
};

/* The addresses of a field's raw value, in order; NULL if there are none. No more than `max` structs are made, but
 * for the GROUP_END that a group always gets; what stands behind is not read. */
struct address *address_list(struct arena *a, struct str value, unsigned max);

/* ---- SMTP's paths, and the names of accounts ---- */

#define ADDRESS_LOCAL_MAX  64 /* octets (RFC 5321, 4.5.3.1) */
#define ADDRESS_DOMAIN_MAX 255
#define ADDRESS_MAX        254 /* local@domain: a path is 256 with its angle brackets */

/* What else than an ASCII mailbox may stand there. */
enum {
	ADDRESS_UTF8 = 1, /* letters beyond ASCII: SMTPUTF8 was asked for (RFC 6531) */
	ADDRESS_NULL = 2, /* "<>" : MAIL FROM */
	ADDRESS_BARE = 4, /* "<postmaster>" : RCPT TO (RFC 5321, 4.5.1), in any case of letters */
};

/* Both are in canonical form: `local` quoted only if it must be, else as it was written; `domain` in lower case
 * (letters beyond ASCII as they were), an address literal in brackets and in the shortest form of its address. The
 * null path has both empty, the bare postmaster an empty domain. */
struct address_path {
	struct str local;
	struct str domain;
};

/* The path at the front of *left, "<...>"; a source route in it is checked and dropped. *left becomes what stands
 * behind it. ERR_MISTAKE: it is none; ERR_TOO_BIG: one of the lengths above. Then *left and *path are not to be used. */
enum err address_path(struct arena *a, struct str *left, unsigned allow, struct address_path *path);

/* The same for a text that is "local@domain", all of it. */
enum err address_mailbox(struct arena *a, struct str text, unsigned allow, struct address_path *path);

/* A domain or an address literal, all of the text, to its canonical form: what EHLO says, or an account's domain. */
enum err address_domain(struct arena *a, struct str text, unsigned allow, struct str *domain);

/* "local@domain" as the wire has it; empty for the null path. */
struct str address_text(struct arena *a, const struct address_path *path);

/* "local@domain" for finding an account: ASCII letters in lower case throughout. */
struct str address_canonical(struct arena *a, const struct address_path *path);

#endif
