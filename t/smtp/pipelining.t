# pipelining.t: replies come in the order of the commands (RFC 2920)
C\: EHLO client.test\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nRCPT TO:<nobody.here@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n
S.. 250 *
S: 250 2.1.0 *
S: 250 2.1.5 *
S: 550 5.1.1 *
S: 250 2.1.5 *
S: 354 *

# commands behind a message, and another message
C\: Subject: one\r\n\r\n1\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n
S: 250 2.0.0 *
S: 250 2.1.0 *
S: 250 2.1.5 *
S: 354 *
C\: Subject: two\r\n\r\n2\r\n.\r\nRSET\r\nNOOP\r\nVRFY x\r\nQUIT\r\nNOOP\r\n
S: 250 2.0.0 *
S: 250 *
S: 250 *
S: 252 *
S: 221 *
S: <close>

# a DATA that is refused leaves what follows to be commands (3.1)
C2\: EHLO client.test\r\nMAIL FROM:<>\r\nRCPT TO:<nobody.here@example.test>\r\nDATA\r\nRSET\r\n
S2.. 250 *
S2: 250 *
S2: 550 *
S2: 503 *
S2: 250 *

# a client that says all at once, good-bye too, hears all
C3\: EHLO client.test\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nSubject: three\r\n\r\n.\r\nQUIT\r\n
S3.. 250 *
S3: 250 *
S3: 250 *
S3: 354 *
S3: 250 *
S3: 221 *
S3: <close>

# more commands than there is room for replies to a client that does not read: it gets them all
C4: EHLO client.test
S4.. 250 *
C4+ 504000 of NOOP\r\nNOOP\r\n
C4: QUIT
S4.. 221 *
S4: <close>
