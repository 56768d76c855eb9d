# delay.t: an account logs in again after a while only, and CAPA says after how long (RFC 2449, 6.5 and 8.1.1)
options --workers 2 --set "pop3.login_delay 90s" --set "pop3.expire 30"
C: CAPA
S.. LOGIN-DELAY 90
S: EXPIRE 30
S.. .
C\: USER alice\r\nPASS secret\r\nQUIT\r\n
S: +OK *
S: +OK 0 messages, *
S: +OK *
C2\: USER alice\r\nPASS secret\r\n
S2: +OK *
S2: -ERR [LOGIN-DELAY] *

# whoever tries meanwhile waits no longer for it
clock +80s
C2\: USER alice\r\nPASS secret\r\n
S2: +OK *
S2: -ERR [LOGIN-DELAY] *
clock +11s
C2\: USER alice\r\nPASS secret\r\nCAPA\r\n
S2: +OK *
S2: +OK 0 messages, *
S2.. LOGIN-DELAY 90
S2: EXPIRE 30
S2.. .

# a second session is in use, not too early
C3\: USER alice\r\nPASS secret\r\n
S3: +OK *
S3: -ERR [IN-USE] *

# another account does not wait, and a wrong password is no login
C3\: USER bob\r\nPASS wrong\r\nUSER bob\r\nPASS secret\r\n
S3: +OK *
S3: -ERR [AUTH] *
S3: +OK *
S3: +OK 0 messages, *
