"""leaving.py - what leaves is what came: content, envelope and parameters; turned into what the other side takes where
that can be, sent back where it cannot; with TLS, logins, LMTP; over few connections."""

import email
import email.policy
import os
import re
import tempfile

import tap
from postern import Server
from sending import Far, body_of, put_off, reports, submission, submit, text, until
from smtp_sink import server_tls

WRITERS = iter(f"test{n:04}" for n in range(100))
LETTERS = ("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
           "Schöne Grüße, и всё\r\n.\r\n..zwei\r\n")
BYTES = b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n" + bytes(range(256)) * 20
BODIES = {"dots": ".\r\n..\r\n.x\r\n", "empty": "", "blank lines": "\r\n\r\n", "one long line": "x" * 998 + "\r\n",
          "From": "From here\r\n>From there\r\n", "large": "0123456789 abcdefghijklmnopqrstuvwxyz\r\n" * 30_000}


def head(subject):
    """A header to be continued."""
    return text(subject, "")[:-2] + b"MIME-Version: 1.0\r\n"


def payload(content):
    return email.message_from_bytes(content, policy=email.policy.SMTP).get_payload(decode=True)


def content(server, far):
    for far in far:
        with tap.test(f"every kind of message leaves as it came, {far.title}"):
            for subject, body in BODIES.items():
                submit(server, [far.address("a")], text(subject, body))
            far.wait(len(BODIES))
            got = {subject: body_of(t.content) for t in far.messages for subject in BODIES
                   if f"Subject: {subject}\r\n".encode() in t.content}
            assert got == {subject: body.encode() for subject, body in BODIES.items()}, [
                (subject, body[:100]) for subject, body in got.items() if body != BODIES[subject].encode()]
            assert all(t.sender == server.address("test0000") and t.taken == [far.address("a")] for t in far.messages)
            assert all(len(re.findall(rb"(?m)^Received:", t.content)) == 1 for t in far.messages)
            assert all((t.chunks > 0) == ("CHUNKING" not in far.without) for t in far.messages)


def one_transaction(server, far):
    with tap.test("recipients at one place get one transaction, what is blind for the others stays so"):
        names = [far.address(f"r{n}") for n in range(20)]
        submit(server, names, text("many", to=names[0]))
        message, = far.wait_messages("Subject: many")
        assert sorted(message.taken) == sorted(names) and names[7].encode() not in message.content, message
    with tap.test("hundreds of recipients: each once"):
        names = [far.address(f"n{n}") for n in range(350)]
        for start in range(0, 350, 50):
            submit(server, names[start:start + 50], text("hundreds", to=names[0]))
        until(server, lambda: all(far.counts()[name] == 1 for name in names), "hundreds of recipients", "+1m")
    with tap.test("commands are sent along where PIPELINING is offered"):
        assert far.pipelined


def connections(server, far, few):
    with tap.test("one message after the other over the same connections"):
        with submission(server) as smtp:
            for number in range(40):
                smtp.sendmail(server.address("test0000"), [far.address(f"c{number}")], text(f"one {number}"))
        far.wait_for(lambda: all(any(far.address(f"c{n}") in t.taken for t in far.transactions) for n in range(40)))
        assert all(far.counts()[far.address(f"c{n}")] == 1 for n in range(40))
        used = {t.connection for t in far.messages}
        assert len(used) < 20, f"{len(used)} connections for 40 messages"
    with tap.test("one that takes but two in a connection: each once"):
        with submission(server) as smtp:
            for number in range(15):
                smtp.sendmail(server.address("test0000"), [few.address(f"c{number}")], text(f"few {number}"))
        until(server, lambda: all(few.counts()[few.address(f"c{n}")] for n in range(15)), "15 messages", "+1m")
        assert set(few.counts().values()) == {1}, few.counts()


def letters(server, far, seven, ascii_only):
    with tap.test("8 bits go as they are where 8BITMIME is offered"):
        message = head("eight") + LETTERS.encode()
        submit(server, [far.address("e")], message, mail=["BODY=8BITMIME"])
        sent = far.wait_messages("Subject: eight")[0]
        assert sent.parameters["BODY"].upper() == "8BITMIME" and body_of(sent.content) == body_of(message)
    with tap.test("where it is not they are encoded, and read the same"):
        submit(server, [seven.address("e")], message, mail=["BODY=8BITMIME"])
        sent, = seven.wait_messages("Subject: eight")
        assert sent.content.isascii() and payload(sent.content) == body_of(message), sent.content
        assert "BODY" not in sent.parameters
    with tap.test("what is of any bytes goes by chunks, or is encoded"):
        message = head("bytes") + BYTES
        for each in (far, seven):
            with submission(server) as smtp:
                smtp.docmd(f"MAIL FROM:<{server.address('test0000')}> BODY=BINARYMIME")
                smtp.docmd(f"RCPT TO:<{each.address('b')}>")
                smtp.send(b"BDAT %d LAST\r\n" % len(message) + message)
                code, words = smtp.getreply()
                assert code == 250, words
            sent, = each.wait_messages("Subject: bytes")
            assert payload(sent.content) == body_of(BYTES), sent.content
            binary = sent.parameters.get("BODY", "").upper() == "BINARYMIME"
            assert binary <= (each is far), sent
    with tap.test("an address beyond ASCII goes where SMTPUTF8 is offered"):
        with submission(server) as smtp:
            smtp.sendmail(server.address("test0000"), ["ü@" + far.domain], text("u", to="x@far.test"), ["SMTPUTF8"])
        sent, = far.wait_messages("Subject: u\r\n")
        assert sent.taken == ["ü@" + far.domain] and "SMTPUTF8" in sent.parameters, sent
    with tap.test("where it is not it comes back with 5.6.7"):
        writer = next(WRITERS)
        with submission(server, writer) as smtp:
            smtp.sendmail(server.address(writer), ["ü@" + ascii_only.domain], text("u", to="x@far.test"), ["SMTPUTF8"])
        report, = reports(server, writer)
        assert report.recipients[0]["Status"] == "5.6.7", report.recipients[0]
        assert not ascii_only.messages
    with tap.test("a message that needs no SMTPUTF8 goes there though it was said"):
        with submission(server, writer) as smtp:
            smtp.sendmail(server.address(writer), [ascii_only.address("a")], text("plain"), ["SMTPUTF8"])
        sent, = ascii_only.wait(1)
        assert "SMTPUTF8" not in sent.parameters


def too_big(server, small):
    with tap.test("what is larger than the other side says to take comes back, unsent"):
        writer = next(WRITERS)
        submit(server, [small.address("a")], text("big", ("x" * 70 + "\r\n") * 200), writer)
        report, = reports(server, writer)
        assert report.recipients[0]["Status"] == "5.3.4", report.recipients[0]
        assert not small.messages
    with tap.test("what is not is declared"):
        submit(server, [small.address("b")], text("fits", ""), writer)
        sent, = small.wait(1)
        assert int(sent.parameters["SIZE"]) >= len(sent.content), sent


def wishes(server, far, without):
    mail, rcpt = ["ENVID=QQ314159", "RET=HDRS"], ["NOTIFY=SUCCESS,FAILURE,DELAY", "ORCPT=rfc822;Bob+2B@far.example"]
    with tap.test("what the sender wants to hear of is passed on to one that knows of it (RFC 3461, 5.1)"):
        writer = next(WRITERS)
        submit(server, [far.address("dsn")], text("wishes"), writer, mail, rcpt)
        sent, = far.wait_messages("Subject: wishes")
        assert sent.parameters.items() >= {"ENVID": "QQ314159", "RET": "HDRS"}.items(), sent
        wanted = sent.recipient_parameters[far.address("dsn")]
        assert set(wanted["NOTIFY"].split(",")) == {"SUCCESS", "FAILURE", "DELAY"}, wanted
        assert wanted["ORCPT"] == "rfc822;Bob+2B@far.example", wanted
    with tap.test("of one that does not it is told that the mail was relayed there (5.2.2)"):
        submit(server, [without.address("dsn")], text("wishes"), writer, mail, rcpt)
        sent, = without.wait_messages("Subject: wishes")
        assert sent.recipient_parameters[without.address("dsn")] == {}
        report, = reports(server, writer)
        assert report.actions == {without.address("dsn"): "relayed"}, report.actions
        assert report.about["Original-Envelope-Id"] == "QQ314159", report.about
        assert report.of(without.address("dsn"))["Original-Recipient"].replace(" ", "") == "rfc822;Bob+@far.example"
        assert b"\r\n\r\ntext\r\n" not in report.original, "RET=HDRS is for the header alone"


def encryption(server, tls, broken, bare, must, trusted, stranger):
    for far in (tls, trusted):
        with tap.test(f"TLS where it is offered, {far.title}"):
            submit(server, [far.address("a")], text("tls"))
            assert far.wait(1)[0].tls
    with tap.test("a handshake that breaks: then without, where nothing more is asked for"):
        submit(server, [broken.address("a")], text("tls"))
        until(server, lambda: broken.messages, "mail without TLS")
        assert not broken.messages[0].tls
    for far, why in ((must, "not offered"), (stranger, "with a certificate of nobody we know"), (bare, "broken off")):
        with tap.test(f"where TLS is a must, {why}: nothing is sent"):
            submit(server, [far.address("a")], text("tls"))
            put_off(server, far, "a")
            assert not far.messages and not any(line.startswith("MAIL") for _, line in far.commands)


def logins(server, user, wrong):
    with tap.test("a smart host wants a login and gets it"):
        submit(server, [user.address("a")], text("login"))
        assert user.wait(1)[0].user == "us"
    with tap.test("a login that is refused: the mail waits"):
        submit(server, [wrong.address("a")], text("login"))
        put_off(server, wrong, "a")
        assert not wrong.messages


def by_lmtp(server, lmtp):
    with tap.test("LMTP: each recipient has a fate of its own"):
        writer = next(WRITERS)
        lmtp.fault("dot", "552 5.2.2 full up", who=lmtp.address("full"))
        lmtp.fault("dot", "450 4.2.1 locked", who=lmtp.address("locked"), times=1)
        submit(server, [lmtp.address(name) for name in ("good", "full", "locked")], text("lmtp"), writer)
        put_off(server, lmtp, "locked")
        report, = reports(server, writer)
        assert report.actions == {lmtp.address("full"): "failed"} and "full up" in report.words, report.actions
        until(server, lambda: lmtp.counts()[lmtp.address("locked")], "the one that was locked")
        assert lmtp.counts() == {lmtp.address("good"): 1, lmtp.address("locked"): 1}, lmtp.counts()
    with tap.test("what LMTP took is delivered, for one who wants to know"):
        submit(server, [lmtp.address("good")], text("lmtp"), writer, rcpt=["NOTIFY=SUCCESS"])
        report = reports(server, writer, 2)[1]
        assert report.actions == {lmtp.address("good"): "delivered"}, report.actions


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)  # the server reads a certificate of it
        own, strange = server_tls(folder, "own.test"), server_tls(folder, "strange.test")
        make = {
            "far": {}, "data": {"without": ("CHUNKING",)}, "slowly": {"without": ("PIPELINING",)},
            "few": {"messages_max": 2}, "seven": {"without": ("8BITMIME", "SMTPUTF8", "BINARYMIME", "CHUNKING")},
            "letters": {"without": ("SMTPUTF8",)}, "small": {"size": 5000}, "silent": {"without": ("DSN",)},
            "lmtp": {"lmtp": True}, "tls": {"tls": own}, "broken": {"tls": own},
            "bare": {"tls": own, "route": ["tls must"]}, "must": {"route": ["tls must"]},
            "trusted": {"route": ["tls verify"]}, "stranger": {"tls": strange, "route": ["tls verify"]},
            "user": {"users": {"us": "pass word"}, "route": ["user us", "password pass word", "tls never"]},
            "wrong": {"users": {"us": "other"}, "route": ["user us", "password pass", "tls never"]},
        }
        far = {name: Far(name, **options) for name, options in make.items()}
        far["trusted"].tls = server_tls(folder, far["trusted"].host)
        far["broken"].fault("handshake", "garbage")
        far["bare"].fault("handshake", "drop")
        settings = [setting for each in far.values() for setting in each.settings()]
        with Server(set=[*settings, f"tls.ca {far['trusted'].tls.certificate}"]) as server:
            content(server, [far["far"], far["data"], far["slowly"]])
            one_transaction(server, far["far"])
            connections(server, far["far"], far["few"])
            letters(server, far["far"], far["seven"], far["letters"])
            too_big(server, far["small"])
            wishes(server, far["far"], far["silent"])
            by_lmtp(server, far["lmtp"])
            encryption(server, *(far[name] for name in ("tls", "broken", "bare", "must", "trusted", "stranger")))
            logins(server, far["user"], far["wrong"])
        for each in far.values():
            with tap.test(f"nothing was done that no client may do to {each.title}"):
                each.close()
    tap.done()


main()
