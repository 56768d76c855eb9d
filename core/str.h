/* str.h - a span of bytes that somebody else owns: what parsers hand out.
 * Not ended by a NUL and free to hold one. Comparing without case means ASCII case alone, as the mail RFCs do. */
#ifndef CORE_STR_H
#define CORE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *p;
	size_t len;
};

#define STR(literal) ((struct str){ (literal), sizeof(literal) - 1 })
#define STR_NONE     ((struct str){ NULL, 0 })
#define STR_FMT      "%.*s" /* printf("name=" STR_FMT, STR_ARG(name)) */
#define STR_ARG(s)   (int)(s).len, (s).p

static inline struct str str_of(const char *text) /* NULL gives STR_NONE */
{
	return (struct str){ text, text ? strlen(text) : 0 };
}

static inline struct str str_cut(struct str s, size_t from, size_t to) /* bytes [from, to); both within s */
{
	return (struct str){ from ? s.p + from : s.p, to - from }; /* adding even 0 to NULL is undefined */
}

bool str_eq(struct str a, struct str b);
bool str_eq_nocase(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_starts_nocase(struct str s, struct str prefix);
int str_cmp(struct str a, struct str b);     /* bytewise, as strcmp */
ptrdiff_t str_find(struct str s, char c);    /* index of the first c, -1 without */
ptrdiff_t str_rfind(struct str s, char c);   /* index of the last c, -1 without */
struct str str_trim(struct str s);           /* without spaces, tabs, CR and LF at both ends */
struct str str_word(struct str *left);       /* takes what stands before the next space, trimmed; empty at the end */
bool str_u64(struct str s, uint64_t *value); /* all of s is decimal digits and fits; else value untouched */
bool str_u32(struct str s, uint32_t *value);
bool str_hex(struct str s, uint64_t *value); /* all of s is 1 to 16 hexadecimal digits, in any case */
char *str_dup(struct str s);                 /* a NUL-ended copy, caller frees */
char ascii_lower(char c);
uint64_t str_hash(struct str s); /* FNV-1a with a final mix: stable for ever, it chooses shards */

#endif
