/* extensions.h - what a server offers: the lines of its reply to EHLO or LHLO (RFC 5321, 4.1.1.1). */
#ifndef PROTOCOLS_SMTP_CLIENT_EXTENSIONS_H
#define PROTOCOLS_SMTP_CLIENT_EXTENSIONS_H

#include "protocols/smtp_client/reply.h"

enum extension { /* bits */
	OFFERS_PIPELINING = 1,
	OFFERS_SIZE = 2,
	OFFERS_8BITMIME = 4,
	OFFERS_SMTPUTF8 = 8,
	OFFERS_CHUNKING = 16,
	OFFERS_DSN = 32,
	OFFERS_STARTTLS = 64,
	OFFERS_DELIVERBY = 128,
	OFFERS_PRIORITY = 256, /* MT-PRIORITY */
};

enum mechanism { /* bits: of AUTH, those that we know */
	OFFERS_PLAIN = 1,
	OFFERS_LOGIN = 2,
	OFFERS_SCRAM_SHA_256 = 4,
};

struct extensions {
	unsigned offers;     /* of enum extension */
	unsigned mechanisms; /* of enum mechanism */
	uint64_t size_max;   /* bytes of a message; 0: not said */
	uint64_t by_least_s; /* the least time that is taken for BY (RFC 2852, 2); 0: any */
};

void extensions_read(const struct reply *r, struct extensions *e);

#endif
