# utf8.t: addresses beyond ASCII are for those who say SMTPUTF8 (RFC 6531, 3.3 and 3.5)
$ account add jürgen@example.test --password secret
C: EHLO client.test
S.. 250-SMTPUTF8
S.. 250 *
C: MAIL FROM:<zoë@example.test>
S: 553 5.6.7 *
C: MAIL FROM:<x@bücher.test>
S: 553 5.6.7 *
C: MAIL FROM:<x@example.test> SMTPUTF8=yes
S: 501 *
C: MAIL FROM:<x@example.test>
S: 250 *
C: RCPT TO:<jürgen@example.test>
S: 553 5.6.7 *
C: RCPT TO:<alice@example.test> ORCPT=utf-8;jürgen@example.test
S: 501 *
C: RSET
S: 250 *

# who says it hears them too
C: MAIL FROM:<zoë@bücher.test> BODY=8BITMIME SMTPUTF8
S: 250 2.1.0 sender <zoë@bücher.test>
C: RCPT TO:<jürgen@example.test> ORCPT=utf-8;jürgen@example.test
S: 250 2.1.5 recipient <jürgen@example.test>
C: RCPT TO:<nobodü@example.test>
S: 550 5.1.1 *
C: RCPT TO:<alice@bücher.test>
S: 550 5.7.1 *
C\: RCPT TO:<j\xfcrgen@example.test>\r\n
S: 501 *
C: DATA
S: 354 *
C: Subject: Grüße
C: From: zoë@bücher.test
C:
C: .
S: 250 *

# the trace and the message have them as they came (3.2 and 3.7.3)
server imap
C2: a LOGIN {20+}
C2: jürgen@example.test secret
S2.. a OK *
C2: b EXAMINE INBOX
S2.. b OK *
C2: c FETCH 1 BODY[]
S2: * 1 FETCH *
S2: Return-Path: <zoë@bücher.test>
S2: Delivered-To: jürgen@example.test
S2: Received: *
S2: 	by * with UTF8SMTP id *
S2: 	for <jürgen@example.test>; *
S2: Subject: Grüße
S2: From: zoë@bücher.test
S2:
S2.. c OK *

# SMTPUTF8 ends with its transaction
server smtp
C: MAIL FROM:<x@example.test>
S: 250 *
C: RCPT TO:<jürgen@example.test>
S: 553 5.6.7 *
