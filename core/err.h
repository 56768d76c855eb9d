/* err.h - how a thing can go wrong, in the few kinds that a caller can act upon.
 * OK is 0, so that `if (e)` reads "if it went wrong". The kind says what the asker may be told: try later, never,
 * your mistake. It is logged once, where it happened and errno still means something; each protocol words the
 * kinds in one place of its own. */
#ifndef CORE_ERR_H
#define CORE_ERR_H

enum err {
	OK = 0,
	ERR_AGAIN,   /* for now: full disk, dead owner, deadline passed. SMTP 4xx, IMAP NO [UNAVAILABLE] */
	ERR_NEVER,   /* for good: damaged, unsupported, impossible. SMTP 5xx, IMAP NO [CANNOT] */
	ERR_MISTAKE, /* the asker's mistake: bad syntax, a name that cannot be. SMTP 501, IMAP BAD */
	ERR_ABSENT,  /* no such domain, account, mailbox or message */
	ERR_EXISTS,  /* it is there already */
	ERR_DENIED,  /* not allowed to this asker; also a wrong password */
	ERR_TOO_BIG, /* over a limit of the configuration */
	ERR_FULL,    /* an account's quota is used up. SMTP 552, IMAP NO [OVERQUOTA] */
	ERR_IN_USE,  /* another program has the mailbox locked. IMAP NO [INUSE] */
	ERR_KINDS
};

/* A short English text for `e`, for logs; never NULL. */
const char *err_text(enum err e);

/* Logs `fmt` and errno's text at error level, and answers errno's kind: ENOENT is ERR_ABSENT, EEXIST ERR_EXISTS,
 * EACCES and EPERM ERR_DENIED, ENAMETOOLONG and EFBIG ERR_TOO_BIG, all others ERR_AGAIN. */
enum err err_errno(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The same kind without a log line, for what is expected to be missing at times. */
enum err err_of_errno(int number);

#endif
