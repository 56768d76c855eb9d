# strict.t: a real server takes no password in clear text (RFC 3501, 6.2.3)
options --strict
S: * OK [CAPABILITY IMAP4rev1 * STARTTLS LOGINDISABLED] *
C: a LOGIN test0000 secret
S: a NO [PRIVACYREQUIRED] *
C: b AUTHENTICATE PLAIN AHRlc3QwMDAwAHNlY3JldA==
S: b NO [PRIVACYREQUIRED] *
server pop3
C2: CAPA
S2: +OK *
S2.. AUTH-RESP-CODE
S2: STLS
S2: IMPLEMENTATION *
S2: .
C2: USER test0000
S2: -ERR *

# and under TLS it does
server imaps
C3: a LOGIN test0000@example.test secret
S3: a OK *
server pop3s
C4: CAPA
S4.. USER
S4.. .
C4\: USER test0000@example.test\r\nPASS secret\r\n
S4: +OK *
S4: +OK *
