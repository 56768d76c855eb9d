# stop.t: a server that stops parts from each client as its protocol has it (RFC 5321, 3.8; RFC 3501, 7.1.5)
server smtp
C: EHLO client.test
S.. 250 *
C2: EHLO client.test
S2.. 250 *
C2\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S2: 250 *
S2: 250 *
S2: 354 *
C2: half a message
server imap
C3: a NOOP
S3: a OK *
C4: a LOGIN alice secret
S4: a OK *
C4: b IDLE
S4: + *
C5: a LOGIN alice secret
S5: a OK *
C5: b APPEND INBOX {100+}
C5: half a message
C6: a AUTHENTICATE PLAIN
S6: + *
server pop3
C7\: USER alice\r\nPASS secret\r\n
S7: +OK *
S7: +OK *
server submission
C8: EHLO client.test
S8.. 250 *
C8: AUTH LOGIN
S8: 334 *
$ stop
S: 421 *
S: <close>
S2: 421 *
S2: <close>
S3: * BYE *
S3: <close>
S4: * BYE *
S4: <close>
S5: * BYE *
S5: <close>
S6: * BYE *
S6: <close>
S7: <close>
S8: 421 *
S8: <close>

# what was half said is not there when it is back
kill
server imap
C9: a LOGIN alice secret
S9: a OK *
C9: b STATUS INBOX (MESSAGES)
S9: * STATUS "INBOX" (MESSAGES 0)
S9: b OK *
