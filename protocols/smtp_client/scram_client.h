/* scram_client.h - the client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), without channel binding: messages in, messages
 * out. The other side proves in the end that it knows the password's keys. */
#ifndef PROTOCOLS_SMTP_CLIENT_SCRAM_CLIENT_H
#define PROTOCOLS_SMTP_CLIENT_SCRAM_CLIENT_H

#include "core/buf.h"

#define SCRAM_CLIENT_KEY_BYTES      32
#define SCRAM_CLIENT_SALT_MAX       128
#define SCRAM_CLIENT_ITERATIONS_MIN 4096    /* fewer would hand the password to whoever guesses (RFC 7677, 4) */
#define SCRAM_CLIENT_ITERATIONS_MAX 1000000 /* about half a second of the slow lane */

struct scram_client {     /* zeroed is a new one */
	struct buf bare;  /* our first message without its header, then the AuthMessage as it grows */
	struct buf nonce; /* ours, then theirs, which begins with it */
	uint8_t salt[SCRAM_CLIENT_SALT_MAX];
	size_t salt_len;
	uint32_t iterations;
	uint8_t salted[SCRAM_CLIENT_KEY_BYTES]; /* the password, by scram_client_salt */
	uint8_t server_signature[SCRAM_CLIENT_KEY_BYTES];
};

/* Adds client-first-message; nonce: printable, no comma. */
void scram_client_begin(struct scram_client *c, struct str user, struct str nonce, struct buf *out);
/* server-first-message. False: it is none, or of numbers that we do not take. */
bool scram_client_challenged(struct scram_client *c, struct str message);
/* The slow step, of the password prepared; touches nothing but c. */
void scram_client_salt(struct scram_client *c, struct str password);
/* Adds client-final-message. */
void scram_client_prove(struct scram_client *c, struct buf *out);
/* server-final-message: whether it is the right one. */
bool scram_client_proven(const struct scram_client *c, struct str message);
void scram_client_free(struct scram_client *c);

#endif
