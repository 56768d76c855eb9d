# binarymime.t: parts of any bytes are kept in base64, which means the same (RFC 3030, 3)
C: EHLO client.test
S.. 250-BINARYMIME
S.. 250 *
C\: MAIL FROM:<> BODY=BINARYMIME\r\nRCPT TO:<alice@example.test>\r\n
S: 250 *
S: 250 *
C\: BDAT 84\r\nSubject: any\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\r\x89\n\xff.\r\n
S: 250 *
C\: BDAT 4 LAST\r\n.\r\n\0
S: 250 2.0.0 delivered *

# and so are those of a multipart, one by one; the rest stays as it is
C\: MAIL FROM:<> BODY=BINARYMIME\r\nRCPT TO:<alice@example.test>\r\nBDAT 220 LAST\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: binary\r\n\r\n--b\r\n\r\ntext\r\n--b\r\nContent-Transfer-Encoding: binary\r\n\r\na\nb\n--b\n\r\n--b\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xff\r\n--b--\r\n
S: 250 *
S: 250 *
S: 250 2.0.0 delivered *
server imap
C2: a LOGIN alice secret
S2.. a OK *
C2: b EXAMINE INBOX
S2.. b OK *
C2: c FETCH 1 (BODY[HEADER.FIELDS (Subject Content-Type Content-Transfer-Encoding)])
S2: * 1 FETCH *
S2: Subject: any
S2: Content-Type: image/png
S2: Content-Transfer-Encoding: base64
S2:
S2: )
S2.. c OK *
C2: c FETCH 1 BODY[TEXT]
S2: * 1 FETCH *
S2: AA2JCv8uDQouDQoA
S2: )
S2.. c OK *
C2: d FETCH 2 BODY[TEXT]
S2: * 2 FETCH *
S2: --b
S2:
S2: text
S2: --b
S2: Content-Transfer-Encoding: base64
S2:
S2: YQpiCi0tYgo=
S2: --b
S2: Content-Type: text/html
S2: Content-Transfer-Encoding: 8bit
S2:
S2: *
S2: --b--
S2: )
S2.. d OK *
server smtp

# DATA cannot carry it (3)
C3: EHLO client.test
S3.. 250 *
C3\: MAIL FROM:<> BODY=BINARYMIME\r\nRCPT TO:<alice@example.test>\r\nDATA\r\nRSET\r\n
S3: 250 *
S3: 250 *
S3: 503 *
S3: 250 *

# parts that are not called binary still hold lines, and no NUL
C3\: MAIL FROM:<> BODY=BINARYMIME\r\nRCPT TO:<alice@example.test>\r\nBDAT 7 LAST\r\nA:\r\n\r\n\0
S3: 250 *
S3: 250 *
S3: 550 5.6.0 *
C3\: MAIL FROM:<> BODY=BINARYMIME\r\nRCPT TO:<alice@example.test>\r\nBDAT 10 LAST\r\nA:\r\n\r\na\nb\r
S3: 250 *
S3: 250 *
S3: 550 5.6.0 *

# nor does a part that is called so make it one: that is what BODY says
C3\: MAIL FROM:<> BODY=8BITMIME\r\nRCPT TO:<alice@example.test>\r\nBDAT 40 LAST\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\r\n
S3: 250 *
S3: 250 *
S3: 550 5.6.0 *

# a line of content may have any length, one of text may not
C3\: MAIL FROM:<> BODY=BINARYMIME\r\nRCPT TO:<alice@example.test>\r\nBDAT 300037 LAST\r\nContent-Transfer-Encoding: binary\r\n\r\n
C3+ 300000 of x
S3: 250 *
S3: 250 *
S3: 250 2.0.0 delivered *
C3\: MAIL FROM:<> BODY=BINARYMIME\r\nRCPT TO:<alice@example.test>\r\nBDAT 300004 LAST\r\nA:\r\n
C3+ 300000 of x
S3: 250 *
S3: 250 *
S3: 554 5.6.0 *
