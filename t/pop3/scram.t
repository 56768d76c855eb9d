# scram.t: SCRAM-SHA-256 asks on after the client's first message, with the salt of the account (RFC 5802, 5; RFC 7677)
options --set "pop3.errors_max 100" --set "login.channel_binding yes"
C: AUTH SCRAM-SHA-256
S: + 
C: biwsbj1hbGljZSxyPWFiY2Q=
S: + cj1hYmNk*
C: *
S: -ERR *

# of somebody who is not there as well; another nonce than ours is as wrong as a wrong proof
C: AUTH SCRAM-SHA-256 biwsbj1hbGljZSxyPWFiY2Q=
S: + cj1hYmNk*
C: Yz1iaXdzLHI9YWJjZCxwPUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE9
S: -ERR [AUTH] ${refusal}
C: AUTH SCRAM-SHA-256 biwsbj1ub2JvZHkuaGVyZSxyPWFiY2Q=
S: + cj1hYmNk*
C: Yz1iaXdzLHI9YWJjZCxwPUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE9
S: -ERR [AUTH] ${refusal}

# what is no message of it (7)
C: AUTH SCRAM-SHA-256 =
S: -ERR *
C: AUTH SCRAM-SHA-256 aGVsbG8=
S: -ERR *
C: AUTH SCRAM-SHA-256 biwsbT14LG49YWxpY2Uscj1hYmNk
S: -ERR *

# without TLS there is no channel to be bound to, over TLS there is (6; RFC 9266)
C: AUTH SCRAM-SHA-256-PLUS cD10bHMtZXhwb3J0ZXIsLG49YWxpY2Uscj1hYmNk
S: -ERR *
C: AUTH SCRAM-SHA-256 cD10bHMtZXhwb3J0ZXIsLG49YWxpY2Uscj1hYmNk
S: -ERR [AUTH] *
server pop3s
C2: AUTH SCRAM-SHA-256 eSwsbj1hbGljZSxyPWFiY2Q=
S2: -ERR [AUTH] *
C2: AUTH SCRAM-SHA-256-PLUS biwsbj1hbGljZSxyPWFiY2Q=
S2: -ERR [AUTH] *
C2: AUTH SCRAM-SHA-256-PLUS cD10bHMtZXhwb3J0ZXIsLG49YWxpY2Uscj1hYmNk
S2: + cj1hYmNk*
C2: *
S2: -ERR *
C2: AUTH EXTERNAL =
S2: -ERR *
