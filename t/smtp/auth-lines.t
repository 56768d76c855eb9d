# auth-lines.t: lines of AUTH may be long, 12,288 bytes with their CRLF, and no longer (RFC 4954, 4)
options --set "smtp.errors_max 100"
server submission
C: EHLO client.test
S.. 250 *
C: AUTH PLAIN
S: 334 
C+ 12284 of AAAA
C\: \r\n
S: 501 5.5.2 *
C: AUTH PLAIN
S: 334 
C+ 12287 of AAAA
C\: \r\n
S: 500 5.5.6 *
C: NOOP
S: 250 *

# the same in the command
C\: AUTH PLAIN\s
C+ 12272 of AAAA
C\: \r\n
S: 501 5.5.2 *
C\: AUTH PLAIN\s
C+ 12276 of AAAA
C\: \r\n
S: 500 5.5.6 *

# other commands are not longer for that
C\: NOOP\s
C+ 1000 of x
C\: \r\n
S: 500 5.5.6 *

# a line is a line here, too
C: AUTH PLAIN
S: 334 
C\: AGFsaWNl\n
S: 500 5.5.2 *
C: *
S: 501 5.7.0 *
