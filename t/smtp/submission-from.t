# submission-from.t: From and Sender are the account's too, where the configuration wants it (RFC 6409, 6.1)
options --set "submission.from true" --set 'domain.example.test.masquerade {"host.test"}' --set "smtp.line_ends normalise"
server submission
C: EHLO client.test
S.. 250 *
C: AUTH PLAIN AGFsaWNlAHNlY3JldA==
S: 235 *
C\: MAIL FROM:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nFrom: Bob <bob@example.test>\r\n\r\n.\r\n
S: 250 *
S: 250 *
S: 354 *
S: 550 5.7.1 * <bob@example.test> is no address of alice@example.test
C\: MAIL FROM:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nFrom: Alice <alice@example.test>,\r\n "Bob" <bob@elsewhere.test>\r\n\r\n.\r\n
S: 250 *
S: 250 *
S: 354 *
S: 550 5.7.1 *
C\: MAIL FROM:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nFrom: alice@example.test\r\nSender: bob@example.test\r\n\r\n.\r\n
S: 250 *
S: 250 *
S: 354 *
S: 550 5.7.1 *
C\: MAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nFrom: nobody\r\n\r\n.\r\n
S: 250 *
S: 250 *
S: 354 *
S: 550 5.7.1 *
C\: MAIL FROM:<alice@host.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nFrom: bob@host.test\r\n\r\n.\r\n
S: 250 2.1.0 sender <alice@example.test>
S: 250 *
S: 354 *
S: 550 5.7.1 * <bob@example.test> is no address of alice@example.test
C\: MAIL FROM:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nFrom: "bob@example.test" <Alice@Example.test>, alice@host.test\r\nReply-To: bob@example.test\r\n\r\nFrom: bob@example.test\r\n.\r\n
S: 250 *
S: 250 *
S: 354 *
S: 250 *

# line ends that are mended hide no field
C\: MAIL FROM:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nSubject: x\rBcc: bob\nFrom: bob@example.test\r\r\n.\r\n
S: 250 *
S: 250 *
S: 354 *
S: 550 5.7.1 *
C\: MAIL FROM:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\nBDAT 26\r\nSubject: x\rBcc: bob\nX: y\r\rBDAT 6 LAST\r\n\nbody\n
S: 250 *
S: 250 *
S: 250 *
S: 250 *
server pop3
C2\: USER bob\r\nPASS secret\r\nRETR 2\r\n
S2.. 	for <bob@example.test>; *
S2: Date: *
S2: Message-ID: *
S2: Subject: x
S2: X: y
S2:
S2: body
S2: .
