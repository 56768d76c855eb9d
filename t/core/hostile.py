"""hostile.py - clients that send too much, read too little or ask for odd things, and mail that is large or hardly there.

LARGE_MB says how large (50; up to 1,000 were tried).
"""

import contextlib
import os
import random
import re
import resource
import smtplib
import socket
import time

import tap
from mail import SENDER, append, imap_session, retrieve_all, send, texts
from postern import PASSWORD, Server
from real_mail import came_back

LARGE_MB = int(os.environ.get("LARGE_MB", "50"))
LARGE = LARGE_MB << 20
LARGE_MAX = f"{LARGE_MB + 14}M"
MEMORY_KB = 48 << 10  # how much a worker may grow for one client that does not read, or one large message
STILL_S = 1.5
NOOPS = 100_000
RECIPIENTS = 1000
ANSWER_S = 120
PROMPT_S = 30  # an answer to somebody else, on a machine that is busy with more than this
HALF_OPEN, STRANGERS = 2000, 40


def text_of(size, seed):
    """Random text lines of a known size."""
    chance = random.Random(seed)
    line = bytes(chance.choices(b"abcdefghijklmnopqrstuvwxyz .>F", k=1 << 16))
    lines, have = [f"Subject: {seed}\r\n\r\n".encode()], 0
    while have < size:
        at, length = chance.randrange(1 << 15), chance.randrange(900)
        lines.append(line[at:at + length] + b"\r\n")
        have += length + 2
    return b"".join(lines)


def memory_kb(server):
    """The resident memory of the largest worker that is not shared with files."""
    found = []
    for pid in server.workers():
        with open(f"/proc/{pid}/status") as status:
            found.append(int(re.search(r"RssAnon:\s+(\d+)", status.read())[1]))
    return max(found)


class Wire:
    """A connection that says what it is told to."""

    def __init__(self, server, role):
        self.socket = socket.create_connection((server.host, server.ports[role]), timeout=ANSWER_S)
        self.lines = self.socket.makefile("rb")
        self.lines.readline()

    def send(self, what):
        self.socket.sendall(what)

    def until(self, start):
        """The first line that begins so, or b"" at the end of the connection."""
        while (line := self.lines.readline()) and not line.startswith(start):
            pass
        return line

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lines.close()
        self.socket.close()


def login(server, wire, account="test0000"):
    wire.send(f"a LOGIN {server.address(account)} {PASSWORD}\r\nb SELECT INBOX\r\n".encode())
    assert wire.until(b"b ").startswith(b"b OK")


def large_mail(server):
    large = text_of(LARGE, "large")
    before = memory_kb(server)
    with tap.test(f"{LARGE_MB} MB by SMTP come back byte for byte by IMAP and POP3"):
        send(server, ["test0000"], [large])
        assert came_back(large, texts(server, "test0000")[0]), "IMAP gives something else"
        assert came_back(large, retrieve_all(server, "test0000")[0]), "POP3 gives something else"
    with tap.test(f"{LARGE_MB} MB by APPEND come back byte for byte by IMAP and POP3"):
        append(server, "test0001", [large])
        assert texts(server, "test0001") == [large], "IMAP gives something else"
        assert retrieve_all(server, "test0001") == [large], "POP3 gives something else"
    with tap.test("the worker's memory is flat meanwhile"):
        grown = memory_kb(server) - before
        assert grown < MEMORY_KB, f"{grown} kB more"


def client_that_does_not_read(server):
    with tap.test("a client that does not read what it fetches costs no memory, and others are served"):
        before = memory_kb(server)
        with Wire(server, "imap") as wire:
            login(server, wire)
            wire.send(b"c FETCH 1 BODY.PEEK[]\r\n" * 20)
            end = time.monotonic() + STILL_S
            while time.monotonic() < end:
                imap_session(server, "test0001").logout()
                grown = memory_kb(server) - before
                assert grown < MEMORY_KB, f"{grown} kB more"
    with tap.test("nor by POP3"):
        with Wire(server, "pop3") as wire:
            wire.send(f"USER {server.address('test0000')}\r\nPASS {PASSWORD}\r\n".encode() + b"RETR 1\r\n" * 20)
            wire.until(b"+OK")
            time.sleep(STILL_S)
            grown = memory_kb(server) - before
            assert grown < MEMORY_KB, f"{grown} kB more"


def floods(server):
    before = memory_kb(server)
    with tap.test(f"{NOOPS} NOOPs in one go are all answered"):
        with Wire(server, "imap") as wire:
            login(server, wire)
            noops = b"".join(b"n%d NOOP\r\n" % number for number in range(NOOPS))
            wire.socket.setblocking(False)
            sent, answers, end = 0, b"", time.monotonic() + ANSWER_S
            last = b"n%d OK" % (NOOPS - 1)
            while last not in answers[-200:]:
                assert time.monotonic() < end, f"{answers.count(b' OK')} answered"
                sent += try_io(lambda at=sent: wire.socket.send(noops[at:at + 65536]) if at < len(noops) else 0)
                got = try_io(lambda: wire.socket.recv(65536), b"")
                answers += got
                if not got:
                    time.sleep(0.001)
            assert answers.count(b" OK") == NOOPS, answers.count(b" OK")
    with tap.test("literals before the login, or larger than any message, are not waited for"):
        for start in (b"a LOGIN {4000000000}\r\n", b"a LOGIN {100000000+}\r\n", b"a NOOP {99999999999999999999}\r\n"):
            with Wire(server, "imap") as wire:
                wire.send(start)
                line = wire.lines.readline()
                assert re.match(rb"a (BAD|NO)|\* (BAD|BYE)", line), line
        with Wire(server, "imap") as wire:
            login(server, wire)
            wire.send(b"c APPEND INBOX {4000000000}\r\n")
            line = wire.until(b"c ")
            assert line.startswith(b"c NO"), line
    with tap.test("a command of endless literals is ended"):
        with Wire(server, "imap") as wire:
            login(server, wire)
            try:
                wire.send(b"c SEARCH" + b" SUBJECT {1000+}\r\n" + b"x" * 1000)
                for _ in range(20000):
                    wire.send(b" SUBJECT {1000+}\r\n" + b"x" * 1000)
                wire.send(b"\r\n")
                line = wire.until((b"c ", b"* BYE"))
                assert re.match(rb"c (BAD|NO)|\* BYE", line), line
            except ConnectionError:
                pass
    for role, complaint in (("smtp", b"500 "), ("imap", b"* BYE"), ("pop3", b"-ERR")):
        with tap.test(f"a line of 64 MB is refused by {role} once it is too long, and what follows is not kept"):
            with Wire(server, role) as wire:
                try:
                    for _ in range(1000):
                        wire.send(b"x" * 65536)
                except ConnectionError:
                    continue
                assert wire.lines.readline().startswith(complaint)
    with tap.test("memory is flat after all that"):
        grown = memory_kb(server) - before
        assert grown < MEMORY_KB, f"{grown} kB more"


def try_io(what, nothing=0):
    try:
        return what()
    except BlockingIOError:
        return nothing


def odd_mail(server):
    with tap.test("messages of a header alone, of nothing, of one long line come back as they are"):
        odd = [b"Subject: header alone\r\n", b"Subject: and an empty line\r\n\r\n", b"\r\n", b"\r\nbody alone\r\n",
               b"Subject: long\r\n\r\n" + b"y" * 60_000 + b"\r\n", b"no header at all\r\n", b".\r\n..\r\n\r\n.\r\n",
               b"From nobody\r\n\r\nFrom here\r\n>From there\r\n\r\n"]
        append(server, "test0002", odd)
        assert texts(server, "test0002") == odd, texts(server, "test0002")
        assert retrieve_all(server, "test0002") == odd
        with smtplib.SMTP(server.host, server.ports["smtp"], timeout=ANSWER_S) as smtp:
            for text in odd:
                smtp.sendmail(SENDER, [server.address("test0003")], text)
        for sent, got in zip(odd, texts(server, "test0003"), strict=True):
            assert came_back(sent, got), (sent[:80], got[-300:])
    with tap.test("an APPEND of no bytes is refused or kept, and does no harm"):
        with Wire(server, "imap") as wire:
            login(server, wire, "test0002")
            wire.send(b"c APPEND INBOX {0+}\r\n\r\nd NOOP\r\ne FETCH * RFC822.SIZE\r\n")
            line = wire.until(b"c ")
            assert re.match(rb"c (OK|NO|BAD)", line), line
            assert wire.until(b"e ").startswith(b"e OK")


def nested(kind, depth):
    """A message of parts in parts."""
    parts = {"message": lambda n: b"Content-Type: message/rfc822\r\n\r\n",
             "multipart": lambda n: b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)}[kind]
    return b"MIME-Version: 1.0\r\n" + b"".join(parts(n) for n in range(depth)) + b"\r\ntext\r\n"


def bombs():
    """Messages that cost whoever parses them without a limit: (what is in it, the message)."""
    text = b"\r\n\r\ntext\r\n"
    yield "multiparts in each other", nested("multipart", 20000)
    yield "messages in each other", nested("message", 30000)
    yield "parts", b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 100000 + b"--b--\r\n"
    yield "header fields", b"".join(b"X-%d: y\r\n" % n for n in range(100000)) + b"\r\ntext\r\n"
    yield "addresses", b"To:" + b" a@example.test,\r\n" * 100000 + b" b@example.test" + text
    yield "comments in each other", b"From: " + b"(\r\n " * 100000 + b"a@example.test" + text
    yield "groups in each other", b"To: " + b"g:\r\n " * 100000 + b"a@example.test;" + text
    yield "open quotes", b"To: " + b'"\\\r\n ' * 100000 + text
    yield "encoded words", b"Subject: " + b"=?utf-8?q?=41?=\r\n " * 100000 + text
    yield "parameters", b"Content-Type: text/plain" + b";\r\n a=b" * 100000 + text
    yield "pieces of a parameter", b"Content-Type: a/b" + b"".join(b";\r\n n*%d*=%%41" % n for n in range(50000)) + text
    yield "references", b"References: " + b"<a@b>\r\n " * 100000 + text


def header_bombs(server):
    commands = (b"FETCH * ENVELOPE", b"FETCH * BODYSTRUCTURE", b"FETCH * BODY[1.1.1.1.1.1.1.1]", b"FETCH * BODY[HEADER.FIELDS (TO)]",
                b"SEARCH FROM x TO y SUBJECT z", b"SEARCH TEXT zzz")
    with Wire(server, "imap") as wire, imap_session(server, "test0005") as other:
        login(server, wire, "test0004")
        append(server, "test0004", [text for _, text in bombs()][:2])  # what parsing needs is there then
        before = memory_kb(server)
        for what, text in bombs():
            with tap.test(f"a message of thousands of {what} is stored and told about, and others are answered meanwhile"):
                send(server, ["test0004"], [text])
                wire.send(b"a NOOP\r\n")
                assert wire.until(b"a ").startswith(b"a OK")
                for command in commands:
                    wire.send(b"b " + command + b"\r\n")
                    start = time.monotonic()
                    other.noop()
                    waited = time.monotonic() - start
                    assert waited < PROMPT_S, f"{waited} s"
                    assert wire.until(b"b ").startswith(b"b OK"), command
        with tap.test("memory is flat after all that"):
            grown = memory_kb(server) - before
            assert grown < MEMORY_KB, f"{grown} kB more"


def half_open():
    """Thousands that connect and are silent, or drip: there are never more than so many, and nobody else notices."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, HALF_OPEN + 100)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    count = min(HALF_OPEN, most - 100)
    options = ["limits.exempt {}", f"limits.strangers_per_address {STRANGERS}", "limits.connects_per_address 0"]
    with Server(users=2, workers=2, set=options) as server:
        before = memory_kb(server)
        roles = ("imap", "imaps", "smtp", "submissions")
        with imap_session(server, "test0000") as other, tap.test(f"{count} connections that are silent leave others alone"):
            wires = []
            for number in range(count):
                wire = socket.create_connection((server.host, server.ports[roles[number % len(roles)]]), timeout=ANSWER_S,
                                                source_address=("127.0.6.6", 0))
                wires.append(wire)
                with contextlib.suppress(ConnectionError):  # it may be refused already
                    wire.send(b"\x16\x03" if number % 2 else b"a")
                if number % 100 == 0:
                    start = time.monotonic()
                    other.noop()
                    assert time.monotonic() - start < PROMPT_S
            open_now = server.command("who").count("127.0.6.6")
            assert open_now <= STRANGERS, open_now
            imap_session(server, "test0001").logout()
            grown = memory_kb(server) - before
            assert grown < MEMORY_KB, f"{grown} kB more"
            assert server.log().count("127.0.6.6") < STRANGERS + 100, "the log is flooded"
            for wire in wires:
                wire.close()


def many_recipients(server):
    with tap.test(f"one message for {RECIPIENTS} recipients is there for each, once"):
        accounts = [f"test{number:04}" for number in range(RECIPIENTS)]
        send(server, accounts, [b"Subject: for all\r\n\r\ntext\r\n"])
        for account in random.sample(accounts, 50):
            found = sum(text.count(b"Subject: for all") for text in texts(server, account))
            assert found == 1, f"{account} has it {found} times"


def main():
    options = [f"smtp.message_max {LARGE_MAX}", f"imap.append_max {LARGE_MAX}", "smtp.line_max 64000"]
    with Server(users=RECIPIENTS, workers=2, set=options) as server:
        for part in (odd_mail, floods, header_bombs, large_mail, client_that_does_not_read, many_recipients):
            part(server)
        tap.ok(not re.search(r"worker .*(died|killed)", server.log()), "no worker died")
    half_open()
    tap.done()


if __name__ == "__main__":
    main()
