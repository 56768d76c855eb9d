# store.t: flags are replaced, added, removed (RFC 3501, 6.4.6)
options --set "imap.errors_max 100"
C: a LOGIN alice secret
S: a OK *
C\: b APPEND INBOX {3+}\r\na:b\r\nc APPEND INBOX {3+}\r\nc:d\r\nd APPEND INBOX {3+}\r\ne:f\r\n
S.. d OK *
C: e SELECT INBOX
S.. e OK *
C: f STORE 1:2 FLAGS (\Seen \Flagged)
S: * 1 FETCH (FLAGS (\Flagged \Seen \Recent))
S: * 2 FETCH (FLAGS (\Flagged \Seen \Recent))
S: f OK *
C: f STORE 2 +FLAGS \Answered
S: * 2 FETCH (FLAGS (\Answered \Flagged \Seen \Recent))
S: f OK *
C: f STORE 2 -FLAGS (\Seen \Flagged \Draft)
S: * 2 FETCH (FLAGS (\Answered \Recent))
S: f OK *
C: f STORE 2 FLAGS ()
S: * 2 FETCH (FLAGS (\Recent))
S: f OK *
C: f UID STORE 1 FLAGS ()
S: * 1 FETCH (FLAGS (\Recent) UID 1)
S: f OK *
C: f UID STORE 99 FLAGS (\Seen)
S: f OK *

# what did not change is told too, once
C: g STORE 1 -FLAGS (\Seen)
S: * 1 FETCH (FLAGS (\Recent))
S: g OK *

# keywords: FLAGS tells of a new one before it is used (7.2.6)
C: h STORE 1 +FLAGS (work $Forwarded)
S: * FLAGS (* work $Forwarded)
S: * OK [PERMANENTFLAGS (* work $Forwarded \\*)] *
S: * 1 FETCH (FLAGS (\Recent work $Forwarded))
S: h OK *
C: h STORE 1 -FLAGS (WORK)
S: * 1 FETCH (FLAGS (\Recent $Forwarded))
S: h OK *

# .SILENT: nothing is told of one's own change ...
C: i STORE 1:3 +FLAGS.SILENT (\Seen)
S: i OK *
C: i NOOP
S: i OK *
C: i STORE 1 FLAGS.SILENT (\Draft)
S: i OK *
C: i FETCH 1 FLAGS
S: * 1 FETCH (FLAGS (\Draft \Recent))
S: i OK *
C: i STORE 1 -FLAGS.SILENT (\Draft)
S: i OK *
C: i SEARCH DRAFT
S: * SEARCH
S: i OK *

# ... but of another session's
C2: a LOGIN alice secret
S2: a OK *
C2: b SELECT INBOX
S2.. b OK *
C2: c STORE 2 +FLAGS.SILENT (\Flagged)
S2: c OK *
C: j STORE 2 +FLAGS.SILENT (\Answered)
S: * 2 FETCH (FLAGS (\Flagged \Seen \Recent))
S: j OK *
C2: d STORE 2 -FLAGS.SILENT (\Flagged)
S2: * 2 FETCH (FLAGS (\Answered \Flagged \Seen))
S2: d OK *
C2: e STORE 3 FLAGS (\Deleted)
S2: * 3 FETCH (FLAGS (\Deleted))
S2: e OK *
C: k NOOP
S: * 2 FETCH (FLAGS (\Answered \Seen \Recent))
S: * 3 FETCH (FLAGS (\Deleted \Recent))
S: k OK *

# a mailbox has 64 keywords of 100 bytes; a change that would be too many makes none
C: l STORE 1 +FLAGS (k0 k1 k2 k3 k4 k5 k6 k7 k8 k9 k10 k11 k12 k13 k14 k15 k16 k17 k18 k19 k20 k21 k22 k23 k24 k25 k26 k27 k28 k29 k30 k31 k32 k33 k34 k35 k36 k37 k38 k39 k40 k41 k42 k43 k44 k45 k46 k47 k48 k49 k50 k51 k52 k53 k54 k55 k56 k57 k58 k59 k60 k61 k62 k63 k64)
S: l NO [LIMIT] *
C: l STORE 1 +FLAGS.SILENT (one-more)
S: * FLAGS (* work $Forwarded one-more)
S: * OK [PERMANENTFLAGS (*)] *
S: l OK *
C: l STORE 1 -FLAGS.SILENT (one-more)
S: l OK *
C: l STORE 1 +FLAGS (xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx)
S: l BAD *
C\: l STORE 1 +FLAGS (\xc3\xa4)\r\n
S: l NO *

# what is no STORE
C: l STORE 1
S: l BAD *
C: l STORE 1 FLAGS
S: l BAD *
C: l STORE 1 FLAGS (\Seen
S: l BAD *
C: l STORE 1 FLAGS (\Nonsense)
S: l BAD *
C: l STORE 1 *FLAGS (\Seen)
S: l BAD *
C: l STORE 1 FLAGS.LOUD (\Seen)
S: l BAD *
C: l STORE 4 FLAGS (\Seen)
S: l BAD *
C: l STORE 1 FLAGS (\Seen \Recent)
S: * 1 FETCH (FLAGS (\Seen \Recent))
S: l OK *

# a mailbox that is read-only stays as it is (6.3.2)
C: m EXAMINE INBOX
S.. m OK [READ-ONLY] *
C: m STORE 1 FLAGS ()
S: m NO *
C: m EXPUNGE
S: m NO *
C: m UID EXPUNGE 1:*
S: m NO *
C: m CLOSE
S: m OK *
C: m STATUS INBOX (MESSAGES)
S: * STATUS "INBOX" (MESSAGES 3)
S: m OK *
