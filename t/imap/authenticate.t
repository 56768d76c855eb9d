# authenticate.t: what can be wrong with the command, and a client that thinks again (RFC 3501, 6.2.2)
options --set "imap.errors_max 100" --set "login.fails_max 8"
C: a AUTHENTICATE
S: a BAD *
C: a AUTHENTICATE GSSAPI
S: a NO [CANNOT] *
C: a AUTHENTICATE PLAIN
S: + 
C: *
S: a BAD *
C: a AUTHENTICATE LOGIN
S: + VXNlcm5hbWU6
C: YWxpY2U=
S: + UGFzc3dvcmQ6
C: *
S: a BAD *
C: a AUTHENTICATE PLAIN
S: + 
C: no!base64
S: a BAD *

# the initial response (RFC 4959, 3)
C\: b AUTHENTICATE PLAIN \r\n
S: b BAD *
C: b AUTHENTICATE PLAIN =
S: b BAD *
C: b AUTHENTICATE PLAIN AGFsaWNl
S: b BAD *
C: b AUTHENTICATE PLAIN AGFsaWNl AHNlY3JldA==
S: b BAD *
C: b AUTHENTICATE PLAIN *
S: b BAD *
C: b authenticate login YWxpY2U=
S: + UGFzc3dvcmQ6
C: c2VjcmV0
S: b OK [CAPABILITY IMAP4rev1 *] *

# a wrong password, a name that is not there, and one that would act for another are all the same (RFC 5530, 3)
C2: c AUTHENTICATE PLAIN AGFsaWNlAHdyb25n
S2: c NO ${refusal}
C2: c AUTHENTICATE PLAIN AG5vYm9keS5oZXJlAHNlY3JldA==
S2: c NO ${refusal}
C2: c AUTHENTICATE PLAIN Ym9iAGFsaWNlAHNlY3JldA==
S2: c NO ${refusal}
C2: c LOGIN alice wrong
S2: c NO ${refusal}
C2: c LOGIN "" ""
S2: c NO ${refusal}
C2: d AUTHENTICATE LOGIN
S2: + VXNlcm5hbWU6
C2: YWxpY2U=
S2: + UGFzc3dvcmQ6
C2: d3Jvbmc=
S2: d NO ${refusal}
C2: e AUTHENTICATE PLAIN
S2: + 
C2: AGFsaWNlAHNlY3JldA==
S2: e OK [CAPABILITY IMAP4rev1 *] *
C2: f AUTHENTICATE PLAIN
S2: f BAD *

# lines of it may be long, and no longer than 12,288 bytes; then the session is over
C3: a AUTHENTICATE PLAIN
S3: + 
C3+ 12284 of AAAA
C3\: \r\n
S3: a BAD *
C3\: a AUTHENTICATE PLAIN\s
C3+ 12264 of AAAA
C3\: \r\n
S3: a BAD *
C3: a AUTHENTICATE PLAIN
S3: + 
C3+ 12288 of AAAA
C3\: \r\n
S3: * BYE *
S3: <close>

# over TLS, pipelined
server imaps
C4\: a AUTHENTICATE PLAIN AGFsaWNlAHdyb25n\r\nb AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==\r\nc NOOP\r\n
S4: a NO *
S4: b OK *
S4: c OK *
