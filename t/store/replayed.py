"""replayed.py - what other programs did to a mailbox a moment before the server was killed, or to an mbox that had just
been replaced: no mail is doubled or damaged by it, and what was deleted stays deleted.
"""

import os
import re
import shutil
import subprocess

import tap
from edits import LIMIT_S, Watched, locked, numbers
from mail import done, imap_session, numbered, send, texts
from postern import Server, wait_until


def expunged(box, subject):
    box.store([subject], r"(\Deleted)")
    done(box.imap.expunge())
    del box.seen[subject]


def after_kill(server, box):
    server.kill()
    server.start()
    box.imap = imap_session(server, box.account)


def test_rewritten(server):
    box = Watched(server, "test0000", numbered(range(4)))
    with tap.test("an mbox just replaced that a program writes anew: no message is damaged, what it wrote is kept"):
        with open(box.mbox, "r+b") as old:
            whole = old.read()
            expunged(box, "number 1")
            server.command("settle", server.address(box.account))
            wait_until(lambda: not os.path.samestat(os.fstat(old.fileno()), os.stat(box.mbox)), LIMIT_S, "another mbox")
            before = texts(server, box.account)
            old.seek(0)
            old.write(whole.replace(b"\nSubject: ", b"\nX-Longer: by what is put here\nSubject: ") + b"and more\n\n")
        wait_until(lambda: os.path.exists(box.mbox + ".damaged.1"), LIMIT_S, "what was written")
        box.becomes(numbers(0, 2, 3))
        assert texts(server, box.account) == before
        with open(box.mbox + ".damaged.1", "rb") as kept:
            assert kept.read().endswith(b"and more\n\n")


def test_emptied(server):
    for account, empty, how in (("test0001", lambda path: os.truncate(path, 0), "truncated to nothing"),
                                ("test0002", os.unlink, "removed")):
        box = Watched(server, account, numbered(range(3)))
        with tap.test(f"an mbox {how}, the server killed: what was in it stays deleted"):
            empty(box.mbox)
            box.becomes({})
            after_kill(server, box)
            box.becomes({})
        with tap.test("mail goes on"):
            send(server, [account], numbered([5]))
            box.becomes(numbers(5))
            after_kill(server, box)
            box.becomes(numbers(5))


def main():
    with Server(users=8, set=['sending.retry {"1s"}']) as server:
        test_rewritten(server)
        test_emptied(server)
    tap.done()


if __name__ == "__main__":
    main()
