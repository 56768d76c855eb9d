"""real_mail.py - the real mail of t/data/mail, prepared once, and how to recognise it after a delivery."""

import contextlib
import email
import email.policy
import glob
import os
import re

from postern import TOP

# Header fields of mailbox files: never part of a message (storage/mail/form.h).
STATE_FIELDS = b"x-uid|status|x-status|x-keywords|x-imapbase|x-imap|x-postern"
STATE_FIELD = re.compile(rb"(?i)^(?:" + STATE_FIELDS + rb")[ \t]*:")
TRACE_FIELD = re.compile(rb"(?:Return-Path|Delivered-To|Received):[^\r]*\r\n(?:[ \t][^\r]*\r\n)*")


def prepared(raw):
    """A file as a message on the wire: CRLF, a last line end, no mbox postmark, no mailbox state."""
    if raw.startswith(b"From "):
        raw = raw.partition(b"\n")[2]
    text = re.sub(rb"\r\n|\r|\n", b"\r\n", raw)
    if not text.endswith(b"\r\n"):
        text += b"\r\n"
    return without_state(text, b"\r\n")


def without_state(text, end):
    """Drops the state fields of a header, continuation lines included. Lines end in `end`, CRLF or LF."""
    kept, dropping = [], False
    lines = text.splitlines(keepends=True)
    for at, line in enumerate(lines):
        if line == end:
            return b"".join(kept + lines[at:])
        dropping = bool(STATE_FIELD.match(line)) or (dropping and line[:1] in b" \t")
        if not dropping:
            kept.append(line)
    return b"".join(kept)


def messages():
    """[(name, bytes)] of every message but the one with a NUL, in the order of their names."""
    return [(name, text) for name, text in every_message() if b"\0" not in text]


def distinct_messages():
    """The bytes alone, no two alike."""
    return list(dict.fromkeys(text for _, text in messages()))


def python_messages():
    """Those of them that come back as they were when a client in Python takes them apart and makes them anew."""
    def comes_back(text):
        with contextlib.suppress(Exception):
            for policy in (email.policy.SMTP, email.policy.compat32):
                message = email.message_from_bytes(text, policy=policy)
                if message.as_bytes(policy=policy.clone(linesep="\r\n")) != text or message.defects:
                    return False
            return True
    return [text for text in distinct_messages() if comes_back(text)]


def message_with_nul():
    return next((name, text) for name, text in every_message() if b"\0" in text)


def every_message():
    top = os.path.join(TOP, "t", "data", "mail")
    files = sorted(name for name in glob.glob("*/*.*", root_dir=top) if not name.startswith("LICENSES/"))
    found = []
    for name in files:
        with open(os.path.join(top, name), "rb") as file:
            found.append((name, prepared(file.read())))
    return found


def came_back(sent, got):
    """Whether `got` is `sent` behind nothing but trace fields; a message may begin with trace fields of its own."""
    at = len(got) - len(sent)
    return got.endswith(sent) and bool(re.fullmatch(rb"(?:" + TRACE_FIELD.pattern + rb")*", got[:max(at, 0)]))
