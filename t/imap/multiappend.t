# multiappend.t: several messages in one APPEND (RFC 3502, 6.3.11), their UIDs in one answer (RFC 4315, 3)
options --set "imap.append_max 64K" --set "imap.errors_max 100"
C: a LOGIN alice secret
S: a OK *
C: b APPEND INBOX (\Seen) " 7-Feb-1994 21:52:25 -0800" {3}
S: + *
C\: a:1 (\\Flagged $w) {3}\r\n
S: + *
C\: a:2 {3+}\r\na:3 " 8-Feb-1994 21:52:25 +0000" {3+}\r\na:4\r\n
S: b OK [APPENDUID ${validity} 1:4] *
C: c EXAMINE INBOX
S.. c OK *
C: c FETCH 1:* (UID FLAGS INTERNALDATE BODY.PEEK[])
S: * 1 FETCH (UID 1 FLAGS (\Seen*) INTERNALDATE " 8-Feb-1994 05:52:25 +0000" BODY[] {5}
S: a:1
S: )
S: * 2 FETCH (UID 2 FLAGS (\Flagged* $w) INTERNALDATE "*" BODY[] {5}
S: a:2
S: )
S: * 3 FETCH (UID 3 FLAGS (*) INTERNALDATE "*" BODY[] {5}
S: a:3
S: )
S: * 4 FETCH (UID 4 FLAGS (*) INTERNALDATE " 8-Feb-1994 21:52:25 +0000" BODY[] {5}
S: a:4
S: )
S: c OK *

# others hear of all of them at once
C2: a LOGIN alice secret
S2: a OK *
C2: b SELECT INBOX
S2.. b OK *
C\: d APPEND INBOX {3+}\r\na:5 {3+}\r\na:6\r\n
S: * 6 EXISTS
S: * * RECENT
S: d OK [APPENDUID ${validity} 5:6] *
C2: c NOOP
S2: * 6 EXISTS
S2: * * RECENT
S2: c OK *

# byte by byte
C\: e APPEND INBOX {3+}\r
C\: \na
C\: :7
S: <silence>
C\: \s{
C\: 3+}
C\: \r
S: <silence>
C\: \na:8\r
S: <silence>
C\: \n
S: * 8 EXISTS
S: * * RECENT
S: e OK [APPENDUID ${validity} 7:8] *

# all or none: what is wrong with one is wrong with all
C\: f APPEND INBOX {3+}\r\na:9 {4+}\r\na:\0b {3+}\r\na:c\r\n
S: f BAD *
C\: f APPEND INBOX {3+}\r\na:9 {70000+}\r\n
C+ 70000 of 0123456789
C\: \s{3+}\r\na:b\r\n
S: f NO [TOOBIG] *
C: f APPEND INBOX {3}
S: + *
C\: a:9 {65537}\r\n
S: f NO [TOOBIG] *
C: f APPEND INBOX {3}
S: + *
C\: a\0b {3}\r\n
S: f BAD *
C\: f APPEND INBOX {3+}\r\na:9 (c1 c2 c3 c4 c5 c6 c7 c8 c9 c10 c11 c12 c13 c14 c15 c16 c17 c18 c19 c20 c21 c22 c23 c24 c25 c26 c27 c28 c29 c30 c31 c32 c33 c34 c35 c36 c37 c38 c39 c40 c41 c42 c43 c44 c45 c46 c47 c48 c49 c50 c51 c52 c53 c54 c55 c56 c57 c58 c59 c60 c61 c62 c63 c64 c65) {3+}\r\na:b\r\n
S: f NO [LIMIT] *
C: f STATUS INBOX (MESSAGES UIDNEXT)
S: * STATUS "INBOX" (MESSAGES 8 UIDNEXT 9)
S: f OK *

# an empty message is how a client gives up
C: g APPEND INBOX {3}
S: + *
C\: a:9 {0}\r\n
S: + *
C: 
S: g NO *
C\: g APPEND INBOX {0+}\r\n {3+}\r\na:b\r\n
S: g NO *

# a mailbox that is not there
C\: h APPEND nowhere {3+}\r\na:b {3+}\r\nc:d\r\n
S: h NO [TRYCREATE] *

# large ones and small ones
C\: i APPEND INBOX {65536+}\r\n
C+ 65536 of 012345678901234567890123456789012345678901234567890123456789\r\n
C\: \s{3+}\r\na:b {65536+}\r\n
C+ 65536 of 012345678901234567890123456789012345678901234567890123456789\r\n
C\: \r\n
S.. i OK [APPENDUID ${validity} 9:11] *
C: i FETCH 9:11 RFC822.SIZE
S: * 9 FETCH (RFC822.SIZE *)
S: * 10 FETCH (RFC822.SIZE 5)
S: * 11 FETCH (RFC822.SIZE *)
S: i OK *

# what stands between messages and is no message
C3: a LOGIN alice secret
S3: a OK *
C3\: b APPEND INBOX {3+}\r\na:b{3+}\r\nc:d\r\n
S3: b BAD *
S3: * BYE *
S3: <close>
C4: a LOGIN alice secret
S4: a OK *
C4\: b APPEND INBOX {3+}\r\na:b (\\Nonsense) {3+}\r\nc:d\r\n
S4: b BAD *
S4: * BYE *
S4: <close>
C5: a LOGIN alice secret
S5: a OK *
C5\: b APPEND INBOX {3+}\r\na:b (\\Seen)\r\n
S5: b BAD *
S5: * BYE *
S5: <close>
C6: a LOGIN alice secret
S6: a OK *
C6\: b APPEND INBOX {3+}\r\na:b\s
C6+ 9000 of a
S6: b BAD *
S6: * BYE *
S6: <close>

# all that was answered outlives kill -9, and of the rest nothing is there
C7: a LOGIN bob secret
S7: a OK *
C7\: b APPEND INBOX {3+}\r\na:1 {3+}\r\na:2\r\n
S7: b OK [APPENDUID * 1:2] *
C7\: c APPEND INBOX {3+}\r\na:3 {3+}\r\na:4
kill
C: a LOGIN bob secret
S: a OK *
C: b STATUS INBOX (MESSAGES)
S: * STATUS "INBOX" (MESSAGES 2)
S: b OK *
