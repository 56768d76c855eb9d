# commands.t: what can be done, before login and after (RFC 2449, 5)
options --set "pop3.errors_max 100"
S: +OK *
C: CAPA
S: +OK *
S: UTF8 USER
S: LANG
S: EXPIRE NEVER
S: TOP
S: UIDL
S: PIPELINING
S: RESP-CODES
S: AUTH-RESP-CODE
S: STLS
S: USER
S: SASL SCRAM-SHA-256 PLAIN LOGIN
S: IMPLEMENTATION *
S: .

# only what the state allows (RFC 1939, 4 and 5)
C: STAT
S: -ERR *
C: LIST
S: -ERR *
C: UIDL
S: -ERR *
C: RETR 1
S: -ERR *
C: TOP 1 0
S: -ERR *
C: DELE 1
S: -ERR *
C: RSET
S: -ERR *
C: NOOP
S: -ERR *
C: PASS secret
S: -ERR *
C: NONSENSE
S: -ERR *
C\: \r\n
S: -ERR *

# logging in: USER is the same for everybody, PASS for whatever is wrong (13; RFC 3206)
C: USER
S: -ERR *
C: USER nobody.here
S: +OK *
C: PASS secret
S: -ERR [AUTH] *
C: PASS secret
S: -ERR *
C: USER alice
S: +OK *
C: PASS  secret
S: -ERR [AUTH] *
C: USER alice
S: +OK *
C\: PASS secret \r\n
S: -ERR [AUTH] *
C: user alice@example.test
S: +OK *
C: pass secret
S: +OK 0 messages, 0 octets
C: USER bob
S: -ERR *
C: CAPA
S: +OK *
S.. .

# three messages come
server lmtp
C3: LHLO client.test
S3.. 250 *
C3\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nBDAT 35 LAST\r\nSubject: top\r\n\r\none\r\n.two\r\n\r\nfour\r\n
S3: 250 *
S3: 250 *
S3: 250 *
C3\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nBDAT 35 LAST\r\nSubject: top\r\n\r\none\r\n.two\r\n\r\nfour\r\n
S3: 250 *
S3: 250 *
S3: 250 *
C3\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nBDAT 35 LAST\r\nSubject: top\r\n\r\none\r\n.two\r\n\r\nfour\r\n
S3: 250 *
S3: 250 *
S3: 250 *

# the maildrop is what it was at PASS (3)
C: STAT
S: +OK 0 0
C: QUIT
S: +OK *
S: <close>

# STAT, LIST and UIDL agree (5, 7)
server pop3
C4\: USER alice\r\nPASS secret\r\nSTAT\r\n
S4: +OK *
S4: +OK 3 messages, *
S4: +OK 3 ${all}
C4: LIST
S4: +OK *
S4: 1 ${size}
S4: 2 ${size}
S4: 3 ${size}
S4: .
C4: LIST 2
S4: +OK 2 ${size}
C4: UIDL
S4: +OK *
S4: 1 ${uid1}
S4: 2 ${uid2}
S4: 3 ${uid3}
S4: .
C4: UIDL 3
S4: +OK 3 ${uid3}
C4: NOOP
S4: +OK *

# TOP: the header, its empty line, and so many lines (7)
C4: TOP 1 0
S4: +OK *
S4.. Subject: top
S4:
S4: .
C4: TOP 1 2
S4: +OK *
S4.. Subject: top
S4:
S4: one
S4: ..two
S4: .
C4: TOP 1 100
S4: +OK *
S4.. four
S4: .
C4: TOP 1
S4: -ERR *
C4: TOP 1 -1
S4: -ERR *
C4: TOP
S4: -ERR *

# numbers that are none
C4: RETR
S4: -ERR *
C4: RETR 0
S4: -ERR *
C4: RETR 4
S4: -ERR *
C4: RETR -1
S4: -ERR *
C4: RETR 4294967297
S4: -ERR *
C4: RETR one
S4: -ERR *
C4: LIST 4
S4: -ERR *
C4: UIDL x
S4: -ERR *
C4: DELE 0
S4: -ERR *

# nothing stands behind what wants nothing, or one number (5)
C4\: STAT 1\r\nNOOP x\r\nRSET 1\r\nCAPA x\r\nQUIT now\r\n
S4: -ERR *
S4: -ERR *
S4: -ERR *
S4: -ERR *
S4: -ERR *
C4\: LIST 1 2\r\nUIDL 1 2\r\nRETR 1 2\r\nDELE 1 2\r\nTOP 1 2 3\r\n
S4: -ERR *
S4: -ERR *
S4: -ERR *
S4: -ERR *
S4: -ERR *
C4\: noop \r\nlist \r\n
S4: +OK *
S4: +OK *
S4.. .

# a deleted message is not there, until RSET (5)
C4: DELE 2
S4: +OK *
C4: RETR 2
S4: -ERR *
C4: TOP 2 0
S4: -ERR *
C4: LIST 2
S4: -ERR *
C4: DELE 2
S4: -ERR *
C4: LIST
S4: +OK *
S4: 1 ${size}
S4: 3 ${size}
S4: .
C4: RSET
S4: +OK *
C4: STAT
S4: +OK 3 ${all}

# QUIT removes what is deleted, and all of it at once (6); UIDs stay
C4\: DELE 1\r\nDELE 3\r\nQUIT\r\n
S4: +OK *
S4: +OK *
S4: +OK *
S4: <close>
C5\: USER alice\r\nPASS secret\r\nUIDL\r\n
S5: +OK *
S5: +OK 1 messages, ${size} octets
S5: +OK *
S5: 1 ${uid2}
S5: .

# what another session removes meanwhile stays in the numbers, and is not to be had
server imap
C6: a LOGIN alice secret
S6: a OK *
C6: b SELECT INBOX
S6.. b OK *
C6: c STORE 1 +FLAGS.SILENT (\Deleted)
S6: c OK *
C6: d EXPUNGE
S6.. d OK *
C5: STAT
S5: +OK 1 ${size}
C5: DELE 1
S5: +OK *
C5: QUIT
S5: +OK *
S5: <close>
