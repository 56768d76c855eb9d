"""report.py - reports on what became of mail (RFC 3464, 6522), as they lie in the sender's INBOX and as Python reads them."""

import email
import email.policy
import email.utils

import tap
from postern import Server, wait_until
from sending import WAIT_S, inbox, logged, reports, submission, submit, text
from smtp_sink import Sink

NOBODY = "127.0.0.1:9"  # where nobody listens: what goes there waits until an operator ends it


def waiting(server):
    """Ids in the queue."""
    return [line.split()[0] for line in server.command("queue", "list").splitlines() if line.startswith("q")]


def bounce(server, *which):
    """Sends back what waits, once it is there."""
    wait_until(lambda: waiting(server), WAIT_S, "mail in the queue")
    return server.command("queue", "bounce", *(which or ("--all",)))


def failed(server):
    with tap.test("what an operator sends back is a report in the sender's INBOX"):
        submit(server, ["a@far.test", "b@far.test"], text("one"))
        assert bounce(server) == "2 recipients\n"
        report, = reports(server)
        assert report.actions == {"a@far.test": "failed", "b@far.test": "failed"}, report.actions
        assert report.message["To"].addresses[0].addr_spec == "test0000@example.test"
        assert report.message["From"].addresses[0].username == "MAILER-DAEMON"
        assert report.message["Return-Path"] == "<>" and report.message["Auto-Submitted"] == "auto-replied"
        assert report.message["In-Reply-To"] == "<one@example.test>" == report.message["References"]
        assert "a@far.test" in report.words and "b@far.test" in report.words and "Subject: one" in report.words
        assert report.of("a@far.test")["Status"].startswith("5.")
        assert b"Subject: one" in report.original and b"\r\ntext\r\n" not in report.original
    with tap.test("nothing stays in the queue, and no report is made twice"):
        wait_until(lambda: not waiting(server), WAIT_S, "an empty queue")
        server.restart()
        assert len(inbox(server)) == 1 and not waiting(server)


def as_asked(server):
    with tap.test("NOTIFY=NEVER: no report; of the others one that calls them as the sender did (RFC 3461, 6)"):
        with submission(server, "test0001") as smtp:
            smtp.mail("test0001@example.test", ["RET=FULL", "ENVID=a+2Bb"])
            smtp.rcpt("never@far.test", ["NOTIFY=NEVER"])
            smtp.rcpt("success@far.test", ["NOTIFY=SUCCESS"])
            smtp.rcpt("failure@far.test", ["NOTIFY=FAILURE,DELAY", "ORCPT=rfc822;Fail+2Bure@far.test"])
            code, _ = smtp.data(text("two", sender="test0001@example.test"))
            assert code == 250
        assert bounce(server) == "3 recipients\n"
        report, = reports(server, "test0001")
        assert report.actions == {"failure@far.test": "failed"}, report.actions
        assert report.about["Original-Envelope-Id"] == "a+b"
        assert report.of("failure@far.test")["Original-Recipient"] == "rfc822; Fail+ure@far.test"
    with tap.test("RET=FULL: all of the message goes along"):
        message = email.message_from_bytes(report.original, policy=email.policy.default).get_payload(0)
        assert message["Subject"] == "two" and message.get_content().strip() == "text"
        wait_until(lambda: not waiting(server), WAIT_S, "an empty queue")


def never_twice(server):
    with tap.test("a report that cannot be delivered is no reason for another: mail without a sender ends alone"):
        with submission(server) as smtp:
            smtp.mail("<>")
            smtp.rcpt("a@far.test")
            assert smtp.data(text("three"))[0] == 250
        bounce(server)
        wait_until(lambda: not waiting(server), WAIT_S, "an empty queue")
        assert len(inbox(server)) == 1
        assert "no report" not in server.log()


def nobody(server):
    with tap.test("a sender who is gone is told nothing: the mail ends, and the log tells"):
        submit(server, ["a@far.test"], text("gone", sender="test0003@example.test"), account="test0003")
        wait_until(lambda: waiting(server), WAIT_S, "mail in the queue")
        server.command("account", "delete", "test0003@example.test")
        bounce(server)
        wait_until(lambda: not waiting(server), WAIT_S, "an empty queue")
        assert "no report action=failed to=<test0003@example.test> reason=\"nobody has the sender's address\"" in server.log()


def at_most(server):
    with tap.test("one address gets so many reports an hour, then none: the items end, and the log tells"):
        for n in range(5):  # one after the other: two workers at once may give one more than that
            submit(server, ["a@far.test"], text(f"many {n}", sender="test0002@example.test"), account="test0002")
            wait_until(lambda: len(waiting(server)) == 1, WAIT_S, "mail in the queue")
            bounce(server)
            wait_until(lambda: not waiting(server), WAIT_S, "an empty queue")
        assert len(reports(server, "test0002", 3)) == 3
        assert server.log().count("no report action=failed to=<test0002@example.test> reason=\"too many in an hour\"") == 2
    with tap.test("a domain has a number of its own, which is counted by itself"):
        for n in range(3):
            submit(server, ["a@strict.test"], text(f"strict {n}", sender="test0002@example.test"), account="test0002")
            wait_until(lambda: len(waiting(server)) == 1, WAIT_S, "mail in the queue")
            bounce(server)
            wait_until(lambda: not waiting(server), WAIT_S, "an empty queue")
        assert sum("a@strict.test" in report.actions for report in reports(server, "test0002", 4)) == 1
        assert server.log().count("to=<test0002@example.test> reason=\"too many in an hour\"") == 4
    with tap.test("the next hour is another, and other senders' are not concerned"):
        server.clock("+2h")
        submit(server, ["a@far.test"], text("later", sender="test0002@example.test"), account="test0002")
        bounce(server)
        assert len(reports(server, "test0002", 5)) == 5


def international(server):
    with tap.test("letters beyond ASCII in an address: message/global-delivery-status (RFC 6533)"):
        with submission(server, "test0003") as smtp:
            smtp.command_encoding = "utf-8"
            smtp.mail("test0003@example.test", ["SMTPUTF8"])
            smtp.rcpt("ä@far.test", ["ORCPT=utf-8;\\x{E4}@far.test"])
            assert smtp.data("Subject: größer\r\nFrom: test0003@example.test\r\n\r\ntext\r\n".encode())[0] == 250
        bounce(server)
        message, = inbox(server, "test0003")
        parts = list(message.iter_parts())
        assert parts[1].get_content_type() == "message/global-delivery-status", parts[1].get_content_type()
        raw = message.as_bytes(policy=email.policy.SMTPUTF8).decode()
        assert "Final-Recipient: utf-8; ä@far.test" in raw and "Original-Recipient: utf-8; ä@far.test" in raw, raw
        assert parts[2].get_content_type() == "message/global-headers"
        assert "Subject: größer" in parts[0].get_content()


HOSTILE = ("550-5.1.1 no\r\n550-\r\n550-X-Evil: yes\r\n550---postern-0123456789abcdef\r\n550-Content-Type: text/html\r\n"
           "550-\x1b[2J\x07\x00 \u0085 ü\r\n550-" + "long " * 80 + "\r\n550-" + "x" * 400 + "\r\n"
           "550 From eve Thu Jan  1 00:00:00 1970")


def hostile(server, sink):
    sink.fault("rcpt", HOSTILE, who="evil@hostile.test")
    submit(server, ["evil@hostile.test"], text("five", sender="test0004@example.test"), account="test0004")
    report, = reports(server, "test0004")
    raw = report.message.as_bytes(policy=email.policy.SMTP)
    with tap.test("whatever the other side says, the report is what it should be, and says it"):
        assert report.actions == {"evil@hostile.test": "failed"} and report.of("evil@hostile.test")["Status"] == "5.1.1"
        assert len(report.recipients) == 1 and "X-Evil" not in report.message and "X-Evil" not in report.of("evil@hostile.test")
        assert "X-Evil: yes" in report.words and "X-Evil: yes" in report.of("evil@hostile.test")["Diagnostic-Code"]
        assert report.of("evil@hostile.test")["Diagnostic-Code"].startswith("smtp; 550-5.1.1 no 550-")
    with tap.test("without control characters, and with lines that may be (RFC 5322, 2.1.1)"):
        assert not [c for c in raw if c < 32 and c not in b"\r\n\t"] and max(map(len, raw.split(b"\r\n"))) <= 998
        assert b"\r\nFrom eve" not in raw


def delayed(server, sink):
    sink.mend()
    sink.fault("rcpt", "450 4.2.1 full")
    submit(server, ["late@hostile.test"], text("six", sender="test0005@example.test"), account="test0005")
    logged(server, r" deferred to=<late@hostile\.test>")
    with tap.test("after some hours the sender is told of a delay, with what was said and until when it is tried"):
        server.clock("+5h")
        report, = reports(server, "test0005")
        late = report.of("late@hostile.test")
        assert late["Action"] == "delayed" and late["Status"] == "4.2.1" and late["Diagnostic-Code"] == "smtp; 450 4.2.1 full"
        assert email.utils.parsedate_to_datetime(late["Will-Retry-Until"]) > email.utils.parsedate_to_datetime(
            late["Last-Attempt-Date"])
        assert "450 4.2.1 full" in report.words and "need not do anything" in report.words


def main():
    with Sink() as sink:
        route = [f"route.hostile.to smtp:[{sink.host}]:{sink.port}", 'route.hostile.recipients {"*@hostile.test"}']
        with Server(users=6, workers=2, smarthost=NOBODY, set=["sending.reports_per_sender 3", "destination.strict.test.reports_per_sender 1", *route]) as server:
            for part in (failed, as_asked, never_twice, at_most, international, nobody):
                part(server)
            for part in (hostile, delayed):
                part(server, sink)
    tap.done()


if __name__ == "__main__":
    main()
