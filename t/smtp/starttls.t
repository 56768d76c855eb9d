# starttls.t: what was said in clear text is forgotten, and STARTTLS is not offered twice (RFC 3207, 4)
C: STARTTLS now
S: 501 *
C: EHLO client.test
S.. 250-STARTTLS
S.. 250 *
C: MAIL FROM:<x@example.test>
S: 250 *
C: STARTTLS
S: 220 *
tls
C: RCPT TO:<alice@example.test>
S: 503 *
C: MAIL FROM:<x@example.test>
S: 503 *
C: EHLO client.test
S: 250-*
S: 250-PIPELINING
S: 250-SIZE *
S: 250-8BITMIME
S: 250-BINARYMIME
S: 250-CHUNKING
S: 250-SMTPUTF8
S: 250-DSN
S: 250-DELIVERBY
S: 250-HELP
S: 250-AUTH SCRAM-SHA-256 PLAIN LOGIN
S: 250 ENHANCEDSTATUSCODES
C: STARTTLS
S: 503 *
C\: MAIL FROM:<x@example.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S: 250 *
S: 250 *
S: 354 *
C\: Subject: private\r\n\r\n.\r\n
S: 250 *

# who logged in before it is a stranger behind it
server submission
C2: EHLO client.test
S2.. 250 *
C2: AUTH PLAIN AGFsaWNlAHNlY3JldA==
S2: 235 *
C2: STARTTLS
S2: 220 *
tls2
C2: EHLO client.test
S2.. 250-AUTH *
S2.. 250 *
C2: MAIL FROM:<alice@example.test>
S2: 530 *

# clear text behind it drops the connection (6), with nothing of it done
server smtp
C3\: STARTTLS\r\nEHLO injected.test\r\n
S3: <close>

# LMTP has it too (RFC 2033, 4; RFC 3207)
server lmtp
C4: LHLO client.test
S4.. 250 *
C4: STARTTLS
S4: 220 *
tls4
C4: LHLO client.test
S4: 250-*
S4: 250-PIPELINING
S4: 250-SIZE *
S4: 250-8BITMIME
S4: 250-BINARYMIME
S4: 250-CHUNKING
S4: 250-SMTPUTF8
S4: 250-DSN
S4: 250-DELIVERBY
S4: 250-HELP
S4: 250 ENHANCEDSTATUSCODES
C5\: STARTTLS\r\nLHLO injected.test\r\n
S5: <close>
