# fetch-sections.t: the sections of RFC 3501's own example of parts (6.4.5)
C: a LOGIN alice secret
S: a OK *
C: a APPEND INBOX {747}
S: + *
C: Subject: whole
C: Content-Type: multipart/mixed; boundary=b
C:
C: --b
C: Content-Type: text/plain
C:
C: one
C: --b
C: Content-Type: application/octet-stream
C:
C: two
C: --b
C: Content-Type: message/rfc822
C:
C: Subject: third
C: Content-Type: multipart/mixed; boundary=c
C:
C: --c
C: Content-Type: text/plain
C:
C: three one
C: --c
C:
C: three two
C: --c--
C: --b
C: Content-Type: multipart/mixed; boundary=d
C:
C: --d
C: Content-Type: image/gif
C: X-Note: small
C:
C: GIF
C: --d
C: Content-Type: message/rfc822
C:
C: Subject: fourth
C: From: a@b.test
C: Content-Type: multipart/mixed; boundary=e
C:
C: --e
C: Content-Type: text/plain
C:
C: four two one
C: --e
C: Content-Type: multipart/alternative; boundary=f
C:
C: --f
C: Content-Type: text/plain
C:
C: deep
C: --f
C: Content-Type: text/richtext
C:
C: rich
C: --f--
C: --e--
C: --d--
C: --b--
C:
S: a OK *
C: a SELECT INBOX
S.. a OK *

# HEADER and TEXT are the message's
C: b FETCH 1 (BODY.PEEK[HEADER] BODY.PEEK[TEXT])
S: * 1 FETCH (BODY[HEADER] {61}
S: Subject: whole
S: Content-Type: multipart/mixed; boundary=b
S:
S:  BODY[TEXT] {686}
S: --b
S: Content-Type: text/plain
S:
S: one
S: --b
S: Content-Type: application/octet-stream
S:
S: two
S: --b
S: Content-Type: message/rfc822
S:
S: Subject: third
S: Content-Type: multipart/mixed; boundary=c
S:
S: --c
S: Content-Type: text/plain
S:
S: three one
S: --c
S:
S: three two
S: --c--
S: --b
S: Content-Type: multipart/mixed; boundary=d
S:
S: --d
S: Content-Type: image/gif
S: X-Note: small
S:
S: GIF
S: --d
S: Content-Type: message/rfc822
S:
S: Subject: fourth
S: From: a@b.test
S: Content-Type: multipart/mixed; boundary=e
S:
S: --e
S: Content-Type: text/plain
S:
S: four two one
S: --e
S: Content-Type: multipart/alternative; boundary=f
S:
S: --f
S: Content-Type: text/plain
S:
S: deep
S: --f
S: Content-Type: text/richtext
S:
S: rich
S: --f--
S: --e--
S: --d--
S: --b--
S: )
S: b OK *

# a number is a part's content; of a message, all of it
C: c FETCH 1 (BODY.PEEK[1] BODY.PEEK[2] BODY.PEEK[3])
S: * 1 FETCH (BODY[1] {3}
S: one BODY[2] {3}
S: two BODY[3] {128}
S: Subject: third
S: Content-Type: multipart/mixed; boundary=c
S:
S: --c
S: Content-Type: text/plain
S:
S: three one
S: --c
S:
S: three two
S: --c--)
S: c OK *

# below a message are its header, its text and its parts
C: d FETCH 1 (BODY.PEEK[3.HEADER] BODY.PEEK[3.TEXT] BODY.PEEK[3.1] BODY.PEEK[3.2])
S: * 1 FETCH (BODY[3.HEADER] {61}
S: Subject: third
S: Content-Type: multipart/mixed; boundary=c
S:
S:  BODY[3.TEXT] {67}
S: --c
S: Content-Type: text/plain
S:
S: three one
S: --c
S:
S: three two
S: --c-- BODY[3.1] {9}
S: three one BODY[3.2] {9}
S: three two)
S: d OK *

# a multipart's parts; MIME is a part's own header
C: e FETCH 1 (BODY.PEEK[4] BODY.PEEK[4.1] BODY.PEEK[4.1.MIME])
S: * 1 FETCH (BODY[4] {370}
S: --d
S: Content-Type: image/gif
S: X-Note: small
S:
S: GIF
S: --d
S: Content-Type: message/rfc822
S:
S: Subject: fourth
S: From: a@b.test
S: Content-Type: multipart/mixed; boundary=e
S:
S: --e
S: Content-Type: text/plain
S:
S: four two one
S: --e
S: Content-Type: multipart/alternative; boundary=f
S:
S: --f
S: Content-Type: text/plain
S:
S: deep
S: --f
S: Content-Type: text/richtext
S:
S: rich
S: --f--
S: --e--
S: --d-- BODY[4.1] {3}
S: GIF BODY[4.1.MIME] {42}
S: Content-Type: image/gif
S: X-Note: small
S:
S: )
S: e OK *

# a message within a multipart has all three
C: f FETCH 1 (BODY.PEEK[4.2.HEADER] BODY.PEEK[4.2.TEXT] BODY.PEEK[4.2.MIME])
S: * 1 FETCH (BODY[4.2.HEADER] {78}
S: Subject: fourth
S: From: a@b.test
S: Content-Type: multipart/mixed; boundary=e
S:
S:  BODY[4.2.TEXT] {196}
S: --e
S: Content-Type: text/plain
S:
S: four two one
S: --e
S: Content-Type: multipart/alternative; boundary=f
S:
S: --f
S: Content-Type: text/plain
S:
S: deep
S: --f
S: Content-Type: text/richtext
S:
S: rich
S: --f--
S: --e-- BODY[4.2.MIME] {32}
S: Content-Type: message/rfc822
S:
S: )
S: f OK *
C: g FETCH 1 (BODY.PEEK[4.2.1] BODY.PEEK[4.2.2] BODY.PEEK[4.2.2.1] BODY.PEEK[4.2.2.2] BODY.PEEK[4.2.2.MIME])
S: * 1 FETCH (BODY[4.2.1] {12}
S: four two one BODY[4.2.2] {86}
S: --f
S: Content-Type: text/plain
S:
S: deep
S: --f
S: Content-Type: text/richtext
S:
S: rich
S: --f-- BODY[4.2.2.1] {4}
S: deep BODY[4.2.2.2] {4}
S: rich BODY[4.2.2.MIME] {51}
S: Content-Type: multipart/alternative; boundary=f
S:
S: )
S: g OK *

# fields of any message's header, in any case; none of them leaves the empty line
C: h FETCH 1 (BODY.PEEK[4.2.HEADER.FIELDS (FROM to)] BODY.PEEK[3.HEADER.FIELDS.NOT (Content-Type)] BODY.PEEK[HEADER.FIELDS (X-None)])
S: * 1 FETCH (BODY[4.2.HEADER.FIELDS (FROM to)] {18}
S: From: a@b.test
S:
S:  BODY[3.HEADER.FIELDS.NOT (Content-Type)] {18}
S: Subject: third
S:
S:  BODY[HEADER.FIELDS (X-None)] {2}
S:
S: )
S: h OK *

# pieces of any of these
C: i FETCH 1 (BODY.PEEK[4.2.TEXT]<3.5> BODY.PEEK[3.HEADER]<9.100> BODY.PEEK[1.MIME]<26.9> BODY.PEEK[2]<3.1> BODY.PEEK[3.HEADER.FIELDS (Subject)]<0.7> BODY.PEEK[5]<0.7>)
S: * 1 FETCH (BODY[4.2.TEXT]<3> {5}
S:
S: Con BODY[3.HEADER]<9> {52}
S: third
S: Content-Type: multipart/mixed; boundary=c
S:
S:  BODY[1.MIME]<26> {2}
S:
S:  BODY[2]<3> {0}
S:  BODY[3.HEADER.FIELDS (Subject)]<0> {7}
S: Subject BODY[5]<0> NIL)
S: i OK *

# only messages have a header and a text; what is not there is NIL
C: j FETCH 1 (BODY.PEEK[1.HEADER] BODY.PEEK[1.TEXT] BODY.PEEK[4.HEADER] BODY.PEEK[4.1.TEXT] BODY.PEEK[1.1] BODY.PEEK[2.2] BODY.PEEK[3.3] BODY.PEEK[4.2.2.3] BODY.PEEK[5.MIME])
S: * 1 FETCH (BODY[1.HEADER] NIL BODY[1.TEXT] NIL BODY[4.HEADER] NIL BODY[4.1.TEXT] NIL BODY[1.1] NIL BODY[2.2] NIL BODY[3.3] NIL BODY[4.2.2.3] NIL BODY[5.MIME] NIL)
S: j OK *

# old words for the same
C: k FETCH 1 (RFC822.HEADER)
S: * 1 FETCH (RFC822.HEADER {61}
S: Subject: whole
S: Content-Type: multipart/mixed; boundary=b
S:
S: )
S: k OK *
C: m FETCH 1 RFC822
S: * 1 FETCH (RFC822 {747}
S: Subject: whole
S: Content-Type: multipart/mixed; boundary=b
S:
S: --b
S: Content-Type: text/plain
S:
S: one
S: --b
S: Content-Type: application/octet-stream
S:
S: two
S: --b
S: Content-Type: message/rfc822
S:
S: Subject: third
S: Content-Type: multipart/mixed; boundary=c
S:
S: --c
S: Content-Type: text/plain
S:
S: three one
S: --c
S:
S: three two
S: --c--
S: --b
S: Content-Type: multipart/mixed; boundary=d
S:
S: --d
S: Content-Type: image/gif
S: X-Note: small
S:
S: GIF
S: --d
S: Content-Type: message/rfc822
S:
S: Subject: fourth
S: From: a@b.test
S: Content-Type: multipart/mixed; boundary=e
S:
S: --e
S: Content-Type: text/plain
S:
S: four two one
S: --e
S: Content-Type: multipart/alternative; boundary=f
S:
S: --f
S: Content-Type: text/plain
S:
S: deep
S: --f
S: Content-Type: text/richtext
S:
S: rich
S: --f--
S: --e--
S: --d--
S: --b--
S:  FLAGS (\Seen \Recent))
S: m OK *

# a message without parts has part 1, its text, and no more
C: n APPEND INBOX {46}
S: + *
C: Subject: one
C: Content-Type: text/html
C:
C: <p>
C:
S.. n OK *
C: o FETCH 2 (BODY.PEEK[1] BODY.PEEK[1.MIME] BODY.PEEK[TEXT] BODY.PEEK[2] BODY.PEEK[1.1] BODY.PEEK[1.HEADER])
S: * 2 FETCH (BODY[1] {5}
S: <p>
S:  BODY[1.MIME] {41}
S: Subject: one
S: Content-Type: text/html
S:
S:  BODY[TEXT] {5}
S: <p>
S:  BODY[2] NIL BODY[1.1] NIL BODY[1.HEADER] NIL)
S: o OK *
