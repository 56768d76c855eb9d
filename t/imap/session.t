# session.t: the greeting tells what the server can do, and no password goes in clear text to a strict one
S: * OK [CAPABILITY IMAP4rev1 *
C: a CAPABILITY
S: * CAPABILITY IMAP4rev1 *
S: a OK *

# a command must be allowed in the session's state (RFC 3501, 3)
C: b SELECT INBOX
S: b BAD *
C: c FETCH 1 FLAGS
S: c BAD *
C: d NOSUCHCOMMAND
S: d BAD *

# wrong passwords and right ones (6.2.3)
C: e LOGIN alice wrong
S: e NO [AUTHENTICATIONFAILED] *
C: f LOGIN "alice@example.test" {6}
S: + *
C: secret
S: f OK *

# an empty INBOX (6.3.1)
C: g SELECT INBOX
S: * FLAGS (*)
S.. * 0 EXISTS
S.. * OK [UIDVALIDITY ${validity}]*
S.. g OK [READ-WRITE] *

# a message is appended with flags and date, and is heard of at once (6.3.11)
C: h APPEND INBOX (\Seen $Done) "17-Jul-1996 02:44:25 -0700" {30}
S: + *
C: Subject: first
C:
C: Hello, you
C:
S.. * 1 EXISTS
S.. h OK *

# it comes back whole, in parts, and in a piece (6.4.5)
C: i FETCH 1 (UID RFC822.SIZE INTERNALDATE BODY[])
S: * 1 FETCH (*RFC822.SIZE 30*BODY[] {30}
S: Subject: first
S:
S: Hello, you
S: )
S: i OK *
C: j FETCH 1 BODY[HEADER.FIELDS (SUBJECT)]
S: * 1 FETCH (BODY[HEADER.FIELDS (SUBJECT)] {18}
S: Subject: first
S:
S: )
S: j OK *
C: k FETCH 1 BODY.PEEK[TEXT]<7.3>
S: * 1 FETCH (BODY[TEXT]<7> {3}
S: you)
S: k OK *

# flags change, silently too, and are searched for (6.4.4, 6.4.6)
C: l STORE 1 -FLAGS (\Seen)
S: * 1 FETCH (*FLAGS (*$Done*)*)
S: l OK *
C: m STORE 1 +FLAGS.SILENT (\Flagged)
S: m OK *
C: n SEARCH UNSEEN FLAGGED KEYWORD $Done
S: * SEARCH 1
S: n OK *
C: o SEARCH SEEN
S: * SEARCH
S: o OK *

# mailboxes are made, listed, filled and told about (6.3)
C: p CREATE Work/2026
S: p OK *
C: q LIST "" "W%"
S: * LIST (*) "/" "Work"
S: q OK *
C: r COPY 1 Work/2026
S: r OK *
C: s STATUS Work/2026 (MESSAGES UIDNEXT UNSEEN)
S: * STATUS "Work/2026" (MESSAGES 1 UIDNEXT 2 UNSEEN 1)
S: s OK *
C: t COPY 1 Nowhere
S: t NO [TRYCREATE] *

# what is expunged is gone, UIDs never come again, and UIDVALIDITY stays (2.3.1.1)
C: u STORE 1 +FLAGS.SILENT (\Deleted)
S: u OK *
C: v EXPUNGE
S: * 1 EXPUNGE
S: v OK *
C: w APPEND INBOX {6}
S: + *
C: a: b
C:
S.. w OK *
C: x UID FETCH 1:* (FLAGS)
S: * 1 FETCH (*UID 2*)
S: x OK *
C: y SELECT INBOX
S.. * OK [UIDVALIDITY ${validity}]*
S.. y OK *

# good-bye (6.1.3)
C: z LOGOUT
S: * BYE *
S: z OK *
S: <close>
