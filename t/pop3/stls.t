# stls.t: other capabilities in clear text than behind STLS, and what was said is forgotten (RFC 2595, 4)
options --set "login.clear_text loopback"
C: CAPA
S.. STLS
S.. .
C: STLS now
S: -ERR *
C: USER alice
S: +OK *
C: STLS
S: +OK *
tls
C: PASS secret
S: -ERR *
C: CAPA
S.. AUTH-RESP-CODE
S: USER
S: SASL SCRAM-SHA-256 PLAIN LOGIN
S: IMPLEMENTATION *
S: .
C: STLS
S: -ERR *
C\: USER alice\r\nPASS secret\r\n
S: +OK *
S: +OK *
C: STLS
S: -ERR *

# clear text behind it drops the connection
C2\: STLS\r\nUSER injected\r\n
S2: <close>

# nor does it come after UTF8 (RFC 6856, 2.1)
C3: UTF8
S3: +OK *
C3: STLS
S3: -ERR *
