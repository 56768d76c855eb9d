"""forward.py - mail to one of ours who is elsewhere leaves with a sender of ours (SRS); what bounces goes back by the
same way to who wrote it, for a while; nobody else can have anything turned back, and nothing goes round for ever."""

import email
import email.policy
import re
import smtplib

import tap
from postern import Server
from sending import Far, Report, body_of, inbox, logged, submit, text

WRITER = "writer@away.test"


def put(server, recipient, message, sender=WRITER):
    """As another server gives it; its answer."""
    with smtplib.SMTP(server.host, server.ports["smtp"], timeout=60) as smtp:
        smtp.ehlo("away.test")
        smtp.mail(sender)
        code, words = smtp.rcpt(recipient)
        if code == 250:
            code, words = smtp.data(message)
        return code, words.decode()


def there_and_back(server, far, away):
    with tap.test("a forwarded message leaves with a sender of ours"):
        assert put(server, "gone@example.test", text("forwarded", sender=WRITER))[0] == 250
        sent, = far.wait(1)
        assert re.fullmatch(r"SRS0=[^=]+=[^=]+=away\.test=writer@example\.test", sent.sender, re.I), sent.sender
        assert sent.taken == [far.address("new")] and body_of(sent.content) == b"text\r\n"
        assert b"Delivered-To: gone@example.test\r\n" in sent.content, sent.content
    srs = sent.sender
    with tap.test("a bounce to that goes on to who wrote, from nobody"):
        for sender, address in (("", srs), ("", srs.lower())):
            before = len(away.messages)
            assert put(server, address, text("bounce"), sender)[0] == 250, address
            back = away.wait(before + 1)[before]
            assert back.taken == [WRITER] and back.sender == "", back
    with tap.test("one that was tampered with, or made up, is nobody"):
        local, _, domain = srs.partition("@")
        kind, hash_, time, host, user = local.split("=")
        other = "a" if hash_[0] not in "aA" else "b"
        for bad in (f"{kind}={other}{hash_[1:]}={time}={host}={user}", f"{kind}={hash_}={time}={host}=evil",
                    f"{kind}={hash_}={time}=evil.test={user}", f"{kind}=={time}={host}={user}", "SRS0=", "SRS1=a=b==c",
                    "SRS0"):
            code, words = put(server, f"{bad}@{domain}", text("forged"), "")
            assert code == 550, (bad, words)
    with tap.test("what is another forwarder's already is wrapped, and goes back to that one"):
        put(server, "gone@example.test", text("again"), "SRS0=abcd=xy=first.test=someone@away.test")
        sent = far.wait(2)[1]
        assert sent.sender.startswith("SRS1=") and sent.sender.endswith("@example.test"), sent.sender
        before = len(away.messages)
        assert put(server, sent.sender, text("bounce"), "")[0] == 250
        assert away.wait(before + 1)[before].taken == ["SRS0=abcd=xy=first.test=someone@away.test"]
    with tap.test("a sender of ours stays"):
        submit(server, ["gone@example.test"], text("own"))
        assert far.wait_messages("Subject: own")[0].sender == server.address("test0000")
    return srs


def refused(server, far, away):
    with tap.test("a forward that is refused comes back to who wrote, in a report"):
        far.fault("rcpt", "550 5.1.1 moved away")
        before = len(away.messages)
        assert put(server, "gone@example.test", text("refused", sender=WRITER))[0] == 250
        back = away.wait(before + 1)[before]
        report = Report(email.message_from_bytes(back.content, policy=email.policy.default))
        assert back.taken == [WRITER] and back.sender == "" and "moved away" in report.words, report.words
        far.mend()
    with tap.test("a bounce that is forwarded and refused ends there"):
        far.fault("rcpt", "550 5.1.1 moved away")
        assert put(server, "gone@example.test", text("last"), "")[0] == 250
        logged(server, rf" refused .*to=<{far.address('new')}> from=<>")
        assert len(away.messages) == before + 1
        far.mend()


def round_and_round(server, far):
    with tap.test("what comes back to where it was forwarded from is refused"):
        assert put(server, "gone@example.test", text("circle"))[0] == 250
        sent, = far.wait_messages("Subject: circle")
        code, words = put(server, "gone@example.test", sent.content, sent.sender)
        assert code in (550, 554), words
    with tap.test("those who forward to each other get nobody's mail"):
        for one, other in (("ping", "pong"), ("pong", "ping")):
            server.command("forwarder", "add", server.address(one), server.address(other))
        assert put(server, "ping@example.test", text("ping"))[0] >= 500


def groups(server, far):
    with tap.test("a group of ours and others: each gets one, bounces go to its owner"):
        server.command("group", "add", "all@example.test", "--owner", "test0001@example.test", "test0002@example.test",
                       far.address("m1"), far.address("m2"), "gone@example.test")
        far.fault("rcpt", "550 5.1.1 no member", who=far.address("m2"))
        assert put(server, "all@example.test", text("to all"))[0] == 250
        inbox(server, "test0002", 1)
        far.wait_for(lambda: far.counts()[far.address("m1")] == 1)
        assert far.wait_messages("Subject: to all")[0].taken == [far.address("m1"), far.address("new")]
        assert far.messages[-1].sender == "test0001@example.test", far.messages[-1]
        report, = [Report(message) for message in inbox(server, "test0001", 1)]
        assert report.actions == {far.address("m2"): "failed"}, report.actions
        far.mend()


def main():
    far, away = Far("far"), Far("away")
    with Server(set=[*far.settings(), *away.settings()]) as server:
        server.command("forwarder", "add", "gone@example.test", far.address("new"))
        srs = there_and_back(server, far, away)
        refused(server, far, away)
        round_and_round(server, far)
        groups(server, far)
        with tap.test("after three weeks nothing is turned back any more"):
            server.clock("+22d")
            assert put(server, srs, text("late"), "")[0] == 550
    for each in (far, away):
        with tap.test(f"nothing was done that no client may do to {each.title}"):
            each.close()
    tap.done()


main()
