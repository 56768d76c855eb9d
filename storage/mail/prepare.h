/* prepare.h - names and passwords in the one form in which they are compared: SASLprep (RFC 4013).
 * People type the same letters in several codings, by keyboard and system. ASCII is what it is; beyond it letters are
 * composed and compatible ones made the usual ones (NFKC), all spaces are one, and what cannot be seen is refused. */
#ifndef STORAGE_MAIL_PREPARE_H
#define STORAGE_MAIL_PREPARE_H

#include "core/arena.h"
#include "core/err.h"

#define PREPARE_BYTES_MAX 512 /* of a name or password */

/* The result is `text` itself, or lies in the arena. ERR_MISTAKE: not UTF-8, a control or another forbidden character,
 * left-to-right and right-to-left mixed, nothing left, or too long. */
enum err prepare(struct str text, struct arena *a, struct str *prepared);

#endif
