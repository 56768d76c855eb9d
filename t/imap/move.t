# move.t: MOVE: the copy's UIDs, then what is gone, then OK (RFC 6851, 3 and 4.3)
options --set "imap.errors_max 100"
C: a LOGIN alice secret
S: a OK *
C\: b APPEND INBOX (\\Seen $Work) " 7-Feb-1994 21:52:25 +0000" {3+}\r\na:1\r\nc APPEND INBOX {3+}\r\na:2\r\nd APPEND INBOX {3+}\r\na:3\r\ne APPEND INBOX {3+}\r\na:4\r\n
S.. e OK *
C: f CREATE Archive
S: f OK *
C: f STATUS Archive (UIDVALIDITY)
S: * STATUS "Archive" (UIDVALIDITY ${validity})
S: f OK *
C: f MOVE 1 Archive
S: f BAD *
C: f SELECT INBOX
S.. f OK *
C2: a LOGIN alice secret
S2: a OK *
C2: b SELECT Archive
S2.. b OK *
C: g MOVE 1,3 Archive
S: * OK [COPYUID ${validity} 1,3 1:2] *
S: * 3 EXPUNGE
S: * 1 EXPUNGE
S: g OK *
C2: c NOOP
S2: * FLAGS (* $Work)
S2: * OK [PERMANENTFLAGS (* $Work *)] *
S2: * 2 EXISTS
S2: * 2 RECENT
S2: c OK *
C2: d FETCH 1:2 (UID FLAGS INTERNALDATE BODY.PEEK[])
S2: * 1 FETCH (UID 1 FLAGS (\Seen \Recent $Work) INTERNALDATE " 7-Feb-1994 21:52:25 +0000" BODY[] {5}
S2: a:1
S2: )
S2: * 2 FETCH (UID 2 FLAGS (\Recent) INTERNALDATE "*" BODY[] {5}
S2: a:3
S2: )
S2: d OK *

# UID MOVE (3.2): UIDs that are not there are passed over
C: h UID MOVE 1,4,99 Archive
S: * OK [COPYUID ${validity} 4 3] *
S: * 2 EXPUNGE
S: h OK *
C: h UID MOVE 1 Archive
S: h OK *
C: h FETCH 1:* UID
S: * 1 FETCH (UID 2)
S: h OK *

# where it cannot go it stays (3.3)
C: i MOVE 1 nowhere
S: i NO [TRYCREATE] *
C: i MOVE 2 Archive
S: i BAD *
C: i MOVE 1
S: i BAD *
C: i MOVE 1 Archive now
S: i BAD *
C: i MOVE x Archive
S: i BAD *
C: i UID MOVE 2 nowhere
S: i NO [TRYCREATE] *
C: i FETCH 1:* UID
S: * 1 FETCH (UID 2)
S: i OK *

# nothing is taken from a mailbox that is only examined, and nothing but \Deleted is left to EXPUNGE
C2: e EXAMINE Archive
S2.. e OK *
C2: e MOVE 1 INBOX
S2: e NO [READ-ONLY] *
C2: e UID MOVE 1 INBOX
S2: e NO [READ-ONLY] *

# within one mailbox a message gets a new UID
C: j MOVE 1 INBOX
S: * OK [COPYUID * 2 5] *
S: * 1 EXPUNGE
S: * 1 EXISTS
S: * 1 RECENT
S: j OK *
C: j FETCH 1 (UID BODY.PEEK[])
S: * 1 FETCH (UID 5 BODY[] {5}
S: a:2
S: )
S: j OK *

# commands behind it have the numbers that it leaves (RFC 3501, 5.5)
C\: k APPEND INBOX {3+}\r\na:6\r\nl MOVE 1 Archive\r\nm FETCH 1 UID\r\nn MOVE 1 Archive\r\no MOVE 1 Archive\r\n
S.. k OK *
S.. l OK *
S: * 1 FETCH (UID 6)
S: m OK *
S.. n OK *
S: o BAD *

# what was answered outlives kill -9: the messages are in one mailbox, and in that alone
kill
C: a LOGIN alice secret
S: a OK *
C: b STATUS INBOX (MESSAGES UIDNEXT)
S: * STATUS "INBOX" (MESSAGES 0 UIDNEXT 7)
S: b OK *
C: c STATUS Archive (MESSAGES UIDVALIDITY)
S: * STATUS "Archive" (MESSAGES 5 UIDVALIDITY ${validity})
S: c OK *
