# login.t: before login, what it is allowed to (RFC 3501, 3.1 and 6.1)
options --set "imap.errors_max 100" --set "login.fails_max 4"
S: * OK [CAPABILITY IMAP4rev1 * SASL-IR * STARTTLS AUTH=SCRAM-SHA-256 AUTH=PLAIN AUTH=LOGIN] *
C: a CAPABILITY
S: * CAPABILITY IMAP4rev1 * SASL-IR * STARTTLS AUTH=SCRAM-SHA-256 AUTH=PLAIN AUTH=LOGIN
S: a OK *
C: b NOOP
S: b OK *
C: c LIST "" *
S: c BAD *
C: d FETCH 1 FLAGS
S: d BAD *
C: e UID FETCH 1 FLAGS
S: e BAD *
C: f IDLE
S: f BAD *

# what is no command (9)
C: g
S: g BAD *
C\: \r\n
S: * BAD *
C: NOOP
S: NOOP BAD *
C: * NOOP
S: * BAD *
C: a+b NOOP
S: * BAD *
C: h  NOOP
S: h BAD *
C: h NOOP now
S: h BAD *
C: h STARTTLS now
S: h BAD *
C: h UID NOOP
S: h BAD *
C: h CAPABILITY x
S: h BAD *
C: h no\op
S: h BAD *

# LOGIN (6.2.3)
C: i LOGIN alice
S: i BAD *
C: i LOGIN alice secret now
S: i BAD *
C: i LOGIN alice wrong
S: i NO [AUTHENTICATIONFAILED] *
C: i LOGIN nobody.here secret
S: i NO [AUTHENTICATIONFAILED] *
C: i LOGIN "alice" "sec\ret"
S: i BAD *

# AUTHENTICATE PLAIN (6.2.2; RFC 4616)
C: j AUTHENTICATE
S: j BAD *
C: j AUTHENTICATE GSSAPI
S: j NO *
C: j AUTHENTICATE PLAIN
S: + *
C: *
S: j BAD *
C: j AUTHENTICATE PLAIN
S: + *
C: no base64!
S: j BAD *
C: j AUTHENTICATE PLAIN =
S: j BAD *
C: j AUTHENTICATE PLAIN AGFsaWNl
S: j BAD *
C: j AUTHENTICATE PLAIN
S: + *
C: AGFsaWNlAHNlY3JldA==
S: j OK [CAPABILITY IMAP4rev1 *] *
C: k LOGIN alice secret
S: k BAD *
C: k AUTHENTICATE PLAIN
S: k BAD *
C: l CAPABILITY
S: * CAPABILITY IMAP4rev1 LITERAL+ IDLE UIDPLUS CHILDREN SASL-IR * UNSELECT *
S: l OK *

# with the initial response in one go (RFC 4959), and the identity named twice
C2: a authenticate plain YWxpY2VAZXhhbXBsZS50ZXN0AGFsaWNlQGV4YW1wbGUudGVzdABzZWNyZXQ=
S2: a OK *
C2: b LOGOUT
S2: * BYE *
S2: b OK *
S2: <close>

# so many wrong passwords and no more
C3\: a LOGIN alice 1\r\nb LOGIN alice 2\r\nc LOGIN alice 3\r\nd LOGIN alice 4\r\ne LOGIN alice secret\r\n
S3: a NO *
S3: b NO *
S3: c NO *
S3: d NO *
S3: * BYE *
S3: <close>
