# copies.t: whoever is to have a copy of all mail gets it, and nobody hears of him
options --set 'copy.all.recipients {"*@example.test"}' --set 'copy.all.to {"test0000@example.test"}' --set 'copy.bob.senders {"bob@example.test"}' --set 'copy.bob.to {"test0001@example.test", "nobody.here@example.test"}'
C: EHLO client.test
S.. 250 *
C\: MAIL FROM:<x@elsewhere.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\nSubject: one\r\n\r\n.\r\n
S: 250 *
S: 250 *
S: 354 *
S: 250 2.0.0 delivered *
C\: MAIL FROM:<bob@example.test>\r\nRCPT TO:<test0000@example.test>\r\nDATA\r\nSubject: two\r\n\r\n.\r\n
S: 250 *
S: 250 *
S: 354 *
S: 250 2.0.0 delivered *

# in LMTP neither (RFC 2033, 4.2)
server lmtp
C2: LHLO client.test
S2.. 250 *
C2\: MAIL FROM:<x@elsewhere.test>\r\nRCPT TO:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nSubject: three\r\n\r\n.\r\nNOOP\r\n
S2: 250 *
S2: 250 *
S2: 250 *
S2: 354 *
S2: 250 2.0.0 delivered *
S2: 250 2.0.0 delivered *
S2: 250 2.0.0 here
C2\: MAIL FROM:<x@elsewhere.test>\r\nRCPT TO:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\na\0b\r\n.\r\nNOOP\r\n
S2: 250 *
S2: 250 *
S2: 250 *
S2: 354 *
S2: 550 5.6.0 *
S2: 550 5.6.0 *
S2: 250 2.0.0 here

# each is there once, with nothing of it in anybody's
server pop3
C3\: USER test0000\r\nPASS secret\r\nRETR 1\r\n
S3.. +OK 3 *
S3: +OK *
S3: Return-Path: <x@elsewhere.test>
S3: Delivered-To: test0000@example.test
S3: Received: from client.test *
S3: 	by *
S3: 	for <alice@example.test>; *
S3: Subject: one
S3:
S3: .
C4\: USER alice\r\nPASS secret\r\nRETR 1\r\n
S4.. +OK * octets
S4.. Return-Path: <x@elsewhere.test>
S4: Delivered-To: alice@example.test
S4: Received: from client.test *
S4: 	by *
S4: 	for <alice@example.test>; *
S4: Subject: one
S4:
S4: .
C5\: USER test0001\r\nPASS secret\r\n
S5.. +OK 1 *
