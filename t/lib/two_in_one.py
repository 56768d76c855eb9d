"""two_in_one.py - messages that a careless reader takes for two, and ways to send them byte by byte."""

import itertools
import re
import socket

# All that might stand for the end of a line in front of a dot and behind it.
ENDS = [b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r", b"\n\n", b"\r\r", b"\n\r\n", b"\r\n\n", b"\r\n\r", b""]
DOTS = [b".", b"..", b".\0"]
HIDDEN = b"MAIL FROM:<evil@example.test>\r\nRCPT TO:<%s>\r\nDATA\r\nSubject: smuggled\r\n\r\n.."


class Wire:
    """A connection, reply by reply."""

    def __init__(self, server, role, hello):
        self.socket = socket.create_connection((server.host, server.ports[role]), timeout=60)
        self.lines = self.socket.makefile("rb")
        self.reply()
        self.ask(hello)

    def reply(self):
        while True:
            line = self.lines.readline()
            assert re.match(rb"\d{3}[ -]", line), line
            if line[3:4] == b" ":
                return int(line[:3])

    def ask(self, command):
        self.socket.sendall(command + b"\r\n")
        return self.reply()


def unstuffed(data):
    """What DATA means, up to its one end; None without one before the last bytes."""
    lines = data.split(b"\r\n")
    if lines.index(b".") != len(lines) - 2:
        return None
    return b"".join(line.removeprefix(b".") + b"\r\n" for line in lines[:-2])


def is_strict(text):
    return not re.search(rb"\0|\r(?!\n)|(?<!\r)\n", text)


def normalised(text):
    text = re.sub(rb"\r\n|\r|\n", b"\r\n", text)
    return text if text.endswith(b"\r\n") else text + b"\r\n"


def messages(hidden):
    for before, dots, behind in itertools.product(ENDS, DOTS, ENDS):
        yield b"Subject: outer\r\n\r\ntext" + before + dots + behind + hidden


def transaction(wire, account):
    assert wire.ask(b"MAIL FROM:<x@example.test>") == 250
    assert wire.ask(b"RCPT TO:<%s>" % account) == 250


def by_data(wire, account, text):
    transaction(wire, account)
    assert wire.ask(b"DATA") == 354
    wire.socket.sendall(text)
    return wire.reply()


def by_bdat(wire, account, text):
    """In two chunks, which part where it hurts."""
    transaction(wire, account)
    half = text.index(b"text") + 5
    wire.socket.sendall(b"BDAT %d\r\n%sBDAT %d LAST\r\n%s" % (half, text[:half], len(text) - half, text[half:]))
    first, last = wire.reply(), wire.reply()
    if first != 250:
        assert last == 503, last
        assert wire.ask(b"RSET") == 250
        return first
    return last
