# loops.t: a message that went through too many servers goes round in a loop (RFC 5321, 6.3)
options --set "smtp.hops_max 3"
C: EHLO client.test
S.. 250 *
C\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S: 250 *
S: 250 *
S: 354 *
C: Received: one
C: Received: two
C:  Received: folded
C: Received : three
C: X-Received: no
C: Received-SPF: pass
C:
C: Received: in the body
C: .
S: 250 *
C\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S: 250 *
S: 250 *
S: 354 *
C: received: one
C: Received: two
C: Received: three
C: RECEIVED: four
C:
C: .
S: 554 5.4.6 *
C\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nBDAT 48 LAST\r\nReceived: 1\r\nReceived: 2\r\nReceived: 3\r\nReceived:
S: 250 *
S: 250 *
S: 250 *

# so does one that its recipient had before
C\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n
S: 250 *
S: 250 *
S: 250 *
S: 354 *
C: Subject: round
C: Delivered-To: somebody@elsewhere.test
C: delivered-to:   Bob@Example.test
C:
C: .
S: 554 5.4.6 *
C\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S: 250 *
S: 250 *
S: 354 *
C: Subject: forwarded
C: Delivered-To: bob@example.test
C:
C: Delivered-To: alice@example.test
C: .
S: 250 *

# LMTP tells each: one has it, the other had it (RFC 2033, 4.2)
server lmtp
C2: LHLO client.test
S2.. 250 *
C2\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n
S2: 250 *
S2: 250 *
S2: 250 *
S2: 354 *
C2: Delivered-To: alice@example.test
C2:
C2: .
S2: 554 5.4.6 *
S2: 250 2.0.0 *
C2\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S2: 250 *
S2: 250 *
S2: 354 *
C2: Delivered-To: alice@example.test
C2:
C2: .
S2: 554 5.4.6 *

# and so nobody has it twice
server pop3
C3\: USER bob\r\nPASS secret\r\nSTAT\r\n
S3.. +OK 1 *
C4\: USER alice\r\nPASS secret\r\nSTAT\r\n
S4.. +OK 3 *
