# append.t: a message, its flags and its date (RFC 3501, 6.3.11; RFC 4315, 3)
options --set "imap.append_max 64K" --set "imap.errors_max 100"
C: a LOGIN alice secret
S: a OK *
C: b APPEND INBOX {11}
S: + *
C: A: b
C:
C: c
C:
S: b OK [APPENDUID ${validity} 1] *
C\: c APPEND INBOX (\\Seen $Done \\draft) " 7-Feb-1994 21:52:25 -0800" {11+}\r\nA: b\r\n\r\nd\r\n\r\n
S: c OK [APPENDUID ${validity} 2] *
C\: d APPEND {5+}\r\ninbox () {11+}\r\nA: b\r\n\r\ne\r\n\r\n
S: d OK [APPENDUID ${validity} 3] *
C: e EXAMINE INBOX
S.. e OK *
C: f FETCH 1:3 (FLAGS INTERNALDATE RFC822.SIZE BODY[TEXT])
S: * 1 FETCH (FLAGS (*) INTERNALDATE "* +0000" RFC822.SIZE 11 BODY[TEXT] {3}
S: c
S: )
S: * 2 FETCH (FLAGS (\Seen \Draft* $Done) INTERNALDATE " 8-Feb-1994 05:52:25 +0000" RFC822.SIZE 11 BODY[TEXT] {3}
S: d
S: )
S: * 3 FETCH (*BODY[TEXT] {3}
S: e
S: )
S: f OK *

# a message that comes byte by byte, and one whose end has no line end
C\: g APPEND INBOX {3+}\r\na
C\: :
C\: b
S: <silence>
C\: \r
S: <silence>
C\: \n
S: * 4 EXISTS
S: * * RECENT
S: g OK [APPENDUID ${validity} 4] *
C: h FETCH 4 (RFC822.SIZE BODY[])
S: * 4 FETCH (RFC822.SIZE 5 BODY[] {5}
S: a:b
S: )
S: h OK *

# its line ends may be LF alone, a NUL it has none
C\: i APPEND INBOX {5+}\r\na:\n\nb\r\n
S.. i OK *
C: i FETCH 5 BODY[]
S: * 5 FETCH (BODY[] {9}
S: a:
S:
S: b
S: )
S: i OK *
C\: i APPEND INBOX {3+}\r\na\0b\r\n
S: i BAD *
C: i APPEND INBOX {0}
S: + *
C: 
S: i NO *

# a mailbox that is not there is not made (6.3.11)
C: j APPEND nowhere {3}
S: + *
C: a:b
S: j NO [TRYCREATE] *

# one that is too long is refused before it comes, or passed over
C: k APPEND INBOX {65537}
S: k NO [TOOBIG] *
C: k APPEND INBOX {65600+}
C+ 65600 of 01234567890123456789012345678901234567890123456789012345678901\r\n
C: 
S: k NO [TOOBIG] *
C: k APPEND INBOX {65536}
S: + *
C+ 65536 of 01234567890123456789012345678901234567890123456789012345678901\r\n
C: 
S.. k OK *

# what is no APPEND
C: l APPEND
S: l BAD *
C: l APPEND INBOX
S: l BAD *
C: l APPEND INBOX message
S: l BAD *
C\: l APPEND INBOX (\\Nonsense) {3+}\r\na:b\r\n
S: l BAD *
C\: l APPEND INBOX (\\Seen {3+}\r\na:b\r\n
S: l BAD *
C\: l APPEND INBOX "yesterday" {3+}\r\na:b\r\n
S: l BAD *
C\: l APPEND INBOX {3+} {3+}\r\na:b\r\n
S: l BAD *
C2\: a APPEND INBOX {3+}\r\na:b\r\n
S2: a BAD *

# where the next command begins cannot be told when more stands behind the message
C3: a LOGIN alice secret
S3: a OK *
C3\: b APPEND INBOX {3+}\r\na:bc\r\n
S3: b BAD *
S3: * BYE *
S3: <close>

# commands behind an APPEND wait for it
C4\: a LOGIN bob secret\r\nb APPEND INBOX {3+}\r\na:b\r\nc APPEND INBOX {3+}\r\nc:d\r\nd STATUS INBOX (MESSAGES)\r\n
S4: a OK *
S4: b OK [APPENDUID * 1] *
S4: c OK [APPENDUID * 2] *
S4: * STATUS "INBOX" (MESSAGES 2)
S4: d OK *

# a client that goes away in the middle has appended nothing
C4\: e APPEND INBOX {100+}\r\nhalf of it
close4
C5: a LOGIN bob secret
S5: a OK *
C5: b STATUS INBOX (MESSAGES)
S5: * STATUS "INBOX" (MESSAGES 2)
S5: b OK *
