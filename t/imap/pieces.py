"""pieces.py - a message fetched in pieces, in order and not, is the message (RFC 3501, 6.4.5)."""

import imaplib
import random

import tap
from postern import Server

rng = random.Random(1)


def message(lines):
    """Lines of many lengths; what an mbox quotes is among them."""
    starts = (b"From here", b">From there", b">>From", b".", b"", b"From")
    text = b"\r\n".join(rng.choice(starts) + b"x" * rng.randrange(200) for _ in range(lines))
    return b"Subject: pieces\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n" + text + b"\r\n--b--\r\n"


def section(imap, what):
    kind, answer = imap.fetch("1", what)
    assert kind == "OK", answer
    return answer[0][1]


def piece(imap, name, start, size):
    return section(imap, f"(BODY.PEEK[{name}]<{start}.{size}>)")


with Server(users=1) as server:
    whole = message(20000)
    imap = imaplib.IMAP4(server.host, server.ports["imap"])
    imap.login("test0000", "secret")
    imap.append("INBOX", None, None, whole)
    imap.select("INBOX")

    with tap.test("the whole of it"):
        assert section(imap, "(BODY.PEEK[])") == whole

    for size in (4096, 65536, 99991):
        with tap.test(f"one piece of {size} after the other"):
            got = b"".join(piece(imap, "", start, size) for start in range(0, len(whole), size))
            assert got == whole, tap.difference(whole, got)

    with tap.test("pieces of a part, one after the other"):
        part = section(imap, "(BODY.PEEK[1])")
        assert part == whole[whole.index(b"\r\n\r\n--b\r\n\r\n") + 11:whole.rindex(b"\r\n--b--")]
        assert b"".join(piece(imap, "1", start, 50000) for start in range(0, len(part), 50000)) == part

    with tap.test("pieces from anywhere"):
        for _ in range(200):
            start, size = rng.randrange(len(whole) + 100), rng.randrange(1, 70000)
            assert piece(imap, "", start, size) == whole[start:start + size], (start, size)

    with tap.test("and of another mailbox's message with the same UID"):
        imap.create("other")
        imap.append("other", None, None, whole[:50] + b"\r\n\r\n" + whole[::-1].replace(b"\n\r", b"\r\n"))
        before = piece(imap, "", 100000, 1000)
        imap.select("other")
        assert piece(imap, "", 100000, 1000) != before

    with tap.test("a header of more than a megabyte: all of it is there, and what stands at its start is told"):
        fields = b"".join(b"X-%d: %s\r\n" % (i, b"x" * 900) for i in range(1500))
        header = b"Subject: long\r\n" + fields + b"Z: z\r\n\r\n"
        imap.create("long")
        imap.append("long", None, None, header + b"body\r\n")
        imap.select("long")
        assert section(imap, "(BODY.PEEK[HEADER])") == header
        assert section(imap, "(BODY.PEEK[TEXT] ENVELOPE)") == b"body\r\n"
        assert b'"long"' in imap.fetch("1", "(ENVELOPE)")[1][0]
        assert section(imap, "(BODY.PEEK[HEADER.FIELDS (Subject)])") == b"Subject: long\r\n\r\n"
        assert piece(imap, "HEADER", len(header) - 8, 100) == b"Z: z\r\n\r\n"

tap.done()
