"""peers.py - mail to Postfix, Exim and OpenSMTPD, and mail from them: whole, with its parameters, refused in words.

Each peer takes mail for a domain of its own, which it sends on to a destination of the test, and sends mail for
example.test to the server.
"""

import contextlib
import os
import smtplib
import sys
import tempfile

import tap
from mail import texts
from mail_peers import GONE, REFUSAL, Exim, OpenSmtpd, Postfix
from postern import Server, free_base_port
from sending import body_of, inbox, reports, submit, text
from smtp_sink import Sink
from unpacked import impossible

PEERS = {"postfix.test": Postfix, "exim.test": Exim, "opensmtpd.test": OpenSmtpd}
BODIES = {
    "dots": ".\r\n..\r\n.leading\r\nmiddle . dot\r\n.\r\n",
    "empty": "",
    "large": "".join(f"{n:06} all work and no play makes for long messages\r\n" for n in range(10_000)),
    "letters": "Schöne Grüße\r\n",
    "blank lines": "\r\n\r\n\r\n",
}
MANY = 10


def takes(server, sink, domain, writer):
    """The peer as the side that receives."""
    def to(name):
        return f"{name}@{domain}"

    with tap.test(f"{domain} takes every kind of message, to several recipients"):
        for subject, body in BODIES.items():
            message = text(subject, "").decode().rstrip("\r\n") + "\r\nMIME-Version: 1.0\r\n" \
                "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + body
            submit(server, [to("a"), to("b")], message.encode(), writer, ["BODY=8BITMIME"])

        def found():
            return {address: {subject: body_of(t.content) for t in sink.messages for subject in BODIES
                              if address in t.taken and f"Subject: {subject}\r\n".encode() in t.content}
                    for address in (to("a"), to("b"))}

        want = {subject: body.encode() for subject, body in BODIES.items()}
        sink.wait_for(lambda: all(len(of) == len(want) for of in found().values()), 120, f"{len(want)} for each")
        assert all(of == want for of in found().values()), found()
        assert all(sink.counts()[to(name)] == len(BODIES) for name in "ab"), sink.counts()
    with tap.test(f"{domain} refuses one recipient: the sender hears its words, the other gets the message"):
        submit(server, [to(GONE), to("c")], text("two", to=to("c")), writer)
        report, = reports(server, writer)
        assert report.actions == {to(GONE): "failed"}, report.actions
        assert report.of(to(GONE))["Status"] == "5.1.1" or domain == "opensmtpd.test", report.of(to(GONE))
        words = "Invalid recipient" if domain == "opensmtpd.test" else REFUSAL.split(" ", 2)[2]
        assert words in report.of(to(GONE))["Diagnostic-Code"], report.of(to(GONE))
        assert words in " ".join(report.words.split()), report.words
        sink.wait_for(lambda: any(to("c") in t.taken for t in sink.transactions))
    with tap.test(f"{domain} gets a heap of messages, each once"):
        for number in range(MANY):
            submit(server, [to(f"m{number}")], text(f"heap {number}"), writer)
        sink.wait_for(lambda: all(any(to(f"m{n}") in t.taken for t in sink.transactions) for n in range(MANY)), 120)
        assert all(sink.counts()[to(f"m{n}")] == 1 for n in range(MANY)), sink.counts()
    if domain != "opensmtpd.test":  # which keeps DSN to itself
        with tap.test(f"{domain} is told what the sender wants to know"):
            submit(server, [to("d")], text("known"), writer, ["ENVID=QQ314159", "RET=HDRS"],
                   ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;" + to("d")])
            sink.wait_for(lambda: any(to("d") in t.taken for t in sink.transactions))
            message, = (t for t in sink.messages if to("d") in t.taken)
            assert message.parameters.get("ENVID") == "QQ314159" and message.parameters.get("RET") == "HDRS", message
            assert message.recipient_parameters[to("d")].items() >= {"NOTIFY": "SUCCESS,FAILURE"}.items(), message


def gives(server, sink, domain, peer, reader):
    """The peer as the side that sends."""
    def send(recipients, message, **options):
        with smtplib.SMTP("127.0.0.1", peer.ports["smtp"], timeout=60) as smtp:
            assert not smtp.sendmail(f"someone@{domain}", recipients, message, **options)

    there = server.address(reader)
    with tap.test(f"every kind of message comes from {domain} as it was"):
        for subject, body in BODIES.items():
            if body.isascii() or domain != "opensmtpd.test":
                send([there], text(subject, body, sender=f"someone@{domain}"), mail_options=["BODY=8BITMIME"])
        want = {subject: body.encode() for subject, body in BODIES.items()
                if body.isascii() or domain != "opensmtpd.test"}
        inbox(server, reader, len(want))
        found = texts(server, reader)
        got = {subject: body_of(each) for each in found for subject in BODIES
               if f"Subject: {subject}\r\n".encode() in each}
        assert got == want and len(found) == len(want), [len(found), {s: b[:80] for s, b in got.items()}]
    with tap.test(f"a heap of messages from {domain}, each once"):
        before = len(texts(server, reader))
        for number in range(MANY):
            send([there], text(f"heap {number}", sender=f"someone@{domain}"))
        subjects = [message["Subject"] for message in inbox(server, reader, before + MANY)][before:]
        assert sorted(subjects) == sorted(f"heap {n}" for n in range(MANY)), subjects
    with tap.test(f"{domain} hears that nobody has the name, and tells its sender"):
        send(["nobody@example.test", there], text("to nobody", sender=f"someone@{domain}"))
        address = f"someone@{domain}"
        sink.wait_for(lambda: any(address in t.taken and t.sender == "" for t in sink.transactions), 120)
        bounce = next(t for t in sink.messages if address in t.taken)
        assert b"550 5.1.1" in bounce.content or b"nobody@example.test" in bounce.content, bounce.content


def main():
    if why := impossible():
        print(f"1..0 # SKIP {why}")
        sys.exit(0)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir="/var/tmp", prefix="postern-peers-"))
        os.chmod(folder, 0o755)
        sink = Sink().start()
        stack.callback(sink.stop)  # what peers do wrong is not our business
        server = Server(users=20, base_port=free_base_port())  # the peers must know it before it serves
        peers = {}
        for domain, kind in PEERS.items():
            peers[domain] = peer = kind(os.path.join(folder, domain),
                                        {domain: sink.port, "example.test": server.ports["smtp"]})
            stack.enter_context(peer)
            server.options["set"] += [f"route.{peer.name}.to smtp:[127.0.0.1]:{peer.ports['smtp']}",
                                      f'route.{peer.name}.recipients {{"*@{domain}"}}']
        stack.enter_context(server)
        for place, (domain, peer) in enumerate(peers.items()):
            takes(server, sink, domain, f"test{2 * place:04}")
            gives(server, sink, domain, peer, f"test{2 * place + 1:04}")
            if tap.failed:
                tap.note(peer.tail())
    tap.done()


main()
