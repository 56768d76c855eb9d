# about.t: NAMESPACE: a user's own mailboxes have no prefix, others there are none (RFC 2342, 5)
options --set "imap.errors_max 100"
C: a NAMESPACE
S: a BAD *
C: a LOGIN alice secret
S: a OK *
C: a NAMESPACE
S: * NAMESPACE (("" "/")) NIL NIL
S: a OK *
C: a NAMESPACE ""
S: a BAD *

# ID, also before login: what the client says is passed over (RFC 2971, 3.1)
C2: a ID NIL
S2: * ID ("name" "Postern")
S2: a OK *
C2: b ID ()
S2: * ID *
S2: b OK *
C2: c ID ("name" "sodr" "version" "19.34" "vendor" NIL)
S2: * ID *
S2: c OK *
C2: d ID ({4}
S2: + *
C2: name {4+}
C2: a"b\)
S2: * ID *
S2: d OK *
C2: e ID
S2: e BAD *
C2: e ID "name" "sodr"
S2: e BAD *
C2: e ID ("name")
S2: e BAD *
C2: e ID ("name" "sodr"
S2: e BAD *
C2: e ID (name sodr)
S2: e BAD *
C2: e ID ("name" "sodr")more
S2: e BAD *

# its limits: 30 fields of 30 bytes with values of 1024 (3.3)
C2: f ID ("123456789012345678901234567890" "x")
S2: * ID *
S2: f OK *
C2: f ID ("1234567890123456789012345678901" "x")
S2: f BAD *
C2\: f ID ("name" {1024+}\r\n
C2+ 1024 of a
C2: )
S2: * ID *
S2: f OK *
C2\: f ID ("name" {1025+}\r\n
C2+ 1025 of a
C2: )
S2: f BAD *
C2: f ID ("a" "" "b" "" "c" "" "d" "" "e" "" "f" "" "g" "" "h" "" "i" "" "j" "" "k" "" "l" "" "m" "" "n" "" "o" "" "p" "" "q" "" "r" "" "s" "" "t" "" "u" "" "v" "" "w" "" "x" "" "y" "" "z" "" "1" "" "2" "" "3" "" "4" "")
S2: * ID *
S2: f OK *
C2: f ID ("a" "" "b" "" "c" "" "d" "" "e" "" "f" "" "g" "" "h" "" "i" "" "j" "" "k" "" "l" "" "m" "" "n" "" "o" "" "p" "" "q" "" "r" "" "s" "" "t" "" "u" "" "v" "" "w" "" "x" "" "y" "" "z" "" "1" "" "2" "" "3" "" "4" "" "5" "")
S2: f BAD *

# ENABLE: what is not known is passed over (RFC 5161, 3.1); not while a mailbox is selected
C: b ENABLE CONDSTORE X-GOOD-IDEA
S: * ENABLED
S: b OK *
C: b ENABLE
S: b BAD *
C: b ENABLE (CONDSTORE)
S: b BAD *
C: b ENABLE CONDSTORE  QRESYNC
S: b BAD *
C: b SELECT INBOX
S.. b OK *
C: b ENABLE CONDSTORE
S: b BAD *
C2: g ENABLE CONDSTORE
S2: g BAD *

# UNSELECT leaves the mailbox and expunges nothing (RFC 3691, 2)
C\: c APPEND INBOX (\\Deleted) {3+}\r\na:b\r\n
S.. c OK *
C: c UNSELECT now
S: c BAD *
C: c UNSELECT
S: c OK *
C: c UNSELECT
S: c BAD *
C: c CHECK
S: c BAD *
C: c STATUS INBOX (MESSAGES)
S: * STATUS "INBOX" (MESSAGES 1)
S: c OK *
C: c LOGOUT
S: * BYE *
S: c OK *
S: <close>
