#!/usr/bin/env python3
"""Every message we have, as Postern and as Python's email package see it: the same parts with the same content.

Only messages in which Python finds no defect are compared: of a broken one the two may rightly think differently.
WE_KNOW_BETTER says where Python is wrong, or does what a server must not.
"""
import email
import glob
import os
import re
import subprocess
import tempfile

import tap

WE_KNOW_BETTER = {
    "cpython/msg_37.txt": "a delimiter behind a delimiter ends an empty part; Python takes the two for one",
    "mime-malformed/000.eml": "the same",
    "mime-thirdparty/003.eml": "an encoding is one, also with spaces behind its name",
}
# The parts of these are leaves for IMAP (RFC 3501, 7.4.2), whatever Python makes of their content.
LEAVES = ("message/delivery-status", "message/external-body", "message/partial")


def theirs(message, depth=1):
    """(depth, type, content or None) of each part, in order."""
    kind = message.get_content_type()
    children = message.get_payload() if message.is_multipart() else []
    if kind in LEAVES:
        return [(depth, kind, None)]
    content = None if children else message.get_payload(decode=True)
    found = [(depth, kind, content)]
    for child in children:
        found += theirs(child, depth + 1)
    return found


def has_defects(message):
    return any(part.defects for part in message.walk())


def ours(paths):
    """The same by file, from the unit test's program."""
    program = os.path.join(os.environ.get("BUILD", "build"), "t/unit/mime")
    found = {}
    for line in subprocess.run([program] + paths, capture_output=True, check=True).stdout.decode("latin-1").splitlines():
        if line.startswith("file "):
            parts = found[line[5:]] = []
        else:
            depth, kind, content = line.split(" ")
            parts.append((int(depth), kind.lower(), bytes.fromhex(content)))
    return found


def difference(our, their):
    if [part[:2] for part in our] != [part[:2] for part in their]:
        return f"{[part[:2] for part in our]} is not {[part[:2] for part in their]}"
    for a, b in zip(our, their):
        if b[2] is not None and a[2] != b[2]:
            return f"{a[1]}: {a[2][-200:]!r} is not {b[2][-200:]!r}"
    return None


def messages():
    """(name, bytes as a client would send them) of each message."""
    for path in sorted(glob.glob("t/data/mail/[!L]*/*")):
        with open(path, "rb") as file:
            bytes_found = re.sub(rb"\AFrom .*\n", b"", file.read())
        yield os.path.relpath(path, "t/data/mail"), re.sub(rb"\r?\n", b"\r\n", bytes_found)


with tempfile.TemporaryDirectory() as folder:
    copies = {}
    for name, content in messages():
        message = email.message_from_bytes(content)
        if has_defects(message) or name in WE_KNOW_BETTER:
            continue
        copy = os.path.join(folder, name.replace("/", "-"))
        with open(copy, "wb") as file:
            file.write(content)
        copies[copy] = (name, theirs(message))
    trees = ours(list(copies))
for copy, (name, tree) in copies.items():
    why = difference(trees[copy], tree)
    tap.ok(not why, f"{name} has the same parts")
    if why:
        tap.note(why)
tap.ok(len(copies) >= 150, f"{len(copies)} messages were compared")
tap.done()
