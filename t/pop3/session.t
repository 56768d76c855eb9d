# session.t: a greeting, capabilities, a wrong password and a right one (RFC 1939, 4; RFC 2449)
options --workers 1
S: +OK*
C: CAPA
S: +OK*
S.. UIDL
S.. .
C: STAT
S: -ERR*
C: USER alice
S: +OK*
C: PASS wrong
S: -ERR*
C: USER alice
S: +OK*
C: PASS secret
S: +OK*

# an empty maildrop (5)
C: STAT
S: +OK 0 0
C: LIST
S: +OK*
S: .
C: RETR 1
S: -ERR*
C: QUIT
S: +OK*
S: <close>

# three messages come
server smtp
C2: EHLO client.test
S2.. 250 *
C2\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S2: 250 *
S2: 250 *
S2: 354 *
C2\: Subject: one\r\n\r\n1\r\n2\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S2: 250 *
S2: 250 *
S2: 250 *
S2: 354 *
C2\: Subject: two\r\n\r\n.\r\n
S2: 250 *

# they are told, one deleted, and deletions taken back (5)
server pop3
C3: USER alice
S3: +OK*
C3: PASS secret
S3: +OK*
C3: UIDL
S3: +OK*
S3: 1 ${first}
S3: 2 ${second}
S3: .
C3: TOP 1 1
S3: +OK*
S3.. Subject: one
S3:
S3: 1
S3: .
C3: DELE 1
S3: +OK*
C3: DELE 1
S3: -ERR*
C3: STAT
S3: +OK 1 *
C3: RSET
S3: +OK*
C3: STAT
S3: +OK 2 *

# a session that does not QUIT deletes nothing; one that does, does (6)
C3: DELE 1
S3: +OK*
close3
C4: USER alice
S4: +OK*
C4: PASS secret
S4: +OK*
C4: DELE 1
S4: +OK*
C4: QUIT
S4: +OK*
C5: USER alice
S5: +OK*
C5: PASS secret
S5: +OK*
C5: UIDL
S5: +OK*
S5: 1 ${second}
S5: .
