/* imap_args.h - reading what a command says, argument by argument (RFC 3501, 9).
 * Once anything is amiss every further reading answers emptily, and args_end is false: a command reads all its
 * arguments as if they were right and checks once. Spans lie in the command's bytes or in its arena. */
#ifndef PROTOCOLS_IMAP_ARGS_H
#define PROTOCOLS_IMAP_ARGS_H

#include "core/arena.h"
#include "storage/mail/date.h"
#include "storage/mailbox/state.h"
#include "storage/store.h"

struct args {
	struct str left; /* of the command, without its last CRLF */
	struct arena *arena;
	bool bad;
};

struct args args_of(struct str command, struct arena *arena);
bool args_end(struct args *a);         /* all is well and nothing is left */
struct str args_wrong(struct args *a); /* something is amiss */

bool args_peek(const struct args *a, char c);    /* the next byte is c */
bool args_char(struct args *a, char c);          /* takes it, or bad */
bool args_try(struct args *a, char c);           /* takes it if it is there */
void args_space(struct args *a);                 /* takes one space, or bad */
bool args_word(struct args *a, struct str word); /* takes word if it is there, in any case */

bool args_is_astring_char(char c);

struct str args_tag(struct args *a);
struct str args_atom(struct args *a);
struct str args_string(struct args *a); /* quoted or literal */
struct str args_astring(struct args *a);
struct str args_mailbox(struct args *a); /* from modified UTF-7 to UTF-8; INBOX in upper case */
struct str args_pattern(struct args *a); /* list-mailbox: with % and *; UTF-8 */
uint32_t args_number(struct args *a);
int64_t args_date_time(struct args *a); /* seconds since 1970 */
int64_t args_day(struct args *a);       /* a date: days since 1970 */

#define FLAGS_MAX 100 /* keywords in one list */

/* (\Seen keyword ...) with or without its parentheses. */
void args_flags(struct args *a, struct flag_words *words);

#endif
