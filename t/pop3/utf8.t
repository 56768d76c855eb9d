# utf8.t: a message that came with SMTPUTF8 is for clients that say UTF8 (RFC 6856, 2 and 5)
server smtp
C: EHLO client.test
S.. 250 *
C: MAIL FROM:<zoë@bücher.test> BODY=8BITMIME SMTPUTF8
S: 250 *
C: RCPT TO:<alice@example.test>
S: 250 *
C: DATA
S: 354 *
C: From: zoë@bücher.test
C: Subject: Grüße
C:
C: hello
C: .
S: 250 *

# one that came with SMTPUTF8 and is in ASCII is for everybody, and so is one that came in bytes nobody declared
C: MAIL FROM:<a@example.test> SMTPUTF8
S: 250 *
C: RCPT TO:<alice@example.test>
S: 250 *
C: DATA
S: 354 *
C: Subject: plain
C:
C: Grüße
C: .
S: 250 *
C: MAIL FROM:<a@example.test> BODY=8BITMIME
S: 250 *
C: RCPT TO:<alice@example.test>
S: 250 *
C: DATA
S: 354 *
C\: Subject: Gr\xfc\xdfe\r\n\r\n.\r\n
S: 250 *

# who does not say it gets an answer that says so, and can still list and delete
server pop3
C2\: USER alice\r\nPASS secret\r\n
S2: +OK *
S2: +OK 3 messages, *
C2: LIST 1
S2: +OK 1 ${size}
C2: RETR 1
S2: -ERR [UTF8] *
C2: TOP 1 0
S2: -ERR [UTF8] *
C2: UIDL 1
S2: +OK 1 *
C2: UTF8
S2: -ERR *
C2: RETR 2
S2: +OK *
S2.. Subject: plain
S2:
S2.. .
C2: RETR 3
S2: +OK *
S2.. Subject: Gr*
S2.. .
C2: DELE 1
S2: +OK *
C2: RSET
S2: +OK *
C2: QUIT
S2: +OK *

# who does gets it as it is, and its size is what was said
C3: UTF8 USER
S3: -ERR *
C3: UTF8
S3: +OK *
C3\: USER alice\r\nPASS secret\r\n
S3: +OK *
S3: +OK 3 messages, *
C3: LIST 1
S3: +OK 1 ${size}
C3: RETR 1
S3: +OK ${size} octets
S3.. From: zoë@bücher.test
S3: Subject: Grüße
S3:
S3: hello
S3: .
C3: TOP 1 0
S3: +OK *
S3.. Subject: Grüße
S3:
S3: .
C3: QUIT
S3: +OK *

# names and passwords may be in UTF-8 anyway (2.2)
$ account add jürgen@example.test --password geheimnißvoll
C4: CAPA
S4.. UTF8 USER
S4.. .
C4: USER jürgen
S4: +OK *
C4: PASS geheimnißvoll
S4: +OK 0 messages, *
