# data.t: dots at the start of a line, and the line that ends it (RFC 5321, 4.5.2)
C: EHLO client.test
S.. 250 *
C\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S: 250 *
S: 250 *
S: 354 *
C: Subject: dots
C:
C: ..
C: ...two
C: .one
C: in.the middle
C\: no end yet .\r
S: <silence>
C\: \n
C: .
S: 250 *

# a message that comes byte by byte
C\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S: 250 *
S: 250 *
S: 354 *
C\: S
C\: :
C\: \r
C\: \n
C\: \r
C\: \n
C\: .
C\: .
C\: \r
C\: \n
C\: .
C\: \r
S: <silence>
C\: \n
S: 250 *

# only CRLF.CRLF ends it: whatever else a sender might take for the end is refused, and nothing behind it is obeyed (2.3.8)
C\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S: 250 *
S: 250 *
S: 354 *
C\: a\n.\nQUIT\r\n.\r\n
S: 550 5.6.0 *
C\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S: 250 *
S: 250 *
S: 354 *
C\: a\n.\r\nQUIT\r\n.\r\n
S: 550 5.6.0 *
C\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S: 250 *
S: 250 *
S: 354 *
C\: a\r\n.\nQUIT\r\n.\r\n
S: 550 5.6.0 *
C\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S: 250 *
S: 250 *
S: 354 *
C\: a\r.\rQUIT\r\n.\r\n
S: 550 5.6.0 *
C\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S: 250 *
S: 250 *
S: 354 *
C\: a\r\n.\rQUIT\r\n.\r\n
S: 550 5.6.0 *
C\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S: 250 *
S: 250 *
S: 354 *
C\: a\r\n.\r\r\nQUIT\r\n.\r\n
S: 550 5.6.0 *

# a NUL neither (2.3.8, 4.5.2)
C\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S: 250 *
S: 250 *
S: 354 *
C\: a\0b\r\n.\r\n
S: 550 5.6.0 *

# all octets else come through (RFC 6152)
C\: MAIL FROM:<> BODY=8BITMIME\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S: 250 *
S: 250 *
S: 354 *
C\: X: \xff\x01\x7f\xc3\xa4\r\n\r\nFrom here\r\n>From there\r\n.\r\n
S: 250 *

# a message goes to each of its recipients
C\: MAIL FROM:<x@example.test>\r\nRCPT TO:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n
S: 250 *
S: 250 *
S: 250 *
S: 354 *
C\: Subject: both\r\n\r\n.\r\n
S: 250 *

# what came is what was sent, but for its trace
server pop3
C2: USER alice
S2: +OK*
C2: PASS secret
S2: +OK*
C2: STAT
S2: +OK 4 *
C2: RETR 1
S2: +OK*
S2: Return-Path: <>
S2: Delivered-To: alice@example.test
S2: Received: from client.test ([127.0.0.1])
S2: 	by * with ESMTP id *
S2: 	for <alice@example.test>; *, * 20* +0000
S2: Subject: dots
S2:
S2: ..
S2: ...two
S2: one
S2: in.the middle
S2: no end yet .
S2: .
C2: RETR 2
S2: +OK*
S2.. S:
S2:
S2: ..
S2: .
C2: RETR 3
S2: +OK*
S2.. X: *
S2:
S2: From here
S2: >From there
S2: .
C2: TOP 4 0
S2: +OK*
S2: Return-Path: <x@example.test>
S2: Delivered-To: alice@example.test
S2: Received: from client.test ([127.0.0.1])
S2: 	by * with ESMTP id *; *
S2: Subject: both
S2:
S2: .
C3: USER bob
S3: +OK*
C3: PASS secret
S3: +OK*
C3: TOP 1 0
S3: +OK*
S3: Return-Path: <x@example.test>
S3: Delivered-To: bob@example.test
S3.. .
C3: QUIT
S3: +OK*

# a client that goes away before the end has sent nothing (4.5.3.2)
server smtp
C4: EHLO client.test
S4.. 250 *
C4\: MAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n
S4: 250 *
S4: 250 *
S4: 354 *
C4\: Subject: half\r\n\r\nof it\r\n
close4
server pop3
C5: USER bob
S5: +OK*
C5: PASS secret
S5: +OK*
C5: STAT
S5: +OK 1 *
