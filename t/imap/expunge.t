# expunge.t: EXPUNGE removes what is deleted, and the numbers move (RFC 3501, 6.4.3)
C: a LOGIN alice secret
S: a OK *
C\: b APPEND INBOX (\\Deleted) {3+}\r\na:1\r\nc APPEND INBOX {3+}\r\na:2\r\nd APPEND INBOX (\\Deleted) {3+}\r\na:3\r\n
S.. d OK *
C\: b APPEND INBOX (\\Deleted) {3+}\r\na:4\r\nc APPEND INBOX (\\Deleted) {3+}\r\na:5\r\nd APPEND INBOX {3+}\r\na:6\r\n
S.. d OK *
C: e SELECT INBOX
S.. e OK *

# UID EXPUNGE: only of these (RFC 4315, 2.1)
C: f UID EXPUNGE 2:3,99
S: * 3 EXPUNGE
S: f OK *
C: f UID EXPUNGE 99
S: f OK *
C: f UID EXPUNGE
S: f BAD *
C: f EXPUNGE 1
S: f BAD *
C: g EXPUNGE
S: * 4 EXPUNGE
S: * 3 EXPUNGE
S: * 1 EXPUNGE
S: g OK *
C: h UID FETCH 1:* UID
S: * 1 FETCH (UID 2)
S: * 2 FETCH (UID 6)
S: h OK *
C: i EXPUNGE
S: i OK *

# COPY, with the UIDs it gave (6.4.7; RFC 4315, 3)
C: j COPY 1:2 Archive
S: j NO [TRYCREATE] *
C: j CREATE Archive
S: j OK *
C: j COPY 1:2 Archive
S: j OK [COPYUID * 2,6 1:2] *
C: j UID COPY 6 Archive
S: j OK [COPYUID * 6 3] *
C: j UID COPY 99 Archive
S: j OK *
C: j COPY 3 Archive
S: j BAD *
C: j COPY 1
S: j BAD *
C: j COPY 1 INBOX
S: * 3 EXISTS
S: * * RECENT
S: j OK [COPYUID * 2 7] *

# CLOSE removes too, without a word, and leaves the mailbox (6.4.2)
C: k STORE 1:2 +FLAGS.SILENT (\Deleted)
S: k OK *
C: k CLOSE now
S: k BAD *
C: k CLOSE
S: k OK *
C: k CLOSE
S: k BAD *
C: k STATUS INBOX (MESSAGES UIDNEXT)
S: * STATUS "INBOX" (MESSAGES 1 UIDNEXT 8)
S: k OK *
C: l EXAMINE Archive
S.. * 3 EXISTS
S.. l OK *
C: l FETCH 1:3 BODY[]
S: * 1 FETCH (BODY[] {5}
S: a:2
S: )
S: * 2 FETCH (BODY[] {5}
S: a:6
S: )
S: * 3 FETCH (BODY[] {5}
S: a:6
S: )
S: l OK *

# UIDs never come again, also when the last message goes, and the server (2.3.1.1)
C: m SELECT INBOX
S.. m OK *
C: m STORE 1 +FLAGS.SILENT (\Deleted)
S: m OK *
C: m EXPUNGE
S: * 1 EXPUNGE
S: m OK *
kill
C: a LOGIN alice secret
S: a OK *
C\: b APPEND INBOX {3+}\r\na:8\r\n
S: b OK [APPENDUID * 8] *
