"""mail.py - putting mail into a scratch server and getting it out again, by Python's own clients."""

import base64
import imaplib
import poplib
import re
import smtplib
import socket
import ssl

from postern import PASSWORD

poplib._MAXLINE = 1 << 20  # real mail has longer lines than Python expects
SENDER = "sender@example.test"
# A message of several parts from test0001: text that is not ASCII, a picture, another message.
PARTS = ("From: Anna <test0001@example.test>\r\nTo: test0000@example.test\r\nMessage-ID: <parts@x.test>\r\n"
         "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe_und_Bild?=\r\nMIME-Version: 1.0\r\n"
         "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
         "--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
         "Sch=C3=B6ne Gr=C3=BC=C3=9Fe\r\n--b\r\nContent-Type: image/png; name=bild.png\r\n"
         "Content-Disposition: attachment; filename=bild.png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n"
         "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inside\r\n\r\nThe inner one.\r\n--b--\r\n").encode()


def numbered(numbers):
    """Small messages that tell their number."""
    return [f"From: a@example.test\r\nSubject: number {n}\r\nMessage-ID: <{n}@x.test>\r\n\r\n{n}: text\r\n".encode()
            for n in numbers]


def tls(server):
    """A context that trusts the server's certificate, for connections to "localhost"."""
    return ssl.create_default_context(cafile=server.certificate)


def done(answer):
    """The lines of an IMAP answer that is OK."""
    status, lines = answer
    assert status == "OK", lines
    return lines


def to_utf7(name):
    """A mailbox's name in modified UTF-7 (RFC 3501, 5.1.3)."""
    def shifted(run):
        return "&" + base64.b64encode(run[0].encode("utf-16-be")).decode().rstrip("=").replace("/", ",") + "-"
    return re.sub("[^ -~]+", shifted, name.replace("&", "&-"))


def from_utf7(name):
    def unshifted(run):
        return f"+{run[1].replace(',', '/')}-".encode().decode("utf-7") if run[1] else "&"
    return re.sub("&([^-]*)-", unshifted, name)


def quoted(name):
    """A mailbox's name as a command has it."""
    return '"' + re.sub(r'(["\\])', r"\\\1", to_utf7(name)) + '"'


def imap_session(server, account, mailbox="INBOX"):
    imap = imaplib.IMAP4(server.host, server.ports["imap"], timeout=60)
    imap.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # what follows a literal is sent by itself
    imap.login(server.address(account), PASSWORD)
    done(imap.select(quoted(mailbox)))
    return imap


def create(server, account, mailbox):
    with imap_session(server, account) as imap:
        done(imap.create(quoted(mailbox)))


def folders(server, account):
    """The names of all mailboxes that hold messages."""
    with imap_session(server, account) as imap:
        listed = [re.fullmatch(rb'\(([^)]*)\) "/" (.*)', line) for line in done(imap.list())]
    return {from_utf7(re.sub(r"\\(.)", r"\1", line[2].decode().strip('"'))) for line in listed
            if rb"\Noselect" not in line[1]}


def send(server, accounts, texts):
    """Messages to every one of these accounts, over one connection."""
    with smtplib.SMTP(server.host, server.ports["smtp"], timeout=60) as smtp:
        for text in texts:
            smtp.sendmail(SENDER, [server.address(account) for account in accounts], text,
                          mail_options=["BODY=8BITMIME"])


def send_chunks(server, account, texts, body="8BITMIME", size=3000):
    """The same by BDAT (RFC 3030), in chunks of so many bytes at most, one message after the other without waiting."""
    with smtplib.SMTP(server.host, server.ports["smtp"], timeout=60) as smtp:
        smtp.ehlo("client.test")
        for text in texts:
            cuts = range(0, len(text), size)
            smtp.send(f"MAIL FROM:<{SENDER}> BODY={body}\r\nRCPT TO:<{server.address(account)}>\r\n".encode() + b"".join(
                b"BDAT %d\r\n%s" % (len(text[at:at + size]), text[at:at + size]) for at in cuts) + b"BDAT 0 LAST\r\n")
            for _ in range(3 + len(cuts)):
                code, words = smtp.getreply()
                if code != 250:
                    raise smtplib.SMTPDataError(code, words)


def append(server, account, texts, mailbox="INBOX", flags=None):
    with imap_session(server, account) as imap:
        for text in texts:
            done(imap.append(quoted(mailbox), flags, None, text))


def literals(answers):
    """[(all that FETCH says of a message but its literal, the literal)]"""
    found = []
    for place, answer in enumerate(answers):
        if isinstance(answer, tuple):
            rest = answers[place + 1]
            found.append((answer[0] + (rest if isinstance(rest, bytes) else b""), answer[1]))
    return found


def fetch_all(server, account, mailbox="INBOX"):
    """[(UID, what FETCH says besides, message)] of a mailbox in its order."""
    with imap_session(server, account, mailbox) as imap:
        answers = done(imap.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])"))
    return [(int(re.search(rb"UID (\d+)", about)[1]), about, text) for about, text in literals(answers)]


def flags_of(about):
    """The flags that a FETCH told, as a sorted tuple, without \\Recent."""
    return tuple(sorted(set(re.search(rb"FLAGS \(([^)]*)\)", about)[1].split()) - {rb"\Recent"}))


def texts(server, account, mailbox="INBOX"):
    return [text for _, _, text in fetch_all(server, account, mailbox)]


def retrieve_all(server, account):
    """Every message of an INBOX, by POP3."""
    pop = poplib.POP3(server.host, server.ports["pop3"], timeout=60)
    pop.user(server.address(account))
    pop.pass_(PASSWORD)
    count, size = pop.stat()
    found = [b"".join(line + b"\r\n" for line in pop.retr(place)[1]) for place in range(1, count + 1)]
    assert sum(map(len, found)) == size, "STAT says another size"
    pop.quit()
    return found
