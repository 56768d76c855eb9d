# mailbox-limits.t: how many mailboxes, how long their names, how many levels (RFC 5530, LIMIT)
options --set "store.mailboxes_per_account 4" --set "store.mailbox_name_max 20" --set "store.mailbox_depth_max 3"
C: a LOGIN alice secret
S: a OK *
C: b SELECT INBOX
S.. b OK *
C: b CREATE 12345678901234567890
S: b OK *
C: b CREATE 123456789012345678901
S: b NO [LIMIT] *
C: b CREATE a/b/c
S: b OK *
C: b CREATE a/b/c/d
S: b NO [LIMIT] *
C: b CREATE a/b/d/
S: b OK *

# a fifth there is not, before one goes
C: c CREATE fifth
S: c NO [LIMIT] *
C: c DELETE a/b/d
S: c OK *
C: c CREATE fifth
S: c OK *

# nor by renaming INBOX, which stays; nor can a name become too long
C: d RENAME INBOX sixth
S: d NO [LIMIT] *
C: d RENAME fifth a/b/c/d
S: d NO [LIMIT] *
C: d RENAME a x/y
S: d NO [LIMIT] *
C: d RENAME a a-name-of-20-bytes--
S: d NO [LIMIT] *
C: d RENAME a x
S: d OK *
C: d LIST "" x/*
S: * LIST (\Noselect \HasChildren) "/" "x/b"
S: * LIST (\HasNoChildren) "/" "x/b/c"
S: d OK *

# names subscribed to have the same limit of number
C: e SUBSCRIBE a
S: e OK *
C: e SUBSCRIBE b
S: e OK *
C: e SUBSCRIBE c
S: e OK *
C: e SUBSCRIBE d
S: e OK *
C: e SUBSCRIBE e
S: e NO [LIMIT] *
C: e UNSUBSCRIBE a
S: e OK *
C: e SUBSCRIBE e
S: e OK *
