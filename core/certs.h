/* certs.h - the certificates that a configuration names, as texts.
 * The master alone reads the files, keys among them, tries what it read, and gives the texts to the workers: at their
 * birth over the fork, afterwards packed with a new configuration. */
#ifndef CORE_CERTS_H
#define CORE_CERTS_H

#include "core/buf.h"
#include "core/err.h"
#include "core/pack.h"
#include "core/settings.h"
#include "core/tls.h"

struct certs {                  /* zeroed: none */
	struct buf chain, key;  /* PEM; empty: no TLS */
	struct buf authorities; /* of clients' certificates; empty: none are asked for */
};

/* The files that conf names. why gets a line when one cannot be read. */
enum err certs_read(struct certs *c, const struct conf *conf, struct buf *why);
void certs_free(struct certs *c);

/* What they are together; NULL if there is none. why gets a line when they are of no use, with conf's names. */
enum err certs_tls(const struct certs *c, const struct conf *conf, const uint8_t ticket_key[TLS_TICKET_KEY_BYTES],
	struct tls **out, struct buf *why);

void certs_pack(const struct certs *c, struct buf *out);
void certs_unpack(struct certs *c, struct unpack *u);

#endif
