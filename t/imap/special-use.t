# special-use.t: CREATE says what a mailbox is for, and LIST tells (RFC 6154, 3 and 5)
options --set "imap.errors_max 100"
C: a LOGIN alice secret
S: a OK *
C: b CREATE Gesendet (USE (\Sent))
S: b OK *
C: b CREATE all (USE (\Junk \TRASH))
S: b OK *
C: b CREATE plain (USE ())
S: b OK *
C: b LIST "" %
S: * LIST (\HasNoChildren \Sent) "/" "Gesendet"
S: * LIST (\HasNoChildren) "/" "INBOX"
S: * LIST (\HasNoChildren \Junk \Trash) "/" "all"
S: * LIST (\HasNoChildren) "/" "plain"
S: b OK *

# one mailbox for each use; some uses there are not
C: c CREATE more (USE (\Sent))
S: c NO [USEATTR] *
C: c CREATE more (USE (\All))
S: c NO [USEATTR] *
C: c CREATE more (USE (\Drafts \Flagged))
S: c NO [USEATTR] *
C: c CREATE more (USE (\New-Fashion))
S: c NO [USEATTR] *
C: c CREATE more (USE (Sent))
S: c BAD *
C: c CREATE more (USE \Sent)
S: c BAD *
C: c CREATE more (USE (\Sent)
S: c BAD *
C: c CREATE more (COLOUR (red))
S: c BAD *
C: c CREATE more ()
S: c BAD *
C: c STATUS more (MESSAGES)
S: c NO [NONEXISTENT] *

# by its name a mailbox has a use that none was made for
C: d CREATE Sent
S: d OK *
C: d CREATE Drafts
S: d OK *
C: d CREATE Archive/2026
S: d OK *
C: d LIST (SPECIAL-USE) "" *
S: * LIST (\HasNoChildren \Drafts) "/" "Drafts"
S: * LIST (\HasNoChildren \Sent) "/" "Gesendet"
S: * LIST (\HasNoChildren \Junk \Trash) "/" "all"
S: d OK *
C: d CREATE Archive
S: d OK *
C: d LIST "" %e RETURN (SPECIAL-USE)
S: * LIST (\HasChildren \Archive) "/" "Archive"
S: d OK *
C: d CREATE Entw (USE (\Drafts))
S: d NO [USEATTR] *

# it goes with its mailbox, and ends with it
C: e RENAME Gesendet verschickt/2026
S: e OK *
C: e LIST (SPECIAL-USE) "" *ent*
S: e OK *
C: e LIST (SPECIAL-USE) "" v*
S: * LIST (\HasNoChildren \Sent) "/" "verschickt/2026"
S: e OK *
C: e LIST (SPECIAL-USE RECURSIVEMATCH) "" %
S: * LIST (\HasChildren \Archive) "/" "Archive"
S: * LIST (\HasNoChildren \Drafts) "/" "Drafts"
S: * LIST (\HasNoChildren \Junk \Trash) "/" "all"
S: * LIST (\NonExistent \HasChildren) "/" "verschickt" ("CHILDINFO" ("SPECIAL-USE"))
S: e OK *

# also through kill -9
kill
C: a LOGIN alice secret
S: a OK *
C: b LIST (SPECIAL-USE) "" v*
S: * LIST (\HasNoChildren \Sent) "/" "verschickt/2026"
S: b OK *
C: b DELETE verschickt/2026
S: b OK *
C: b LIST "" *ent*
S: * LIST (\HasNoChildren \Sent) "/" "Sent"
S: b OK *
C: b CREATE verschickt/2026
S: b OK *
C: b LIST "" v*6
S: * LIST (\HasNoChildren) "/" "verschickt/2026"
S: b OK *
