# guesses.t: a password that is wrong is wrong (RFC 4954, 6)
options --set "limits.exempt {}" --set "limits.failed_logins 2" --set "limits.stranger_time 2m" --set "limits.login_time 1m"
server submission
C: EHLO client.test
S.. 250 *
C: AUTH PLAIN AGFsaWNlAHdyb25n
S: 535 5.7.8 *
C: AUTH PLAIN AGFsaWNlAHdyb25n
S: 535 5.7.8 *

# after too many nobody learns whether one is right (RFC 4954, 4 and 6: a temporary failure)
C: AUTH PLAIN AGFsaWNlAHdyb25n
S: 454 4.7.0 *
C: AUTH PLAIN AGFsaWNlAHNlY3JldA==
S: 454 4.7.0 *

# another account is not concerned
C: AUTH PLAIN AGJvYgBzZWNyZXQ=
S: 235 2.7.0 *

# and after a while they are forgotten
clock +21m
C2: EHLO client.test
S2.. 250 *
C2: AUTH PLAIN AGFsaWNlAHNlY3JldA==
S2: 235 2.7.0 *

# where one must log in there is a time for it (RFC 5321, 3.8)
C3: EHLO client.test
S3.. 250 *
clock +61s
S3: 421 4.7.0 *
S3: <close>

# and where one need not, a longer one for the whole session, also in the middle of a message
server smtp
C4: EHLO client.test
S4.. 250 *
C5: EHLO client.test
S5.. 250 *
C5\: MAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n
S5: 250 *
S5: 250 *
S5: 354 *
clock +61s
C4: NOOP
S4: 250 *
C5: line
clock +60s
S4: 421 4.7.0 *
S4: <close>
S5: 421 4.7.0 *
S5: <close>
