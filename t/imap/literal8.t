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

# parts of any bytes are kept as base64, and BINARY has the bytes (4.2 and 4.4); NULs elsewhere there are none
C\: e APPEND INBOX ~{95+}\r\nMIME-Version: 1.0\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\na\0b\r\nc\xff\rd\ne\r\r\n\r\n
S: e OK [APPENDUID * 5] *
C: e EXAMINE INBOX
S.. e OK *
C: e FETCH 5 (BODY.PEEK[HEADER.FIELDS (Content-Transfer-Encoding)] BODY.PEEK[TEXT])
S: * 5 FETCH (BODY[HEADER.FIELDS (Content-Transfer-Encoding)] {*}
S: Content-Transfer-Encoding: base64
S:
S:  BODY[TEXT] {*}
S: YQBiDQpj/w1kCmUNDQo=
S: )
S: e OK *
C: e FETCH 5 BINARY.SIZE[1]
S: * 5 FETCH (BINARY.SIZE[1] 14)
S: e OK *
C\: e APPEND INBOX ~{3+}\r\na\0b\r\n
S: e NO [UNKNOWN-CTE] *
C\: e APPEND INBOX ~{41+}\r\nContent-Transfer-Encoding: 8bit\r\n\r\nab\0 cd\r\n
S: e NO [UNKNOWN-CTE] *
