# search-text.t: what SEARCH finds by reading messages (RFC 3501, 6.4.4)
C: a LOGIN alice secret
S: a OK *
C: a APPEND INBOX {281}
S: + *
C: From: "Doe\, John" (boss) <john.doe@example.test>
C: To: friends: bob@b.test, =?iso-8859-1?Q?Andr=E9?= <andre@c.test>;
C: Cc: =?utf-8?B?w4XDpA==?= <x@d.test>
C: Subject: =?utf-8?Q?Gr=C3=BC?=
C:  =?utf-8?Q?=C3=9Fe_aus?= Wien
C: Date: Wed, 1 Jan 2020 23:30:00 -0800
C: X-Empty:
C:
C: Hello, World
C:
S: a OK *
C: a APPEND INBOX {211}
S: + *
C: From: ivan@e.test
C: Bcc: secret@e.test
C: Subject: letter
C: Date: Thu, 2 Jan 2020 00:30:00 +0800
C: Content-Type: text/plain; charset=koi8-r
C: Content-Transfer-Encoding: base64
C:
C: 8NLJ18XULCDNydIgySDX08Ugz9PUwczYztnF
C:
S: a OK *
C: a APPEND INBOX {582}
S: + *
C: From: carol@f.test
C: Subject: parts
C: Content-Type: multipart/mixed; boundary=b
C:
C: preamble prose
C: --b
C: Content-Type: text/plain; charset=iso-8859-1
C: Content-Transfer-Encoding: quoted-printable
C: Content-Description: =?utf-8?Q?odd_th=C3=AFng?=
C:
C: Un caf=E9 d=
C: =E9cor=E9 =3D joli
C: --b
C: Content-Type: application/octet-stream
C:
C: hidden in no text
C: --b
C: Content-Type: message/rfc822
C:
C: Subject: =?us-ascii?Q?inner_circle?=
C: Content-Type: multipart/alternative; boundary=c
C:
C: --c
C:
C: nested words
C: --c
C: Content-Type: text/html; charset=utf-8
C:
C: <b>ÉTÉ</b>
C: --c--
C: --b--
C: epilogue prose
C:
S: a OK *
C: a APPEND INBOX {16}
S: + *
C:
C: a body alone
C:
S: a OK *
C: b SELECT INBOX
S.. b OK *

# fields of the header, whatever the case; encoded words are read, also one that goes on in the next (RFC 2047)
C: c SEARCH SUBJECT parts
S: * SEARCH 3
S: c OK *
C: c SEARCH SUBJECT PART
S: * SEARCH 3
S: c OK *
C: c SEARCH CHARSET UTF-8 SUBJECT "GRÜßE aus wien"
S: * SEARCH 1
S: c OK *
C: c UID SEARCH CHARSET utf-8 SUBJECT {6}
S: + *
C: Grüß
S: * SEARCH 1
S: c OK *
C\: c SEARCH CHARSET iso-8859-1 SUBJECT {2+}\r\n\xfc\xdf\r\n
S: * SEARCH 1
S: c OK *
C\: c SEARCH CHARSET utf-8 SUBJECT {5+}\r\nu\xcc\x88\xc3\x9f\r\n
S: * SEARCH 1
S: c OK *
C: c SEARCH SUBJECT utf-8
S: * SEARCH
S: c OK *
C: c SEARCH SUBJECT inner
S: * SEARCH
S: c OK *

# addresses: as they are written, and as they are meant
C: d SEARCH FROM "john.doe@example"
S: * SEARCH 1
S: d OK *
C: d SEARCH FROM "doe, john"
S: * SEARCH 1
S: d OK *
C: d SEARCH FROM "doe\\, john"
S: * SEARCH 1
S: d OK *
C: d SEARCH FROM "john\" (boss"
S: * SEARCH 1
S: d OK *
C: d SEARCH FROM "doe, john <john.doe@example.test>"
S: * SEARCH 1
S: d OK *
C: d SEARCH CHARSET UTF-8 TO andré TO friends TO <andre@
S: * SEARCH 1
S: d OK *
C: d SEARCH CHARSET UTF-8 CC åÄ
S: * SEARCH 1
S: d OK *
C: d SEARCH BCC secret
S: * SEARCH 2
S: d OK *
C: d SEARCH TO ""
S: * SEARCH 1
S: d OK *
C: d SEARCH NOT FROM ""
S: * SEARCH 4
S: d OK *

# any field, with a text or merely there
C: e SEARCH HEADER x-empty ""
S: * SEARCH 1
S: e OK *
C: e SEARCH HEADER X-Empty a
S: * SEARCH
S: e OK *
C: e SEARCH HEADER Content-Type KOI8
S: * SEARCH 2
S: e OK *
C: e SEARCH HEADER "X-None" ""
S: * SEARCH
S: e OK *

# the sender's date, as it is written: neither time nor zone count
C: f SEARCH SENTON 1-Jan-2020
S: * SEARCH 1
S: f OK *
C: f SEARCH SENTBEFORE 2-Jan-2020
S: * SEARCH 1
S: f OK *
C: f SEARCH SENTSINCE 2-Jan-2020
S: * SEARCH 2
S: f OK *
C: f SEARCH NOT SENTSINCE 1-Jan-2000
S: * SEARCH 3 4
S: f OK *

# bodies: texts alone, decoded, those of messages within too
C: g SEARCH BODY "hello, w"
S: * SEARCH 1
S: g OK *
C: g SEARCH CHARSET utf-8 BODY ОСТАЛЬНЫЕ
S: * SEARCH 2
S: g OK *
C\: g SEARCH CHARSET koi8-r BODY {3+}\r\n\xed\xe9\xf2\r\n
S: * SEARCH 2
S: g OK *
C: g SEARCH CHARSET utf-8 BODY "café décoré = joli"
S: * SEARCH 3
S: g OK *
C: g SEARCH BODY "nested words"
S: * SEARCH 3
S: g OK *
C: g SEARCH CHARSET utf-8 BODY <b>été
S: * SEARCH 3
S: g OK *
C: g SEARCH BODY "inner circle"
S: * SEARCH 3
S: g OK *
C: g SEARCH BODY alone
S: * SEARCH 4
S: g OK *
C: g SEARCH BODY hidden
S: * SEARCH
S: g OK *
C: g SEARCH BODY prose
S: * SEARCH
S: g OK *
C: g SEARCH BODY boundary
S: * SEARCH 3
S: g OK *
C: g SEARCH BODY "parts"
S: * SEARCH
S: g OK *
C: g SEARCH BODY ""
S: * SEARCH 1 2 3 4
S: g OK *

# the same and every header
C: h SEARCH TEXT "subject: parts"
S: * SEARCH 3
S: h OK *
C: h SEARCH CHARSET utf-8 TEXT "odd thïng"
S: * SEARCH 3
S: h OK *
C: h SEARCH CHARSET utf-8 BODY "odd thïng"
S: * SEARCH
S: h OK *
C: h SEARCH TEXT nested
S: * SEARCH 3
S: h OK *
C: h SEARCH TEXT ivan@E
S: * SEARCH 2
S: h OK *
C: h SEARCH TEXT ""
S: * SEARCH 1 2 3 4
S: h OK *

# one with the other; who need not be read is not
C: i SEARCH OR SUBJECT letter BODY world
S: * SEARCH 1 2
S: i OK *
C: i SEARCH NOT OR SUBJECT letter NOT BODY a
S: * SEARCH 3 4
S: i OK *
C: i UID SEARCH 2:3 BODY e NOT (TEXT koi8-r SENTON 2-Jan-2020)
S: * SEARCH 3
S: i OK *
C: i SEARCH (TEXT world FROM john) SENTON 1-Jan-2020 SMALLER 10000
S: * SEARCH 1
S: i OK *

# reading does not mark
C: j SEARCH SEEN
S: * SEARCH
S: j OK *

# what is gone by now is not found, and the numbers are those of before until EXPUNGE is told (5.5, 7.4.1)
C: k NOOP
S: k OK *
C2: a LOGIN alice secret
S2: a OK *
C2: b SELECT INBOX
S2.. b OK *
C2: c STORE 2 +FLAGS.SILENT (\Deleted)
S2: c OK *
C2: d EXPUNGE
S2: * 2 EXPUNGE
S2: d OK *
C\: k SEARCH BODY e\r\nl SEARCH FROM carol\r\nm UID SEARCH FROM carol\r\nn SEARCH FROM carol\r\n
S: * SEARCH 1 3 4
S: k OK *
S: * SEARCH 3
S: l OK *
S: * SEARCH 3
S: * 2 EXPUNGE
S: m OK *
S: * SEARCH 2
S: n OK *

# what is no text to look for
C: o SEARCH SUBJECT
S: o BAD *
C: o SEARCH HEADER Subject
S: o BAD *
C: o SEARCH HEADER "" ""
S: * SEARCH
S: o OK *
C: o SEARCH SENTON soon
S: o BAD *
C: o SEARCH BODY (a)
S: o BAD *
C: o SEARCH CHARSET x-unknown BODY a
S: o NO [BADCHARSET (utf-8 * utf-32)] *
