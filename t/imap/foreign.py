"""foreign.py - mailbox files that other programs wrote are taken over as they lie there: UIDs, flags, keywords, every byte."""

import mailbox
import os
import poplib
import re
import shutil

import tap
from mail import done, flags_of, imap_session, send
from postern import PASSWORD, Server, wait_until

WAIT_S = 120

# Each as its program leaves it: (name, file, UIDVALIDITY or None, next UID or None, [(UID, flags, subject, body)]).
DOVECOT = b"""\
From bob@elsewhere.test Mon Jan  5 10:00:00 2026
X-IMAPbase: 1700000001 0000000030 work $Later
X-UID: 21
Status: RO
X-Keywords: work
Content-Length: 13
Subject: read and kept

two lines
of

From bob@elsewhere.test Mon Jan  5 10:00:01 2026
Subject: flagged
X-UID: 24
Status: O
X-Status: FA
Content-Length: 4

new

From bob@elsewhere.test Mon Jan  5 10:00:02 2026
Subject: both words
Status: RO
X-Status: DT
X-Keywords: $Later work
X-UID: 30

x

"""
UW = b"""\
From MAILER-DAEMON Mon Jan  5 10:00:00 2026
Date: 05 Jan 2026 10:00:00 +0100
From: Mail System Internal Data <MAILER-DAEMON@old.test>
Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA
Message-ID: <1700000002@old.test>
X-IMAP: 1700000002 0000000008 todo
Status: RO

This text is part of the internal format of your mail folder, and is not
a real message.

From bob@elsewhere.test Mon Jan  5 10:00:01 2026 +0100
Subject: first
Status: RO
X-Status:
X-Keywords: todo
X-UID: 7

one

From bob@elsewhere.test Mon Jan  5 10:00:02 2026 +0100
Subject: second
Status: O
X-Status: F
X-Keywords:
X-UID: 8

two

"""
MUTT = b"""\
From bob@elsewhere.test  Mon Jan  5 10:00:00 2026
From: bob@elsewhere.test
Subject: seen by mutt
Status: RO
Content-Length: 8
Lines: 1

>From x

From bob@elsewhere.test  Mon Jan  5 10:00:01 2026
From: bob@elsewhere.test
Subject: answered with mutt
Status: RO
X-Status: A
Content-Length: 2
Lines: 1

y

From bob@elsewhere.test  Mon Jan  5 10:00:02 2026
Subject: new to mutt

z

"""
COMMUNIGATE = b"""\
From <bob@elsewhere.test>(RA-00000012) Mon Jan 05 10:00:00 2026
Subject: angle brackets

a

From <> (------000013) Mon Jan  5 10:00:01 2026 GMT
Subject: nobody

b

"""
PLAIN = b"""\
From "Bob B. Brown" at elsewhere Mon Jan  5 10:00 2026
Subject: a name of several words, no seconds

From the start of a line it is text
>From here
>>From there

From bob Mon Jan  5 10:00:00 CET 2026 remote from old
Subject: by uucp

e\xe4\xff \x80 8 bits

From bob@elsewhere.test Mon Jan  5 10:00:02 +0100 2026
Subject: the last lacks its line end

no end"""

# Windows programs end lines in CRLF, and some programs write no empty line before a postmark.
CRLF = b"""\
From bob@elsewhere.test Mon Jan  5 10:00:00 2026
Subject: first
Status: RO

one
>From here
From bob@elsewhere.test Mon Jan  5 10:00:01 2026
Subject: second

From bob@elsewhere.test Mon Jan  5 10:00:01 2026
two

From bob@elsewhere.test Mon Jan  5 10:00:02 2026
Subject: third

three

""".replace(b"10:00:01 2026\ntwo", b"10:00:01\ntwo").replace(b"\n", b"\r\n")
SAME = b"""\
From bob@elsewhere.test Mon Jan  5 10:00:00 2026
X-IMAPbase: 1700000003 0000000005
X-UID: 5
Subject: the first keeps it

a

From bob@elsewhere.test Mon Jan  5 10:00:01 2026
X-UID: 5
Subject: the other gets a new one

b

"""

# Where nothing is quoted, for Content-Length says where a message ends. The second one's does not, the third one's is the end.
WITHIN = b"first line\n\nFrom alice@elsewhere.test Mon Jan  5 09:00:00 2026\nSubject: an old mail\n\nFrom here on\n>From there\n"
SOLARIS = b"".join(b"From bob@elsewhere.test Mon Jan  5 10:00:0%d 2026\nSubject: %s\nContent-Length: %d\n\n%s" % row for row in (
    (0, b"has a mail in it", len(WITHIN), WITHIN + b"\n"),
    (1, b"lies about its length", 70, b"x\n\n"),
    (2, b"large", len(WITHIN) + 400000, WITHIN + b"y" * 79 + b"\n" + (b"z" * 79 + b"\n") * 4999 + b"\n"),
    (3, b"last", len(WITHIN), WITHIN)))

TAKEN = WITHIN.replace(b">From", b"From").replace(b"\n", b"\r\n")

FILES = [
    ("Dovecot", DOVECOT, 1700000001, 31, [
        (21, {r"\Seen", "work"}, "read and kept", b"two lines\r\nof\r\n"),
        (24, {r"\Flagged", r"\Answered"}, "flagged", b"new\r\n"),
        (30, {r"\Seen", r"\Deleted", r"\Draft", "$Later", "work"}, "both words", b"x\r\n")]),
    ("UW", UW, 1700000002, 9, [
        (7, {r"\Seen", "todo"}, "first", b"one\r\n"),
        (8, {r"\Flagged"}, "second", b"two\r\n")]),
    ("mutt", MUTT, None, 4, [
        (1, {r"\Seen"}, "seen by mutt", b"From x\r\n"),
        (2, {r"\Seen", r"\Answered"}, "answered with mutt", b"y\r\n"),
        (3, set(), "new to mutt", b"z\r\n")]),
    ("CommuniGate", COMMUNIGATE, None, 3, [
        (1, set(), "angle brackets", b"a\r\n"),
        (2, set(), "nobody", b"b\r\n")]),
    ("CRLF", CRLF, None, 4, [
        (1, {r"\Seen"}, "first", b"one\r\nFrom here\r\n"),
        (2, set(), "second", b"From bob@elsewhere.test Mon Jan  5 10:00:01\r\ntwo\r\n"),
        (3, set(), "third", b"three\r\n")]),
    ("Twice", SAME, 1700000003, 7, [
        (5, set(), "the first keeps it", b"a\r\n"),
        (6, set(), "the other gets a new one", b"b\r\n")]),
    ("Solaris", SOLARIS, None, 5, [
        (1, set(), "has a mail in it", TAKEN),
        (2, set(), "lies about its length", b"x\r\n"),
        (3, set(), "large", TAKEN + b"y" * 79 + b"\r\n" + (b"z" * 79 + b"\r\n") * 4999),
        (4, set(), "last", TAKEN)]),
    ("plain", PLAIN, None, 4, [
        (1, set(), "a name of several words, no seconds",
         b"From the start of a line it is text\r\nFrom here\r\n>From there\r\n"),
        (2, set(), "by uucp", b"e\xe4\xff \x80 8 bits\r\n"),
        (3, set(), "the last lacks its line end", b"no end\r\n")]),
]


def put(server, account, name, data):
    path = server.mailbox_file(account, name)
    with open(path, "wb") as file:
        file.write(data)
    owner = os.stat(os.path.dirname(path))
    os.chmod(path, 0o600)
    os.chown(path, owner.st_uid, owner.st_gid)
    return path


def content(path):
    with open(path, "rb") as file:
        return file.read()


def rows(imap):
    """[(UID, flags, subject, body)] of the mailbox selected."""
    found, parts = [], done(imap.fetch("1:*", "(UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)] BODY.PEEK[TEXT])"))
    for at in range(0, len(parts), 3):
        about = parts[at][0] + b" " + parts[at + 1][0] + b" " + parts[at + 2]
        subject = parts[at][1].decode("latin-1").split(": ", 1)[1].strip()
        found.append((int(re.search(rb"UID (\d+)", about)[1]), {flag.decode() for flag in flags_of(about)}, subject, parts[at + 1][1]))
    return found


def taken_over(server, account):
    for name, data, validity, uidnext, wanted in FILES:
        path = server.mailbox_file(account, name)
        with tap.test(f"{name}: UIDs, flags, keywords and text are as they were there"):
            with imap_session(server, account, name) as imap:
                assert rows(imap) == wanted, rows(imap)
                status = done(imap.status(name, "(UIDNEXT UIDVALIDITY)"))[0].decode()
                assert f"UIDNEXT {uidnext}" in status, status
                assert validity is None or f"UIDVALIDITY {validity}" in status, status
                for part in done(imap.fetch("1:*", "(RFC822.SIZE BODY.PEEK[])")):
                    assert part == b")" or b"RFC822.SIZE %d " % len(part[1]) in part[0], part
        with tap.test(f"{name}: its file was not rewritten"):
            assert content(path).startswith(data), content(path)
        with tap.test(f"{name}: what is added and changed is kept beside it, also over kill -9"):
            with imap_session(server, account, name) as imap:
                done(imap.uid("STORE", str(wanted[0][0]), "+FLAGS", r"(\Flagged added)"))
                done(imap.append(name, None, None, b"Subject: added\r\n\r\nq\r\n"))
            server.kill()
            server.start()
            with imap_session(server, account, name) as imap:
                now = rows(imap)
                assert now[0] == (wanted[0][0], wanted[0][1] | {r"\Flagged", "added"}, *wanted[0][2:]), now[0]
                assert now[1:-1] == wanted[1:] and now[-1] == (uidnext, set(), "added", b"q\r\n"), now[1:]
            assert content(path).startswith(data)


def quoted(server, account):
    """What is not quoted is, wherever it goes: any reader finds the messages that we find."""
    wanted = next(row[4] for row in FILES if row[0] == "Solaris")
    texts = [(subject, text) for _, _, subject, text in wanted]
    put(server, account, "Unquoted", SOLARIS)
    with imap_session(server, account, "Unquoted") as imap:
        with tap.test("COPY quotes postmarks that stand within a message"):
            done(imap.create("Copied"))
            done(imap.copy("1:4", "Copied"))
            size = int(re.search(rb"RFC822.SIZE (\d+)", done(imap.fetch("3", "(RFC822.SIZE)"))[0])[1])
            done(imap.select("Copied"))
            assert [(row[2], row[3]) for row in rows(imap)] == texts
            assert b"RFC822.SIZE %d" % size in done(imap.fetch("3", "(RFC822.SIZE)"))[0]
        done(imap.select("Unquoted"))
        with tap.test("so does MOVE"):
            done(imap.create("Moved"))
            done(imap.uid("MOVE", "2:3", "Moved"))
            done(imap.select("Moved"))
            assert [(row[2], row[3]) for row in rows(imap)] == texts[1:3]
    with tap.test("and a new generation"):
        server.command("settle", server.address(account))
        wait_until(lambda: b"X-Postern" in content(server.mailbox_file(account, "Unquoted")), WAIT_S, "its new generation")
        with imap_session(server, account, "Unquoted") as imap:
            assert [(row[2], row[3]) for row in rows(imap)] == [texts[0], texts[3]]
    server.stop()
    shutil.rmtree(server.path("store", "index"))
    with tap.test("Python's reader of mboxes finds the same messages"):
        for name, there in (("Copied", texts), ("Moved", texts[1:3]), ("Unquoted", [texts[0], texts[3]])):
            box = mailbox.mbox(server.mailbox_file(account, name), create=False)
            assert [message["Subject"] for message in box] == [subject for subject, _ in there], name
    server.start()
    with tap.test("and so do we without an index"):
        for name, there in (("Copied", texts), ("Moved", texts[1:3]), ("Unquoted", [texts[0], texts[3]])):
            with imap_session(server, account, name) as imap:
                assert [(row[2], row[3]) for row in rows(imap)] == there, name


def odd(server, account):
    line = b"x" * (3 << 20)
    data = (b"From a@b Mon Jan  5 10:00:00 2026\nSubject: long\n\n" + line + b"\nlast\n\n"
            b"From a@b Mon Jan  5 10:00:00 2026\nSubject: nul \0 here\n\nA\0B\0\0C\n\n"
            b"From a@b Mon Jan  5 10:00:00 2026\n" + b"X-Long: " + b"h" * 200_000 + b"\nSubject: long field\n\nx\n\n")
    put(server, account, "Odd", data)
    with tap.test("a line of 3 MiB, and a field of 200 KB, come whole"):
        with imap_session(server, account, "Odd") as imap:
            assert [row[3] for row in rows(imap)][::2] == [line + b"\r\nlast\r\n", b"x\r\n"]
            whole = done(imap.fetch("3", "(BODY.PEEK[HEADER])"))[0][1]
            assert b"X-Long: " + b"h" * 200_000 + b"\r\n" in whole
    with tap.test("a NUL is shown as 0x80 where the protocol has none (RFC 3501, 9)"):
        with imap_session(server, account, "Odd") as imap:
            answers = done(imap.fetch("2", "(BODY.PEEK[] BODY.PEEK[TEXT] BODY.PEEK[TEXT]<1.3> RFC822.SIZE)"))
            texts = [part[1] for part in answers if isinstance(part, tuple)]
            assert texts == [b"Subject: nul \x80 here\r\n\r\nA\x80B\x80\x80C\r\n", b"A\x80B\x80\x80C\r\n", b"\x80B\x80"], texts
            assert b"RFC822.SIZE %d" % len(texts[0]) in answers[-1], answers
            for part in done(imap.fetch("2", "(ENVELOPE BODYSTRUCTURE)")):
                assert b"\0" not in (part if isinstance(part, bytes) else b"".join(part))
            assert done(imap.search(None, "BODY", '"C"')) == [b"2"]
    put(server, account, "INBOX", data)
    with tap.test("in POP3, too"):
        pop = poplib.POP3(server.host, server.ports["pop3"])
        pop.user(server.address(account))
        pop.pass_(PASSWORD)
        lines = pop.retr(2)[1]
        assert lines == [b"Subject: nul \x80 here", b"", b"A\x80B\x80\x80C"], lines
        pop.quit()


def told(server, account):
    with tap.test("nobody calls any of it damage"):
        wrong = [line for line in server.log().splitlines() if re.search(" (error|warn) (store|journal|index) ", line)]
        assert not wrong, wrong
        server.command("fsck", server.address(account))
    empty = UW[:UW.index(b"From bob")]
    for name, data in ("Empty", empty), ("Torn", empty[:-2]):
        path = put(server, "test0002", name, data)
        with tap.test(f"a folder of UW with nothing in it is empty, and gets its next UID: {name}"):
            with imap_session(server, "test0002", name) as imap:
                assert done(imap.select(name)) == [b"0"]
                done(imap.append(name, None, None, b"Subject: added\r\n\r\nq\r\n"))
                assert rows(imap) == [(9, set(), "added", b"q\r\n")], rows(imap)
            assert content(path).startswith(data)
            server.kill()
            server.start()
            with imap_session(server, "test0002", name) as imap:
                assert rows(imap) == [(9, set(), "added", b"q\r\n")], rows(imap)
    with tap.test("written anew, a mailbox is the same to its clients"):
        before = {}
        for name in "UW", "CRLF":
            with imap_session(server, account, name) as imap:
                before[name] = rows(imap)
        server.command("settle", server.address(account))
        for name, was in before.items():
            with imap_session(server, account, name) as imap:
                assert rows(imap) == was, rows(imap)
        server.command("fsck", server.address(account))
        assert b"FOLDER INTERNAL" not in content(server.mailbox_file(account, "UW"))


def no_file(server, account):
    """What lies there is nothing to read."""
    for kind, make in ("pipe", os.mkfifo), ("folder", os.mkdir):
        server.stop()
        path = server.mailbox_file(account, "INBOX")
        aside = path + ".aside"
        os.rename(path, aside)
        make(path)
        server.start()
        with tap.test(f"a {kind} in an mbox's place refuses that mailbox, and no other"):
            with imap_session(server, account, "Odd") as imap:
                for refused in imap.select("INBOX"), imap.append("INBOX", None, None, b"A: b\r\n\r\nq\r\n"):
                    assert refused[0] == "NO", refused
                done(imap.select("Odd"))
                done(imap.append("Odd", None, None, b"Subject: added\r\n\r\nq\r\n"))
                assert rows(imap)[-1][2:] == ("added", b"q\r\n")
            assert any("error store" in line and "INBOX.mbox" in line for line in server.log().splitlines())
        server.stop()
        os.unlink(path) if kind == "pipe" else os.rmdir(path)
        os.rename(aside, path)
        server.start()
        with tap.test(f"it is there again when the {kind} is gone"), imap_session(server, account) as imap:
            assert len(rows(imap)) == 3, rows(imap)


def main():
    with Server(users=3, workers=2) as server:
        account = "test0000"
        server.stop()
        for name, data, *_ in FILES:
            put(server, account, name, data)
        server.start()
        taken_over(server, account)
        told(server, account)
        quoted(server, "test0002")
        odd(server, "test0001")
        no_file(server, "test0001")
    tap.done()


if __name__ == "__main__":
    main()
