/* idn.h - names of domains in the one form in which they are compared: A-labels (xn--...), ASCII letters in lower case.
 * People write them in their own letters, too (RFC 5890, RFC 6531): both are the same domain. */
#ifndef STORAGE_IDN_H
#define STORAGE_IDN_H

#include "core/arena.h"
#include "core/err.h"

/* The result is `domain` itself if that is it, else lies in the arena; address literals too are lower case only. ERR_MISTAKE:
 * letters that no name of a domain may have, or a label that is too long. */
enum err idn_domain(struct arena *a, struct str domain, struct str *out);

/* The same for the domain of local@domain; the local part, too, becomes lower case (ASCII letters alone). */
enum err idn_address(struct arena *a, struct str address, struct str *out);

/* An address as it can be sent to everybody, if it can: of one whose domain alone is beyond ASCII the domain by idn_domain, all
 * else is as it was. */
struct str idn_sendable(struct arena *a, struct str address);

#endif
