/* name_change.h - what an administrator may do with a name that is no account: an alias, a forwarder, a group.
 * The same for all of them, and the same whether a server runs (store.h) or not. */
#ifndef STORAGE_ACCOUNT_NAME_CHANGE_H
#define STORAGE_ACCOUNT_NAME_CHANGE_H

#include "storage/account/account.h"

enum name_how {
	NAME_ADD,           /* ERR_EXISTS: there is something of this name, of whatever kind */
	NAME_SET,           /* another owner and other rules of a group; other addresses of the rest */
	NAME_MEMBER_ADD,    /* those that are not in it yet */
	NAME_MEMBER_DELETE, /* ERR_ABSENT: one is not in it */
};

struct name_change {
	enum account_kind kind; /* not KIND_ACCOUNT */
	enum name_how how;
	struct str address; /* canonical */
	struct str to;      /* "a@x.test, b@y.test" */
	/* Of groups alone: NAME_ADD and NAME_SET. */
	struct str owner;
	bool members_only, skip_author;
};

/* The settings as they are afterwards; they lie in the arena. there: as they are now, NULL: there are none. ERR_EXISTS,
 * ERR_ABSENT; ERR_MISTAKE: an address is none, or there are too few or too many for what it is; ERR_TOO_BIG. */
enum err name_change_apply(
	const struct name_change *c, const struct account_settings *there, struct arena *a, struct account_settings *s);

/* Whether it stands for one of these addresses, a list as of members.h in canonical form, or is owned by it. For lanes; uses
 * the arena. */
bool name_points_to(const struct account_settings *s, struct str addresses, struct arena *a);

#endif
