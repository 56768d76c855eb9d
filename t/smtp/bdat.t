# bdat.t: a message in chunks (RFC 3030, 2)
options --set "smtp.errors_max 100"
C: EHLO client.test
S.. 250-BINARYMIME
S.. 250-CHUNKING
S.. 250 *
C\: MAIL FROM:<x@example.test>\r\nRCPT TO:<alice@example.test>\r\n
S: 250 *
S: 250 *
C\: BDAT 16\r\nSubject: one\r\n\r\n
S: 250 2.0.0 *
C\: BDAT 8\r\n.dotted\r
S: 250 *
C\: bdat 0\r\n
S: 250 *
C\: BDAT 4 LAST\r\n\n.\r\n
S: 250 2.0.0 delivered *

# all of it in one packet, more commands behind it (RFC 2920)
C\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nBDAT 16\r\nSubject: two\r\n\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n
S: 250 *
S: 250 *
S: 250 *
S: 250 2.0.0 delivered *
S: 250 2.0.0 here

# byte by byte, and the last chunk empty
C\: MAIL FROM:<> BODY=8BITMIME\r\nRCPT TO:<alice@example.test>\r\n
S: 250 *
S: 250 *
C\: BDAT 18\r\nSub
C\: ject
C\: :\s
C\: th
C\: ree\r
S: <silence>
C\: \n\r
C\: \n
S: 250 *
C\: BDAT 0 LAST\r\n
S: 250 2.0.0 delivered *

# what came is what was sent
server pop3
C2\: USER alice\r\nPASS secret\r\nRETR 1\r\n
S2.. +OK*
S2.. Subject: one
S2:
S2: ..dotted
S2: ..
S2: .
C2: RETR 2
S2.. Subject: two
S2:
S2: QUIT
S2: .
C2: RETR 3
S2.. Subject: three
S2:
S2: .
server smtp

# a chunk is taken from the wire also where none is wanted: its bytes are never commands
C3\: BDAT 6\r\nQUIT\r\nNOOP\r\n
S3: 503 *
S3: 250 *
C3: EHLO client.test
S3.. 250 *
C3\: BDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\n
S3: 503 *
S3: 503 *
C3\: MAIL FROM:<>\r\nBDAT 6 LAST\r\nQUIT\r\n
S3: 250 *
S3: 503 *
C3\: RCPT TO:<nobody.here@example.test>\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n
S3: 550 *
S3: 503 *
S3: 250 *

# BDAT and DATA are not mixed; no recipient comes behind a chunk
C3\: RCPT TO:<alice@example.test>\r\nBDAT 6\r\nA: b\r\nDATA\r\nRCPT TO:<bob@example.test>\r\nMAIL FROM:<>\r\nNOOP\r\n
S3: 250 *
S3: 250 *
S3: 503 *
S3: 503 *
S3: 503 *
S3: 250 *

# RSET forgets what came; so does EHLO
C3\: RSET\r\nBDAT 6 LAST\r\nQUIT\r\n
S3: 250 *
S3: 503 *
C3\: MAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nBDAT 6\r\nA: b\r\nEHLO client.test\r\n
S3: 250 *
S3: 250 *
S3: 250 *
S3.. 250 *
C3\: BDAT 6 LAST\r\nQUIT\r\n
S3: 503 *

# after a chunk that was refused nothing more is taken until RSET
C3\: MAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nBDAT 3\r\na\nbBDAT 6\r\nA: b\r\nBDAT 6 LAST\r\nQUIT\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nRSET\r\n
S3: 250 *
S3: 250 *
S3: 550 5.6.0 *
S3: 503 *
S3: 503 *
S3: 503 *
S3: 503 *
S3: 503 *
S3: 250 *

# a last one that is refused ends the transaction
C3\: MAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nBDAT 3 LAST\r\na\nbMAIL FROM:<>\r\n
S3: 250 *
S3: 250 *
S3: 550 5.6.0 *
S3: 250 *

# a transaction that is given up in the middle of a chunk has sent nothing
C3\: RCPT TO:<bob@example.test>\r\nBDAT 1000 LAST\r\nA: b\r\n\r\n
S3: 250 *
close3
server pop3
C4\: USER bob\r\nPASS secret\r\nSTAT\r\nQUIT\r\n
S4: +OK*
S4: +OK*
S4: +OK 0 0
S4: +OK*
S4: <close>
server smtp

# what cannot be understood leaves no way to go on
C5: EHLO client.test
S5.. 250 *
C5\: BDAT many LAST\r\nQUIT\r\n
S5: 501 *
S5: 421 *
S5: <close>
C6: EHLO client.test
S6.. 250 *
C6\: BDAT 1 FIRST\r\n
S6: 501 *
S6: 421 *
S6: <close>
C7: EHLO client.test
S7.. 250 *
C7\: BDAT\r\n
S7: 501 *
S7: 421 *
S7: <close>
C8: EHLO client.test
S8.. 250 *
C8\: BDAT -1\r\n
S8: 501 *
S8: 421 *
S8: <close>

# it belongs to what EHLO offers
C9: HELO client.test
S9: 250 *
C9\: MAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n
S9: 250 *
S9: 250 *
S9: 503 *
S9: 250 *

# chunks that do not fit memory go to the disk, and come back
C10: EHLO client.test
S10.. 250 *
C10\: MAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nBDAT 3200000\r\n
C10+ 3200000 of 01234567890123456789012345678901234567890123456789012345678901\r\n
C10\: BDAT 3200000\r\n
C10+ 3200000 of 01234567890123456789012345678901234567890123456789012345678901\r\n
C10\: BDAT 3200000 LAST\r\n
C10+ 3200000 of 01234567890123456789012345678901234567890123456789012345678901\r\n
S10: 250 *
S10: 250 *
S10: 250 2.0.0 3200000 *
S10: 250 2.0.0 6400000 *
S10: 250 2.0.0 delivered *
server pop3
C11\: USER bob\r\nPASS secret\r\nLIST 1\r\n
S11: +OK *
S11: +OK *
S11: +OK 1 96*
