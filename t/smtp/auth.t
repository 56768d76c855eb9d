# auth.t: where mail is handed in, nothing is taken before AUTH (RFC 6409, 4.3; RFC 4954, 6)
options --set "smtp.errors_max 100" --set "login.fails_max 6"
server submission
C: AUTH PLAIN AGFsaWNlAHNlY3JldA==
S: 503 5.5.1 *
C: EHLO client.test
S.. 250-STARTTLS
S: 250-AUTH SCRAM-SHA-256 PLAIN LOGIN
S: 250 ENHANCEDSTATUSCODES
C: MAIL FROM:<alice@example.test>
S: 530 5.7.0 *

# what can be wrong with the command (RFC 4954, 4)
C: AUTH
S: 501 5.5.4 *
C: AUTH GSSAPI
S: 504 5.5.4 *
C: AUTH PLAI
S: 504 5.5.4 *
C: AUTH PLAIN AGFsaWNl AHNlY3JldA==
S: 501 5.5.4 *
C: AUTH PLAIN no!base64
S: 501 5.5.2 *
C: AUTH PLAIN AGFsaWNlAHNlY3JldA
S: 501 5.5.2 *
C: AUTH PLAIN =
S: 501 5.5.2 *
C: AUTH PLAIN AGFsaWNl
S: 501 5.5.2 *
C: AUTH PLAIN *
S: 501 5.5.2 *

# a client may think again (4)
C: AUTH PLAIN
S: 334 
C: *
S: 501 5.7.0 *
C: AUTH LOGIN
S: 334 VXNlcm5hbWU6
C: *
S: 501 5.7.0 *
C: auth login
S: 334 VXNlcm5hbWU6
C: YWxpY2U=
S: 334 UGFzc3dvcmQ6
C: *
S: 501 5.7.0 *
C: NOOP
S: 250 *

# a wrong password, a name that is not there, and one that would act for another are all the same (4616, 2; 5.7.8 of 4954)
C: AUTH PLAIN AGFsaWNlAHdyb25n
S: 535 5.7.8 ${refusal}
C: AUTH PLAIN AG5vYm9keS5oZXJlAHNlY3JldA==
S: 535 5.7.8 ${refusal}
C: AUTH PLAIN Ym9iAGFsaWNlAHNlY3JldA==
S: 535 5.7.8 ${refusal}
C: AUTH LOGIN YWxpY2U=
S: 334 UGFzc3dvcmQ6
C: d3Jvbmc=
S: 535 5.7.8 ${refusal}
C: AUTH LOGIN
S: 334 VXNlcm5hbWU6
C: 
S: 334 UGFzc3dvcmQ6
C: 
S: 535 5.7.8 ${refusal}

# with the identity named twice, in two forms of one (4616, 2); then AUTH is over
C: AUTH PLAIN
S: 334 
C: YWxpY2VARVhBTVBMRS50ZXN0AEFsaWNlAHNlY3JldA==
S: 235 2.7.0 *
C: AUTH PLAIN AGFsaWNlAHNlY3JldA==
S: 503 5.5.1 *
C: EHLO client.test
S.. 250-STARTTLS
S: 250 ENHANCEDSTATUSCODES
C: MAIL FROM:<alice@example.test> AUTH=<>
S: 250 *
C: AUTH PLAIN AGFsaWNlAHNlY3JldA==
S: 503 5.5.1 *
C: RSET
S: 250 *
C: MAIL FROM:<alice@example.test> AUTH=alice+40example.test
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<alice@example.test> AUTH=
S: 501 *
C: MAIL FROM:<alice@example.test> AUTH=alice+4
S: 501 *
C: MAIL FROM:<alice@example.test> AUTH=alice@example.test AUTH=<>
S: 501 *

# LOGIN, with the name in the command and without; in any case of letters
C2: EHLO client.test
S2.. 250 *
C2: Auth Login YWxpY2U=
S2: 334 UGFzc3dvcmQ6
C2: c2VjcmV0
S2: 235 2.7.0 *
C3: EHLO client.test
S3.. 250 *
C3: AUTH LOGIN
S3: 334 VXNlcm5hbWU6
C3: YWxpY2U=
S3: 334 UGFzc3dvcmQ6
C3: c2VjcmV0
S3: 235 2.7.0 *

# not in the middle of a transaction (4); port 25 is for AUTH over TLS alone, and LMTP has none
server smtp
C4: EHLO client.test
S4.. 250-8BITMIME
S4.. 250-STARTTLS
S4: 250 ENHANCEDSTATUSCODES
C4: AUTH PLAIN AGFsaWNlAHNlY3JldA==
S4: 538 5.7.11 *
C4: STARTTLS
S4: 220 2.0.0 *
tls4
C4: AUTH PLAIN AGFsaWNlAHNlY3JldA==
S4: 503 5.5.1 *
C4: EHLO client.test
S4.. 250-8BITMIME
S4.. 250-AUTH SCRAM-SHA-256 PLAIN LOGIN
S4: 250 ENHANCEDSTATUSCODES
C4: MAIL FROM:<x@example.test>
S4: 250 *
C4: AUTH PLAIN AGFsaWNlAHNlY3JldA==
S4: 503 5.5.1 *
C4: RSET
S4: 250 *
C4: AUTH PLAIN AGFsaWNlAHNlY3JldA==
S4: 235 2.7.0 *
server lmtp
C5: LHLO client.test
S5.. 250-STARTTLS
S5: 250 ENHANCEDSTATUSCODES
C5: AUTH PLAIN AGFsaWNlAHNlY3JldA==
S5: 500 *

# too many wrong passwords end the session
server submissions
C6: EHLO client.test
S6.. 250 *
C6\: AUTH PLAIN AGFsaWNlAHdyb25n\r\nAUTH PLAIN AGFsaWNlAHdyb25n\r\nAUTH PLAIN AGFsaWNlAHdyb25n\r\nAUTH PLAIN AGFsaWNlAHdyb25n\r\n
S6: 535 *
S6: 535 *
S6: 535 *
S6: 535 *
C6\: AUTH PLAIN AGFsaWNlAHdyb25n\r\nAUTH PLAIN AGFsaWNlAHdyb25n\r\n
S6: 535 *
S6: 535 *
S6: 421 4.7.0 *
S6: <close>
