# recipients.t: LMTP greets as LMTP and knows no EHLO (RFC 2033, 4.1)
options --set "smtp.recipients_max 100" --set "smtp.errors_max 3" --set "smtp.message_max 64K"
S: 220 * LMTP*
C: HELO client.test
S: 500 *
C: LHLO
S: 501 *
C: LHLO client.test
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

# one reply for each recipient that was taken, in their order (4.2); who is named twice has one message
C\: MAIL FROM:<x@example.test>\r\nRCPT TO:<alice@example.test>\r\nRCPT TO:<nobody.here@example.test>\r\nRCPT TO:<bob@example.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S: 250 *
S: 250 *
S: 550 *
S: 250 *
S: 250 *
S: 354 *
C: .
S: 250 *
S: 250 *
S: 250 *
C: NOOP
S: 250 2.0.0 here

# a refused message is refused for each, and is one mistake
C\: MAIL FROM:<x@example.test>\r\nRCPT TO:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n
S: 250 *
S: 250 *
S: 250 *
S: 354 *
C\: a\0\r\n.\r\n
S: 550 5.6.0 *
S: 550 5.6.0 *
C\: MAIL FROM:<x@example.test>\r\nRCPT TO:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n
S: 250 *
S: 250 *
S: 250 *
S: 354 *
C+ 70016 of 01234567890123456789012345678901234567890123456789012345678901\r\n
C: .
S: 552 *
S: 552 *

# an MTA asks of many who are not here
C\: MAIL FROM:<x@example.test>\r\nRCPT TO:<a@example.test>\r\nRCPT TO:<b@example.test>\r\nRCPT TO:<c@example.test>\r\nRCPT TO:<d@example.test>\r\nDATA\r\nNOOP\r\n
S: 250 *
S: 550 *
S: 550 *
S: 550 *
S: 550 *
S: 503 *
S: 250 *

# line ends alone become CRLF, and are no end of the message
C\: RCPT TO:<alice@example.test>\r\nDATA\r\n
S: 250 *
S: 354 *
C\: Subject: mended\n\none\rtwo\n.\nthree\r\n.\r\n
S: 250 *
server pop3
C2: USER alice
S2: +OK*
C2: PASS secret
S2: +OK*
C2: RETR 2
S2.. Subject: mended
S2:
S2: one
S2: two
S2: ..
S2: three
S2: .
