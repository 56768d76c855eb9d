/* imap_parse.h - where an IMAP command ends (RFC 3501, 9; literals of RFC 7888): bytes in, lengths out, no I/O.
 * A command is a line, and where that line ends in {n}, n bytes and a line more, and so on. */
#ifndef PROTOCOLS_IMAP_PARSE_H
#define PROTOCOLS_IMAP_PARSE_H

#include "core/str.h"

struct imap_parser {        /* zeroed: at the first byte of a command */
	size_t scanned;     /* bytes known not to hold the end: parsing goes on there */
	bool literal;       /* a literal begins at `scanned` */
	bool announced;     /* it does so since this call: the caller judges it, then calls again */
	bool synchronising; /* {n}: the client waits for "+ " before it sends its bytes; {n+}: it does not */
	bool binary;        /* ~{n}: it may hold NULs (literal8 of RFC 3516) */
	uint64_t literal_len;
};

/* Bytes of the command at the front of `bytes`, its last CRLF included; 0: more must come, or a literal is announced;
 * -1: this can never be a command (LF without CR, NUL, a literal over 4 GiB): nothing that follows can be trusted.
 * Called again with the same bytes and more behind them it goes on. */
ptrdiff_t imap_parse(struct imap_parser *p, struct str bytes);

#endif
