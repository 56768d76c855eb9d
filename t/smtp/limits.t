# limits.t: a command line that is too long, however it comes (RFC 5321, 4.5.3.1.4)
options --set "smtp.line_max 512" --set "smtp.recipients_max 100" --set "smtp.errors_max 5" --set "smtp.message_max 64K" --set "smtp.idle_timeout 5m" --set "smtp.text_line_max 1000"
C: EHLO client.test
S.. 250 *
C+ 510 of NOOP a a a
C\: \r\n
S: 250 *
C+ 511 of NOOP a a a
C\: \r\n
S: 500 *
C+ 20000 of NOOP a a a
S: 500 *
C\: a\r\nNOOP\r\n
S: 250 *
C+ 20000 of NOOP a a a
S: 500 *
C+ 20000 of NOOP a a a
S: <silence>
C\: \r\nNOOP\r\n
S: 250 *

# a line that is none, and no more than so many mistakes (4.2.1, 7.8)
C\: NOOP\n
S: 500 *
C\: NO\rOP\r\n
S: 500 *
C\: NO\0OP\r\n
S: 500 *
S: 421 *
S: <close>

# so many recipients and no more; the others may be sent to again (4.5.3.1.8 and 10); who is
# named often has one message
C2: EHLO client.test
S2.. 250 *
C2: MAIL FROM:<>
S2: 250 *
C2+ 2772 of RCPT TO:<bob@example.test>\r\n
C2: NOOP
S2.. 250 2.0.0 *
C2: RCPT TO:<alice@example.test>
S2: 250 *
C2+ 560 of RCPT TO:<bob@example.test>\r\n
C2: NOOP
S2.. 452 4.5.3 *
S2.. 250 2.0.0 *
C2: DATA
S2: 354 *
C2: .
S2: 250 *
server pop3
C8\: USER bob\r\nPASS secret\r\n
S8: +OK *
S8: +OK 1 messages*
server smtp

# a message that is too large, said or not (RFC 1870, 6)
C3: EHLO client.test
S3.. 250-SIZE 65536
S3.. 250 *
C3: MAIL FROM:<> SIZE=65537
S3: 552 *
C3: MAIL FROM:<> SIZE=65536
S3: 250 *
C3: RCPT TO:<alice@example.test>
S3: 250 *
C3: DATA
S3: 354 *
C3+ 65536 of 01234567890123456789012345678901234567890123456789012345678901\r\n
C3: .
S3: 250 *
C3: MAIL FROM:<>
S3: 250 *
C3: RCPT TO:<alice@example.test>
S3: 250 *
C3: DATA
S3: 354 *
C3+ 65600 of 01234567890123456789012345678901234567890123456789012345678901\r\n
C3: .
S3: 552 *
C3: NOOP
S3: 250 *

# who brings mail may err again (7.8)
C4: EHLO client.test
S4.. 250 *
C4\: X\r\nX\r\nX\r\nX\r\nX\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S4: 500 *
S4: 500 *
S4: 500 *
S4: 500 *
S4: 500 *
S4: 250 *
S4: 250 *
S4: 354 *
C4\: .\r\nX\r\nNOOP\r\n
S4: 250 *
S4: 500 *
S4: 250 *

# whoever is silent for too long is told so, in commands and in a message (4.5.3.2)
C5: EHLO client.test
S5.. 250 *
C6: EHLO client.test
S6.. 250 *
C6\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S6: 250 *
S6: 250 *
S6: 354 *
clock +290s
S5: <silence>
C5: NOOP
S5: 250 *
clock +11s
S5: <silence>
S6: 421 4.4.2 *
S6: <close>
clock +300s
S5: 421 4.4.2 *
S5: <close>

# in a chunk the same; what was said to come and is too much need not come first to be refused (RFC 3030, 2)
C7: EHLO client.test
S7.. 250 *
C7\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nBDAT 65536 LAST\r\n
C7+ 65536 of 01234567890123456789012345678901234567890123456789012345678901\r\n
S7: 250 *
S7: 250 *
S7: 250 2.0.0 *
C7\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nBDAT 64\r\n
C7+ 64 of 01234567890123456789012345678901234567890123456789012345678901\r\n
C7\: BDAT 65473 LAST\r\n
C7+ 65473 of 01234567890123456789012345678901234567890123456789012345678901\r\n
C7: NOOP
S7: 250 *
S7: 250 *
S7: 250 *
S7: 552 5.3.4 *
S7: 250 2.0.0 here
C7\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nBDAT 18446744073709551615\r\n
C7+ 3000000 of 01234567890123456789012345678901234567890123456789012345678901\r\n
S7: 250 *
S7: 250 *
S7: <silence>
close7

# a line of a message may have so many bytes, whatever its end (4.5.3.1.6)
C9: EHLO client.test
S9.. 250 *
C9\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S9: 250 *
S9: 250 *
S9: 354 *
C9+ 1000 of x
C9\: \r\n.\r\n
S9: 250 2.0.0 *
C9\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n
S9: 250 *
S9: 250 *
S9: 354 *
C9+ 1001 of x
C9\: \r\n.\r\n
S9: 554 5.6.0 *
C9\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nBDAT 1001 LAST\r\n
C9+ 1001 of x
S9: 250 *
S9: 250 *
S9: 554 5.6.0 *
server pop3
C10\: USER alice\r\nPASS secret\r\nTOP 5 0\r\n
S10.. xxxxxxxxxxxxxxxxxxxx*xxxxxxxxxxxxxxxxxxxx
server smtp
