"""bombs.py - messages made to break readers: deep, wide, long and knotted. Each is answered rightly within its limits
(storage/mail/mime.h), and no worker's memory grows for it."""

import re

import tap
from mail import append, done, imap_session
from postern import Server
from structure import our_envelope, ours, parse

DEPTH, PARTS, ADDRESSES, PARAMS = 50, 1000, 4096, 100  # the limits
MEMORY_KB = 24 << 10  # how much a worker may grow, for all of them together
ACCOUNT = "test0000"


def deep_multiparts(depth):
    head = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i) for i in range(depth))
    return head + b"\r\ninmost\r\n" + b"".join(b"--b%d--\r\n" % i for i in reversed(range(depth)))


def deep_messages(depth):
    return b"Content-Type: message/rfc822\r\n\r\n" * depth + b"Subject: inmost\r\n\r\nbody\r\n"


def wide(parts):
    part = b"--b\r\nContent-Type: text/html\r\n\r\nx\r\n"
    return b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + part * parts + b"--b--\r\n"


def same_boundaries(parts):
    return b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + parts * (
        b"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n")


def header(*fields):
    return b"Subject: a bomb\r\n" + b"\r\n".join(fields) + b"\r\n\r\nfuse\r\n"


BOMBS = {
    "multiparts within multiparts": deep_multiparts(20_000),
    "messages within messages": deep_messages(50_000),
    "parts beside parts": wide(100_000),
    "multiparts of the same boundary": same_boundaries(20_000),
    "fields": header(b"\r\n".join(b"X-%d: x" % i for i in range(500_000))),
    "a field": header(b"X: " + b"\r\n ".join([b"x" * 900] * 5000)),
    "a line without an end": header(b"X: " + b"x" * 5_000_000),
    "addresses": header(b"To: " + b",\r\n ".join(b"N%d <a%d@b.test>" % (i, i) for i in range(200_000))),
    "fields of addresses": header(b"\r\n".join(b"To: a%d@b.test" % i for i in range(100_000))),
    "groups": header(b"To: " + b"g:;\r\n " * 300_000),
    "comments within comments": header(b"To: " + b"\r\n ".join([b"(" * 900] * 1000), b"Date: " + b"(" * 100_000),
    "routes": header(b"To: <" + b",\r\n ".join([b"@r"] * 300_000) + b":a@b.test>"),
    "quotes": header(b'To: "' + b"\r\n ".join([b'\\"' * 450] * 1000) + b'" <a@b.test>'),
    "encoded words": header(b"From: " + b"\r\n ".join([b"=?iso-2022-jp?B?GyRC?= =?koi8-r?Q?=C1?="] * 50_000)),
    "beginnings of encoded words": header(b"From: " + b"\r\n ".join([b"=?x?q?" * 150] * 1000)),
    "parameters": header(b"Content-Type: text/plain" + b"".join(b";\r\n p%d=%d" % (i, i) for i in range(100_000))),
    "pieces of a boundary": header(b"Content-Type: multipart/mixed" + b"".join(
        b";\r\n boundary*%d=b" % i for i in range(100_000))),
    "languages": header(b"Content-Language: " + b",\r\n ".join([b"de"] * 300_000)),
    "soft line ends": header(b"Content-Transfer-Encoding: quoted-printable") + b"=\r\n" * 500_000 + b"end\r\n",
    "padding": header(b"Content-Transfer-Encoding: base64") + b"====\r\n" * 500_000,
}


def memory_kb(server):
    """The resident memory of the largest worker that is not shared with files."""
    found = []
    for pid in server.workers():
        with open(f"/proc/{pid}/status") as status:
            found.append(int(re.search(r"RssAnon:\s+(\d+)", status.read())[1]))
    return max(found)


def answers(imap, number):
    """Envelope and parts of a message, as structure.py has them."""
    answer = parse(done(imap.fetch(str(number), "(ENVELOPE BODYSTRUCTURE)")))[1]
    return our_envelope(answer[1]), ours(answer[3])


def depth_of(path):
    return path.count(".") + 1 if path else 0


with Server(users=1) as server:
    append(server, ACCOUNT, list(BOMBS.values()))
    imap = imap_session(server, ACCOUNT)
    done(imap.fetch("1", "(FLAGS)"))
    before = memory_kb(server)
    said = {}
    for number, name in enumerate(BOMBS, 1):
        with tap.test(f"{name}: all of it is there, and something is said of it"):
            text = done(imap.fetch(str(number), "(BODY.PEEK[])"))[0][1]
            assert text == BOMBS[name], tap.difference(BOMBS[name], text)
            said[name] = answers(imap, number)
            size = done(imap.fetch(str(number), "(RFC822.SIZE)"))[0]
            assert int(re.search(rb"SIZE (\d+)", size)[1]) == len(text)
        with tap.test(f"{name}: no words are found that are not there"):
            assert done(imap.search(None, str(number), "TEXT", "nowhere")) == [b""]

    with tap.test("a tree is as deep as its limit and no deeper"):
        for name in ("multiparts within multiparts", "messages within messages", "multiparts of the same boundary"):
            parts = said[name][1]
            assert max(map(depth_of, parts)) == DEPTH - 1, name
            inmost = max(parts, key=depth_of)
            assert parts[inmost]["type"] == "application/octet-stream", parts[inmost]
    with tap.test("what lies below is the last part's content, every byte of it"):
        text, parts = BOMBS["messages within messages"], said["messages within messages"][1]
        inmost = max(parts, key=depth_of)
        assert parts[inmost]["size"] == len(text) - DEPTH * len(b"Content-Type: message/rfc822\r\n\r\n")
    with tap.test("a tree is as wide as its limit and no wider"):
        parts = said["parts beside parts"][1]
        assert len(parts) == PARTS and parts["1"]["size"] == 1 and parts["1"]["type"] == "text/html"
        rest = BOMBS["parts beside parts"].split(b"--b\r\n", PARTS - 1)[-1]
        assert parts[str(PARTS - 1)]["size"] == len(rest) - len(b"Content-Type: text/html\r\n\r\n")
    with tap.test("addresses are told up to their limit, the first ones"):
        for name in ("addresses", "fields of addresses"):
            told = said[name][0]["to"]
            assert 900 < len(told) <= ADDRESSES and told[0][1].startswith(b"a0@b"), (name, len(told))
        assert said["addresses"][0]["to"][4000] == (b"N4000", b"a4000@b.test")
    with tap.test("parameters are told up to their limit, the first ones"):
        told = said["parameters"][1][""]["params"]
        assert len(told) == PARAMS and told[0] == (b"p0", b"0") and told[-1] == (b"p99", b"99"), told
    with tap.test("what stands before or behind a bomb is told"):
        for name, (envelope, _) in said.items():
            if b"Subject: a bomb" in BOMBS[name]:
                assert envelope["subject"] == b"a bomb", name
        assert done(imap.search(None, "SUBJECT", "bomb")) == [b" ".join(
            b"%d" % number for number, text in enumerate(BOMBS.values(), 1) if b"bomb" in text)]
        fuses = done(imap.search(None, "BODY", "fuse"))[0].split()
        assert len(fuses) >= 14, fuses
    with tap.test("transfer encodings are undone"):
        for name in ("soft line ends", "padding"):
            number = list(BOMBS).index(name) + 1
            size = int(re.search(rb"SIZE\[1\] (\d+)", done(imap.fetch(str(number), "(BINARY.SIZE[1])"))[0])[1])
            assert size < 12, (name, size)
    with tap.test("and no worker's memory has grown"):
        grown = memory_kb(server) - before
        assert grown < MEMORY_KB, f"{grown} kB more"
tap.done()
