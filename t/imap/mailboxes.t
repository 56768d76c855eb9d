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
C: b CREATE later
S: b NO [ALREADYEXISTS] *
C: b CREATE /
S: b NO [CANNOT] *
C: b CREATE later//
S: b NO [CANNOT] *
C: b CREATE /later
S: b NO [CANNOT] *
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
C: b CREATE "&U,BTFw-&ZeVnLIqe-"
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
C: d LIST "" iNbO%
S: * LIST (\HasNoChildren) "/" "INBOX"
S: d OK *
C: d LIST "" A%v*/%y
S: * LIST (\HasNoChildren) "/" "Archive/2026/May"
S: d OK *
C: d LIST "Arch" "ive%"
S: * LIST (\Noselect \HasChildren) "/" "Archive"
S: d OK *
C: d LIST Archive %
S: * LIST (\Noselect \HasChildren) "/" "Archive"
S: d OK *
C: d LIST "" /%
S: d OK *
C: d LIST "" %/%
S: * LIST (\Noselect \HasChildren) "/" "Archive/2026"
S: d OK *
C: d LIST "" %
S: * LIST (\Noselect \HasChildren) "/" "Archive"
S: * LIST (\HasNoChildren) "/" "Entw&APw-rfe"
S: * LIST (\HasNoChildren) "/" "INBOX"
S: * LIST (\HasNoChildren) "/" "Work"
S: * LIST (\HasNoChildren) "/" "later"
S: * LIST (\HasNoChildren) "/" "with space (and \"quotes\")"
S: d OK *
C: d LIST "" ""
S: * LIST (\Noselect) "/" ""
S: d OK *
C: d LIST Archive ""
S: * LIST (\Noselect) "/" ""
S: d OK *
C: d LIST ""
S: d BAD *
C: d LIST "" (
S: d BAD *

# a level that is no mailbox can become one (6.3.3)
C: e SELECT Archive
S: e NO [NONEXISTENT] *
C: e CREATE Archive
S: e OK *
C: e LIST "" Archive
S: * LIST (\HasChildren \Archive) "/" "Archive"
S: e OK *

# DELETE (6.3.4): what is below stays, and a level that is no mailbox is not deleted
C: e DELETE Archive
S: e OK *
C: e LIST "" Archive*
S: * LIST (\Noselect \HasChildren) "/" "Archive"
S: * LIST (\Noselect \HasChildren) "/" "Archive/2026"
S: * LIST (\HasNoChildren) "/" "Archive/2026/May"
S: e OK *
C: e DELETE Archive
S: e NO [CANNOT] *
C: e DELETE Work
S: e OK *
C: e DELETE Work
S: e NO [NONEXISTENT] *
C: e DELETE later/
S: e NO [CANNOT] *
C: e DELETE INBOX
S: e NO *
C: e SELECT Work
S: e NO [NONEXISTENT] *
C: e DELETE
S: e BAD *
C: e DELETE a b
S: e BAD *

# made again it has a greater UIDVALIDITY (2.3.1.1)
C: e CREATE Work
S: e OK *
C\: e APPEND Work {3+}\r\na:b\r\n
S: e OK [APPENDUID ${work} 1] *
C: e DELETE Work
S: e OK *
C: e CREATE Work
S: e OK *
C: e STATUS Work (MESSAGES UIDVALIDITY)
S: * STATUS "Work" (MESSAGES 0 UIDVALIDITY ${again})
S: e OK *
C: e DELETE Work
S: e OK *

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
