/* secret.h - random bytes that are this store's own, for as long as it lives: the file login.secret.
 * They make what must look random to strangers and yet always be the same, such as the salt of an account that is not
 * there, and what we alone can have made, such as the sender of forwarded mail. Who knows them learns which accounts there
 * are, and can have bounces sent by us. */
#ifndef STORAGE_ACCOUNT_SECRET_H
#define STORAGE_ACCOUNT_SECRET_H

#include "core/err.h"
#include <stdint.h>

#define SECRET_BYTES 32
#define SECRET_FILE  "login.secret"

/* Reads it; a store that has none gets one. Several workers may do so at once. ERR_NEVER: what is there is none of ours. */
enum err secret_open(int directory, uint8_t secret[SECRET_BYTES]);

/* A key of it for one purpose: from what one is used for nothing can be learnt of another. */
void secret_for(const uint8_t secret[SECRET_BYTES], const char *purpose, uint8_t key[SECRET_BYTES]);

#endif
