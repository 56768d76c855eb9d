# news.t: what QUIT deletes IMAP sessions hear at once (RFC 1939, 6; RFC 2177)
options --workers 2
server lmtp
C: LHLO client.test
S.. 250 *
C\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nBDAT 21 LAST\r\nSubject: one\r\n\r\none\r\n
S: 250 *
S: 250 *
S: 250 *
C\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nBDAT 21 LAST\r\nSubject: one\r\n\r\none\r\n
S: 250 *
S: 250 *
S: 250 *
C\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nBDAT 21 LAST\r\nSubject: one\r\n\r\none\r\n
S: 250 *
S: 250 *
S: 250 *
server imap
C2: a LOGIN alice secret
S2: a OK *
C2: b SELECT INBOX
S2.. * 3 EXISTS
S2.. b OK *
C2: c IDLE
S2: + *

# marking deletes nothing, nor do parting without QUIT and RSET
server pop3
C3\: USER alice\r\nPASS secret\r\nDELE 1\r\nDELE 2\r\nRSET\r\nDELE 2\r\nNOOP\r\n
S3.. +OK here
S2: <silence>
close3
S2: <silence>

# QUIT does
C4: UTF8
S4: +OK *
C4: NOOP
S4: -ERR *
C4\: USER bob\r\nPASS secret\r\nQUIT\r\n
S4.. <close>
C5\: USER alice\r\nPASS secret\r\nDELE 1\r\nDELE 3\r\nQUIT\r\n
S5.. +OK *, 2 messages deleted
S5: <close>
S2: * 3 EXPUNGE
S2: * 1 EXPUNGE
C2: DONE
S2.. c OK *
C2: d FETCH 1 UID
S2: * 1 FETCH (UID 2)
S2: d OK *

# what is retrieved is seen in IMAP
C2: e IDLE
S2: + *
C6\: USER alice\r\nPASS secret\r\nRETR 1\r\nQUIT\r\n
S6.. <close>
S2: * 1 FETCH (FLAGS (\Seen*))
C2: DONE
S2: e OK *
