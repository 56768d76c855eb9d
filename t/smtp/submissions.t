# submissions.t: TLS from the first byte (RFC 8314, 3.3)
server submissions
S: 220 *
C: EHLO client.test
S.. 250 *
C: AUTH PLAIN AGFsaWNlAHNlY3JldA==
S: 235 *
C\: MAIL FROM:<alice@example.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S: 250 *
S: 250 *
S: 354 *
C\: Subject: private\r\n\r\n.\r\n
S: 250 *
C: QUIT
S: 221 *
S: <close>

# the trace says so (RFC 3848; RFC 8314, 4.3)
server imaps
C2: a LOGIN alice secret
S2: a OK *
C2: b EXAMINE INBOX
S2.. b OK *
C2: c FETCH 1 BODY[HEADER.FIELDS (Received)]
S2: * 1 FETCH *
S2: Received: from client.test ([127.0.0.1])
S2: 	by * with ESMTPSA (account alice@example.test) id *
S2: 	for <alice@example.test>
S2: 	tls TLS_* (TLSv1.3); *
S2.. c OK *

# the other submission port, and IPv6's form of it
server submission
C3: EHLO client.test
S3.. 250 *
