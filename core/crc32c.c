/* crc32c.c - see crc32c.h. */
#include "core/crc32c.h"

/* One entry: what four bits shifted out leave behind, for the reflected polynomial 0x82f63b78. */
static const uint32_t nibbles[16] = { 0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
	0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a,
	0xf36e6f75 };

uint32_t crc32c_by_table(uint32_t crc, struct str bytes)
{
	crc = ~crc;
	for (size_t i = 0; i < bytes.len; i++) {
		crc ^= (unsigned char)bytes.p[i];
		crc = crc >> 4 ^ nibbles[crc & 15];
		crc = crc >> 4 ^ nibbles[crc & 15];
	}
	return ~crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t crc32c_by_instruction(uint32_t crc, struct str bytes)
{
	uint64_t state = ~crc, word;

	for (; bytes.len >= sizeof(word); bytes = str_cut(bytes, sizeof(word), bytes.len)) {
		memcpy(&word, bytes.p, sizeof(word));
		state = __builtin_ia32_crc32di(state, word);
	}
	for (size_t i = 0; i < bytes.len; i++)
		state = __builtin_ia32_crc32qi((uint32_t)state, (unsigned char)bytes.p[i]);
	return ~(uint32_t)state;
}

uint32_t crc32c(uint32_t crc, struct str bytes)
{
	return __builtin_cpu_supports("sse4.2") ? crc32c_by_instruction(crc, bytes) : crc32c_by_table(crc, bytes);
}
#else
uint32_t crc32c(uint32_t crc, struct str bytes)
{
	return crc32c_by_table(crc, bytes);
}
#endif
