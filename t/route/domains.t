# domains.t: other names of a domain; only its own host may say what a local part means (RFC 5321, 2.3.11)
options --set 'domain.example.test.aliases {"example.org", "bücher.test"}' --set 'domain.example.test.detail +=' --set 'domain.catch.test.unknown alice@example.test' --set 'domain.gone.test.unknown discard' --set 'domain.moved.test.unknown *@example.test' --set 'domain.hole.test.postmaster bob@example.test' --set 'smtp.errors_max 100'
server smtp
C: EHLO client.test
S.. 250 *
C: MAIL FROM:<x@far.test> SMTPUTF8
S: 250 *
C: RCPT TO:<alice@example.org>
S: 250 2.1.5 *
C: RCPT TO:<nobody.here@example.org>
S: 550 5.1.1 *
C: RCPT TO:<alice@sub.example.org>
S: 550 5.7.1 *

# names beyond ASCII and their A-labels are the same domain (RFC 6531, 3.2; RFC 5890, 2.3.2.1)
C: RCPT TO:<alice@bücher.test>
S: 250 *
C: RCPT TO:<alice@BÜCHER.test>
S: 250 *
C: RCPT TO:<alice@xn--bcher-kva.test>
S: 250 *
C: RCPT TO:<alice@xn--mnchen-3ya.test>
S: 550 5.7.1 *

# what stands behind a + or what else is configured is no part of the name (RFC 5233)
C: RCPT TO:<alice+lists@example.test>
S: 250 *
C: RCPT TO:<alice=lists@example.test>
S: 250 *
C: RCPT TO:<+lists@example.test>
S: 550 5.1.1 *
C: RCPT TO:<alice-lists@example.test>
S: 550 5.1.1 *

# mail for unknown names is refused, thrown away, or somebody else's
C: RCPT TO:<nobody.here@example.test>
S: 550 5.1.1 *
C: RCPT TO:<nobody.here@catch.test>
S: 250 *
C: RCPT TO:<nobody.here@gone.test>
S: 250 *
C: RCPT TO:<bob@moved.test>
S: 250 *
C: RCPT TO:<nobody.here@moved.test>
S: 550 5.1.1 *
C: RCPT TO:<postmaster@hole.test>
S: 250 *
C: RCPT TO:<nobody.here@hole.test>
S: 550 5.1.1 *

# and that is where it goes
C: RSET
S: 250 *
C\: MAIL FROM:<x@far.test>\r\nRCPT TO:<alice@example.org>\r\nRCPT TO:<any@gone.test>\r\nRCPT TO:<bob@moved.test>\r\nRCPT TO:<postmaster@hole.test>\r\nDATA\r\n
S: 250 *
S: 250 *
S: 250 *
S: 250 *
S: 250 *
S: 354 *
C\: Subject: once\r\n\r\n.\r\n
S: 250 *
server imap
C2: a LOGIN alice@example.org secret
S2: a OK *
C2: a STATUS INBOX (MESSAGES)
S2: * STATUS "INBOX" (MESSAGES 1)
S2: a OK *
C3: a LOGIN bob secret
S3: a OK *
C3: a STATUS INBOX (MESSAGES)
S3: * STATUS "INBOX" (MESSAGES 1)
S3: a OK *
