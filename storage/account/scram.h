/* scram.h - the server's side of SCRAM-SHA-256's arithmetic (RFC 5802, 3; RFC 7677).
 * What is kept of a password lets a server check a client's proof and prove itself, and nobody else log in. */
#ifndef STORAGE_ACCOUNT_SCRAM_H
#define STORAGE_ACCOUNT_SCRAM_H

#include "core/str.h"
#include "storage/account/password.h"

#define SCRAM_KEY_BYTES  32
#define SCRAM_SALT_BYTES 96 /* of a salt that is kept, at most */

struct scram_keys {
	uint32_t iterations;
	uint8_t salt[SCRAM_SALT_BYTES];
	size_t salt_len;
	uint8_t stored[SCRAM_KEY_BYTES], server[SCRAM_KEY_BYTES];
};

/* Of what password_scram_sha_256 made. False: it is none of that; all is zero then. */
bool scram_keys_parse(struct str kept, struct scram_keys *k);

/* What an account that has no keys or is not there shows to whoever asks: the usual iterations, and a salt that is always
 * the same for a name and looks like any. The keys themselves are nobody's. */
void scram_keys_feign(
	const uint8_t secret[SCRAM_KEY_BYTES], struct str address, enum hash_cost cost, struct scram_keys *k);

/* Whether this ClientProof is right for this AuthMessage. *signature: the ServerSignature, if it is. */
bool scram_proof_right(const struct scram_keys *k, struct str message, const uint8_t proof[SCRAM_KEY_BYTES],
	uint8_t signature[SCRAM_KEY_BYTES]);

#endif
