"""hostile.py - clients that send too much, read too little or ask for odd things, and mail that is large or hardly there."""

import random
import re
import smtplib
import socket
import time

import tap
from mail import SENDER, append, imap_session, retrieve_all, send, texts
from postern import PASSWORD, Server
from real_mail import came_back

LARGE = 50 << 20
LARGE_MAX = "64M"
MEMORY_KB = 48 << 10  # how much a worker may grow for one client that does not read, or one large message
STILL_S = 1.5
NOOPS = 100_000
RECIPIENTS = 1000
ANSWER_S = 120


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
    with tap.test("50 MB by SMTP come back byte for byte by IMAP and POP3"):
        send(server, ["test0000"], [large])
        assert came_back(large, texts(server, "test0000")[0]), "IMAP gives something else"
        assert came_back(large, retrieve_all(server, "test0000")[0]), "POP3 gives something else"
    with tap.test("50 MB by APPEND come back byte for byte by IMAP and POP3"):
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
        for part in (odd_mail, floods, large_mail, client_that_does_not_read, many_recipients):
            part(server)
        tap.ok(not re.search(r"worker .*(died|killed)", server.log()), "no worker died")
    tap.done()


if __name__ == "__main__":
    main()
