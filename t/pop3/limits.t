# limits.t: a line has 255 octets as clients go, and no more than 512 (RFC 2449, 4)
options --set "pop3.errors_max 3" --set "login.fails_max 2" --set "pop3.idle_timeout 10m"
C: NOOP of what is not allowed yet
S: -ERR *
C+ 511 of USER a
S: <silence>
C\: a
S: -ERR *
S: <close>

# so many mistakes and no more
C2\: X\r\nX\r\nX\r\nCAPA\r\nX\r\nCAPA\r\n
S2: -ERR *
S2: -ERR *
S2: -ERR *
S2: +OK *
S2.. .
S2: -ERR *
S2: <close>

# and so many wrong passwords
C3\: USER alice\r\nPASS a\r\nUSER alice\r\nPASS b\r\nUSER alice\r\nPASS secret\r\n
S3: +OK *
S3: -ERR [AUTH] *
S3: +OK *
S3: -ERR [AUTH] *
S3: <close>

# whoever is silent for ten minutes is left without a word, and nothing is deleted (RFC 1939, 3)
server lmtp
C4: LHLO client.test
S4.. 250 *
C4\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n.\r\n
S4.. 250 2.0.0 *
server pop3
C5\: USER alice\r\nPASS secret\r\nDELE 1\r\n
S5: +OK *
S5: +OK 1 *
S5: +OK *
clock +590s
S5: <silence>
C5: NOOP
S5: +OK *
clock +601s
S5: <close>
C6\: USER alice\r\nPASS secret\r\n
S6: +OK *
S6: +OK 1 *

# a client that does not read is one that is silent
server smtp
C7: EHLO client.test
S7.. 250 *
C7\: MAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n
S7: 250 *
S7: 250 *
S7: 354 *
C7+ 20000000 of 012345678901234567890123456789\r\n
C7\: \r\n.\r\n
S7: 250 *
server pop3
C8\: USER bob\r\nPASS secret\r\n
S8: +OK *
S8: +OK 1 *
C8: RETR 1
S8: +OK *
# what still went into the system's buffers counts, the first time
clock +601s
clock +11s
clock +601s
clock +11s
S8.. <close>
