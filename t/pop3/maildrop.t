# maildrop.t: a maildrop is one session's alone until it parts (RFC 1939, 4; RFC 2449, 8.1.2)
options --workers 1 --set "pop3.errors_max 3"
C\: USER alice\r\nPASS secret\r\n
S: +OK *
S: +OK 0 messages, *
C2\: USER alice\r\nPASS secret\r\n
S2: +OK *
S2: -ERR [IN-USE] *
C2: STAT
S2: -ERR *

# which tells nobody who cannot log in, and is no mistake of his
C2\: USER alice\r\nPASS wrong\r\nUSER alice\r\nPASS secret\r\nUSER Alice@EXAMPLE.test\r\nPASS secret\r\n
S2: +OK *
S2: -ERR [AUTH] *
S2: +OK *
S2: -ERR [IN-USE] *
S2: +OK *
S2: -ERR [IN-USE] *
C2: AUTH PLAIN AGFsaWNlAHNlY3JldA==
S2: -ERR [IN-USE] *

# another account is another maildrop
C2\: USER bob\r\nPASS secret\r\n
S2: +OK *
S2: +OK 0 messages, *

# QUIT gives it back before it answers
C: QUIT
S: +OK *
C3\: USER alice\r\nPASS secret\r\n
S3: +OK *
S3: +OK *

# so does QUIT with deletions, once they are done
server lmtp
C4: LHLO client.test
S4.. 250 *
C4\: MAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n.\r\n
S4.. 250 2.0.0 *
server pop3
C3: QUIT
S3: +OK *
C5\: USER alice\r\nPASS secret\r\nDELE 1\r\nQUIT\r\n
S5: +OK *
S5: +OK 1 messages, *
S5: +OK *
S5: +OK *, 1 messages deleted
C6\: USER alice\r\nPASS secret\r\n
S6: +OK *
S6: +OK 0 messages, *

# so does a connection that ends
close6
C7\: USER alice\r\nPASS secret\r\n
S7: +OK *
S7: +OK *

# and one that is left for its silence, or its mistakes
clock +601s
S7: <close>
C8\: USER alice\r\nPASS secret\r\nX\r\nX\r\nX\r\nX\r\n
S8: +OK *
S8: +OK *
S8.. <close>
C9\: USER alice\r\nPASS secret\r\n
S9: +OK *
S9: +OK *

# IMAP does not mind, and neither does it hold a maildrop
server imap
C10: a LOGIN alice secret
S10: a OK *
C10: b SELECT INBOX
S10.. b OK *
