# rename.t: RENAME, with all that is below (RFC 3501, 6.3.5)
options --set "imap.errors_max 100"
C: a LOGIN alice secret
S: a OK *
C: b CREATE foo/bar
S: b OK *
C: b CREATE foo/bar/zap
S: b OK *
C: b CREATE food
S: b OK *
C\: b APPEND foo/bar/zap (\\Flagged) {3+}\r\na:b\r\n
S: b OK [APPENDUID ${validity} 1] *
C: c RENAME foo/bar/zap zapped
S: c OK *
C: c STATUS zapped (MESSAGES UIDNEXT UIDVALIDITY)
S: * STATUS "zapped" (MESSAGES 1 UIDNEXT 2 UIDVALIDITY ${validity})
S: c OK *
C: c RENAME zapped foo/bar/zap
S: c OK *
C: c RENAME foo under/a/new/name
S: c OK *
C: c LIST "" *
S: * LIST (\HasNoChildren) "/" "INBOX"
S: * LIST (\HasNoChildren) "/" "food"
S: * LIST (\Noselect \HasChildren) "/" "under"
S: * LIST (\Noselect \HasChildren) "/" "under/a"
S: * LIST (\Noselect \HasChildren) "/" "under/a/new"
S: * LIST (\Noselect \HasChildren) "/" "under/a/new/name"
S: * LIST (\HasChildren) "/" "under/a/new/name/bar"
S: * LIST (\HasNoChildren) "/" "under/a/new/name/bar/zap"
S: c OK *
C: c EXAMINE under/a/new/name/bar/zap
S.. c OK *
C: c FETCH 1 (UID FLAGS BODY[])
S: * 1 FETCH (UID 1 FLAGS (\Flagged*) BODY[] {5}
S: a:b
S: )
S: c OK *
C: c UNSELECT
S: c OK *

# what is not there, what is there already, what cannot be
C: d RENAME nothing something
S: d NO [NONEXISTENT] *
C: d RENAME food under
S: d NO [ALREADYEXISTS] *
C: d RENAME food under/a/new/name/bar
S: d NO [ALREADYEXISTS] *
C: d RENAME food INBOX
S: d NO [ALREADYEXISTS] *
C: d RENAME food food
S: d NO [ALREADYEXISTS] *
C: d RENAME under under/a/deeper
S: d NO [CANNOT] *
C: d RENAME food a//b
S: d NO [CANNOT] *
C: d RENAME food food/
S: d NO [CANNOT] *
C: d RENAME food
S: d BAD *
C: d RENAME food "&AGE-"
S: d BAD *
C: d RENAME food full now
S: d BAD *

# RENAME of INBOX: its messages go to a new mailbox, itself it stays, and what is below it too
C: e CREATE INBOX/below
S: e OK *
C\: e APPEND inbox (\\Seen $k) {3+}\r\na:1\r\nf APPEND INBOX (\\Deleted) {3+}\r\na:2\r\n
S: e OK [APPENDUID ${inbox} 1] *
S: f OK *
C2: a LOGIN alice secret
S2: a OK *
C2: b SELECT INBOX
S2.. b OK *
C: f RENAME inBOX old-mail
S: f OK *
C2: c NOOP
S2: * 2 EXPUNGE
S2: * 1 EXPUNGE
S2: c OK *
C2\: d APPEND INBOX {3+}\r\na:3\r\n
S2: * 1 EXISTS
S2: * 1 RECENT
S2: d OK [APPENDUID ${inbox} 3] *
C: f LIST "" %
S: * LIST (\HasChildren) "/" "INBOX"
S: * LIST (\HasNoChildren) "/" "food"
S: * LIST (\HasNoChildren) "/" "old-mail"
S: * LIST (\Noselect \HasChildren) "/" "under"
S: f OK *
C: f EXAMINE old-mail
S.. f OK *
C: f FETCH 1:* (FLAGS BODY[])
S: * 1 FETCH (FLAGS (\Seen* $k) BODY[] {5}
S: a:1
S: )
S: * 2 FETCH (FLAGS (\Deleted*) BODY[] {5}
S: a:2
S: )
S: f OK *
C: f RENAME INBOX old-mail
S: f NO [ALREADYEXISTS] *
C: f RENAME INBOX INBOX/2026
S: f OK *
C: f STATUS INBOX/2026 (MESSAGES)
S: * STATUS "INBOX/2026" (MESSAGES 1)
S: f OK *

# a session that has it selected goes on under its new name
C: g SELECT food
S.. g OK *
C2: e RENAME food drink
S2.. e OK *
C\: h APPEND drink {3+}\r\na:b\r\n
S: * 1 EXISTS
S: * 1 RECENT
S: h OK *
C: h STORE 1 +FLAGS (\Seen)
S: * 1 FETCH (FLAGS (\Seen*))
S: h OK *
C: h COPY 1 INBOX
S: h OK [COPYUID *] *
C: h STATUS food (MESSAGES)
S: h NO [NONEXISTENT] *

# and so does all that was answered, after kill -9
kill
C: a LOGIN alice secret
S: a OK *
C: b LIST "" %/%
S: * LIST (\HasNoChildren) "/" "INBOX/2026"
S: * LIST (\HasNoChildren) "/" "INBOX/below"
S: * LIST (\Noselect \HasChildren) "/" "under/a"
S: b OK *
C: b STATUS drink (MESSAGES UNSEEN)
S: * STATUS "drink" (MESSAGES 1 UNSEEN 0)
S: b OK *
C: b STATUS under/a/new/name/bar/zap (MESSAGES UIDVALIDITY)
S: * STATUS * (MESSAGES 1 UIDVALIDITY ${validity})
S: b OK *
