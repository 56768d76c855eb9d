/* proxy.h - the header by which a load balancer tells whose connection it passes on: the PROXY protocol, versions 1 and
 * 2, as HAProxy's specification has it. Parsed only on connections from networks that the configuration trusts with
 * it, and there it must be. What version 2 adds about TLS and the like (its TLVs) is passed over, a checksum verified.
 *   v1  PROXY TCP4 192.0.2.1 198.51.100.2 56324 25 CR LF        107 bytes at most
 *   v2  signature (12) | version, command | family | length (2) | addresses | TLVs */
#ifndef CORE_PROXY_H
#define CORE_PROXY_H

#include "core/str.h"
#include <sys/socket.h>

#define PROXY_V1_MAX 107
#define PROXY_MAX    4096 /* bytes of a header that are taken: version 2 may have TLVs, certificates among them */

struct proxy_header {
	bool told; /* whose it is; else it is the balancer's own (LOCAL), or it cannot say (UNKNOWN, UNSPEC) */
	struct sockaddr_storage peer, here; /* if told */
};

/* Bytes used by the header at the front of `bytes`; 0: more must come; -1: it is none, or too long. Takes no byte that
 * is not the header's: when it answers 0, all of `bytes` is. */
ptrdiff_t proxy_parse(struct str bytes, struct proxy_header *h);

#endif
