# literals-minus.t: LITERAL-: more than 4096 bytes are to be asked for (RFC 7888, 5)
options --set "imap.literals minus" --set "imap.errors_max 100"
S: * OK [CAPABILITY IMAP4rev1 LITERAL- *
C\: a LOGIN {5+}\r\nalice {6+}\r\nsecret\r\n
S: a OK *
C\: b LIST "" {4096+}\r\n
C+ 4096 of a
C: 
S: b NO *
C: c LIST "" {4097}
S: + *
C+ 4097 of a
C: 
S: c NO *
C\: d APPEND INBOX {4096+}\r\n
C+ 4096 of a
C: 
S: d OK *
C: e APPEND INBOX {4097}
S: + *
C+ 4097 of a
C: 
S: e OK *

# what comes all the same ends the session (4)
C\: f APPEND INBOX {4097+}\r\n
C+ 4097 of a
S: f BAD [TOOBIG] *
S: * BYE *
S: <close>
C2: a LOGIN alice secret
S2: a OK *
C2: b LIST "" {4097+}
S2: b BAD [TOOBIG] *
S2: * BYE *
S2: <close>
C3: a LOGIN alice secret
S3: a OK *
C3\: b APPEND INBOX {3+}\r\na:b {4097+}\r\n
S3: b BAD *
S3: * BYE *
S3: <close>
C4: a LOGIN alice secret
S4: a OK *
C4: b STATUS INBOX (MESSAGES)
S4: * STATUS "INBOX" (MESSAGES 2)
S4: b OK *
