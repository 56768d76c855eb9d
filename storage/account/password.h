/* password.h - what is kept of a password, and whether one is right.
 * Kept are a scrypt key (RFC 7914), or for a while a crypt(3) hash that came from another system, and the keys that
 * SCRAM-SHA-256 needs (RFC 5802, RFC 7677); never the password. Everything here is slow on purpose and belongs in
 * the slow lane.
 *   scrypt$14$8$1$<salt>$<key>                 ln, r, p, then base64
 *   4096$<salt>$<stored key>$<server key>      iterations, then base64
 * A password is prepared first (prepare.h), so that it is the same from any keyboard; one that cannot be, with a control
 * character or in an old character set, is taken byte by byte. */
#ifndef STORAGE_ACCOUNT_PASSWORD_H
#define STORAGE_ACCOUNT_PASSWORD_H

#include "core/arena.h"
#include "core/err.h"

#define PASSWORD_BYTES_MAX  512
#define PASSWORD_SALT_BYTES 16

enum hash_cost { HASH_FULL, HASH_CHEAP }; /* cheap: for scratch servers alone */

/* What to keep of a clear password, in the arena. ERR_MISTAKE: empty, longer than PASSWORD_BYTES_MAX, or with a NUL. */
enum err password_hash(struct str password, enum hash_cost cost, struct arena *a, struct str *kept);
enum err password_scram_sha_256(struct str password, enum hash_cost cost, struct arena *a, struct str *kept);
uint32_t password_scram_iterations(enum hash_cost cost);

/* Whether a crypt(3) hash may be taken as it is: `$6$...`, `$2y$...`, `$y$...`. ERR_MISTAKE: this system does not
 * know the method, or it is one of the old weak ones without a `$`. */
enum err password_crypt_check(struct str hash);

/* OK or ERR_DENIED. *renew: right, but kept in another way than password_hash would now; set it again while the
 * password is at hand. kept "" stands for an account that is not there or may not log in: denied, after as much work as
 * a wrong password takes. */
enum err password_verify(struct str kept, struct str password, enum hash_cost cost, bool *renew);

/* A keyed digest of a password that fits `kept`, fast to compute: by it one that was right a moment ago is known again. It
 * is another as soon as something else is kept. The key must never leave the process, nor be there longer than it. */
#define PASSWORD_KEY_BYTES    32
#define PASSWORD_DIGEST_BYTES 32
void password_digest(const uint8_t key[PASSWORD_KEY_BYTES], struct str kept, struct str password,
	uint8_t digest[PASSWORD_DIGEST_BYTES]);
bool password_digest_same(const uint8_t a[PASSWORD_DIGEST_BYTES], const uint8_t b[PASSWORD_DIGEST_BYTES]);

#endif
