# mailboxes-tls.t: several messages, MOVE, LIST and IDLE over TLS (RFC 8314, 3.3)
server imaps
C: a LOGIN alice secret
S: a OK *
C: b CREATE Archive/2026
S: b OK *
C: c APPEND INBOX {3}
S: + *
C\: a:1 {70000+}\r\n
C+ 70000 of 012345678901234567890123456789012345678901234567890123456789\r\n
C\: \s~{3+}\r\na:3\r\n
S: c OK [APPENDUID * 1:3] *
C2: a LOGIN alice secret
S2: a OK *
C2: b SELECT INBOX
S2.. b OK *
C2: c IDLE
S2: + *
C: d SELECT INBOX
S.. d OK *
C: e MOVE 2:3 Archive/2026
S: * OK [COPYUID * 2:3 1:2] *
S: * 3 EXPUNGE
S: * 2 EXPUNGE
S: e OK *
S2: * 3 EXPUNGE
S2: * 2 EXPUNGE
C2: DONE
S2: c OK *
C: f LIST "" * RETURN (STATUS (MESSAGES))
S: * LIST (\NonExistent \HasChildren) "/" "Archive"
S: * LIST (\HasNoChildren) "/" "Archive/2026"
S: * STATUS "Archive/2026" (MESSAGES 2)
S: * LIST (\HasNoChildren) "/" "INBOX"
S: * STATUS "INBOX" (MESSAGES 1)
S: f OK *
