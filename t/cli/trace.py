"""trace.py - `postern trace`: messages are followed through the log, from session to queue, other host, report and mailbox."""

import base64
import json
import os
import re
import shutil
import socket
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
    logged(server, rf" {identity.partition('.')[0]} gone ")
    with tap.test("a message to an account here, by the id in its Received field: session, login, mailbox"):
        lines, printed = trace(server, identity)
        session = identity.partition(".")[0]
        assert [i for i, _ in lines] == [session, session, identity, session], printed
        assert has(lines, r"client connects from 127\.0\.0\.1 to submission") and has(lines, "logs in as test0000@")
        assert has(lines, r"the session is over after \d+ s: the connection ended$")
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
    with tap.test("by its Message-ID, with the signs around it and without"):
        found = trace(server, "<away@example.test>")[0]
        assert has(found, f"^{queue} handed on for a@far.test to ") and trace(server, "away@example.test")[0] == found
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


FORGED = '" queue=q0-99 from=<forged@x.test> to=<forged@x.test> session=1-99 x="'
HOSTILE = FORGED + '> to=<forged@x.test> \x1b[2J\udc9b2J\x9b2J \u2028 \u202e \\'  # \udc9b: that byte alone


def told(server, identity):
    """The lines of the log about an id as trace takes them apart."""
    return json.loads(server.command("trace", "--json", identity))["lines"]


def forged(server, sink):
    """Whoever we speak with says what looks like fields, ends of values and orders to a terminal, wherever he may."""
    raw = HOSTILE.encode(errors="surrogateescape")
    with socket.create_connection((server.host, server.ports["smtp"]), WAIT_S) as connection:
        lines = connection.makefile("rb")
        for said in (b"EHLO a.test", b"AUTH PLAIN " + base64.b64encode(b"\0x peer=1 queue=q0-99 to=<forged@x.test>\0y"),
                     b'MAIL FROM:<"a> to=<forged@x.test> queue=q0-99 "@b.test>', b'RCPT TO:<"a> to=<forged@x.test>"@far.test>',
                     b'RCPT TO:<test0001@example.test> ORCPT=rfc822;a+20to=<forged@x.test> NOTIFY=NEVER',
                     b"RCPT TO:<test0001@example.test>", b"NOOP " + raw, raw, b"DATA",
                     b"Subject: " + raw + b"\r\n\r\ntext\r\n.", b"QUIT"):
            connection.sendall(said + b"\r\n")
        assert lines.read().count(b"\n250 2.") >= 2
    submit(server, ["c@far.test"], text("hostile"), account="test0002")
    logged(server, r" refused to=<c@far\.test>")
    queue, = re.findall(r"to=<c@far\.test> queue=(q\S+)", server.log())
    inbox(server, "test0002", 2)
    with tap.test("what others say, in whatever place, is nobody's field"):
        assert "nothing about forged@x.test" in server.command("trace", "forged@x.test", fails=True)
        assert "nothing about q0-99" in server.command("trace", "q0-99", fails=True)
        assert "q0-99" in server.log() and "forged@x.test" in server.log()
    with tap.test("it is shown whole, as what it is"):
        line, = [each for each in told(server, queue) if each["event"] == "refused"]
        assert line["fields"]["reply"].startswith("550 5.1.1 " + FORGED) and line["fields"]["to"] == "c@far.test", line
        assert line["fields"]["tries"] == "1" and "queue" not in line["fields"]
    with tap.test("a quoted address is what it was, and found by that"):
        taken, = [each for each in told(server, '"a> to=<forged@x.test> queue=q0-99 "@b.test') if each["event"] == "delivered"]
        assert taken["fields"]["from"] == '"a> to=<forged@x.test> queue=q0-99 "@b.test', taken
        assert taken["fields"]["to"] == "test0001@example.test"
    with tap.test("nothing in the log, nor what trace and queue print, is anything to a terminal"):
        for printed in server.log(), server.command("trace", queue), server.command("queue", "stats"):
            assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\ufffd]", printed), ascii(printed)


def greeted(server, sink):
    """The same of a greeting, while it waits in the queue."""
    sink.mend()
    server.clock("+10s")  # sessions that idle end
    sink.fault("greeting", "554 " + HOSTILE)
    submit(server, ["d@far.test"], text("greeting"), account="test0002")
    logged(server, r" not ready .*554")
    queue, = re.findall(r"to=<d@far\.test> queue=(q\S+)", server.log())
    with tap.test("nor is anything in a greeting"):
        assert "nothing about forged@x.test" in server.command("trace", "forged@x.test", fails=True)
        for words in ("queue", "show", queue), ("queue", "stats"), ("queue", "list"), ("trace", queue):
            printed = server.command(*words)
            assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\ufffd]", printed), ascii(printed)
    server.command("queue", "delete", queue)
    sink.mend()


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
        sink.mend()
        sink.fault("rcpt", "550 5.1.1 " + HOSTILE)
        forged(server, sink)
        greeted(server, sink)
        files(server)
        mistakes(server)
    tap.done()


if __name__ == "__main__":
    main()
