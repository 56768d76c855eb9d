# paths.t: where mail comes from and goes to (RFC 5321, 4.1.2)
options --set "smtp.errors_max 100"
C: EHLO client.test
S.. 250 *
C: MAIL FROM:<x@example.test>
S: 250 *
C: RCPT TO:<alice@example.test>
S: 250 *
C: RCPT TO:<ALICE@EXAMPLE.TEST>
S: 250 *
C: rcpt to: <alice@example.test>
S: 250 *
C: RCPT TO:<"alice"@example.test>
S: 250 *
C: RCPT TO:<@relay.test,@other.test:alice@example.test>
S: 250 *
C: RCPT TO:<alice+detail@example.test>
S: 250 *

# postmaster is always here (4.5.1)
C: RCPT TO:<Postmaster>
S: 250 *
C: RCPT TO:<postmaster@example.test>
S: 250 *

# what is no path
C: RCPT TO:alice@example.test
S: 501 *
C: RCPT TO:<alice>
S: 501 *
C: RCPT TO:<alice@>
S: 501 *
C: RCPT TO:<@example.test>
S: 501 *
C: RCPT TO:<alice@example.test
S: 501 *
C: RCPT TO:<ali ce@example.test>
S: 501 *
C: RCPT TO:<alice@exam_ple..test>
S: 501 *
C: RCPT TO:<>
S: 501 *
C: RCPT
S: 501 *
C: RCPT FROM:<alice@example.test>
S: 501 *

# too long: a local part of 64 octets, a path of 256 (4.5.3.1)
C: RCPT TO:<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@example.test>
S: 550 *
C: RCPT TO:<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@example.test>
S: 501 *

# an address that could name another's files is nobody's
C: RCPT TO:<"../alice"@example.test>
S: 55*
C: RCPT TO:<"alice/INBOX"@example.test>
S: 55*
C: RSET
S: 250 *

# MAIL: the null path, and what it may say of the message (RFC 1870, RFC 6152)
C: MAIL FROM:<>
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<x@example.test> SIZE=1000 BODY=8BITMIME
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<x@example.test> body=7bit size=0
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<x@example.test> SIZE=52428800
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<x@example.test> SIZE=52428801
S: 552 *
C: MAIL FROM:<x@example.test> SIZE=many
S: 501 *
C: MAIL FROM:<x@example.test> SIZE
S: 501 *
C: MAIL FROM:<x@example.test>SIZE=1
S: 501 *
C: MAIL FROM:<Postmaster>
S: 501 *
C: MAIL FROM:<x@example.test>
S: 250 *
