# delivery.t: LMTP answers for each recipient (RFC 2033, 4.2)
S: 220 * LMTP*
C: EHLO client.test
S: 500 *
C: LHLO client.test
S: 250-*
S.. 250 *
C: MAIL FROM:<x@example.test>
S: 250 *
C: RCPT TO:<alice@example.test>
S: 250 *
C: RCPT TO:<nobody.here@example.test>
S: 550 *
C: RCPT TO:<bob@example.test>
S: 250 *
C: DATA
S: 354 *
C: Subject: hello
C:
C: .
S: 250 *
S: 250 *

# and for none when there is none
C: MAIL FROM:<x@example.test>
S: 250 *
C: RCPT TO:<nobody.here@example.test>
S: 550 *
C: DATA
S: 503 *
