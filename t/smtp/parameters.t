# parameters.t: SIZE says how large the message will be (RFC 1870, 6)
options --set "smtp.errors_max 1000"
C: EHLO client.test
S.. 250 *
C: MAIL FROM:<x@example.test> SIZE=1000
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<> size=0
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<x@example.test> SIZE=52428800
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<x@example.test> SIZE=52428801
S: 552 5.3.4 *
C: MAIL FROM:<x@example.test> SIZE=many
S: 501 5.5.4 *
C: MAIL FROM:<x@example.test> SIZE=-1
S: 501 *
C: MAIL FROM:<x@example.test> SIZE=99999999999999999999999
S: 501 *
C: MAIL FROM:<x@example.test> SIZE
S: 501 *

# BODY says which bytes it holds (RFC 6152, 2; RFC 3030, 3)
C: MAIL FROM:<x@example.test> BODY=8BITMIME SIZE=1
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<x@example.test> body=7bit
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<x@example.test> BODY=9BIT
S: 501 *
C: MAIL FROM:<x@example.test> BODY
S: 501 *

# how a report should be made of it (RFC 3461, 4.3 and 4.4)
C: MAIL FROM:<x@example.test> RET=HDRS ENVID=QQ314159
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<x@example.test> ret=full envid=a+2Bb+3Dc+20d
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<x@example.test> RET=ALL
S: 501 *
C: MAIL FROM:<x@example.test> RET
S: 501 *
C: MAIL FROM:<x@example.test> ENVID=
S: 501 *
C: MAIL FROM:<x@example.test> ENVID=a+2
S: 501 *
C: MAIL FROM:<x@example.test> ENVID=a+2b
S: 501 *
C: MAIL FROM:<x@example.test> ENVID=a+0D+0A
S: 501 *
C: MAIL FROM:<x@example.test> ENVID=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<x@example.test> ENVID=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
S: 501 *

# until when it is to be there (RFC 2852, 4): what is to come back when it is late must not be late now
C: MAIL FROM:<x@example.test> BY=3600;R
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<x@example.test> BY=-10;nt
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<x@example.test> BY=0;R
S: 501 5.5.4 *
C: MAIL FROM:<x@example.test> BY=10
S: 501 *
C: MAIL FROM:<x@example.test> BY=10;X
S: 501 *
C: MAIL FROM:<x@example.test> BY=1000000000;N
S: 501 *
C: MAIL FROM:<x@example.test> BY=10;N BY=10;N
S: 501 *

# strangers neither have mail held (RFC 4865, 4) nor say how urgent it is (RFC 6710, 4)
C: MAIL FROM:<x@example.test> HOLDFOR=60
S: 555 *
C: MAIL FROM:<x@example.test> HOLDUNTIL=2099-01-01T00:00:00Z
S: 555 *
C: MAIL FROM:<x@example.test> MT-PRIORITY=9
S: 555 *

# what nobody knows, and the same twice (RFC 5321, 4.1.1.11)
C: MAIL FROM:<x@example.test> PRIORITY=high
S: 555 5.5.4 *
C: MAIL FROM:<x@example.test> NOTIFY=NEVER
S: 555 *
C: MAIL FROM:<x@example.test> SIZE=1 SIZE=1
S: 501 *
C: MAIL FROM:<x@example.test> SMTPUTF8 SMTPUTF8
S: 501 *
C: MAIL FROM:<x@example.test> SIZE=1=1
S: 501 *
C: MAIL FROM:<x@example.test> =1
S: 501 *
C: MAIL FROM:<x@example.test> A B C D E F G H I J K
S: 501 *

# when the sender wants to be told of a recipient (RFC 3461, 4.1)
C: MAIL FROM:<x@example.test>
S: 250 *
C: RCPT TO:<alice@example.test> NOTIFY=NEVER
S: 250 *
C: RCPT TO:<alice@example.test> notify=success,Failure,DELAY
S: 250 *
C: RCPT TO:<alice@example.test> NOTIFY=DELAY ORCPT=rfc822;Alice@relay.test
S: 250 *
C: RCPT TO:<alice@example.test> NOTIFY=
S: 501 *
C: RCPT TO:<alice@example.test> NOTIFY
S: 501 *
C: RCPT TO:<alice@example.test> NOTIFY=NEVER,DELAY
S: 501 *
C: RCPT TO:<alice@example.test> NOTIFY=DELAY,NEVER
S: 501 *
C: RCPT TO:<alice@example.test> NOTIFY=DELAY,DELAY
S: 501 *
C: RCPT TO:<alice@example.test> NOTIFY=DELAY,
S: 501 *
C: RCPT TO:<alice@example.test> NOTIFY=ALWAYS
S: 501 *
C: RCPT TO:<alice@example.test> NOTIFY=DELAY NOTIFY=DELAY
S: 501 *
C: RCPT TO:<alice@example.test> SIZE=1
S: 555 *

# and as whom the sender knows him (4.2)
C: RCPT TO:<alice@example.test> ORCPT=rfc822;a+2Bb+3D@relay.test
S: 250 *
C: RCPT TO:<alice@example.test> ORCPT=x400;/C+3DDE/
S: 250 *
C: RCPT TO:<alice@example.test> ORCPT=rfc822;a+b@relay.test
S: 501 *
C: RCPT TO:<alice@example.test> ORCPT=rfc822;
S: 501 *
C: RCPT TO:<alice@example.test> ORCPT=alice@relay.test
S: 501 *
C: RCPT TO:<alice@example.test> ORCPT=;alice@relay.test
S: 501 *
C: RCPT TO:<alice@example.test> ORCPT=rfc822;a+0D+0AX:
S: 501 *
C: RCPT TO:<alice@example.test> ORCPT=rfc822;a ORCPT=rfc822;a
S: 501 *
