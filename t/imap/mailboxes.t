# mailboxes.t: CREATE (RFC 3501, 6.3.3)
options --set "imap.errors_max 100"
C: a LOGIN alice secret
S: a OK *
C: b CREATE Work
S: b OK *
C: b CREATE Work
S: b NO [ALREADYEXISTS] *
C: b CREATE inbox
S: b NO [ALREADYEXISTS] *
C: b CREATE Archive/2026/May
S: b OK *
C: b CREATE later/
S: b OK *
C: b CREATE "Entw&APw-rfe"
S: b OK *
C: b CREATE "with space (and \"quotes\")"
S: b OK *
C: b CREATE
S: b BAD *
C: b CREATE Work now
S: b BAD *
C: b CREATE ""
S: b NO *
C: b CREATE a//b
S: b NO *
C: b CREATE "&"
S: b BAD *
C: b CREATE "&AGE-"
S: b BAD *
C\: b CREATE "a\x01b"\r\n
S: b NO *

# a name cannot leave its account
C: c CREATE ../bob/INBOX
S: c OK *
C: c LIST "" "../bob/%"
S: * LIST (\HasNoChildren) "/" "../bob/INBOX"
S: c OK *
C: c DELETE ../bob/INBOX
S: c OK *

# LIST: `*` is anything, `%` anything on one level (6.3.8); CHILDREN (RFC 3348)
C: d LIST "" Archive*
S: * LIST (\Noselect \HasChildren) "/" "Archive"
S: * LIST (\Noselect \HasChildren) "/" "Archive/2026"
S: * LIST (\HasNoChildren) "/" "Archive/2026/May"
S: d OK *
C: d LIST "" Archive/%
S: * LIST (\Noselect \HasChildren) "/" "Archive/2026"
S: d OK *
C: d LIST Archive/ %/May
S: * LIST (\HasNoChildren) "/" "Archive/2026/May"
S: d OK *
C: d LIST "" inbox
S: * LIST (\HasNoChildren) "/" "INBOX"
S: d OK *
C: d LIST "" "Entw&APw-r*"
S: * LIST (\HasNoChildren) "/" "Entw&APw-rfe"
S: d OK *
C: d LIST "" "with*"
S: * LIST (\HasNoChildren) "/" "with space (and \"quotes\")"
S: d OK *
C: d LIST "" nothing*
S: d OK *
C: d LIST "" ""
S: * LIST (\Noselect) "/" ""
S: d OK *
C: d LIST ""
S: d BAD *
C: d LIST "" (
S: d BAD *

# DELETE (6.3.4)
C: e DELETE Work
S: e OK *
C: e DELETE Work
S: e NO [NONEXISTENT] *
C: e DELETE INBOX
S: e NO *
C: e SELECT Work
S: e NO [NONEXISTENT] *

# RENAME (6.3.5)
C: f RENAME later sooner
S: f OK *
C: f RENAME later latest
S: f NO [NONEXISTENT] *
C: f RENAME sooner Archive/2026/May
S: f NO [ALREADYEXISTS] *
C: f RENAME sooner a//b
S: f NO *
C: f RENAME sooner
S: f BAD *
C: f RENAME Archive Old
S: f OK *
C: f LIST "" Old/2026/%
S: * LIST (\HasNoChildren) "/" "Old/2026/May"
S: f OK *

# SUBSCRIBE, UNSUBSCRIBE and LSUB (6.3.6, 6.3.7, 6.3.9)
C: g LSUB "" *
S: g OK *
C: g SUBSCRIBE Old/2026/May
S: g OK *
C: g SUBSCRIBE INBOX
S: g OK *
C: g LSUB "" *
S.. * LSUB (\HasNoChildren) "/" "Old/2026/May"
S: g OK *
C: g LSUB "" %
S: * LSUB (\HasNoChildren) "/" "INBOX"
S: * LSUB (\Noselect \HasChildren) "/" "Old"
S: g OK *
C: g LSUB Old/ %
S: * LSUB (\Noselect \HasChildren) "/" "Old/2026"
S: g OK *
C: g UNSUBSCRIBE INBOX
S: g OK *
C: g LSUB "" INBOX
S: g OK *
C: g SUBSCRIBE
S: g BAD *

# STATUS (6.3.10)
C: h STATUS INBOX (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN)
S: * STATUS "INBOX" (MESSAGES 0 RECENT 0 UIDNEXT 1 UIDVALIDITY * UNSEEN 0)
S: h OK *
C: h STATUS nowhere (MESSAGES)
S: h NO [NONEXISTENT] *
C: h STATUS INBOX ()
S: h BAD *
C: h STATUS INBOX (SHOESIZE)
S: h BAD *
C: h STATUS INBOX MESSAGES
S: h BAD *
C: h STATUS INBOX (MESSAGES
S: h BAD *

# SELECT and EXAMINE (6.3.1, 6.3.2); one that fails leaves nothing selected
C: i SELECT INBOX
S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft \\*)] *
S: * 0 EXISTS
S: * 0 RECENT
S: * OK [UIDVALIDITY *] *
S: * OK [UIDNEXT 1] *
S: i OK [READ-WRITE] *
C: i CHECK
S: i OK *
C: i SELECT nowhere
S: i NO [NONEXISTENT] *
C: i CHECK
S: i BAD *
C: i EXAMINE INBOX
S.. * OK [PERMANENTFLAGS ()] *
S.. i OK [READ-ONLY] *
C: i SELECT
S: i BAD *
C: i CHECK
S: i OK *
