"""sections.py - every section of all our real mail that FETCH can be asked for (RFC 3501, 6.4.5; RFC 3516, 4.2).

BODYSTRUCTURE tells the parts, and the bytes of each section must fit what it says, the message and each other: headers
and texts join to messages, pieces are pieces of sections, and what BINARY gives is what Python decodes.
"""

import base64
import binascii
import quopri
import random
import re

import real_mail
import tap
from mail import done, imap_session
from postern import Server
from structure import ours, parse

rng = random.Random(1)
ENCODINGS = (b"7bit", b"8bit", b"binary", b"base64", b"quoted-printable")


def sections(imap, number, names):
    """{name: bytes, None or number} of items asked for in one FETCH."""
    answer = parse(done(imap.fetch(str(number), f"({' '.join(names)})")))[1]
    keys = [key.decode() if isinstance(key, bytes) else key for key in answer[::2]]
    return dict(zip(keys, answer[1::2]))


def numbers(path):
    """The section of a part by its path in structure.py, where .m is the message in a message/rfc822."""
    return re.sub(r"\.m\b", "", path)


def decoded(part, body):
    """What Python makes of a body, None if the two may think differently of it."""
    encoding = part["encoding"].decode()
    if encoding == "base64":
        try:
            return base64.b64decode(re.sub(rb"\s", b"", body), validate=True)
        except binascii.Error:
            return None
    if encoding == "quoted-printable":
        if re.search(rb"=(?![0-9A-F]{2}|\r\n)|[ \t]\r?\n|[ \t]$|=$", body):
            return None
        return quopri.decodestring(body)
    return body if encoding in ("7bit", "8bit", "binary") else None


def as_text(part, content):
    """Line ends of text are CRLF."""
    if part["type"].startswith("text/") and part["encoding"] in (b"base64", b"quoted-printable"):
        return re.sub(rb"(?<!\r)\n", b"\r\n", content)
    return content


def check_message(imap, number, whole):
    got = sections(imap, number, ["BODY.PEEK[]", "BODY.PEEK[HEADER]", "BODY.PEEK[TEXT]", "RFC822.HEADER", "RFC822.TEXT",
                                  "RFC822", "BINARY.PEEK[]", "BINARY.SIZE[]", "BODY.PEEK[HEADER.FIELDS (Subject)]",
                                  "BODY.PEEK[HEADER.FIELDS.NOT (Subject)]"])
    assert got["BODY[]"] == got["RFC822"] == got["BINARY[]"] == whole, "the message is another"
    assert got["BODY[HEADER]"] + got["BODY[TEXT]"] == whole, "header and text are not the message"
    assert got["RFC822.HEADER"] == got["BODY[HEADER]"] and got["RFC822.TEXT"] == got["BODY[TEXT]"]
    assert got["BINARY.SIZE[]"] == len(whole)
    subjects, others = got["BODY[HEADER.FIELDS (Subject)]"], got["BODY[HEADER.FIELDS.NOT (Subject)]"]
    assert sorted((subjects + others).split()) == sorted(got["BODY[HEADER]"].split()), "a field is lost"


def check_part(imap, number, whole, path, parts):
    part, section = parts[path], numbers(path)
    is_message = part["type"] in ("message/rfc822", "message/global")
    names = [f"BODY.PEEK[{section}]", f"BODY.PEEK[{section}.MIME]", f"BODY.PEEK[{section}.HEADER]",
             f"BODY.PEEK[{section}.TEXT]"]
    if knows := part.get("encoding", b"7bit") in ENCODINGS:
        names += [f"BINARY.SIZE[{section}]", f"BINARY.PEEK[{section}]"]
    got = sections(imap, number, names)
    body, mime = got[f"BODY[{section}]"], got[f"BODY[{section}.MIME]"]
    assert mime + body in whole, "a part is not in the message"
    if "size" in part:
        assert len(body) == part["size"], (len(body), part["size"])
    header, text = got[f"BODY[{section}.HEADER]"], got[f"BODY[{section}.TEXT]"]
    if is_message:
        assert header + text == body, "header and text are not the message within"
    else:
        assert header is None and text is None, "a part that is no message has neither"
    if not knows:
        assert imap.fetch(str(number), f"(BINARY.SIZE[{section}])")[0] == "NO", part["encoding"]
        return
    content = got[f"BINARY[{section}]"]
    assert len(content) == got[f"BINARY.SIZE[{section}]"]
    want = body if is_message or "size" not in part else decoded(part, body)
    assert want is None or content == as_text(part, want), tap.difference(want, content)
    for name, all_of_it in ((f"BODY.PEEK[{section}]", body), (f"BINARY.PEEK[{section}]", content)):
        start, size = rng.randrange(len(all_of_it) + 3), rng.randrange(1, len(all_of_it) + 3)
        piece = list(sections(imap, number, [f"{name}<{start}.{size}>"]).values())[0]
        assert piece == all_of_it[start:start + size], (name, start, size)


with Server(users=1) as server:
    imap = imap_session(server, "test0000")
    messages = real_mail.messages()
    for _, text in messages:
        done(imap.append("INBOX", None, None, text))
    done(imap.select())
    compared = 0
    for number, (name, whole) in enumerate(messages, 1):
        with tap.test(f"{name}: sections fit"):
            check_message(imap, number, whole)
            parts = ours(parse(done(imap.fetch(str(number), "(BODYSTRUCTURE)")))[1][1])
            for path in parts:
                if path and not path.endswith("m"):
                    check_part(imap, number, whole, path, parts)
                    compared += 1
            if "" in parts and not parts[""]["type"].startswith("multipart/"):
                got = sections(imap, number, ["BODY.PEEK[1]", "BODY.PEEK[TEXT]", "BODY.PEEK[1.1]"])
                assert got["BODY[1]"] == got["BODY[TEXT]"], "part 1 of what has no parts is its text"
    tap.ok(compared > 300, f"{compared} parts were compared")
tap.done()
