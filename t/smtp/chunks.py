"""chunks.py - what comes by BDAT (RFC 3030) may be huge, tiny or odd: memory stays flat, and what follows is understood."""

import re
import socket

import tap
from mail import retrieve_all
from postern import Server, binary

MEMORY_KB = (64 if "san" in binary() else 16) << 10  # how much a worker may grow meanwhile
HUGE = 80 << 20  # more than the most that is taken
TINY = 20_000


def memory_kb(server):
    """The resident memory of the largest worker that is not shared with files."""
    found = []
    for pid in server.workers():
        with open(f"/proc/{pid}/status") as status:
            found.append(int(re.search(r"RssAnon:\s+(\d+)", status.read())[1]))
    return max(found)


class Wire:
    """A connection with a transaction begun."""

    def __init__(self, server, account, parameters=b""):
        self.socket = socket.create_connection((server.host, server.ports["smtp"]), timeout=120)
        self.lines = self.socket.makefile("rb")
        self.reply()
        for command in (b"EHLO client.test", b"MAIL FROM:<>" + parameters,
                        b"RCPT TO:<%s>" % server.address(account).encode()):
            assert self.ask(command) == 250

    def __enter__(self):
        return self

    def __exit__(self, *_):
        assert self.ask(b"NOOP") == 250, "what follows is not understood"
        self.socket.close()

    def reply(self):
        while (line := self.lines.readline())[3:4] == b"-":
            pass
        return int(line[:3])

    def ask(self, command):
        self.socket.sendall(command + b"\r\n")
        return self.reply()

    def chunk(self, piece, times, last=b" LAST"):
        """One chunk of a piece again and again."""
        self.socket.sendall(b"BDAT %d%s\r\n" % (len(piece) * times, last))
        at_once = max(1, (1 << 20) // len(piece))
        for at in range(0, times, at_once):
            self.socket.sendall(piece * min(at_once, times - at))
        return self.reply()


def flat(server, name, account, parameters, piece, bytes_, want):
    with tap.test(name), Wire(server, account, parameters) as wire:
        before = memory_kb(server)
        code = wire.chunk(piece, max(1, bytes_ // len(piece)))
        grown = memory_kb(server) - before
        assert code == want, code
        assert grown < MEMORY_KB, f"grew by {grown} kB"


def tiny(server):
    with tap.test(f"a message in {TINY} chunks of a byte is whole"), Wire(server, "test0001") as wire:
        text = b"Subject: tiny\r\n\r\n" + b"0123456\r\n" * ((TINY - 17) // 9)
        wire.socket.sendall(b"".join(b"BDAT 1\r\n%c" % byte for byte in text) + b"BDAT 0 LAST\r\n")
        assert {wire.reply() for _ in range(len(text) + 1)} == {250}
        assert retrieve_all(server, "test0001")[-1].endswith(text)


BINARY = b" BODY=BINARYMIME"
PART = b"Content-Transfer-Encoding: binary\r\n\r\n"
with Server(users=2, workers=1, set=["smtp.message_max 60M"]) as server:
    with Wire(server, "test0000") as first:  # what the first large message needs for good is not counted
        assert first.chunk(b"0123456789\r\n", 1 << 16) == 250
    flat(server, "a chunk of more than is taken", "test0000", b"", b"0123456789\r\n", HUGE, 552)
    flat(server, "a message that grows by what it is kept as", "test0000", BINARY,
         PART + b"\0" * (50 << 20), 50 << 20, 250)
    flat(server, "content that is nearly a delimiter all the time", "test0000", BINARY,
         PART + b"\r\n--" * (10 << 18), 10 << 20, 250)
    flat(server, "a header that does not end", "test0000", BINARY, b"X: y\r\n", 50 << 20, 250)
    flat(server, "multiparts in multiparts", "test0000", BINARY,
         b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n', 20 << 20, 250)
    flat(server, "bytes of no kind", "test0000", b"", b"\0\r\r\n\n.\r\n", 20 << 20, 550)
    tiny(server)
tap.done()
