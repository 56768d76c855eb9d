# delivery.t: the greeting, and what EHLO tells (RFC 5321, 4.1.1.1)
S: 220 * ESMTP*
C: EHLO client.test
S: 250-*
S.. 250-PIPELINING
S.. 250-SIZE *
S.. 250-8BITMIME
S.. 250 *

# commands in the wrong order (4.1.4)
C: RCPT TO:<alice@example.test>
S: 503 *
C: MAIL FROM:<x@example.test>
S: 250 *
C: DATA
S: 503 *
C: RSET
S: 250 *
C: WHAT
S: 500 *

# who is here, who is not, and whom we do not relay to
C: MAIL FROM:<x@example.test> SIZE=100 BODY=8BITMIME
S: 250 *
C: RCPT TO:<alice@example.test>
S: 250 *
C: RCPT TO:<nobody.here@example.test>
S: 550 5.1.1 *
C: RCPT TO:<somebody@elsewhere.test>
S: 550 5.7.1 *
C: RCPT TO:<Postmaster>
S: 250 *

# a message; a dot that begins a line is doubled (4.5.2)
C: DATA
S: 354 *
C: Subject: hello
C:
C: ..dotted
C: .
S: 250 *

# all of one in a packet (RFC 2920)
C\: MAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S: 250 *
S: 250 *
S: 250 *
S: 354 *
C\: Subject: packet\r\n\r\nall at once\r\n.\r\nNOOP\r\n
S: 250 *
S: 250 *

# only CRLF.CRLF ends a message; a bare LF is refused, not obeyed (2.3.8)
C: MAIL FROM:<x@example.test>
S: 250 *
C: RCPT TO:<bob@example.test>
S: 250 *
C: DATA
S: 354 *
C\: Subject: smuggled\r\n\r\nbefore\n.\nMAIL FROM:<evil@example.test>\r\n.\r\n
S: 550 *

# more than the limit is refused when it is said, and when it comes (RFC 1870)
C: MAIL FROM:<x@example.test> SIZE=99999999999
S: 552 *
C: QUIT
S: 221 *
S: <close>

# what was delivered is there, with its trace, for each
server pop3
C2: USER alice
S2: +OK*
C2: PASS secret
S2: +OK*
C2: STAT
S2: +OK 2 *
C2: RETR 1
S2: +OK*
S2: Return-Path: <x@example.test>
S2: Delivered-To: alice@example.test
S2: Received: from client.test *
S2.. Subject: hello
S2:
S2: ..dotted
S2: .
C2: TOP 2 0
S2: +OK*
S2: Return-Path: <>
S2.. .
