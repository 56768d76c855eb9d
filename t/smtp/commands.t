# commands.t: EHLO and HELO say who speaks, and need a name (RFC 5321, 4.1.1.1)
C: EHLO
S: 501 *
C: HELO
S: 501 *
C: MAIL FROM:<x@example.test>
S: 503 *
C: HELO client.test
S: 250 *
C: EHLO [192.0.2.1]
S: 250-*
S: 250-PIPELINING
S: 250-SIZE *
S: 250-8BITMIME
S: 250 ENHANCEDSTATUSCODES
C: LHLO client.test
S: 500 *

# in any case of letters, and with spaces behind them (2.4, 4.1.1)
C: nOoP
S: 250 *
C\: RSET  \r\n
S: 250 *
C\: noop\twith a word\r\n
S: 250 *

# VRFY tells nobody who is here (7.3)
C: VRFY alice
S: 252 *
C: VRFY nobody.here
S: 252 *

# what is not known (4.2.4)
C: EXPN list
S: 500 *
C\: \r\n
S: 500 *
C: STARTTLS
S: 500 *

# one transaction at a time, its commands in their order (4.1.4)
C: RCPT TO:<alice@example.test>
S: 503 *
C: DATA
S: 503 *
C: MAIL FROM:<x@example.test>
S: 250 *
C: MAIL FROM:<x@example.test>
S: 503 *
C: DATA
S: 503 *
C: RCPT TO:<alice@example.test>
S: 250 *
C: MAIL FROM:<x@example.test>
S: 503 *
C: DATA now
S: 501 *
C: VRFY alice
S: 252 *

# RSET and EHLO end it (4.1.1.5, 4.1.4)
C: RSET
S: 250 *
C: RCPT TO:<alice@example.test>
S: 503 *
C: MAIL FROM:<x@example.test>
S: 250 *
C: EHLO client.test
S.. 250 *
C: RCPT TO:<alice@example.test>
S: 503 *

# a recipient who is refused is none
C: MAIL FROM:<x@example.test>
S: 250 *
C: RCPT TO:<nobody.here@example.test>
S: 550 5.1.1 *
C: RCPT TO:<somebody@elsewhere.test>
S: 550 5.7.1 *
C: DATA
S: 503 *
C: RCPT TO:<alice@example.test>
S: 250 *
C: DATA
S: 354 *
C: .
S: 250 *

# QUIT, also in the middle of a transaction (4.1.1.10)
C: MAIL FROM:<x@example.test>
S: 250 *
C: QUIT
S: 221 *
S: <close>

# what EHLO says cannot forge a part of the trace (4.4)
C2: EHLO evil.test (good.test [192.0.2.9]) by x;
S2.. 250 *
C2\: MAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n
S2: 250 *
S2: 250 *
S2: 354 *
C2: .
S2: 250 *
server pop3
C3: USER bob
S3: +OK*
C3: PASS secret
S3: +OK*
C3: TOP 1 0
S3: +OK*
S3: Return-Path: <>
S3: Delivered-To: bob@example.test
S3: Received: from evil.test??good.test?[192.0.2.9]??by?x? ([127.0.0.1])
