# binary.t: content with its transfer encoding undone (RFC 3516)
options --set "imap.errors_max 100"
C: a LOGIN alice secret
S: a OK *
C: a CAPABILITY
S: * CAPABILITY * BINARY*
S: a OK *
C: a APPEND INBOX {687}
S: + *
C: Subject: parts
C: Content-Type: multipart/mixed; boundary=b
C:
C: --b
C: Content-Type: text/plain; charset=utf-8
C: Content-Transfer-Encoding: quoted-printable
C:
C: caf=C3=A9 au=
C: =20lait 
C: fin
C: --b
C: Content-Type: application/octet-stream
C: Content-Transfer-Encoding: base64
C:
C: AAECAwQFBgcICQoLDA0ODxAREhM=
C: --b
C: Content-Type: text/plain
C: Content-Transfer-Encoding: BASE64
C:
C: b25lCnR3bw0KdGhyZWUK
C: --b
C: Content-Type: image/gif
C: Content-Transfer-Encoding: base64
C:
C: R0lGCv8=
C: --b
C: Content-Type: text/plain
C:
C: plain =C3 text
C: --b
C: Content-Type: message/rfc822
C:
C: Subject: inner
C: Content-Transfer-Encoding: base64
C:
C: d2l0aGlu
C: --b
C: Content-Type: text/plain
C: Content-Transfer-Encoding: base64
C:
C: --b--
C:
S: a OK *
C: a APPEND INBOX {89}
S: + *
C: Subject: strange
C: Content-Type: text/plain
C: Content-Transfer-Encoding: x-rot13
C:
C: uryyb
C:
S: a OK *
C: a APPEND INBOX {61}
S: + *
C: Subject: one
C: Content-Transfer-Encoding: base64
C:
C: YWxvbmU=
C:
S: a OK *
C: b SELECT INBOX
S.. b OK *

# a part decoded: its size, and all of it; what is no UTF-8 is as good (4.2, 4.3)
C: c FETCH 1 (BINARY.SIZE[1] BINARY.PEEK[1])
S: * 1 FETCH (BINARY.SIZE[1] 18 BINARY[1] {18}
S: café au lait
S: fin)
S: c OK *
C: c FETCH 1 (BINARY.SIZE[4] BINARY.PEEK[4])
S: * 1 FETCH (BINARY.SIZE[4] 5 BINARY[4] {5}
S: GIF\n
S: *)
S: c OK *
C: c FETCH 1 BODY.PEEK[4]
S: * 1 FETCH (BODY[4] {8}
S: R0lGCv8=)
S: c OK *
C: c FETCH 1 (BINARY.SIZE[7] BINARY.PEEK[7])
S: * 1 FETCH (BINARY.SIZE[7] 0 BINARY[7] {0}
S: )
S: c OK *

# with NULs it is a literal8, and only then (4.3)
C: d FETCH 1 (BINARY.SIZE[2] BINARY.PEEK[2])
S: * 1 FETCH (BINARY.SIZE[2] 20 BINARY[2] ~{20}
S: *\n
S: *)
S: d OK *
C: d FETCH 1 BINARY.PEEK[2]<0.1>
S: * 1 FETCH (BINARY[2]<0> ~{1}
S: *)
S: d OK *
C: d FETCH 1 BINARY.PEEK[2]<1.9>
S: * 1 FETCH (BINARY[2]<1> {9}
S: *)
S: d OK *

# lines of text end in CRLF, whatever they had when they were encoded (4.3)
C: e FETCH 1 (BINARY.SIZE[3] BINARY.PEEK[3])
S: * 1 FETCH (BINARY.SIZE[3] 17 BINARY[3] {17}
S: one
S: two
S: three
S: )
S: e OK *

# pieces count bytes that are decoded (4.2)
C: f FETCH 1 (BINARY.PEEK[3]<5.7> BINARY.PEEK[3]<15.100> BINARY.PEEK[3]<17.1> BINARY.PEEK[3]<4294967295.1>)
S: * 1 FETCH (BINARY[3]<5> {7}
S: two
S: th BINARY[3]<15> {2}
S:
S:  BINARY[3]<17> {0}
S:  BINARY[3]<4294967295> {0}
S: )
S: f OK *

# what is not encoded is as it is; so is what holds other parts, and the message
C: g FETCH 1 (BINARY.SIZE[5] BINARY.PEEK[5] BINARY.PEEK[5]<6.3>)
S: * 1 FETCH (BINARY.SIZE[5] 14 BINARY[5] {14}
S: plain =C3 text BINARY[5]<6> {3}
S: =C3)
S: g OK *
C: g FETCH 1 (BINARY.PEEK[6] BINARY.SIZE[6.1] BINARY.PEEK[6.1])
S: * 1 FETCH (BINARY[6] {61}
S: Subject: inner
S: Content-Transfer-Encoding: base64
S:
S: d2l0aGlu BINARY.SIZE[6.1] 6 BINARY[6.1] {6}
S: within)
S: g OK *
C: g FETCH 3 (BINARY.PEEK[1] BINARY.PEEK[]<0.12> BINARY.SIZE[] RFC822.SIZE)
S: * 3 FETCH (BINARY[1] {5}
S: alone BINARY[]<0> {12}
S: Subject: one BINARY.SIZE[] 61 RFC822.SIZE 61)
S: g OK *

# a part that is not there
C: h FETCH 1 (BINARY.PEEK[9] BINARY.SIZE[9] BINARY.PEEK[1.1]<0.1>)
S: * 1 FETCH (BINARY[9] NIL BINARY.SIZE[9] 0 BINARY[1.1]<0> NIL)
S: h OK *

# an encoding that nobody knows fails the request, of this message alone (4.3)
C: i FETCH 2 BINARY[1]
S: i NO [UNKNOWN-CTE] *
C: i FETCH 2 BINARY.SIZE[1]
S: i NO [UNKNOWN-CTE] *
C: i FETCH 2 (BODY.PEEK[1] FLAGS)
S: * 2 FETCH (BODY[1] {7}
S: uryyb
S:  FLAGS (\Recent))
S: i OK *
C: i FETCH 2:3 BINARY.SIZE[1]
S: * 3 FETCH (BINARY.SIZE[1] 5)
S: i NO [UNKNOWN-CTE] *
C: i FETCH 2 BINARY.SIZE[]
S: * 2 FETCH (BINARY.SIZE[] 89)
S: i OK *

# without PEEK the message is seen (4.2)
C: j FETCH 1:3 FLAGS
S: * 1 FETCH (FLAGS (\Recent))
S: * 2 FETCH (FLAGS (\Recent))
S: * 3 FETCH (FLAGS (\Recent))
S: j OK *
C: j UID FETCH 3 BINARY[1]
S: * 3 FETCH (BINARY[1] {5}
S: alone UID 3 FLAGS (\Seen \Recent))
S: j OK *

# what cannot be asked for
C: k FETCH 1 BINARY
S: k BAD *
C: k FETCH 1 BINARY[1.]
S: k BAD *
C: k FETCH 1 BINARY[TEXT]
S: k BAD *
C: k FETCH 1 BINARY[1.MIME]
S: k BAD *
C: k FETCH 1 BINARY[0]
S: k BAD *
C: k FETCH 1 BINARY[1
S: k BAD *
C: k FETCH 1 BINARY[1]<0>
S: k BAD *
C: k FETCH 1 BINARY.SIZE[1]<0.1>
S: k BAD *
C: k FETCH 1 BINARY.PEEK[1]<0.0>
S: k BAD *
