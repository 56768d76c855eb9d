# submission.t: what a message lacks is added when its author hands it in, and nobody learns of Bcc (RFC 6409, 8; RFC 5322, 3.6.3)
options --set "smtp.errors_max 100"
server submission
C: EHLO client.test
S.. 250-DELIVERBY
S: 250-FUTURERELEASE 2592000 20*T*Z
S: 250-MT-PRIORITY
S: 250-ETRN
S: 250-HELP
S.. 250 *
C: AUTH PLAIN AGFsaWNlAHNlY3JldA==
S: 235 *
C: EHLO client.test
S.. 250-DELIVERBY
S: 250-FUTURERELEASE 2592000 20*T*Z
S: 250-MT-PRIORITY
S: 250-ETRN
S: 250-HELP
S.. 250 *
C\: MAIL FROM:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n
S: 250 *
S: 250 *
S: 354 *
C: From: alice@example.test
C: Bcc: secret@example.test,
C:  more@example.test
C: Subject: one
C: bcc : again@example.test
C: Return-Path: <somebody@else.test>
C: Resent-Bcc: third@example.test
C: X-Bcc: this is no such field
C:
C: Bcc: nor is this
C: .
S: 250 *
server pop3
C2\: USER bob\r\nPASS secret\r\nRETR 1\r\nQUIT\r\n
S2.. 	for <bob@example.test>; *
S2: Date: *
S2: Message-ID: <*@*>
S2: From: alice@example.test
S2: Subject: one
S2: X-Bcc: this is no such field
S2:
S2: Bcc: nor is this
S2: .
S2: +OK *
S2: <close>

# what is there stays; a header may come in any pieces, and be all there is
C\: MAIL FROM:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\nBDAT 7\r\ndAte: nBDAT 22\r\now\r\nmessage-id: <a>\r\nBBDAT 9 LAST\r\ncc: bob\r\n
S: 250 *
S: 250 *
S: 250 *
S: 250 *
S: 250 *
C\: MAIL FROM:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n\r\nno header\r\n.\r\n
S: 250 *
S: 250 *
S: 354 *
S: 250 *
C3\: USER bob\r\nPASS secret\r\nRETR 2\r\n
S3.. 	for <bob@example.test>; *
S3: dAte: now
S3: message-id: <a>
S3: .
C3: RETR 3
S3.. 	for <bob@example.test>; *
S3: Date: *
S3: Message-ID: <*>
S3:
S3: no header
S3: .

# a header without end is refused
C\: MAIL FROM:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n
S: 250 *
S: 250 *
S: 354 *
C+ 1100000 of X-Field: which is repeated again and again\r\n
C\: \r\n.\r\n
S: 552 5.3.4 *

# times and urgency are for those who logged in (RFC 4865, 4; RFC 6710, 4), within limits
C: MAIL FROM:<alice@example.test> MT-PRIORITY=9 HOLDFOR=60
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<alice@example.test> MT-PRIORITY=-9 HOLDUNTIL=2020-02-29T00:00:00Z
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<alice@example.test> HOLDFOR=2592000
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<alice@example.test> HOLDFOR=2592001
S: 501 5.5.4 *
C: MAIL FROM:<alice@example.test> HOLDUNTIL=2999-01-01T00:00:00Z
S: 501 5.5.4 *
C: MAIL FROM:<alice@example.test> HOLDUNTIL=tomorrow
S: 501 5.5.4 *
C: MAIL FROM:<alice@example.test> HOLDFOR=60 HOLDUNTIL=2099-01-01T00:00:00Z
S: 501 5.5.4 *
C: MAIL FROM:<alice@example.test> HOLDFOR=60 BY=30;R
S: 501 5.5.4 *
C: MAIL FROM:<alice@example.test> HOLDFOR=60 BY=90;R
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<alice@example.test> MT-PRIORITY=10
S: 501 5.5.4 *
C: MAIL FROM:<alice@example.test> MT-PRIORITY=high
S: 501 5.5.4 *
