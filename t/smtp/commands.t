# commands.t: EHLO and HELO say who speaks, and need a name (RFC 5321, 4.1.1.1)
options --set "smtp.errors_max 100"
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
S: 250-BINARYMIME
S: 250-CHUNKING
S: 250-SMTPUTF8
S: 250-DSN
S: 250-DELIVERBY
S: 250-HELP
S: 250-STARTTLS
S: 250 ENHANCEDSTATUSCODES
C: LHLO client.test
S: 500 *

# what is neither a domain nor an address literal (4.1.3); a machine's name may have underscores
C: EHLO two words
S: 501 *
C: EHLO evil.test (good.test [192.0.2.9]) by x;
S: 501 *
C: EHLO [192.0.2.1
S: 501 *
C: EHLO [300.0.2.1]
S: 501 *
C: EHLO [IPv6:2001:db8::1::2]
S: 501 *
C: EHLO [2001:db8::1]
S: 501 *
C: HELO .
S: 501 *
C\: EHLO b\xc3\xbccher.test\r\n
S: 501 *
C: HELO [IPv6:2001:DB8:0::1]
S: 250 *
C: EHLO my_machine
S.. 250 *

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
C: VRFY alice@example.test SMTPUTF8
S: 252 *
C: VRFY
S: 501 *

# HELP helps whoever asks (4.1.1.8)
C: HELP
S: 214-2.0.0 commands: EHLO HELO STARTTLS AUTH MAIL RCPT DATA *
S: 214 2.0.0 *
C: HELP MAIL
S: 214-*
S: 214 *

# nor who is on a list (3.5)
C: EXPN alice
S: 252 *
C: EXPN nobody.here
S: 252 *
C: EXPN
S: 501 *

# what is not known (4.2.4)
C\: \r\n
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
C: RSET now
S: 501 *
C: QUIT now
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
