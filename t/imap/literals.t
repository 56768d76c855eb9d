# literals.t: a literal is asked for, and comes (RFC 3501, 4.3 and 7.5)
options --set "imap.command_max 8K" --set "imap.errors_max 100"
C: a LOGIN {5}
S: + *
C: alice {6}
S: + *
C: secret
S: a OK *

# or comes without being asked for (RFC 7888)
C\: b STATUS {5+}\r\nINBOX (MESSAGES)\r\n
S: * STATUS "INBOX" (MESSAGES 0)
S: b OK *
C\: c STATUS {5+}\r\nIN
C\: BOX (MESSAGES
S: <silence>
C: )
S: * STATUS *
S: c OK *
C\: d STATUS {5+}
C\: \r
C\: \n
C: inbox (MESSAGES)
S: * STATUS *
S: d OK *

# it may hold what looks like the end of the command, and be empty
C\: e CREATE {9+}\r\nx\r\nf NOOP\r\n
S: e NO *
C\: e LIST {0+}\r\n {1+}\r\n*\r\n
S: * LIST * "INBOX"
S: e OK *

# one that is too long is refused before it comes (4.3)
C: g STATUS {8193}
S: g BAD [TOOBIG] *
C: g STATUS {4294967295}
S: g BAD [TOOBIG] *
C: g NOOP
S: g OK *

# one that comes all the same ends the session (RFC 7888, 4)
C2: a LOGIN alice secret
S2: a OK *
C2: b STATUS {8193+}
S2: b BAD [TOOBIG] *
S2: * BYE *
S2: <close>

# before login less is taken (RFC 7888, 7)
C3: a LOGIN {5000}
S3: a BAD [TOOBIG] *
C3: b LOGIN {5000+}
S3: b BAD *
S3: * BYE *
S3: <close>
C4: a LOGIN alice {4000+}
C4+ 4000 of a
C4: 
S4: a NO *
C4+ 4200 of a
S4: * BYE *
S4: <close>

# a command is no longer than that with all its literals
C5: a LOGIN alice secret
S5: a OK *
C5: b LIST "" {4000+}
C5+ 4000 of a
C5: 
S5: b NO *
C5: c LIST "" {4000}
S5: + *
C5+ 4000 of a
C5: {4000}
S5: + *
C5+ 4000 of a
C5: {4000}
S5: c BAD [TOOBIG] *
C5+ 9000 of a
S5: * BYE *
S5: <close>

# what can never be a command (9)
C6\: a NOOP\n
S6: * BYE *
S6: <close>
C7\: a NO\rOP\r\n
S7: * BYE *
S7: <close>
C8\: a NO\0OP\r\n
S8: * BYE *
S8: <close>
C9: a LOGIN {4294967296}
S9: * BYE *
S9: <close>
