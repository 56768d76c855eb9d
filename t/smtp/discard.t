# discard.t: where mail for unknown names is thrown away, it is taken as any other
options --set "domain.example.test.unknown discard"
C: EHLO client.test
S.. 250 *
C\: MAIL FROM:<x@elsewhere.test>\r\nRCPT TO:<nobody.here@example.test>\r\nDATA\r\nSubject: one\r\n\r\n.\r\n
S: 250 *
S: 250 *
S: 354 *
S: 250 2.0.0 *
C\: MAIL FROM:<x@elsewhere.test>\r\nRCPT TO:<nobody.here@example.test>\r\nRCPT TO:<alice@example.test>\r\nRCPT TO:<nobody%far.test@example.test>\r\nRCPT TO:<far.test!nobody@example.test>\r\nDATA\r\nSubject: two\r\n\r\n.\r\n
S: 250 *
S: 250 *
S: 250 *
S: 250 *
S: 250 *
S: 354 *
S: 250 2.0.0 *
server pop3
C2\: USER alice\r\nPASS secret\r\nRETR 1\r\n
S2.. Subject: two
S2:
S2: .
