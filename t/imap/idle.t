# idle.t: IDLE hears of what others do, without a command (RFC 2177)
C: a LOGIN alice secret
S: a OK *
C: b SELECT INBOX
S.. b OK *
C: c IDLE
S: + *

# a delivery
server smtp
C2: EHLO client.test
S2.. 250 *
C2: MAIL FROM:<x@example.test>
S2: 250 *
C2: RCPT TO:<alice@example.test>
S2: 250 *
C2: DATA
S2: 354 *
C2: Subject: news
C2:
C2: .
S2: 250 *
S.. * 1 EXISTS

# flags and an expunge by another session
server imap
C3: a LOGIN alice secret
S3: a OK *
C3: b SELECT INBOX
S3.. b OK *
C3: c STORE 1 +FLAGS (\Deleted)
S3.. c OK *
S.. * 1 FETCH (*FLAGS (*\Deleted*)*)
C3: d EXPUNGE
S3.. d OK *
S.. * 1 EXPUNGE

# DONE ends it
C: DONE
S.. c OK *
