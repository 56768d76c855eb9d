# auth.t: what there is, in CAPA and by AUTH alone (RFC 5034, 3)
options --set "pop3.errors_max 100" --set "login.fails_max 6"
C: CAPA
S.. SASL SCRAM-SHA-256 PLAIN LOGIN
S.. .
C: AUTH
S: +OK *
S: SCRAM-SHA-256
S: PLAIN
S: LOGIN
S: .

# what can be wrong with the command, and a client that thinks again (4)
C: AUTH GSSAPI
S: -ERR *
C: AUTH PLAIN AGFsaWNl AHNlY3JldA==
S: -ERR *
C: AUTH PLAIN no!base64
S: -ERR *
C: AUTH PLAIN =
S: -ERR *
C: AUTH PLAIN
S: + 
C: *
S: -ERR *
C: AUTH LOGIN
S: + VXNlcm5hbWU6
C: YWxpY2U=
S: + UGFzc3dvcmQ6
C: *
S: -ERR *
C: NOOP
S: -ERR *

# a wrong password, a name that is not there, and one that would act for another are all the same (RFC 3206, 5)
C: AUTH PLAIN AGFsaWNlAHdyb25n
S: -ERR [AUTH] ${refusal}
C: AUTH PLAIN AG5vYm9keS5oZXJlAHNlY3JldA==
S: -ERR [AUTH] ${refusal}
C: AUTH PLAIN Ym9iAGFsaWNlAHNlY3JldA==
S: -ERR [AUTH] ${refusal}
C: auth login YWxpY2U=
S: + UGFzc3dvcmQ6
C: d3Jvbmc=
S: -ERR [AUTH] ${refusal}
C\: USER alice\r\nPASS wrong\r\n
S: +OK *
S: -ERR [AUTH] ${refusal}

# the right one opens the maildrop
C: AUTH PLAIN
S: + 
C: AGFsaWNlAHNlY3JldA==
S: +OK 0 messages*
C: STAT
S: +OK 0 0
C: CAPA
S.. AUTH-RESP-CODE
S: IMPLEMENTATION *
S: .
C: AUTH PLAIN
S: -ERR *
C: QUIT
S: +OK *
C2: AUTH LOGIN
S2: + VXNlcm5hbWU6
C2: YWxpY2U=
S2: + UGFzc3dvcmQ6
C2: c2VjcmV0
S2: +OK *
C2: QUIT
S2: +OK *

# lines of it may be long, and no longer than 12,288 bytes (4)
C3: AUTH PLAIN
S3: + 
C3+ 12284 of AAAA
C3\: \r\n
S3: -ERR *
C3\: AUTH PLAIN\s
C3+ 12272 of AAAA
C3\: \r\n
S3: -ERR *
C3: AUTH PLAIN
S3: + 
C3+ 12288 of AAAA
C3\: \r\n
S3: -ERR *
S3: <close>

# over TLS, and too many wrong passwords
server pop3s
C4: AUTH PLAIN AGFsaWNlAHNlY3JldA==
S4: +OK *
C5\: AUTH PLAIN AGFsaWNlAHdyb25n\r\nAUTH PLAIN AGFsaWNlAHdyb25n\r\nAUTH PLAIN AGFsaWNlAHdyb25n\r\nAUTH PLAIN AGFsaWNlAHdyb25n\r\nAUTH PLAIN AGFsaWNlAHdyb25n\r\nAUTH PLAIN AGFsaWNlAHdyb25n\r\n
S5: -ERR [AUTH] *
S5: -ERR [AUTH] *
S5: -ERR [AUTH] *
S5: -ERR [AUTH] *
S5: -ERR [AUTH] *
S5: -ERR [AUTH] *
S5: <close>
