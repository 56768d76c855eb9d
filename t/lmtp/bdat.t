# bdat.t: chunks by LMTP: one reply for each, and behind the last one for each recipient (RFC 3030, 2; RFC 2033, 4.2)
C: LHLO client.test
S.. 250-CHUNKING
S.. 250 *
C\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nRCPT TO:<nobody.here@example.test>\r\nRCPT TO:<bob@example.test>\r\nBDAT 8\r\nA: b\r\n\r\nBDAT 3 LAST\r\nc\r\nNOOP\r\n
S: 250 *
S: 250 *
S: 550 *
S: 250 *
S: 250 2.0.0 8 bytes *
S: 250 2.0.0 delivered *
S: 250 2.0.0 delivered *
S: 250 2.0.0 here

# a message that is refused by its last chunk is refused for each
C\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\nBDAT 3 LAST\r\n\0\r\nNOOP\r\n
S: 250 *
S: 250 *
S: 250 *
S: 550 5.6.0 *
S: 550 5.6.0 *
S: 250 2.0.0 here

# by one before it, once; no recipient is there any more for the rest to be answered to
C\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\nBDAT 3\r\n\0\r\nBDAT 1 LAST\r\naRSET\r\nNOOP\r\n
S: 250 *
S: 250 *
S: 250 *
S: 550 5.6.0 *
S: 503 *
S: 250 *
S: 250 2.0.0 here

# with none, a last chunk has one reply too
C\: MAIL FROM:<>\r\nRCPT TO:<nobody.here@example.test>\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n
S: 250 *
S: 550 *
S: 503 *
S: 250 2.0.0 here

# HELO and EHLO are not of it, and it is not without LHLO (4.1)
C2\: EHLO client.test\r\nHELO client.test\r\nBDAT 6\r\nQUIT\r\nLHLO client.test\r\n
S2: 500 *
S2: 500 *
S2: 503 *
S2.. 250 *
