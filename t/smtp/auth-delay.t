# auth-delay.t: whatever is wrong with a login, the answer comes as late (RFC 4954, 9)
options --set "login.fail_delay 20s"
server submission
C: EHLO client.test
S.. 250 *
C: AUTH PLAIN AGFsaWNlAHdyb25n
S: <silence>
clock +21s
S: 535 *

# a name that is not there
C: AUTH PLAIN AG5vYm9keS5oZXJlAHNlY3JldA==
S: <silence>
clock +21s
S: 535 *

# acting for another
C: AUTH PLAIN Ym9iAGFsaWNlAHNlY3JldA==
S: <silence>
clock +21s
S: 535 *

# a nonce that is not ours
C2: EHLO client.test
S2.. 250 *
C2: AUTH SCRAM-SHA-256 biwsbj1ub2JvZHkuaGVyZSxyPWFiY2Q=
S2: 334 *
C2: Yz1iaXdzLHI9YWJjZCxwPUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE9
S2: <silence>
clock +21s
S2: 535 *

# what needs no look at anybody's password is answered at once, and so is who gives up
C2: AUTH SCRAM-SHA-256 aGVsbG8=
S2: 501 *
C2: AUTH SCRAM-SHA-256
S2: 334 *
C2: *
S2: 501 *
