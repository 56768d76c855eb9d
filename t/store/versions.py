"""versions.py - every file of the store says of which version it is. An older one is read; of a later one nothing is
understood and nothing destroyed: what it concerns rests, with a line in the log, until a program that knows it comes.
"""

import glob
import json
import os
import re
import shutil
import smtplib
import struct

import tap
from mail import create, done, fetch_all, imap_session, numbered, send
from postern import PASSWORD, Failed, Server, wait_until

TABLE = []
for number in range(256):
    for _ in range(8):
        number = number >> 1 ^ 0x82F63B78 * (number & 1)
    TABLE.append(number)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, text):
    with open(path, "r+b") as file:
        file.write(text)
        file.truncate(len(text))


def replaced(path, old, new):
    text = read(path)
    assert text.count(old) == 1, (path, old, text[:300])
    write(path, text.replace(old, new))


def numbers(server, account, mailbox="INBOX"):
    return [uid for uid, _, _ in fetch_all(server, account, mailbox)]


def rests(server, account, mailbox="INBOX"):
    """Whether a mailbox cannot be selected, though there is such an account."""
    with imap_session(server, account, "Other") as imap:
        return imap.select(mailbox)[0] == "NO"


def files(server):
    """Every file below domains/ with what is in it."""
    return {path: read(path) for path in glob.glob(server.path("store", "domains", "**"), recursive=True)
            if os.path.isfile(path)}


def refuses_to_start(server):
    """What a start says that does not succeed."""
    log = len(server.log())
    try:
        server.start()
    except Failed:
        server.kill()
        return server.log()[log:]
    raise AssertionError("it started")


def waiting(server):
    return len(json.loads(server.command("queue", "list", "--json")))


def later_base(path):
    text = bytearray(read(path)[:-4])
    text[4:8] = struct.pack("<I", 2)
    write(path, bytes(text) + struct.pack("<I", crc32c(text)))


def later_batch(path):
    """Each good batch of a segment as one of a version behind those that are known."""
    text = bytearray(read(path))
    count = 0
    for at in range(0, len(text), 4096):
        if text[at:at + 4] != b"PSJN":
            continue
        length, = struct.unpack_from("<I", text, at + 44)
        body = bytes(text[at + 52:at + 52 + length])
        if struct.unpack_from("<I", text, at + 48)[0] != crc32c(bytes(text[at:at + 48]) + body):
            continue
        struct.pack_into("<I", text, at + 4, 3)
        struct.pack_into("<I", text, at + 48, crc32c(bytes(text[at:at + 48]) + body))
        count += 1
    assert count
    write(path, bytes(text))


def main():
    with Server(users=6, workers=1) as server:
        accounts = [f"test{n:04}" for n in range(6)]
        send(server, accounts, numbered(range(3)))
        for account in accounts:
            create(server, account, "Other")
        server.stop()

        with tap.test("a state file of a later version: the mailbox rests, the others do not"):
            replaced(server.mailbox_file("test0000", kind="state"), b"postern-state 1 ", b"postern-state 3 ")
            before = files(server)
            shutil.rmtree(server.path("store", "index"))
            server.start()
            assert rests(server, "test0000") and numbers(server, "test0001") == [1, 2, 3]
            assert re.search(r"later version.*account=test0000@\S* mailbox=\"INBOX\"", server.log())
            server.stop()
            assert files(server).items() >= {(p, t) for p, t in before.items() if "/test0000/" in p}
            replaced(server.mailbox_file("test0000", kind="state"), b"postern-state 3 ", b"postern-state 1 ")

        with tap.test("an mbox of a later version, likewise"):
            replaced(server.mailbox_file("test0000"), b" version=1\n", b" version=2\n")
            shutil.rmtree(server.path("store", "index"))
            server.start()
            assert rests(server, "test0000") and numbers(server, "test0001") == [1, 2, 3]
            assert server.log().count("the mbox is of a later version")
            server.stop()
            replaced(server.mailbox_file("test0000"), b" version=2\n", b" version=1\n")

        with tap.test("one that says no version is of the first"):
            replaced(server.mailbox_file("test0000"), b" version=1\n", b"\n")
            shutil.rmtree(server.path("store", "index"))
            server.start()
            assert numbers(server, "test0000") == [1, 2, 3]
            server.stop()

        with tap.test("settings of a later version: the account rests, its mail waits"):
            settings = os.path.join(os.path.dirname(server.mailbox_file("test0002")), "account.settings")
            replaced(settings, b"version = 1\n", b"version = 2\n")
            server.start()
            try:
                imap_session(server, "test0002")
                raise AssertionError("it lets in")
            except Exception as refused:  # imaplib has no better one
                assert "AUTHENTICATIONFAILED" not in str(refused), refused
            assert numbers(server, "test0001") == [1, 2, 3]
            assert re.search(r"account=test0002@", server.log())
            server.stop()
            replaced(settings, b"version = 2\n", b"version = 1\n")

        with tap.test("labels of a later version: names rest, mailboxes do not"):
            labels = os.path.join(os.path.dirname(server.mailbox_file("test0003")), "account.mailboxes")
            server.start()
            with imap_session(server, "test0003") as imap:
                done(imap.subscribe("Other"))
            server.stop()
            replaced(labels, b"version 1\n", b"version 2\n")
            server.start()
            with imap_session(server, "test0003") as imap:
                assert imap.list()[0] == "NO" and imap.subscribe("INBOX")[0] == "NO"
            assert numbers(server, "test0003") == [1, 2, 3]
            server.stop()
            assert b"version 2\n" in read(labels)
            text = read(labels).replace(b"version 2\n", b"")
            write(labels, text)
            server.start()
            with imap_session(server, "test0003") as imap:
                assert b"Other" in done(imap.lsub())[0], "without a version it is of the first"
            server.stop()

        with tap.test("a journal of a later version is not touched: no server starts"):
            bases = [server.path("store", "journal", "0", name) for name in ("base", "base.copy")]
            kept = [read(path) for path in bases]
            for path in bases:
                later_base(path)
            said = refuses_to_start(server)
            assert "newer program" in said, said
            for path, text in zip(bases, kept):
                write(path, text)

        with tap.test("nor where a batch in it is"):
            server.start()
            send(server, accounts, numbered([7]))
            server.kill()
            segment, = [path for path in glob.glob(server.path("store", "journal", "0", "segment.*"))
                        if b"PSJN" in read(path)]
            kept = read(segment)
            later_batch(segment)
            said = refuses_to_start(server)
            assert "newer program" in said, said
            write(segment, kept)
            server.start()
            assert numbers(server, "test0001") == [1, 2, 3, 4]
            server.stop()

    dead = "127.0.0.1:1"
    with Server(users=1, workers=1, smarthost=dead) as server:
        with smtplib.SMTP(server.host, server.ports["submission"], timeout=60) as smtp:
            smtp.login(server.address("test0000"), PASSWORD)
            for number in (1, 2):
                smtp.sendmail(server.address("test0000"), [f"far{number}@far.test"], numbered([number])[0])
        assert waiting(server) == 2
        server.command("queue", "hold", "--all")
        server.stop()
        mbox, = (path for path in glob.glob(server.path("store", "queue", "0", "*.mbox")) if read(path))
        state = mbox.removesuffix("mbox") + "state"

        with tap.test("a queued message of a later version waits for the program that knows it"):
            kept = read(mbox)
            assert kept.count(b"\nX-Postern-Queue: 1 ") == 2
            write(mbox, kept.replace(b"\nX-Postern-Queue: 1 ", b"\nX-Postern-Queue: 2 ", 1))
            server.start()
            wait_until(lambda: waiting(server) == 1, 60, "the other one")
            server.stop()
            assert "later version" in server.log()
            assert b"number 1" in read(mbox) and b"number 2" in read(mbox)
            write(mbox, kept)

        with tap.test("so do those whose state file is"):
            kept = read(state)
            write(state, kept.replace(b"postern-queue-state 1\n", b"postern-queue-state 2\n"))
            server.start()
            wait_until(lambda: "its messages wait" in server.log(), 60, "a word in the log")
            assert waiting(server) == 0
            server.stop()
            assert read(mbox)
            write(state, kept)
            server.start()
            wait_until(lambda: waiting(server) == 2, 60, "both again")
    tap.done()


if __name__ == "__main__":
    main()
