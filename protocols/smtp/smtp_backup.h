/* smtp_backup.h - whether somebody is known in a domain that we back up: what is taken for him must not come back to a
 * sender who may never have sent it. The list of relay.recipients is read in the files lane, when it is asked for first
 * and again when the file has changed, and kept in memory: its bytes and 4 more a line. Lines: an address, or "@domain"
 * for whoever is there; "#" begins a comment. An address with a +detail is known if it is without. Where there is no list
 * the domain's own server is asked (smtp_callout.h). */
#ifndef PROTOCOLS_SMTP_BACKUP_H
#define PROTOCOLS_SMTP_BACKUP_H

#include "core/arena.h"
#include "storage/store.h"

/* done runs in a later turn: OK; ERR_ABSENT: he is not; ERR_AGAIN: it cannot be known now. conf: in force for the asker;
 * it lives until done. */
struct call *smtp_backup_ask(
	struct worker *w, const struct conf *conf, struct str address, store_done *done, void *user);

#endif
