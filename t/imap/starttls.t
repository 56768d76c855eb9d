# starttls.t: other capabilities in clear text than behind STARTTLS (RFC 3501, 6.2.1)
options --strict
S: * OK [CAPABILITY * STARTTLS LOGINDISABLED] *
C: a STARTTLS now
S: a BAD *
C: a CAPABILITY
S: * CAPABILITY * STARTTLS LOGINDISABLED
S: a OK *
C: b STARTTLS
S: b OK *
tls
C: c CAPABILITY
S: * CAPABILITY * AUTH=SCRAM-SHA-256 AUTH=PLAIN AUTH=LOGIN
S: c OK *
C: d STARTTLS
S: d BAD *
C: e LOGIN alice@example.test secret
S: e OK *
C: f STARTTLS
S: f BAD *

# not after login
server imaps
C2: a LOGIN alice@example.test secret
S2: a OK *
C2: b STARTTLS
S2: b BAD *

# clear text behind it drops the connection
server imap
C3\: a STARTTLS\r\nb NOOP\r\n
S3: <close>

# pipelined before it is nothing wrong
C4\: a NOOP\r\nb STARTTLS\r\n
S4: a OK *
S4: b OK *
tls4
C4: c NOOP
S4: c OK *
