# relay-long.t: a domain too long for a name of ours is another's like any other (RFC 5321, 4.5.3.1.2: up to 255 octets)
options --set "rewrite.old.from *@.old.test" --set "rewrite.old.to *@new.test" --set "relay.hold true"
C: EHLO client.test
S.. 250 *
C: MAIL FROM:<alice@elsewhere.test>
S: 250 *
C: RCPT TO:<x@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.test>
S: 550 5.7.1 *

# nor does the table send it on for strangers, who may not have shorter ones sent on either
C: RCPT TO:<x@sub.old.test>
S: 550 5.7.1 *
C: RCPT TO:<x@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.old.test>
S: 550 5.7.1 *

# whoever may send anywhere may send there
server submission
C2: EHLO client.test
S2.. 250 *
C2: AUTH PLAIN AGFsaWNlAHNlY3JldA==
S2: 235 *
C2: MAIL FROM:<alice@example.test>
S2: 250 *
C2: RCPT TO:<x@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.test>
S2: 250 2.1.5 *
C2: RCPT TO:<x@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.old.test>
S2: 250 2.1.5 *
