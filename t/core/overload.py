"""overload.py - what yields while a worker has too much to do, in which order, and who is served to the end. That a worker lags
is pretended (`postern lag`): the lag itself is measured by bench/run overload."""

import contextlib
import imaplib
import json
import poplib
import smtplib

import mail
import tap
from postern import PASSWORD, Server, wait_until
from sending import WAIT_S, logged, submit, text
from smtp_sink import Sink

ORDER = ("background", "outbound", "strangers")
SETTINGS = ["overload.background 1s", "overload.outbound 2s", "overload.strangers 4s", "store.compact_share 10"]


def stats(server):
    return json.loads(server.command("stats", "--json"))


def yields(server):
    """What yields in each worker."""
    now = stats(server)
    return [[name for name in ORDER if now[f"worker.{n}.yields.{name}"]] for n in range(server.options["workers"])]


def lag(server, time, *wanted):
    """The workers lag so much; waits until what yields is what should."""
    server.command("lag", time)
    wait_until(lambda: yields(server) == [list(wanted)] * server.options["workers"], WAIT_S, f"{wanted} yields")


def deliver(server, subject, account="test0001"):
    """As a stranger; the reply."""
    with contextlib.closing(smtplib.SMTP(server.host, server.ports["smtp"], timeout=WAIT_S)) as smtp:
        smtp.helo("stranger.test")
        for command in ("MAIL FROM:<a@far.test>", f"RCPT TO:<{server.address(account)}>"):
            code, reply = smtp.docmd(command)
            if code != 250:
                return code, reply
        return smtp.data(text(subject, sender="a@far.test", to=server.address(account)))


def refused(server):
    """What a stranger is told who connects."""
    try:
        smtplib.SMTP(server.host, server.ports["smtp"], timeout=WAIT_S).close()
    except smtplib.SMTPConnectError as e:
        return e.smtp_code, e.smtp_error
    return None


def count_of(server, account):
    with imaplib.IMAP4(server.host, server.ports["imap"], timeout=WAIT_S) as imap:
        mail.done(imap.login(server.address(account), PASSWORD))
        return int(mail.done(imap.select())[0])


def compactions(server):
    return stats(server)["store.compactions"]


def make_garbage(server):
    """A mailbox of which more is garbage than not."""
    with imaplib.IMAP4(server.host, server.ports["imap"], timeout=WAIT_S) as imap:
        mail.done(imap.login(server.address("test0002"), PASSWORD))
        for _ in range(4):
            mail.done(imap.append("INBOX", None, None, b"Subject: x\r\n\r\n" + (b"z" * 70 + b"\r\n") * 1000))
        mail.done(imap.select())
        mail.done(imap.store("1:3", "+FLAGS", r"(\Deleted)"))
        mail.done(imap.expunge())


def main():
    with Sink() as sink, Server(users=4, workers=2, smarthost=sink.place, set=SETTINGS) as server:
        with tap.test("what a worker's lag is, now, at its worst and for how much of the time"):
            now = stats(server)
            for n in range(2):
                values = [now[f"worker.{n}.lag_{name}_us"] for name in ("p50", "p90", "p99", "p999", "max")]
                assert values == sorted(values) and now[f"worker.{n}.lag_us"] >= 0, values
            assert "worker.0.lag_p99_us" in server.command("stats")

        session = smtplib.SMTP(server.host, server.ports["smtp"], timeout=WAIT_S)  # of a stranger who is there already
        session.ehlo("stranger.test")

        with tap.test("first new generations of mailboxes wait, and nothing else"):
            lag(server, "1s", "background")
            before = compactions(server)
            make_garbage(server)
            for _ in range(3):
                server.clock("+3s")
            assert compactions(server) == before
            assert deliver(server, "one")[0] == 250
            submit(server, ["a@far.test"], text("one"))
            sink.wait(1)

        with tap.test("then mail that leaves: it is taken, and stays in the queue"):
            lag(server, "2s", "background", "outbound")
            submit(server, ["b@far.test"], text("two"))
            assert deliver(server, "two")[0] == 250
            for _ in range(3):
                server.clock("+3s")
            assert len(sink.messages) == 1
            assert "b@far.test" in server.command("queue", "list")

        with tap.test("then mail from strangers: 421 at the door, 451 where they are in (RFC 5321, 4.2.2; RFC 3463, 3.4)"):
            lag(server, "4s", *ORDER)
            code, words = refused(server)
            assert code == 421 and words.startswith(b"4.3.2 "), words
            code, words = session.docmd("MAIL FROM:<a@far.test>")
            assert code == 451 and words.startswith(b"4.3.2 "), words
            assert session.docmd("NOOP")[0] == 250
            now = stats(server)
            assert now["smtp.connections_put_off"] == 1 and now["smtp.put_off"] == 1, now

        with tap.test("whoever logs in is served: submission, IMAP, POP; and servers of the house by LMTP"):
            submit(server, [server.address("test0003")], text("mine", to=server.address("test0003")))
            assert count_of(server, "test0003") == 1
            with contextlib.closing(poplib.POP3(server.host, server.ports["pop3"], timeout=WAIT_S)) as pop:
                pop.user(server.address("test0003"))
                pop.pass_(PASSWORD)
                assert pop.stat()[0] == 1 and pop.dele(1).startswith(b"+OK") and pop.quit().startswith(b"+OK")
            with smtplib.LMTP(server.host, server.ports["lmtp"]) as lmtp:
                lmtp.sendmail("a@far.test", [server.address("test0003")], text("lmtp"))
            assert count_of(server, "test0003") == 1

        with tap.test("what yields goes on when the lag is less than half of what made it yield, in the opposite order"):
            server.command("lag", "2500ms")
            assert yields(server) == [list(ORDER)] * 2
            lag(server, "1500ms", "background", "outbound")
            assert session.docmd("MAIL FROM:<a@far.test>")[0] == 250 and refused(server) is None
            lag(server, "900ms", "background")
            sink.wait(2)
            lag(server, "1ms")
            server.clock("+3s")
            wait_until(lambda: compactions(server) > before or server.clock("+3s"), WAIT_S, "a new generation")
            assert deliver(server, "three")[0] == 250 and count_of(server, "test0001") == 3

        with tap.test("beginning and end of each are a line of the log and a count, whatever comes meanwhile"):
            for name in ORDER:
                for words in ("yields from now on", "yields no more"):
                    assert len(logged(server, f"{words} work={name} slot=0 ")) == 1, (name, words)
                assert stats(server)[f"overload.{name}"] == 2  # a worker each
        session.close()

        with tap.test("clients of relay.networks are no strangers"):
            server.options["set"].append('relay.networks {"127.0.0.0/8"}')
            server.write_conf()
            server.command("reload")
            lag(server, "4s", *ORDER)
            assert deliver(server, "four")[0] == 250

        with tap.test("0s: it never yields"):
            server.options["set"] += ["relay.networks {}", "overload.strangers 0s"]
            server.write_conf()
            server.command("reload")
            wait_until(lambda: yields(server) == [list(ORDER[:2])] * 2, WAIT_S, "strangers yield no more")
            assert deliver(server, "five")[0] == 250

        with tap.test("only a scratch server lets itself be told how it lags"):
            server.options["set"].append("scratch no")
            server.restart()
            assert "scratch" in server.command("lag", "1s", fails=True)
    tap.done()


if __name__ == "__main__":
    main()
