/* crc32c.h - the Castagnoli CRC (RFC 3720, 12.1) over bytes given in any pieces. */
#ifndef CORE_CRC32C_H
#define CORE_CRC32C_H

#include "core/str.h"

/* Start with crc 0 and go on with what came back. By the processor's own instruction where it has one. */
uint32_t crc32c(uint32_t crc, struct str bytes);
uint32_t crc32c_by_table(uint32_t crc, struct str bytes); /* the same on any processor, at an eighth of the speed */

#endif
