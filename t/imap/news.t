# news.t: what one session does, the others hear with their next command (RFC 3501, 5.2 and 7)
C: a LOGIN alice secret
S: a OK *
C\: b APPEND INBOX {3+}\r\na:1\r\nc APPEND INBOX {3+}\r\na:2\r\nd APPEND INBOX {3+}\r\na:3\r\n
S.. d OK *
C: e SELECT INBOX
S.. * 3 RECENT
S.. e OK *
C2: a LOGIN alice secret
S2: a OK *
C2: b SELECT INBOX
S2.. * 0 RECENT
S2.. b OK *
C\: f APPEND INBOX {3+}\r\na:4\r\n
S: * 4 EXISTS
S: * 4 RECENT
S: f OK *
C2: c NOOP
S2: * 4 EXISTS
S2: * * RECENT
S2: c OK *

# no EXPUNGE during FETCH, STORE or SEARCH: numbers stay what they were (7.4.1)
C: g STORE 2 +FLAGS.SILENT (\Deleted)
S: g OK *
C: g EXPUNGE
S: * 2 EXPUNGE
S: g OK *
C2: d FETCH 1:4 UID
S2: * 1 FETCH (UID 1)
S2: * 2 FETCH (UID 2)
S2: * 3 FETCH (UID 3)
S2: * 4 FETCH (UID 4)
S2.. d OK *
C2: e SEARCH ALL
S2: * SEARCH 1 3 4
S2: e OK *
C2: f STORE 4 +FLAGS (\Flagged)
S2: * 4 FETCH (FLAGS (\Flagged*))
S2: f OK *
C2: g STORE 2 +FLAGS (\Flagged)
S2.. g OK *

# what is gone and not yet told of: its text is not to be had, or still is, and nothing else is hurt
C2: h FETCH 2:3 (UID BODY.PEEK[])
S2.. * 3 FETCH (UID 3 BODY[] {5}
S2: a:3
S2: )
S2: h *

# a UID command may tell of it (6.4.8, 7.4.1)
C2: i UID SEARCH ALL
S2: * SEARCH 1 3 4
S2: * 2 EXPUNGE
S2: i OK *
C2: j FETCH 1:3 UID
S2: * 1 FETCH (UID 1)
S2: * 2 FETCH (UID 3)
S2: * 3 FETCH (UID 4)
S2: j OK *
C2: j FETCH 4 UID
S2: j BAD *

# a message that comes and goes between two commands was never there
C\: k APPEND INBOX (\\Deleted) {3+}\r\na:5\r\nl EXPUNGE\r\n
S: * 4 EXISTS
S: * 4 RECENT
S: * 3 FETCH (FLAGS (\Flagged \Recent))
S: k OK *
S: * 4 EXPUNGE
S: l OK *
C2: k NOOP
S2: k OK *

# commands that wait for others (5.5)
C\: m STORE 1 +FLAGS.SILENT (\\Deleted)\r\nn EXPUNGE\r\no FETCH 1 UID\r\np UID STORE 4 FLAGS (\\Seen)\r\nq NOOP\r\n
S: m OK *
S: * 1 EXPUNGE
S: n OK *
S: * 1 FETCH (UID 3)
S: o OK *
S: * 2 FETCH (FLAGS (\Seen \Recent) UID 4)
S: p OK *
S: q OK *
C2: l CHECK
S2: * 1 EXPUNGE
S2: * 2 FETCH (FLAGS (*\Seen*))
S2: l OK *

# a mailbox that is deleted under a session, and one that is renamed
C: r CREATE doomed
S: r OK *
C\: r APPEND doomed {3+}\r\na:1\r\n
S: r OK *
C2: m SELECT doomed
S2.. m OK *
C: s DELETE doomed
S: s OK *
C2: n NOOP
S2: * 1 EXPUNGE
S2: n OK *
C2: o FETCH 1 UID
S2: o BAD *
C2: p LOGOUT
S2: * BYE *
S2: p OK *
S2: <close>
