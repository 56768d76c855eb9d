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
S2: Delivered-To: postmaster@example.test

# the old forms, one in the other: nobody but we reads them, and not so
server smtp
C5\: EHLO client.test\r\nMAIL FROM:<>\r\n
S5.. 250 *
S5: 250 2.1.0 *
C5: RCPT TO:<@elsewhere.test,@example.test:somebody@elsewhere.test>
S5: 550 5.7.1 *
C5: RCPT TO:<@[127.0.0.1]:somebody@elsewhere.test>
S5: 501 *
C5: RCPT TO:<@elsewhere.test:alice@example.test>
S5: 250 2.1.5 recipient <alice@example.test>
C5: RCPT TO:<@example.test:somebody%elsewhere.test@example.test>
S5: 550 5.7.1 *
C5: RCPT TO:<somebody@elsewhere.test@example.test>
S5: 501 *
C5: RCPT TO:<somebody@elsewhere.test@[127.0.0.1]>
S5: 501 *
C5: RCPT TO:<elsewhere.test!somebody%far.test@example.test>
S5: 550 5.7.1 *
C5: RCPT TO:<elsewhere.test!somebody@[127.0.0.1]>
S5: 550 5.7.1 *
C5: RCPT TO:<somebody%elsewhere.test%example.test@example.test>
S5: 550 5.7.1 *
C5: RCPT TO:<"somebody%elsewhere.test"@example.test>
S5: 550 5.7.1 *
C5: RCPT TO:<"elsewhere.test!somebody"@example.test>
S5: 550 5.7.1 *
C5: RCPT TO:<"@elsewhere.test:somebody"@example.test>
S5: 550 5.7.1 *
C5: RCPT TO:<"somebody@elsewhere.test">
S5: 501 *
C5: RCPT TO:<somebody@>
S5: 501 *
C5: RCPT TO:<somebody>
S5: 501 *
C5: RCPT TO:<alice@example.test.>
S5: 501 *
C5: RCPT TO:<alice@elsewhere.test@>
S5: 501 *
C5: RCPT TO:<alice+somebody@elsewhere.test>
S5: 550 5.7.1 *
C5: RCPT TO:<postmaster@[192.0.2.1]>
S5: 550 5.7.1 *
C5: RCPT TO:<alice@[IPv6:::1]>
S5: 550 5.7.1 *
C5: RCPT TO:<alice@example.test>
S5: 250 *

# whatever the sender calls himself, as long as he has not proved it
C6\: EHLO example.test\r\nMAIL FROM:<alice@example.test>\r\nRCPT TO:<somebody@elsewhere.test>\r\nRSET\r\n
S6.. 250 *
S6: 250 *
S6: 550 5.7.1 *
S6: 250 *
C6\: MAIL FROM:<postmaster@[127.0.0.1]> AUTH=alice+40example.test\r\nRCPT TO:<somebody@elsewhere.test>\r\nRSET\r\n
S6: 250 *
S6: 550 5.7.1 *
S6: 250 *
C6\: EHLO localhost\r\nMAIL FROM:<root@localhost>\r\nRCPT TO:<somebody@elsewhere.test>\r\nRSET\r\n
S6.. 250 *
S6: 250 *
S6: 550 5.7.1 *
S6: 250 *
C6\: MAIL FROM:<somebody@elsewhere.test>\r\nRCPT TO:<somebody@elsewhere.test>\r\nRSET\r\n
S6: 250 *
S6: 550 5.7.1 *
S6: 250 *

# nor by LMTP, however near the client is
server lmtp
C7: LHLO client.test
S7.. 250 *
C7\: MAIL FROM:<alice@example.test>\r\nRCPT TO:<somebody@elsewhere.test>\r\nRCPT TO:<somebody%elsewhere.test@example.test>\r\nRCPT TO:<alice@example.test>\r\n
S7: 250 *
S7: 550 5.7.1 *
S7: 550 5.7.1 *
S7: 250 *

# who logged in may write to anybody (RFC 6409, 4.3), as himself or as nobody (5.1), but not as somebody else (6.1)
server submission
C3: EHLO client.test
S3.. 250 *
C3: AUTH PLAIN AGFsaWNlAHNlY3JldA==
S3: 235 *
C3: MAIL FROM:<bob@example.test>
S3: 550 5.7.1 <bob@example.test> is no address of alice@example.test
C3: RCPT TO:<bob@example.test>
S3: 503 *
C3: MAIL FROM:<alice@elsewhere.test>
S3: 550 5.7.1 *
C3: MAIL FROM:<>
S3: 250 *
C3: RCPT TO:<somebody@elsewhere.test>
S3: 250 *
C3: RSET
S3: 250 *
C3\: MAIL FROM:<Alice@Example.test>\r\nRCPT TO:<somebody@elsewhere.test>\r\nRCPT TO:<somebody%far.test@elsewhere.test>\r\nRCPT TO:<bob@example.test>\r\nRCPT TO:<nobody.here@example.test>\r\nRCPT TO:<somebody@[192.0.2.1]>\r\n
S3: 250 *
S3: 250 *
S3: 250 *
S3: 250 *
S3: 550 5.1.1 *
S3: 250 *

# what waits for a domain is tried anew for those who may relay, for domains that we back up (RFC 1985, 5)
C3: RSET
S3: 250 *
C3: ETRN example.test
S3: 459 *
C3: ETRN
S3: 501 *
C3: ETRN #queue
S3: 501 *
C3: ETRN [192.0.2.1]
S3: 501 *

# until he begins anew (RFC 3207, 4.2)
C3: STARTTLS
S3: 220 *
tls3
C3\: EHLO client.test\r\nMAIL FROM:<alice@example.test>\r\n
S3.. 250 *
S3: 530 *
