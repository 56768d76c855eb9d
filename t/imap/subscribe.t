# subscribe.t: SUBSCRIBE, UNSUBSCRIBE and LSUB (RFC 3501, 6.3.6, 6.3.7, 6.3.9)
options --set "imap.errors_max 100"
C: a LOGIN alice secret
S: a OK *
C: b CREATE Old/2026/May
S: b OK *
C: c LSUB "" *
S: c OK *
C: c SUBSCRIBE Old/2026/May
S: c OK *
C: c SUBSCRIBE Old/2026/May
S: c OK *
C: c SUBSCRIBE inbox
S: c OK *
C: c LSUB "" *
S: * LSUB (\HasNoChildren) "/" "INBOX"
S: * LSUB (\HasNoChildren) "/" "Old/2026/May"
S: c OK *
C: c LSUB "" ""
S: * LSUB (\Noselect) "/" ""
S: c OK *

# with "%" a name above one that is subscribed is told of, as \Noselect
C: d LSUB "" %
S: * LSUB (\HasNoChildren) "/" "INBOX"
S: * LSUB (\Noselect \HasChildren) "/" "Old"
S: d OK *
C: d LSUB Old/ %
S: * LSUB (\Noselect \HasChildren) "/" "Old/2026"
S: d OK *
C: d LSUB "" Old/2026/%
S: * LSUB (\HasNoChildren) "/" "Old/2026/May"
S: d OK *

# names are subscribed to, whether there is a mailbox or not, before it comes and after it went
C: e SUBSCRIBE "to/come soon"
S: e OK *
C: e LSUB "" to*
S: * LSUB (\HasNoChildren) "/" "to/come soon"
S: e OK *
C: e LSUB "" t%
S: * LSUB (\Noselect \HasNoChildren) "/" "to"
S: e OK *
C: e LIST "" to*
S: e OK *
C: e CREATE "to/come soon"
S: e OK *
C: e LSUB "" to*
S: * LSUB (\HasNoChildren) "/" "to/come soon"
S: e OK *
C: e DELETE "to/come soon"
S: e OK *
C: e RENAME Old/2026 Older
S: e OK *
C: e LSUB "" *
S: * LSUB (\HasNoChildren) "/" "INBOX"
S: * LSUB (\HasNoChildren) "/" "Old/2026/May"
S: * LSUB (\HasNoChildren) "/" "to/come soon"
S: e OK *

# also through kill -9
kill
C: a LOGIN alice secret
S: a OK *
C: b LSUB "" *
S: * LSUB (\HasNoChildren) "/" "INBOX"
S: * LSUB (\HasNoChildren) "/" "Old/2026/May"
S: * LSUB (\HasNoChildren) "/" "to/come soon"
S: b OK *
C: b UNSUBSCRIBE INBOX
S: b OK *
C: b UNSUBSCRIBE Old/2026/May
S: b OK *
C: b UNSUBSCRIBE Old/2026/May
S: b OK *
C: b LSUB "" *
S: * LSUB (\HasNoChildren) "/" "to/come soon"
S: b OK *

# what is no name
C: c SUBSCRIBE
S: c BAD *
C: c SUBSCRIBE a b
S: c BAD *
C: c SUBSCRIBE a//b
S: c NO [CANNOT] *
C: c UNSUBSCRIBE ""
S: c NO [CANNOT] *
C: c UNSUBSCRIBE
S: c BAD *
C: c LSUB ""
S: c BAD *
C: c LSUB "" (a b)
S: c BAD *
C: c LSUB (SUBSCRIBED) "" a
S: c BAD *
C: c LSUB "" a RETURN (CHILDREN)
S: c BAD *
