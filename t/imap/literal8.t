# literal8.t: a literal8 is for messages (RFC 3516, 4.4)
options --set "imap.errors_max 100"
C: a LOGIN alice secret
S: a OK *
C\: b APPEND INBOX (\\Seen) ~{3+}\r\na:b\r\n
S: b OK [APPENDUID * 1] *
C: c APPEND INBOX ~{3}
S: + *
C\: a:c ~{3}\r\n
S: + *
C\: a:d {3+}\r\na:e\r\n
S: c OK [APPENDUID * 2:4] *

# elsewhere it is none
C\: d STATUS ~{5+}\r\nINBOX (MESSAGES)\r\n
S: d BAD *
C\: d STATUS ~{1+}\r\n\0\r\n
S: d BAD *
C\: d APPEND ~{5+}\r\nINBOX {3+}\r\na:b\r\n
S: d BAD *
C\: d APPEND INBOX ~ {3+}\r\na:b\r\n
S: d BAD *
C\: d APPEND INBOX ~~{3+}\r\na:b\r\n
S: d BAD *
C: d STATUS INBOX (MESSAGES)
S: * STATUS "INBOX" (MESSAGES 4)
S: d OK *
