# relay.t: nothing is sent on for strangers (RFC 5321, 7.1 and 4.2.3)
options --set "smtp.errors_max 100" --set "login.default_domain example.test"
$ domain add other.test
C: EHLO client.test
S.. 250 *
C: MAIL FROM:<alice@example.test>
S: 250 *
C: RCPT TO:<somebody@elsewhere.test>
S: 550 5.7.1 *
C: RCPT TO:<alice@sub.example.test>
S: 550 5.7.1 *
C: RCPT TO:<alice@example.test.elsewhere.test>
S: 550 5.7.1 *

# nor by a detour: source routes count for nothing (appendix C), %, ! and @ in a local part no more
C: RCPT TO:<@example.test:somebody@elsewhere.test>
S: 550 5.7.1 *
C: RCPT TO:<somebody%elsewhere.test@example.test>
S: 550 5.7.1 *
C: RCPT TO:<elsewhere.test!somebody@example.test>
S: 550 5.7.1 *
C: RCPT TO:<"somebody@elsewhere.test"@example.test>
S: 550 5.7.1 *
C: RCPT TO:<somebody@[192.0.2.1]>
S: 550 5.7.1 *
C: RCPT TO:<somebody@[IPv6:2001:db8::1]>
S: 550 5.7.1 *
C: RCPT TO:<"somebody%elsewhere.test"@[127.0.0.1]>
S: 550 5.7.1 *

# the address that the client connected to is ours (4.1.3)
C: RCPT TO:<alice@[127.0.0.1]>
S: 250 2.1.5 recipient <alice@example.test>
C: RCPT TO:<postmaster@[127.0.0.1]>
S: 250 *
C: RCPT TO:<nobody.here@[127.0.0.1]>
S: 550 5.1.1 *

# each of our domains has a postmaster, its own or the first one's (4.5.1)
C: RCPT TO:<postmaster>
S: 250 2.1.5 recipient <postmaster@example.test>
C: RCPT TO:<PostMaster@Other.test>
S: 250 2.1.5 recipient <PostMaster@other.test>
C: RCPT TO:<somebody@other.test>
S: 550 5.1.1 *
C: RCPT TO:<postmaster@elsewhere.test>
S: 550 5.7.1 *
C: RSET
S: 250 *
C\: MAIL FROM:<>\r\nRCPT TO:<postmaster@other.test>\r\nDATA\r\n
S: 250 *
S: 250 *
S: 354 *
C: .
S: 250 *
server pop3
C2: USER postmaster
S2: +OK*
C2: PASS secret
S2: +OK*
C2: TOP 1 0
S2: +OK*
S2: Return-Path: <>
S2: Delivered-To: postmaster@other.test

# who logged in is told why his mail cannot go there yet (RFC 6409, 6.1)
server submission
C3: EHLO client.test
S3.. 250 *
C3: AUTH PLAIN AGFsaWNlAHNlY3JldA==
S3: 235 *
C3\: MAIL FROM:<alice@example.test>\r\nRCPT TO:<somebody@elsewhere.test>\r\nRCPT TO:<bob@example.test>\r\n
S3: 250 *
S3: 550 5.7.1 * we send no mail elsewhere*
S3: 250 *
