"""sink.py - the fake destination itself: what it takes, notes and does wrong, seen by Python's client."""

import re
import smtplib
import socket
import ssl
import tempfile

import tap
from smtp_sink import Sink, server_tls

TEXT = b"Subject: one\r\n\r\n.leading dot\r\ntext\r\n"
PAIR = ["a@far.test", "b@far.test"]


def client(sink):
    smtp = smtplib.SMTP(sink.host, sink.port, timeout=60)
    smtp.ehlo("client.test")
    return smtp


def raw(sink, *pieces):
    """Everything said to these bytes; after each piece something is waited for."""
    with socket.create_connection((sink.host, sink.port), timeout=60) as sock:
        said = heard(sock)
        for piece in pieces:
            sock.sendall(piece)
            said += heard(sock)
        while more := sock.recv(65536):
            said += more
        return said


def heard(sock):
    """What comes until a reply is whole, or the connection ends."""
    said = b""
    while not re.search(rb"(?m)^\d{3} .*\n\Z", said) and (more := sock.recv(65536)):
        said += more
    return said


def lost(session):
    try:
        session()
    except (smtplib.SMTPServerDisconnected, ConnectionError, ssl.SSLError):
        return True
    return False


def takes_mail():
    with tap.test("a message is noted as it came, with its parameters"), Sink() as sink:
        with client(sink) as smtp:
            smtp.sendmail("s@x.test", PAIR, TEXT, ["BODY=8BITMIME", "RET=HDRS"], ["NOTIFY=NEVER"])
        message, = sink.wait(1)
        assert (message.sender, message.recipients, message.content) == ("s@x.test", PAIR, TEXT), message
        assert message.parameters.items() >= {"BODY": "8BITMIME", "RET": "HDRS"}.items(), message
        assert message.recipient_parameters["a@far.test"] == {"NOTIFY": "NEVER"} and message.read
    with tap.test("in chunks, pipelined"), Sink() as sink:
        raw(sink, b"EHLO x.test\r\n", b"MAIL FROM:<>\r\nRCPT TO:<a@far.test>\r\nBDAT 4\r\na\r\nbBDAT 2 LAST\r\n\r\n",
            b"QUIT\r\n")
        message, = sink.messages
        assert message.content == b"a\r\nb\r\n" and message.chunks == 2 and message.sender == ""
    with tap.test("by LMTP with a reply for each recipient"), Sink(lmtp=True) as sink:
        sink.fault("dot", "552 5.2.2 full", who="b@far.test")
        said = raw(sink, b"LHLO x.test\r\n", b"MAIL FROM:<s@x.test>\r\n", b"RCPT TO:<a@far.test>\r\n",
                   b"RCPT TO:<b@far.test>\r\n", b"DATA\r\n", TEXT + b".\r\n", b"QUIT\r\n")
        assert b"taken\r\n552 5.2.2 full\r\n" in said and sink.messages[0].taken == ["a@far.test"], said
    with tap.test("STARTTLS and AUTH"), tempfile.TemporaryDirectory() as folder:
        with Sink(tls=server_tls(folder), users={"me": "pass"}) as sink, client(sink) as smtp:
            smtp.starttls()
            smtp.ehlo("client.test")
            smtp.login("me", "pass")
            smtp.sendmail("s@x.test", PAIR, TEXT)
            assert sink.messages[0].tls and sink.messages[0].user == "me"


def does_wrong():
    with tap.test("a reply of the test's choice, for one and once"), Sink() as sink, client(sink) as smtp:
        sink.fault("rcpt", "450 4.2.1 busy", who="b@far.test", times=1)
        refused = smtp.sendmail("s@x.test", PAIR, TEXT)
        assert refused == {"b@far.test": (450, b"4.2.1 busy")} and sink.messages[0].taken == ["a@far.test"], refused
        assert smtp.sendmail("s@x.test", PAIR, TEXT) == {}
    for step in ("greeting", "ehlo", "mail", "rcpt", "data", "body", "dot"):
        for what in ("drop", "reset"):
            with tap.test(f"{what} at {step}"), Sink() as sink:
                sink.fault(step, what)
                assert lost(lambda: client(sink).sendmail("s@x.test", PAIR, TEXT * 100))
                assert not sink.messages
    with tap.test("taken, and closed without a reply"), Sink() as sink:
        sink.fault("dot", "take")
        assert lost(lambda: client(sink).sendmail("s@x.test", PAIR, TEXT))
        assert sink.counts() == {"a@far.test": 1, "b@far.test": 1} and not sink.messages[0].read
    with tap.test("421 after so many messages"), Sink(messages_max=1) as sink:
        smtp = client(sink)
        smtp.sendmail("s@x.test", PAIR, TEXT)
        assert smtp.docmd("MAIL FROM:<s@x.test>")[0] == 421
    with tap.test("a tarpit, a slow one, half a reply"), Sink() as sink:
        sink.tarpit_s = 0.001
        sink.fault("greeting", "tarpit").fault("ehlo", "slow").fault("mail", "half")
        said = raw(sink, b"EHLO x.test\r\n", b"MAIL FROM:<>\r\n")
        assert said.startswith(b"220 ") and said.endswith(b"\r\n250 2.1.0 s"), said
    with tap.test("a dead one refuses; one that is full does not answer; started again it does"), Sink() as sink:
        sink.dead()
        try:
            client(sink)
            assert False
        except ConnectionRefusedError:
            pass
        sink.fill()
        try:
            socket.create_connection((sink.host, sink.port), timeout=0.3)
            assert False
        except TimeoutError:
            pass
        sink.stop()
        sink.start()
        client(sink).quit()


def complains():
    for what, pieces in (
            ("a bare LF", (b"EHLO x.test\n",)),
            ("a command not offered", (b"EHLO x.test\r\n", b"STARTTLS\r\n")),
            ("a parameter not offered", (b"EHLO x.test\r\n", b"MAIL FROM:<> BY=3;R\r\n")),
            ("a bare LF in content", (b"EHLO x.test\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nDATA\r\na\nb\r\n.\r\n",)),
            ("pipelining behind DATA", (b"EHLO x.test\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nDATA\r\nb\r\n.\r\n",)),
            ("8 bits undeclared", (b"EHLO x.test\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nBDAT 3 LAST\r\n\xff\r\n",))):
        with tap.test(f"it complains of {what}"):
            sink = Sink().start()
            raw(sink, *pieces, b"QUIT\r\n")
            sink.stop()
            assert sink.complaints
    with tap.test("a careless one finds what was smuggled"):
        sink = Sink(lax=True).start()
        raw(sink, b"HELO x.test\r\n", b"MAIL FROM:<>\r\n", b"RCPT TO:<a@b.test>\r\n", b"DATA\r\n",
            b"x\n.\nMAIL FROM:<evil@x.test>\r\nRCPT TO:<a@b.test>\r\nDATA\r\ny\r\n.\r\nQUIT\r\n")
        sink.stop()
        assert [message.sender for message in sink.messages] == ["", "evil@x.test"]


takes_mail()
does_wrong()
complains()
tap.done()
