# names.t: names that stand for others: whom mail is for is known at RCPT (RFC 5321, 3.9)
options --set "smtp.errors_max 100"
$ alias add info@example.test alice@example.test
$ forwarder add away@example.test bob@example.test alice@example.test
$ forwarder add round@example.test about@example.test
$ forwarder add about@example.test round@example.test
$ forwarder add half@example.test nobody.here@example.test bob@example.test
$ forwarder add lost@example.test nobody.here@example.test
$ group add team@example.test alice@example.test away@example.test
$ group add teams@example.test team@example.test test0000@example.test teams@example.test
$ group add closed@example.test --members-only --owner bob@example.test alice@example.test
$ group add empty@example.test
server smtp
C: EHLO client.test
S.. 250 *
C: MAIL FROM:<x@far.test>
S: 250 *
C: RCPT TO:<info@example.test>
S: 250 *
C: RCPT TO:<Info+x@Example.Test>
S: 250 *
C: RCPT TO:<away@example.test>
S: 250 *
C: RCPT TO:<team@example.test>
S: 250 *
C: RCPT TO:<teams@example.test>
S: 250 *

# what leads to itself alone is refused (RFC 3463, 3.5: X.4.6), what leads to nobody is not known
C: RCPT TO:<round@example.test>
S: 550 5.4.6 *
C: RCPT TO:<lost@example.test>
S: 550 5.1.1 *
C: RCPT TO:<empty@example.test>
S: 550 5.1.1 *

# one member who is not there does no harm to the others
C: RCPT TO:<half@example.test>
S: 250 *

# a closed group is for its members and its owner (RFC 3463, 3.8: X.7.1)
C: RCPT TO:<closed@example.test>
S: 550 5.7.1 *
C: RSET
S: 250 *
C: MAIL FROM:<>
S: 250 *
C: RCPT TO:<closed@example.test>
S: 550 5.7.1 *
C: RSET
S: 250 *

# whoever says that he is a member, or the owner, must have logged in as one
C: MAIL FROM:<Alice+x@example.test>
S: 250 *
C: RCPT TO:<closed@example.test>
S: 550 5.7.1 only members who log in *
C: RSET
S: 250 *
C: MAIL FROM:<bob@example.test>
S: 250 *
C: RCPT TO:<closed@example.test>
S: 550 5.7.1 only members who log in *
C: RSET
S: 250 *

# each gets one copy, by however many names
C\: MAIL FROM:<x@far.test>\r\nRCPT TO:<teams@example.test>\r\nRCPT TO:<info@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n
S: 250 *
S: 250 *
S: 250 *
S: 250 *
S: 354 *
C\: Subject: once\r\n\r\n.\r\n
S: 250 *
server imap
C2: a LOGIN info secret
S2: a OK *
C2: a STATUS INBOX (MESSAGES)
S2: * STATUS "INBOX" (MESSAGES 1)
S2: a OK *
C3: a LOGIN bob secret
S3: a OK *
C3: a STATUS INBOX (MESSAGES)
S3: * STATUS "INBOX" (MESSAGES 1)
S3: a OK *
C4: a LOGIN test0000 secret
S4: a OK *
C4: a STATUS INBOX (MESSAGES)
S4: * STATUS "INBOX" (MESSAGES 1)
S4: a OK *
C5: a LOGIN away secret
S5: a NO *
C5: a LOGIN team secret
S5: a NO *
