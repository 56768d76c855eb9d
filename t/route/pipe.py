"""pipe.py - mail to programs: what they are given, what their exit status means, and what becomes of slow ones."""

import email
import imaplib
import json
import os
import shutil
import smtplib
import tempfile

import tap
from postern import Server, wait_until

PATIENCE_S = 60
TAKER = r"""#!/usr/bin/python3
import json, os, sys, time
folder, local = sys.argv[1], sys.argv[4].strip('"')
text = sys.stdin.buffer.read().decode()
tries = len([name for name in os.listdir(folder) if name.startswith(local + ".")])
made = os.path.join(folder, f"{local}.{tries}")
fds = sorted(os.listdir("/proc/self/fd"))
with open(made + "-", "w") as file:
    json.dump({"arguments": sys.argv[2:], "environment": dict(os.environ), "text": text, "cwd": os.getcwd(),
               "open": fds, "leads": os.getpgrp() == os.getpid()}, file)
os.rename(made + "-", made)
if local == "later" and not tries:
    print("come back")
    sys.exit(75)
if local == "never":
    print("5.7.1 we do not want this")
    sys.exit(69)
if local == "dies" and not tries:
    os.kill(os.getpid(), 15)
if local == "slow" and not tries:
    time.sleep(3600)
"""

MESSAGE = ("From: test0000@example.test\r\nTo: all@pipe.test\r\nSubject: one\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n"
           "Message-ID: <1@example.test>\r\n\r\nFrom here\r\n.\r\n\r\nthe end\r\n")


def settings(folder):
    return [f'pipe.taker.command {{"{folder}/taker", "{folder}/took", "--size=%{{size}}", "%{{recipient}}", "%{{local}}", '
            '"%{domain}", "%{sender}", "$HOME;`x`", "*"}',
            "route.taker.to pipe:taker", 'route.taker.recipients {"*@pipe.test"}',
            f'pipe.gone.command {{"{folder}/gone"}}', "route.gone.to pipe:gone", 'route.gone.recipients {"*@gone.test"}']


def send(server, *recipients):
    with smtplib.SMTP(server.host, server.ports["submission"]) as smtp:
        smtp.login(server.address("test0000"), "secret")
        smtp.sendmail(server.address("test0000"), recipients, MESSAGE)


def inbox(server):
    imap = imaplib.IMAP4(server.host, server.ports["imap"])
    imap.login(server.address("test0000"), "secret")
    imap.select()
    bodies = [imap.fetch(number, "BODY[]")[1][0][1] for number in imap.search(None, "ALL")[1][0].split()]
    imap.logout()
    return [email.message_from_bytes(body) for body in bodies]


class Taken:
    def __init__(self, folder):
        self.folder = folder

    def has(self, name):
        return os.path.exists(os.path.join(self.folder, name))

    def wait(self, name):
        wait_until(lambda: self.has(name), PATIENCE_S, f"the program is run: {name}")
        with open(os.path.join(self.folder, name)) as file:
            return json.load(file)


def tests(server, taken):
    with tap.test("a program gets the message, its sender before it, with line ends as here"):
        send(server, "some.body@pipe.test")
        got = taken.wait("some.body.0")
        head, _, body = got["text"].partition("\n\n")
        assert head.startswith("Return-Path: <test0000@example.test>\nReceived: ") and "\r" not in got["text"], got
        assert "\nSubject: one\n" in head and body == "From here\n.\n\nthe end\n", body
    with tap.test("and arguments as they are written, each one word, whatever stands in them"):
        size, *rest = got["arguments"]
        assert size.startswith("--size=") and int(size[7:]) > 100, size
        assert rest == ["some.body@pipe.test", "some.body", "pipe.test", "test0000@example.test", "$HOME;`x`", "*"], rest
    with tap.test("it has no environment of ours, none of our descriptors, and a process group of its own"):
        assert set(got["environment"]) <= {"PATH", "LANG", "LC_CTYPE"}, got["environment"]
        assert got["open"] == ["0", "1", "2", "3"] and got["cwd"] == "/" and got["leads"], got  # 3 lists them
    with tap.test("an address that begins with a dash is no option"):
        send(server, "-rf@pipe.test")
        assert taken.wait("-rf.0")["arguments"][1:3] == ['"-rf"@pipe.test', '"-rf"']
    with tap.test("each recipient has a run of its own, and an outcome of its own"):
        send(server, "a@pipe.test", "never@pipe.test", "b@pipe.test")
        taken.wait("a.0"), taken.wait("b.0"), taken.wait("never.0")
        wait_until(lambda: len(inbox(server)) == 1, PATIENCE_S, "a report comes")
        report = inbox(server)[0].as_string()
        assert "we do not want this" in report and "Status: 5.7.1" in report and "never@pipe.test" in report, report
        assert "Final-Recipient: rfc822; a@pipe.test" not in report
    with tap.test("75 is to be tried again, and so is what a signal ended"):
        send(server, "later@pipe.test", "dies@pipe.test")
        taken.wait("later.0"), taken.wait("dies.0")
        wait_until(lambda: "come back" in server.log() and "by signal 15" in server.log(), PATIENCE_S, "both are deferred")
        server.command("clock", "+2h")
        taken.wait("later.1"), taken.wait("dies.1")
    with tap.test("what takes too long is ended, and tried again"):
        send(server, "slow@pipe.test")
        taken.wait("slow.0")
        server.command("clock", "+11m")
        wait_until(lambda: "took too long" in server.log(), PATIENCE_S, "it is ended")
        server.command("clock", "+2h")
        taken.wait("slow.1")
    with tap.test("what cannot be started waits"):
        send(server, "x@gone.test")
        wait_until(lambda: "cannot be started" in server.log(), PATIENCE_S, "it is deferred")
    with tap.test("nothing was delivered twice, and nobody else was told of anything"):
        assert not taken.has("some.body.1") and not taken.has("a.1") and not taken.has("later.2"), os.listdir(taken.folder)
        assert len(inbox(server)) == 1


folder = tempfile.mkdtemp(prefix="postern-pipe-")
try:
    os.chmod(folder, 0o755)
    os.mkdir(os.path.join(folder, "took"))
    os.chmod(os.path.join(folder, "took"), 0o777)
    with open(os.path.join(folder, "taker"), "w") as file:
        file.write(TAKER)
    os.chmod(os.path.join(folder, "taker"), 0o755)
    with Server(users=1, workers=1, set=settings(folder)) as server:
        tests(server, Taken(os.path.join(folder, "took")))
finally:
    shutil.rmtree(folder)
tap.done()
