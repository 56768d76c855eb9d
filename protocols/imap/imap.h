/* imap.h - IMAP4rev1 as a server (RFC 3501): what the house lists.
 * A folder readable alone: imap.c is the engine, imap_command.c the table of commands; imap_parse.c finds where a
 * command ends and imap_args.c reads what it says; imap_about.c, imap_login.c, imap_mailbox.c, imap_list.c
 * (with imap_listing.c), imap_status.c, imap_append.c,
 * imap_fetch.c (with imap_section.c and imap_structure.c), imap_store.c, imap_copy.c, imap_search.c (with
 * imap_search_key.c) and imap_idle.c are the families of commands, imap_news.c what is told unasked and imap_seen.c
 * what is told ahead; imap_quiet.c gives back what a quiet client does not need; imap_set.c, imap_numbers.c, imap_pattern.c and imap_write.c are tools, imap_session.h is what they
 * share. */
#ifndef PROTOCOLS_IMAP_H
#define PROTOCOLS_IMAP_H

#include "core/service.h"
#include "core/settings.h"

struct imap_conf {
	int64_t idle_ms;        /* silence before we part; RFC 3501, 5.4 wants 30 minutes at least */
	int64_t login_ms;       /* the same before login */
	int64_t quiet_ms;       /* silence before a session's memory is given back */
	int64_t errors_max;     /* BAD commands, then BYE */
	int64_t command_max;    /* bytes of a command, its literals included; APPEND's message apart */
	int64_t append_max;     /* bytes of a message */
	int64_t line_ends;      /* of one: enum form_lines */
	int64_t literals;       /* enum literals */
	struct setting_list id; /* what ID tells: "field=value" each */
};
enum literals { LITERALS_PLUS, LITERALS_MINUS, LITERALS_SYNC }; /* those that come without being asked for */
extern const struct settings imap_settings;

extern const struct service imap_service, imaps_service;

#endif
