# scram.t: SCRAM-SHA-256 asks on after the client's first message, with the salt of the account (RFC 5802, 5; RFC 7677)
options --set "smtp.errors_max 100" --set "login.channel_binding yes"
server submission
C: EHLO client.test
S.. 250-AUTH SCRAM-SHA-256 PLAIN LOGIN
S: 250 *
C: AUTH SCRAM-SHA-256
S: 334 
C: biwsbj1hbGljZSxyPWFiY2Q=
S: 334 cj1hYmNk*
C: *
S: 501 5.7.0 *

# of somebody who is not there as well
C: AUTH SCRAM-SHA-256 biwsbj1ub2JvZHkuaGVyZSxyPWFiY2Q=
S: 334 cj1hYmNk*
C: *
S: 501 5.7.0 *

# another nonce than ours is as wrong as a wrong proof
C: AUTH SCRAM-SHA-256 biwsbj1hbGljZSxyPWFiY2Q=
S: 334 cj1hYmNk*
C: Yz1iaXdzLHI9YWJjZCxwPUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE9
S: 535 5.7.8 wrong name or password
C: AUTH SCRAM-SHA-256 biwsbj1ub2JvZHkuaGVyZSxyPWFiY2Q=
S: 334 cj1hYmNk*
C: Yz1iaXdzLHI9YWJjZCxwPUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE9
S: 535 5.7.8 wrong name or password

# what is no message of it (7)
C: AUTH SCRAM-SHA-256 =
S: 501 5.5.2 *
C: AUTH SCRAM-SHA-256 aGVsbG8=
S: 501 5.5.2 *
C: AUTH SCRAM-SHA-256 biwsbj0scj1hYmNk
S: 501 5.5.2 *
C: AUTH SCRAM-SHA-256 biwsbT14LG49YWxpY2Uscj1hYmNk
S: 501 5.5.2 *
C: AUTH SCRAM-SHA-256 biwsbj1hbGljZSxyPWFiY2Q=
S: 334 *
C: aGVsbG8=
S: 501 5.5.2 *

# without TLS there is no channel to be bound to, and who thinks that we know of none is right (6)
C: AUTH SCRAM-SHA-256-PLUS cD10bHMtZXhwb3J0ZXIsLG49YWxpY2Uscj1hYmNk
S: 504 5.5.4 *
C: AUTH SCRAM-SHA-256 cD10bHMtZXhwb3J0ZXIsLG49YWxpY2Uscj1hYmNk
S: 535 5.7.8 *
C: AUTH SCRAM-SHA-256 eSwsbj1hbGljZSxyPWFiY2Q=
S: 334 cj1hYmNk*
C: *
S: 501 5.7.0 *

# over TLS there is (RFC 9266), and then it is a downgrade
server submissions
C2: EHLO client.test
S2.. 250-AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN
S2: 250 *
C2: AUTH SCRAM-SHA-256 eSwsbj1hbGljZSxyPWFiY2Q=
S2: 535 5.7.8 *
C2: AUTH SCRAM-SHA-256-PLUS biwsbj1hbGljZSxyPWFiY2Q=
S2: 535 5.7.8 *
C2: AUTH SCRAM-SHA-256-PLUS cD10bHMtdW5pcXVlLCxuPWFsaWNlLHI9YWJjZA==
S2: 535 5.7.8 *
C2: AUTH SCRAM-SHA-256-PLUS cD10bHMtZXhwb3J0ZXIsLG49YWxpY2Uscj1hYmNk
S2: 334 cj1hYmNk*
C2: *
S2: 501 5.7.0 *

# EXTERNAL is for those who showed a certificate
C2: AUTH EXTERNAL =
S2: 504 5.5.4 *
