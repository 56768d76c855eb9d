# idn.t: a domain beyond ASCII is one, however its name is written (RFC 6531, 3.2; RFC 5890, 2.3.2.1)
$ domain add Bücher.test
$ domain list
O: example.test
O: xn--bcher-kva.test
$ account add zoë@bücher.test --password secret
$ account list xn--bcher-kva.test
O: zoë@xn--bcher-kva.test
$ alias add info@XN--BCHER-KVA.test zoë@bücher.test
server smtp
C: EHLO client.test
S.. 250 *
C: MAIL FROM:<x@far.test> SMTPUTF8
S: 250 *
C: RCPT TO:<zoë@bücher.test>
S: 250 *
C: RCPT TO:<zoë@BÜCHER.test>
S: 250 *
C: RCPT TO:<info@xn--bcher-kva.test>
S: 250 *
C: RCPT TO:<nobody.here@bücher.test>
S: 550 5.1.1 *
C: RCPT TO:<info@münchen.test>
S: 550 5.7.1 *

# who does not say SMTPUTF8 has the A-labels
C: RSET
S: 250 *
C\: MAIL FROM:<x@far.test>\r\nRCPT TO:<info@xn--bcher-kva.test>\r\nDATA\r\n
S: 250 *
S: 250 *
S: 354 *
C\: Subject: once\r\n\r\n.\r\n
S: 250 *
server pop3
C2: USER info@bücher.test
S2: +OK*
C2: PASS secret
S2: +OK*
C2: STAT
S2: +OK 1 *

# mail for such a domain elsewhere goes to its A-labels, which is what the DNS knows
$ route bob@München.example
O: # xn--mnchen-3ya.example is not a domain of ours
O: # bob@xn--mnchen-3ya.example goes on to smtp:xn--mnchen-3ya.example, as the DNS says
O: remote bob@xn--mnchen-3ya.example next_hop=smtp:xn--mnchen-3ya.example relay
$! domain add -bücher.test
$! domain add bücher..test
