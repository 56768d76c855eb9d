/* masquerade.h - domains of senders that become another when mail leaves: hosts that write as the domain they belong to.
 *   domain "example.test" { masquerade = { "host.example.org", ".example.test" } }
 * ".example.test" is every domain below it that has no section of its own. In headers only addresses are changed, in
 * From, Sender, Reply-To, To and Cc and in their Resent- kind: what is quoted, in comments or encoded (RFC 2047) stays. */
#ifndef STORAGE_ROUTE_MASQUERADE_H
#define STORAGE_ROUTE_MASQUERADE_H

#include "core/settings.h"
#include "storage/mail/header.h"

/* The domain that this one becomes; itself if none. The result lies in the configuration or is `domain`. */
struct str masquerade_domain(const struct conf *conf, struct str domain);
/* local@domain, likewise; a changed one lies in the arena. "" stays. */
struct str masquerade_address(const struct conf *conf, struct arena *a, struct str address);
/* Adds the field as it is to go out, line ends and all (CRLF or LF). */
void masquerade_field(const struct conf *conf, const struct header_field *field, struct buf *out);

#endif
