"""both_ways.py - what a program is put through that keeps a tree of Maildirs and an account the same.

Many folders with names of every kind, real mail in them; then new messages, flags, deletions and folders on both sides;
then nothing is left to do. Flags are the letters of Maildir file names: D(raft), F(lagged), R(eplied), S(een).
"""

import os
import re

import tap
from mail import append, create, done, fetch_all, flags_of, folders, from_utf7, imap_session, to_utf7

FOLDERS = ("Work", "Work/2026", "Work/2026/1. Quartal", "Old mail", "R&D, 100% (new)", "Gr\u00fc\u00dfe/J\u00fcrgen",
           "\u65e5\u672c\u8a9e/\u6771\u4eac")
LETTERS = {rb"\Draft": "D", rb"\Flagged": "F", rb"\Answered": "R", rb"\Seen": "S"}
FLAGS = {letter: flag.decode() for flag, letter in LETTERS.items()}
MARKS = re.compile(rb"(?im)^(?:x-tuid|x-offlineimap):.*\n")  # what the programs add to know a message again


def plain(text):
    """A message of either side as both should have it."""
    head, gap, body = text.replace(b"\r\n", b"\n").partition(b"\n\n")
    return MARKS.sub(b"", head + b"\n") + gap[1:] + body


def flag_list(flags):
    return " ".join(FLAGS[letter] for letter in flags)


class Near:
    """A tree of Maildirs: TOP/NAME/{cur,new,tmp} of each folder; names in UTF-8 or as IMAP has them."""

    def __init__(self, top, utf7=False):
        self.top = top
        self.spelled, self.meant = (to_utf7, from_utf7) if utf7 else (str, str)
        self.added = 0

    def names(self):
        return {self.meant(os.path.relpath(path, self.top)) for path, inside, _ in os.walk(self.top) if "cur" in inside}

    def folder(self, name, part):
        return f"{self.top}/{self.spelled(name)}/{part}"

    def files(self, name):
        """{path: (message, flags)}"""
        found = {}
        for part in ("cur", "new"):
            for entry in os.scandir(self.folder(name, part)):
                with open(entry.path, "rb") as file:
                    found[entry.path] = plain(file.read()), "".join(sorted(entry.name.partition(":2,")[2]))
        return found

    def path(self, name, text):
        return next(path for path, (found, _) in self.files(name).items() if found == plain(text))

    def read(self, name):
        return sorted(self.files(name).values())

    def create(self, name):
        for part in ("cur", "new", "tmp"):
            os.makedirs(self.folder(name, part), mode=0o700)

    def add(self, name, text, flags):
        self.added += 1
        with open(self.folder(name, f"cur/{self.added}.of.test:2,{flags}"), "wb") as file:
            file.write(text.replace(b"\r\n", b"\n"))

    def mark(self, name, text, flags):
        path = self.path(name, text)
        os.rename(path, path.replace("/new/", "/cur/").partition(":2,")[0] + f":2,{flags}")

    def delete(self, name, text):
        os.unlink(self.path(name, text))


class Far:
    """An account."""

    def __init__(self, server, account):
        self.server, self.account = server, account

    def names(self):
        return folders(self.server, self.account)

    def messages(self, name):
        """{UID: (message, flags)}"""
        return {uid: (plain(text), "".join(sorted(LETTERS[flag] for flag in flags_of(about))))
                for uid, about, text in fetch_all(self.server, self.account, name)}

    def read(self, name):
        return sorted(self.messages(name).values())

    def create(self, name):
        create(self.server, self.account, name)

    def add(self, name, text, flags):
        append(self.server, self.account, [text], name, flag_list(flags))

    def store(self, name, text, what, flags, then=None):
        uid = next(uid for uid, (found, _) in self.messages(name).items() if found == plain(text))
        with imap_session(self.server, self.account, name) as imap:
            done(imap.uid("STORE", str(uid), what, f"({flags})"))
            if then:
                done(imap.uid(then, str(uid)))

    def mark(self, name, text, flags):
        self.store(name, text, "FLAGS", flag_list(flags))

    def delete(self, name, text):
        self.store(name, text, "+FLAGS", r"\Deleted", "EXPUNGE")


class Both:
    """Both sides, and what they should have: {folder: {message: flags}}. A change is made on one side alone; check()
    expects it on both."""

    def __init__(self, near, far, sync):
        self.near, self.far, self.sync = near, far, sync
        self.want = {"INBOX": {}}

    def create(self, side, name):
        side.create(name)
        self.want[name] = {}

    def add(self, side, name, text, flags=""):
        side.add(name, text, flags)
        self.want[name][plain(text)] = flags

    def mark(self, side, name, text, flags):
        side.mark(name, text, flags)
        self.want[name][plain(text)] = flags

    def delete(self, side, name, text):
        side.delete(name, text)
        del self.want[name][plain(text)]

    def check(self):
        self.sync()
        for side in (self.near, self.far):
            kind = type(side).__name__
            assert side.names() == set(self.want), (kind, side.names(), set(self.want))
            for name, want in self.want.items():
                got, want = side.read(name), sorted(want.items())
                assert len(got) == len(want), (kind, name, len(got), len(want))
                for (text, flags), (want_text, want_flags) in zip(got, want):
                    assert text == want_text, (kind, name, tap.difference(want_text, text))
                    assert flags == want_flags, (kind, name, flags, want_flags, text[:200])


def both_ways(near, far, sync, mail):
    """The tests. `sync` makes both sides the same; `mail` has 100 messages or more, no two alike."""
    both, mail = Both(near, far, sync), iter(mail)
    first = {}  # of each folder, the messages that both sides begin with
    with tap.test("an account of many folders comes in, with its messages and flags"):
        for name in ("INBOX", *FOLDERS):
            if name != "INBOX":
                both.create(far, name)
            first[name] = [next(mail) for _ in range(6)]
            for text, flags in zip(first[name], ("", "S", "FS", "RS", "DF", "")):
                both.add(far, name, text, flags)
        both.check()
    with tap.test("flags, deletions and new messages of both sides meet"):
        for name, (one, two, three, four, five, six) in first.items():
            both.mark(near, name, one, "FS")
            both.mark(far, name, two, "RS")
            both.delete(near, name, three)
            both.delete(far, name, four)
            both.mark(near, name, five, "")
            both.mark(far, name, six, "D")
            both.add(near, name, next(mail), "RS")
            both.add(far, name, next(mail), "F")
        both.check()
    with tap.test("folders that each side made go to the other"):
        for side, name in ((near, "Work/\u0394\u03b5\u03bb\u03c4\u03b1"), (far, "Play/By server, 2")):
            both.create(side, name)
            both.add(side, name, next(mail), "S")
        both.check()
    with tap.test("then nothing is left to do"):
        before = [(near.files(name), far.messages(name)) for name in both.want]
        both.check()
        assert before == [(near.files(name), far.messages(name)) for name in both.want]
