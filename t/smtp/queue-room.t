# queue-room.t: mail for elsewhere is taken while the queue has room, and said to be when it is asked for (RFC 5321, 4.5.3.1.10)
options --workers 1 --set "relay.hold true" --set "queue.messages 1" --set "queue.recipients 3"
server submission
C: EHLO client.test
S.. 250 *
C: AUTH PLAIN AGFsaWNlAHNlY3JldA==
S: 235 *
C\: MAIL FROM:<alice@example.test>\r\nRCPT TO:<one@far.test>\r\nRCPT TO:<two@far.test>\r\nRCPT TO:<bob@example.test>\r\nRCPT TO:<three@far.test>\r\nDATA\r\n\r\n.\r\n
S: 250 *
S: 250 *
S: 250 *
S: 250 *
S: 452 4.5.3 *
S: 354 *
S: 250 2.0.0 taken *
C\: MAIL FROM:<alice@example.test>\r\nRCPT TO:<three@far.test>\r\nRCPT TO:<bob@example.test> NOTIFY=SUCCESS\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n\r\n.\r\n
S: 250 *
S: 452 4.3.1 *
S: 452 4.3.1 *
S: 250 *
S: 354 *
S: 250 2.0.0 delivered *
