# literals-sync.t: every literal is to be asked for (RFC 3501, 4.3)
options --set "imap.literals sync" --set "imap.line_ends strict" --set "imap.errors_max 100" --set "imap.id {}"
S: * OK [CAPABILITY IMAP4rev1 IDLE *
C: a LOGIN {5}
S: + *
C: alice secret
S: a OK *
C: b APPEND INBOX {3}
S: + *
C: a:b
S: b OK *

# what comes all the same ends the session
C2: a LOGIN {5+}
S2: a BAD [TOOBIG] *
S2: * BYE *
S2: <close>

# lines of messages end in CRLF, where the administrator wants them to
C: c APPEND INBOX {4}
S: + *
C\: a:\nb\r\n
S: c BAD *
C: c APPEND INBOX {4}
S: + *
C\: a:\rb\r\n
S: c BAD *
C: c APPEND INBOX {5}
S: + *
C\: a:\r\nb\r\n
S: c OK *

# a server that tells nothing of itself (RFC 2971, 3.2)
C: d ID ("name" "x")
S: * ID NIL
S: d OK *
