# fetch.t: what can be asked for (RFC 3501, 6.4.5)
options --set "imap.errors_max 100"
C: a LOGIN alice secret
S: a OK *
C: a APPEND INBOX {541}
S: + *
C: Date: Wed, 17 Jul 1996 02:23:25 -0700
C: From: Terry Gray <gray@cac.test>
C: Subject: parts
C: To: imap@cac.test
C: Content-Type: multipart/mixed; boundary=b
C:
C: before
C: --b
C: Content-Type: text/plain; charset=utf-8
C: X-Part: one
C:
C: one
C:
C: --b
C: Content-Type: message/rfc822
C: Content-Description: inner
C:
C: Subject: inside
C: From: a@b.test
C: Content-Type: multipart/alternative; boundary=c
C:
C: --c
C:
C: two one
C: --c
C: Content-Type: text/html
C: Content-Transfer-Encoding: base64
C: Content-Disposition: attachment; filename=x.html
C:
C: PGI+
C: --c--
C:
C: --b--
C: behind
C:
S: a OK *
C: b SELECT INBOX
S.. b OK *
C: c FETCH 1 (ENVELOPE BODY)
S: * 1 FETCH (ENVELOPE ("Wed, 17 Jul 1996 02:23:25 -0700" "parts" (("Terry Gray" NIL "gray" "cac.test")) (("Terry Gray" NIL "gray" "cac.test")) (("Terry Gray" NIL "gray" "cac.test")) ((NIL NIL "imap" "cac.test")) NIL NIL NIL NIL) BODY (("text" "plain" ("charset" "utf-8") NIL NIL "7BIT" 5 1)("message" "rfc822" NIL NIL "inner" "7BIT" 230 (NIL "inside" ((NIL NIL "a" "b.test")) ((NIL NIL "a" "b.test")) ((NIL NIL "a" "b.test")) NIL NIL NIL NIL NIL) (("text" "plain" ("charset" "us-ascii") NIL NIL "7BIT" 7 0)("text" "html" NIL NIL NIL "base64" 4 0) "alternative") *) "mixed"))
S: c OK *
C: d FETCH 1 BODYSTRUCTURE
S: * 1 FETCH (BODYSTRUCTURE (* "mixed" ("boundary" "b") NIL NIL NIL))
S: d OK *
C: e FETCH 1 FULL
S: * 1 FETCH (FLAGS (\Recent) INTERNALDATE "*" RFC822.SIZE 541 ENVELOPE (*) BODY (*))
S: e OK *

# sections of parts (6.4.5)
C: f FETCH 1 (BODY.PEEK[1] BODY.PEEK[1.MIME])
S: * 1 FETCH (BODY[1] {5}
S: one
S:  BODY[1.MIME] {56}
S: Content-Type: text/plain; charset=utf-8
S: X-Part: one
S:
S: )
S: f OK *
C: g FETCH 1 (BODY.PEEK[2.HEADER.FIELDS (SUBJECT)] BODY.PEEK[2.1] BODY.PEEK[2.2]<1.2>)
S: * 1 FETCH (BODY[2.HEADER.FIELDS (SUBJECT)] {19}
S: Subject: inside
S:
S:  BODY[2.1] {7}
S: two one BODY[2.2]<1> {2}
S: GI)
S: g OK *
C: h FETCH 1 (BODY.PEEK[HEADER.FIELDS.NOT (DATE FROM CONTENT-TYPE)])
S: * 1 FETCH (BODY[HEADER.FIELDS.NOT (DATE FROM CONTENT-TYPE)] {37}
S: Subject: parts
S: To: imap@cac.test
S:
S: )
S: h OK *
C: i FETCH 1 (BODY.PEEK[3] BODY.PEEK[1.HEADER] BODY.PEEK[1.1] BODY.PEEK[2.3.MIME])
S: * 1 FETCH (BODY[3] NIL BODY[1.HEADER] NIL BODY[1.1] NIL BODY[2.3.MIME] NIL)
S: i OK *

# pieces: from within, over the end, beyond it
C: j FETCH 1 (BODY.PEEK[]<0.4> BODY.PEEK[]<537.100> BODY.PEEK[]<541.1> BODY.PEEK[]<4294967295.1>)
S: * 1 FETCH (BODY[]<0> {4}
S: Date BODY[]<537> {4}
S: nd
S:  BODY[]<541> {0}
S:  BODY[]<4294967295> {0}
S: )
S: j OK *
C: k FETCH 1 BODY.PEEK[HEADER.FIELDS (To)]<4.4>
S: * 1 FETCH (BODY[HEADER.FIELDS (To)]<4> {4}
S: imap)
S: k OK *

# nothing so far has set \Seen; a section without PEEK does, and says so
C: l FETCH 1 (RFC822.HEADER FLAGS)
S: * 1 FETCH (RFC822.HEADER {*}
S.. *FLAGS (\Recent))
S: l OK *
C: m FETCH 1 BODY[1]
S: * 1 FETCH (BODY[1] {5}
S: one
S:  FLAGS (\Seen \Recent))
S: m OK *
C\: n FETCH 1 FLAGS\r\nn UNKNOWN\r\no STORE 1 -FLAGS (\\Seen)\r\np FETCH 1 (FLAGS BODY[1]<0.1>)\r\nq STORE 1 -FLAGS (\\Seen)\r\nr NOOP\r\n
S: * 1 FETCH (FLAGS (\Seen \Recent))
S: n OK *
S: n BAD *
S: * 1 FETCH (FLAGS (\Recent))
S: o OK *
S: * 1 FETCH (FLAGS (\Seen \Recent) BODY[1]<0> {1}
S: o)
S: p OK *
S: * 1 FETCH (FLAGS (\Recent))
S: q OK *
S: r OK *
C: s FETCH 1 (RFC822.TEXT)
S: * 1 FETCH (RFC822.TEXT {*}
S.. *FLAGS (\Seen \Recent))
S: s OK *

# not in a mailbox that is read-only (6.3.2)
C: t STORE 1 FLAGS ()
S: * 1 FETCH (FLAGS (\Recent))
S: t OK *
C: t EXAMINE INBOX
S.. t OK *
C: t FETCH 1 BODY[1]
S: * 1 FETCH (BODY[1] {5}
S: one
S: )
S: t OK *
C: t FETCH 1 FLAGS
S: * 1 FETCH (FLAGS (*))
S: t OK *
C: u SEARCH UNSEEN
S: * SEARCH 1
S: u OK *

# sets of messages (9); a number beyond the count is a mistake, a UID that is not there is none (6.4.8)
C\: v APPEND INBOX {3+}\r\na:b\r\nw APPEND INBOX {3+}\r\nc:d\r\n
S.. w OK *
C: x FETCH 3:2,1 UID
S: * 1 FETCH (UID 1)
S: * 2 FETCH (UID 2)
S: * 3 FETCH (UID 3)
S: x OK *
C: x FETCH * UID
S: * 3 FETCH (UID 3)
S: x OK *
C: x FETCH 4 UID
S: x BAD *
C: x FETCH 2:4 UID
S: x BAD *
C: x FETCH 4:* UID
S: x BAD *
C: x FETCH 0 UID
S: x BAD *
C: x FETCH 1: UID
S: x BAD *
C: x FETCH 1,,2 UID
S: x BAD *
C: x FETCH a UID
S: x BAD *
C: y UID FETCH 3:100 FLAGS
S: * 3 FETCH (FLAGS (*) UID 3)
S: y OK *
C: y UID FETCH 100:* UID
S: * 3 FETCH (UID 3)
S: y OK *
C: y UID FETCH 100:200 UID
S: y OK *
C: z SELECT inbox
S.. z OK *
C: z CREATE empty
S: z OK *
C: z SELECT empty
S.. z OK *
C: z FETCH 1:* UID
S: z BAD *
C: z UID FETCH 1:* UID
S: z OK *
