/* control_session.h - one connection to the control socket, and what its requests are made with (control*.c alone).
 * A handler answers by items and then, now or in a later turn, by exactly one of control_done and control_error. The
 * request's JSON stays until then. */
#ifndef PROTOCOLS_CLI_CONTROL_SESSION_H
#define PROTOCOLS_CLI_CONTROL_SESSION_H

#include "core/arena.h"
#include "core/conn.h"
#include "core/worker.h"
#include "protocols/cli/control.h"
#include <jansson.h>

struct control { /* made by control_open, ended by control_free alone */
	struct session session;
	struct worker *worker;
	struct conn *conn;                  /* ours */
	json_t *request;                    /* under way; NULL while input flows; ours */
	struct call *waiting;               /* the answer it rests for; ours */
	bool asked_master;                  /* or the master's answer */
	unsigned next_worker;               /* whom to ask next, when all are asked */
	struct buf kick;                    /* what each is asked by control_kick.c */
	unsigned kicked;                    /* sessions told to end so far */
	struct control_names *names;        /* still to be told, of control.c; NULL: none; ours */
	struct control_queue *queue;        /* of control_queue.c; NULL: no such request is under way; ours */
	struct control_backup *backup;      /* of control_backup.c; the same */
	struct control_look *look;          /* of control_look.c; the same */
	void (*on_room)(struct control *c); /* what goes on when there is room for output; NULL: nothing waits for it */
	bool leaving;                       /* closes when the request under way is answered */
};

struct control_request {
	const char *name; /* NULL ends the table */
	void (*handle)(struct control *c);
};

extern const struct control_request control_server_requests[];  /* control_server.c */
extern const struct control_request control_account_requests[]; /* control_account.c */
extern const struct control_request control_name_requests[];    /* control_name.c */
extern const struct control_request control_kick_requests[];    /* control_kick.c */
extern const struct control_request control_resolve_requests[]; /* control_resolve.c */
extern const struct control_request control_route_requests[];   /* control_route.c */
extern const struct control_request control_queue_requests[];   /* control_queue.c */
extern const struct control_request control_backup_requests[];  /* control_backup.c */
extern const struct control_request control_look_requests[];    /* control_look.c */

void control_backup_free(struct control *c);      /* the same */
void control_look_free(struct control *c);        /* what it has under way; nothing is fine */
void control_queue_free(struct control_queue *q); /* NULL is fine */

/* Ends the account's sessions everywhere, tells how many, and answers the request. */
void control_kick_account(struct control *c, struct str name);

void control_item(struct control *c, json_t *item); /* takes the item */
void control_done(struct control *c);
void control_error(struct control *c, enum err e, struct str why); /* why: STR_NONE if the kind says it all */
void control_end(struct control *c, enum err e, struct str why);   /* one of both */

/* What the store says of a change, and of a list: {"name": ...} each. They answer the request. */
void control_changed(void *user, enum err e);
void control_listed(void *user, enum err e, const struct str *names, size_t count);

/* Asks the store with the request's "name" in canonical form (names.h), or answers that it is none. */
typedef enum err control_check(struct arena *a, struct str text, struct str *name);
void control_with_name(
	struct control *c, control_check *check, struct call *(*ask)(struct control *c, struct str name));

/* A text of the request; "" if it has none. Valid until the request is answered. */
struct str control_text(const struct control *c, const char *name);
/* Text as JSON, which is UTF-8: bytes that are not become question marks. */
json_t *control_json(struct str text);

#endif
