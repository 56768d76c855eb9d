# limits.t: so many mistakes and no more
options --set "imap.errors_max 3" --set "imap.idle_timeout 30m" --set "imap.login_timeout 1m"
C\: a X\r\nb X\r\nc NOOP\r\nd X\r\ne X\r\nf NOOP\r\n
S: a BAD *
S: b BAD *
S: c OK *
S: d BAD *
S: e BAD *
S: * BYE *
S: <close>

# whoever does not log in is not waited for
C2: a NOOP
S2: a OK *
clock +50s
C2: b NOOP
S2: b OK *
clock +61s
S2: * BYE *
S2: <close>

# whoever does is, for half an hour (RFC 3501, 5.4), also in IDLE
C3: a LOGIN alice secret
S3: a OK *
C4: a LOGIN bob secret
S4: a OK *
C4: b SELECT INBOX
S4.. b OK *
C4: c IDLE
S4: + *
clock +29m
S3: <silence>
S4: <silence>
C3: b NOOP
S3: b OK *
C4: DONE
S4: c OK *
C4: d IDLE
S4: + *
clock +1801s
S3: * BYE *
S3: <close>
S4: * BYE *
S4: <close>

# IDLE ends with DONE and nothing else (RFC 2177)
C5: a LOGIN alice secret
S5: a OK *
C5: b IDLE now
S5: b BAD *
C5: c IDLE
S5: + *
C5: done
S5: c OK *
C5: d IDLE
S5: + *
C5: e NOOP
S5: d BAD *
C5\: f IDLE\r\nDONE\r\ng NOOP\r\n
S5: + *
S5: f OK *
S5: g OK *
C5: h IDLE
S5: + *
C5+ 5000 of DONE
S5: * BYE *
S5: <close>

# many commands in one go from a client that does not read: each has its answer
C6: a LOGIN alice secret
S6: a OK *
C6+ 408000 of b NOOP\r\n
C6: c CAPABILITY
S6.. c OK *

# a message that is larger than what may wait for a client
C7: a LOGIN bob secret
S7: a OK *
C7: b APPEND INBOX {6400000+}
C7+ 6400000 of 01234567890123456789012345678901234567890123456789012345678901\r\n
C7: 
S7: b OK *
C7: c SELECT INBOX
S7.. c OK *
C7: d FETCH 1 (BODY.PEEK[] BODY.PEEK[TEXT]<6300000.3> UID)
S7: * 1 FETCH (BODY[] {6400000}
S7+ 6400000 of 01234567890123456789012345678901234567890123456789012345678901\r\n
S7:  BODY[TEXT]<6300000> {0}
S7:  UID 1)
S7: d OK *
