# guesses.t: a password that is wrong is wrong (RFC 3206, 4)
options --set "limits.exempt {}" --set "limits.failed_logins 2" --set "limits.login_time 2m"
C\: USER alice\r\nPASS first\r\nUSER alice\r\nPASS second\r\n
S: +OK *
S: -ERR [AUTH] *
S: +OK *
S: -ERR [AUTH] *

# after too many nobody learns whether one is right (RFC 3206, 3)
C\: USER alice\r\nPASS secret\r\nUSER alice\r\nPASS third\r\n
S: +OK *
S: -ERR [SYS/TEMP] *
S: +OK *
S: -ERR [SYS/TEMP] *

# another account is not concerned
C2\: USER bob\r\nPASS secret\r\n
S2: +OK *
S2: +OK *

# and after a while they are forgotten
clock +21m
C3\: USER alice\r\nPASS secret\r\n
S3: +OK *
S3: +OK *

# the time to log in is over, whatever one does meanwhile; the server parts without a word (RFC 1939, 3)
C4: CAPA
S4.. .
clock +70s
C4: CAPA
S4.. .
clock +51s
S4: <close>
