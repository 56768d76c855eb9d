"""forward_utf8.py - what is forwarded goes on as far as the next host understands it: with letters beyond ASCII where
SMTPUTF8 is spoken, else it comes back with 5.6.7 (RFC 6531, 3.2; RFC 3463, X.6.7); what is 8 bits or binary made 7 bits
where that is wanted (RFC 6152, 3; RFC 3030). Nothing goes out that the next host could misread."""

import email
import email.policy
import re
import socket

import tap
from postern import Server
from sending import WAIT_S, Far, Report, logged, text

WRITER = "writer@away.test"
UTF8_WRITER = "schreiber-ü@away.test"
UTF8_HEADER = "From: Zoë <zoë@away.test>\r\nTo: x@example.test\r\nSubject: Grüße %s\r\nMIME-Version: 1.0\r\n" \
              "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße\r\n"
UTF8_BODY = UTF8_HEADER.replace("Zoë <zoë@away.test>", WRITER).replace("Subject: Grüße", "Subject: body")
PART = (f"From: {WRITER}\r\nSubject: part\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
        "Content-Type: text/plain; name=\"Grüße.txt\"\r\n\r\nplain\r\n--b--\r\n")


class Lines:
    """SMTP as another server speaks it, with whatever bytes."""

    def __init__(self, server):
        self.socket = socket.create_connection((server.host, server.ports["smtp"]), WAIT_S)
        self.file = self.socket.makefile("rb")
        self.reply()
        self.say(b"EHLO away.test")

    def reply(self):
        while (line := self.file.readline())[3:4] == b"-":
            pass
        self.line = line.decode()
        return int(line[:3])

    def say(self, line):
        self.socket.sendall(line + b"\r\n")
        return self.reply()


def put(server, recipient, message, sender=WRITER, parameters="", binary=False):
    lines = Lines(server)
    message = message.encode() if isinstance(message, str) else message
    assert lines.say(f"MAIL FROM:<{sender}>{parameters}".encode()) == 250, lines.line
    assert lines.say(f"RCPT TO:<{recipient}>".encode()) == 250, lines.line
    if binary:
        lines.socket.sendall(b"BDAT %d LAST\r\n" % len(message) + message)
        assert lines.reply() == 250, lines.line
    else:
        assert lines.say(b"DATA") == 354
        lines.socket.sendall(message + b".\r\n")
        assert lines.reply() == 250, lines.line


def returned(away, count):
    """The newest report that came back to whoever wrote, with its envelope."""
    back = away.wait(count)[count - 1]
    assert back.sender == "", back
    return back, Report(email.message_from_bytes(back.content, policy=email.policy.SMTPUTF8))


def letters(server, fars, away):
    all_, ascii_, seven = fars
    back = 0
    with tap.test("a header beyond ASCII goes on by SMTPUTF8 where that is spoken"):
        put(server, "all@example.test", UTF8_HEADER % "on", parameters=" SMTPUTF8 BODY=8BITMIME")
        sent, = all_.wait(1)
        assert "SMTPUTF8" in sent.parameters and (UTF8_HEADER % "on").encode() in sent.content, sent
    for far, name in ((ascii_, "ascii"), (seven, "seven")):
        with tap.test(f"else it comes back with 5.6.7, and {name} hears nothing of it"):
            put(server, f"{name}@example.test", UTF8_HEADER % "back", parameters=" SMTPUTF8 BODY=8BITMIME")
            back += 1
            bounce, report = returned(away, back)
            assert report.recipients[0]["Status"] == "5.6.7" and report.recipients[0]["Action"] == "failed", report.words
            assert bounce.taken == [WRITER] and not far.transactions, far.transactions
    with tap.test("so does a header of one of its parts alone (RFC 6532, 3.7)"):
        put(server, "all@example.test", PART, parameters=" SMTPUTF8 BODY=8BITMIME")
        sent = all_.wait(2)[1]
        assert sent.content.endswith(PART.encode()) and {"SMTPUTF8", "BODY"} <= set(sent.parameters), sent
        for far, name in ((ascii_, "ascii"), (seven, "seven")):
            put(server, f"{name}@example.test", PART, parameters=" SMTPUTF8 BODY=8BITMIME")
            back += 1
            _, report = returned(away, back)
            assert report.recipients[0]["Status"] == "5.6.7" and not far.transactions, report.words
    with tap.test("a sender beyond ASCII, rewritten (SRS), goes on by SMTPUTF8 alone"):
        put(server, "all@example.test", text("sender"), UTF8_WRITER, " SMTPUTF8")
        sent = all_.wait(3)[2]
        assert "SMTPUTF8" in sent.parameters and "schreiber-ü" in sent.sender and "away.test" in sent.sender, sent
        put(server, "ascii@example.test", text("sender"), UTF8_WRITER, " SMTPUTF8")
        back += 1
        bounce, report = returned(away, back)
        assert report.recipients[0]["Status"] == "5.6.7", report.words
        assert bounce.taken == [UTF8_WRITER] and "SMTPUTF8" in bounce.parameters and not ascii_.transactions, bounce
    with tap.test("a bounce of such a forward finds its way back"):
        put(server, sent.sender, text("bounce"), "", " SMTPUTF8")
        back += 1
        assert away.wait(back)[back - 1].taken == [UTF8_WRITER]
    with tap.test("a domain beyond ASCII alone has its A-label, and goes everywhere (RFC 5891)"):
        put(server, "ascii@example.test", text("label"), "writer@bücher.away.test", " SMTPUTF8")
        sent, = ascii_.wait(1)
        assert "xn--bcher-kva.away.test" in sent.sender and "SMTPUTF8" not in sent.parameters, sent
    with tap.test("SMTPUTF8 that nothing needs is not said on (RFC 6531, 3.4)"):
        for far, name, count in ((ascii_, "ascii", 2), (seven, "seven", 1), (all_, "all", 4)):
            put(server, f"{name}@example.test", text("needless"), parameters=" SMTPUTF8")
            sent = far.wait(count)[count - 1]
            assert "SMTPUTF8" not in sent.parameters and sent.content.endswith(text("needless")), sent
    with tap.test("a member beyond ASCII is refused alone, the others have it"):
        put(server, "mixed@example.test", text("mixed"))
        sent = ascii_.wait(3)[2]
        assert sent.taken == [ascii_.address("new")], sent
        back += 1
        bounce, report = returned(away, back)
        assert [fields["Status"] for fields in report.recipients] == ["5.6.7"], report.words
        assert bounce.taken == [WRITER] and not [t for t in ascii_.transactions if "ü" in "".join(t.recipients)]
    return back


def bits(server, fars, away, back):
    all_, ascii_, seven = fars
    for number, parameters in enumerate((" BODY=8BITMIME", " BODY=8BITMIME SMTPUTF8")):
        with tap.test(f"a body of 8 bits, brought by{parameters}, goes as it is where 8BITMIME is spoken"):
            put(server, "ascii@example.test", UTF8_BODY % "a", parameters=parameters)
            sent = ascii_.wait(4 + number)[3 + number]
            assert sent.parameters.get("BODY") == "8BITMIME" and sent.content.endswith("\r\n\r\nGrüße\r\n".encode()), sent
    with tap.test("else in 7 bits, meaning the same"):
        put(server, "seven@example.test", UTF8_BODY % "b", parameters=" BODY=8BITMIME")
        sent = seven.wait(2)[1]
        assert "BODY" not in sent.parameters and sent.content.isascii(), sent
        read = email.message_from_bytes(sent.content, policy=email.policy.SMTP)
        assert read.get_content().replace("\r\n", "\n") == "Grüße\n", sent.content
    with tap.test("a header beyond ASCII of which nobody said SMTPUTF8 needs it all the same"):
        put(server, "all@example.test", UTF8_HEADER % "unsaid")
        sent = all_.wait(5)[4]
        assert "SMTPUTF8" in sent.parameters and sent.content.endswith((UTF8_HEADER % "unsaid").encode()), sent
        for name in "ascii", "seven":
            put(server, f"{name}@example.test", UTF8_HEADER % "unsaid")
            back += 1
            assert returned(away, back)[1].recipients[0]["Status"] == "5.6.7"
    with tap.test("binary content never leaves as such: in base64, byte for byte (RFC 3030, 3)"):
        content = bytes(range(256)) * 4 + b"\r\n.\r\nMAIL FROM:<evil@x.test>\r\n.\r\n\n.\n\r.\r"
        message = (b"From: writer@away.test\r\nSubject: binary\r\nMIME-Version: 1.0\r\n"
                   b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n" + content)
        for far, name in ((all_, "all"), (seven, "seven")):
            count = len(far.messages)
            put(server, f"{name}@example.test", message, parameters=" BODY=BINARYMIME", binary=True)
            sent = far.wait(count + 1)[count]
            assert sent.parameters.get("BODY") != "BINARYMIME" and sent.content.isascii(), sent
            assert email.message_from_bytes(sent.content).get_payload(decode=True) == content


def main():
    all_, ascii_ = Far("all"), Far("ascii", without=("SMTPUTF8",))
    seven = Far("seven", without=("SMTPUTF8", "8BITMIME", "CHUNKING", "BINARYMIME"))
    away = Far("away")
    fars = all_, ascii_, seven
    with Server(set=[line for far in (*fars, away) for line in far.settings()]) as server:
        for far, name in zip(fars, ("all", "ascii", "seven")):
            server.command("forwarder", "add", f"{name}@example.test", far.address("new"))
        server.command("forwarder", "add", "mixed@example.test", ascii_.address("new"), f"ü@{ascii_.domain}")
        back = letters(server, fars, away)
        bits(server, fars, away, back)
    for far in (*fars, away):
        with tap.test(f"nothing was done that no client may do to {far.title}"):
            far.close()
    tap.done()


main()
