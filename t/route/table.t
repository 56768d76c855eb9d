# table.t: addresses that the configuration makes others, and mail that a route refuses (RFC 5321, 3.9 and 4.2.3)
options --set "smtp.errors_max 100" --set "rewrite.sales.from sales-*@example.test" --set "rewrite.sales.to *@example.test" --set "rewrite.old.from *@.old.test" --set "rewrite.old.to *@example.test" --set "rewrite.grow.from grow*@example.test" --set "rewrite.grow.to growx*@example.test" --set "rewrite.relay.from *@partner.test" --set "rewrite.relay.to *@far.test" --set "route.closed.to reject:550 5.1.2 that domain takes no mail" --set 'route.closed.recipients {"*@closed.test"}'
server smtp
C: EHLO client.test
S.. 250 *
C: MAIL FROM:<x@far.test>
S: 250 *
C: RCPT TO:<sales-alice@example.test>
S: 250 *
C: RCPT TO:<Sales-Alice+eu@Example.Test>
S: 250 *
C: RCPT TO:<sales-nobody.here@example.test>
S: 550 5.1.1 *
C: RCPT TO:<sales-@example.test>
S: 55* *
C: RCPT TO:<alice@old.test>
S: 250 *
C: RCPT TO:<bob@dept.old.test>
S: 250 *
C: RCPT TO:<bob@very-old.test>
S: 550 5.7.1 *

# what would go on for ever has an end (RFC 3463, 3.5: X.4.6)
C: RCPT TO:<growing@example.test>
S: 55* 5.4.6 *

# a table makes nobody's domain ours: a stranger's mail is not sent on by it
C: RCPT TO:<bob@partner.test>
S: 550 5.7.1 *
C: RCPT TO:<bob@closed.test>
S: 550 5.* *
