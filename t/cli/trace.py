"""trace.py - `postern trace`: messages are followed through the log, from session to queue, other host, report and mailbox."""

import json
import os
import re
import shutil
import subprocess

import tap
from postern import Server, binary, wait_until
from sending import WAIT_S, inbox, logged, submit, text
from smtp_sink import Sink

LINE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)  (\S+)\s+(.*)")


def trace(server, *words):
    """[(id, sentence)] and what stands behind them."""
    printed = server.command("trace", *words)
    lines = [LINE.match(line) for line in printed.splitlines()]
    times = [line[1] for line in lines if line]
    assert times == sorted(times), "not in the order of time"
    return [(line[2], line[3]) for line in lines if line], printed


def has(lines, pattern):
    return any(re.search(pattern, f"{identity} {words}") for identity, words in lines)


def session_of(server, subject, account="test0000"):
    """The id that the Received field of a message has."""
    message, = [m for m in inbox(server, account) if m["Subject"] == subject]
    return re.search(r"\bid (\S+)", str(message["Received"]))[1]


def delivered(server):
    submit(server, [server.address("test0001")], text("here"))
    identity = session_of(server, "here", "test0001")
    with tap.test("a message to an account here, by the id in its Received field: session, login, mailbox"):
        lines, printed = trace(server, identity)
        assert [i for i, _ in lines] == [identity.partition(".")[0]] * 2 + [identity], printed
        assert has(lines, r"client connects from 127\.0\.0\.1 to submission") and has(lines, "logs in as test0000@")
        assert has(lines, r"taken from test0000@example\.test for test0001@example\.test, \d+ bytes.*in the INBOX as message 1$")
    with tap.test("by its session's id, and by either address"):
        assert trace(server, identity.partition(".")[0])[0] == lines
        assert trace(server, server.address("test0001"))[0] == lines
        assert trace(server, server.address("TEST0000"))[0] == lines


def relayed(server, sink):
    sink.fault("rcpt", "450 4.2.1 not now", times=1)
    submit(server, ["a@far.test"], text("away"))
    logged(server, r" deferred to=<a@far\.test>")
    queue, = re.findall(r"queue=(q\S+)", server.log())
    with tap.test("a message to another host: into the queue, tried in vain, and what the server has of it now"):
        lines, printed = trace(server, queue)
        assert has(lines, f"taken from test0000@example.test for a@far.test, .* waits as {queue}$")
        assert has(lines, f"^{queue} not delivered to a@far.test yet, try 1, next at 20.*: 450 4.2.1 not now")
        assert f"now\n{queue} is in the queue:\n    a@far.test  next try in " in printed, printed
    server.command("queue", "retry", queue)
    sink.wait(1)
    logged(server, r" (relayed|passed|delivered) to=<a@far\.test>")
    with tap.test("then handed on, and nothing of it is left"):
        lines, printed = trace(server, "a@far.test")
        assert has(lines, f"^{queue} an operator has it tried at once")
        assert has(lines, f"^{queue} handed on for a@far.test to .*: 250 ") and "is in the queue" not in printed, printed
        assert trace(server, lines[2][0])[0] == lines, "by the session's id it is another story"
        session = re.search(r"(?:relayed|passed|delivered) to=<a@far\.test> .* session=(\S+)", server.log())[1]
        assert has(lines, f"^{session} connects to 127.0.0.1, 127.0.0.1, port {sink.port}"), printed
    with tap.test("the same as JSON"):
        found = json.loads(server.command("trace", "--json", "a@far.test"))
        assert [line["id"] for line in found["lines"]] == [identity for identity, _ in lines] and found["queue"] == []
        queued, = [line for line in found["lines"] if line["event"] == "queued"]
        assert queued["fields"]["queue"] == queue and queued["component"] == "smtp" and queued["text"].startswith("taken")


def refused(server, sink):
    sink.mend()
    sink.fault("rcpt", "550 5.1.1 nobody of that name\x1b[2J queue=q0-1")
    submit(server, ["b@far.test"], text("back", sender="test0002@example.test"), account="test0002")
    inbox(server, "test0002")
    logged(server, r" delivered to=<test0002@example\.test>")
    queue, = re.findall(r"to=<b@far\.test> queue=(q\S+)", server.log())
    with tap.test("a message that is refused, and its report in the sender's mailbox"):
        lines, printed = trace(server, queue)
        assert has(lines, f"^{queue} refused for b@far.test.*: 550 5.1.1 nobody of that name.\\[2J queue=q0-1$"), printed
        report, = re.findall(rf"{queue} +a report \(failed\) goes to test0002@example.test as (q\S+)", printed)
        assert has(lines, f"^{report} delivered to test0002@example.test.*uid=1$"), printed
    with tap.test("from the report one comes back to the message; what others say leads nowhere"):
        assert trace(server, report)[0] == lines
        assert not has(lines, "a@far.test")


def files(server):
    with tap.test("what was logged before the log was rotated belongs to it, also while no server runs"):
        server.stop()
        before = trace(server, "b@far.test")[0]
        os.rename(server.path("log"), server.path("log.1"))
        with open(server.path("log"), "w") as log:
            log.write("==12==ERROR: no line of the log\n")
        assert trace(server, "b@far.test")[0] == before
        assert trace(server, "--log", server.path("log.1"), "b@far.test")[0] == before
        shutil.move(server.path("log.1"), server.path("log"))
    with tap.test("--since: of that time, by the clock or by the end of the log"):
        assert trace(server, "--since", "1d", "b@far.test")[0] == before
        with open(server.path("log"), "a") as log:
            log.write("2099-01-01T00:00:00.000Z info core - the end\n")
        assert "nothing about b@far.test in the log of that time" in server.command(
            "trace", "--since", "1d", "b@far.test", fails=True)


def mistakes(server):
    def status(*words, conf=server.conf):
        done = subprocess.run([binary(), "-c", conf, "trace", *words], capture_output=True, text=True, timeout=WAIT_S)
        return done.returncode, done.stderr

    with tap.test("words that trace does not know"):
        for words in ([], ["--frob", "x"], ["a", "b"], ["--since", "soon", "a@b.test"], ["a@b.test", "--since"]):
            assert status(*words)[0] == 2, words
        assert status("nobody@nowhere.test") == (1, "postern: there is nothing about nobody@nowhere.test in the log\n")
        assert status("--log", server.path("none"), "a@b.test")[0] == 1
    with tap.test("a log that goes to standard error cannot be looked through"):
        other = server.path("other.conf")
        with open(server.conf) as conf, open(other, "w") as changed:
            changed.write(re.sub(r'(?m)^\tfile = ".*/log"$', '\tfile = ""', conf.read()))
        code, said = status("a@b.test", conf=other)
        assert code == 1 and "set log.file" in said, (code, said)


def main():
    with Sink() as sink, Server(users=3, workers=2, smarthost=sink.place) as server:
        delivered(server)
        relayed(server, sink)
        refused(server, sink)
        files(server)
        mistakes(server)
    tap.done()


if __name__ == "__main__":
    main()
