# line-ends.t: where it is so configured, SMTP makes each CR and LF alone a line end, and no end of the message (RFC 5321, 2.3.8)
options --set "smtp.line_ends normalise" --set "smtp.lmtp_line_ends strict"
C: EHLO client.test
S.. 250 *
C\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S: 250 *
S: 250 *
S: 354 *
C\: Subject: mended\n\none\rtwo\n.\nthree\r\n.\r\n
S: 250 *
C\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nBDAT 13 LAST\r\nA: b\r\r\nc\n.\n\rd
S: 250 *
S: 250 *
S: 250 *
server pop3
C2\: USER alice\r\nPASS secret\r\nRETR 1\r\nRETR 2\r\n
S2.. Subject: mended
S2:
S2: one
S2: two
S2: ..
S2: three
S2: .
S2.. A: b
S2:
S2: c
S2: ..
S2:
S2: d
S2: .

# and LMTP refuses them
server lmtp
C3: LHLO client.test
S3.. 250 *
C3\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n
S3: 250 *
S3: 250 *
S3: 250 *
S3: 354 *
C3\: a\nb\r\n.\r\n
S3: 550 5.6.0 *
S3: 550 5.6.0 *
