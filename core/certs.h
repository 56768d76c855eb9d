/* certs.h - the certificates that a configuration names, as texts.
 * The master alone reads the files, keys among them, tries what it read, and gives the texts to the workers: at their
 * birth over the fork, afterwards packed, with a new configuration or alone. */
#ifndef CORE_CERTS_H
#define CORE_CERTS_H

#include "core/pack.h"
#include "core/settings.h"
#include "core/tls.h"

struct cert {
	char *label;           /* "default", or the section's title */
	char *files;           /* their names, for error text; "" in a worker */
	struct buf chain, key; /* PEM */
};

struct certs { /* zeroed: none */
	struct cert *items;
	size_t count;           /* 0: no TLS */
	struct buf authorities; /* of clients' certificates; empty: none are asked for */
};

/* Adds what is in a file of certificates or a key; why gets a line when it cannot be read. */
enum err certs_read_file(const char *path, struct buf *bytes, struct buf *why);

/* The files that conf names. why gets a line when one cannot be read. */
enum err certs_read(struct certs *c, const struct conf *conf, struct buf *why);
void certs_free(struct certs *c);

/* What they are together; NULL if there is none. why gets a line when one is of no use. */
enum err certs_tls(
	const struct certs *c, const uint8_t ticket_key[TLS_TICKET_KEY_BYTES], struct tls **out, struct buf *why);

/* Reads the files again: whatever cannot be read or used stays as it is in `now`, and why gets a line for it. True:
 * something is new. */
bool certs_renew(struct certs *now, const struct conf *conf, struct buf *why);

/* A number that is another one once any of the files is another one or was written. */
uint64_t certs_stamp(const struct conf *conf);
uint64_t certs_stamp_file(uint64_t stamp, const char *path); /* of one more file, and those before it */

void certs_pack(const struct certs *c, struct buf *out);
void certs_unpack(struct certs *c, struct unpack *u);

#endif
