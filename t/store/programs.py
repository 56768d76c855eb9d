"""programs.py - formail and mutt delete messages while mail arrives: what they delete is gone, all else is there once.

Each has the mailbox locked while it writes it: mutt by itself, formail by the script around it. A session that has the
mailbox selected sees every message under one UID all the time (edits.py).
"""

import collections
import contextlib
import os
import re
import stat
import subprocess
import tempfile
import threading
import time

import tap
from edits import LIMIT_S, Watched, fetched, locked, numbers
from mail import numbered, send
from postern import Server
from terminal import Terminal

tap.need("formail", "mutt", "tmux")
FIRST = 10  # messages that are there when it begins
ROUNDS = 3
STAYS = 3  # how often mutt is told to leave while mail arrives


class Arriving(threading.Thread):
    """Mail comes, one message after the other, until it is told to stop."""

    def __init__(self, server, account):
        super().__init__()
        self.server, self.account, self.count = server, account, FIRST
        self.stopping, self.why = threading.Event(), None
        self.coming = threading.Lock()  # whoever holds it has no mail come
        self.start()

    def run(self):
        try:
            while not self.stopping.wait(0.2):
                with self.coming:
                    send(self.server, [self.account], numbered([self.count]))
                    self.count += 1
        except Exception as why:  # told by the test that waits for this thread
            self.why = why

    def wait_for(self, more):
        end = time.monotonic() + LIMIT_S
        wanted = self.count + more
        while self.count < wanted and not self.why:
            assert time.monotonic() < end, "mail does not come any more"
            time.sleep(0.02)

    def end(self):
        self.stopping.set()
        self.join()
        assert not self.why, repr(self.why)


@contextlib.contextmanager
def arriving(server, account):
    mail = Arriving(server, account)
    try:
        yield mail
    finally:
        mail.stopping.set()
        mail.join()
    mail.end()


def keeps_all_but(folder):
    """A program for `formail -s`: of the messages given to it, it hands on those whose number is no multiple of 3."""
    path = os.path.join(folder, "keep")
    with open(path, "w", encoding="ascii") as file:
        file.write("#!/bin/sh\ncat >one\nnumber=$(formail -x Subject: <one | tr -cd 0-9)\n"
                   "[ $((number % 3)) = 0 ] || cat one\n")
    os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
    return path


def formail(box, folder):
    """How many messages it took out: the mbox is written again in its place, under its lock."""
    with locked(box.mbox), open(box.mbox, "r+b") as file:
        before = file.read()
        kept = subprocess.run(["formail", "-s", keeps_all_but(folder)], cwd=folder, input=before, stdout=subprocess.PIPE,
                              check=True).stdout
        file.seek(0)
        file.write(kept)
        file.truncate()
    return before.count(b"\nSubject: ") - kept.count(b"\nSubject: ")


def is_whole(server, box, expected):
    """Once each, whether asked over the session or over another one."""
    box.becomes(expected)
    subjects = collections.Counter(re.search(rb"Subject: (.*)\r\n", text)[1].decode() for text in fetched(server, box.account))
    assert subjects == collections.Counter(expected.keys()), subjects


def test_formail(server):
    box = Watched(server, "test0000", numbered(range(FIRST)))
    with tap.test("formail takes messages out while mail arrives"), tempfile.TemporaryDirectory() as folder:
        with arriving(server, box.account) as mail:
            gone = 0
            for _ in range(ROUNDS):
                gone += formail(box, folder)
                mail.wait_for(3)
        gone += formail(box, folder)
        tap.note(f"{mail.count} messages came, {gone} were taken out")
        expected = numbers(*(n for n in range(mail.count) if n % 3))
        assert gone == mail.count - len(expected)
        is_whole(server, box, expected)


def leave(terminal):
    """mutt is told to, unless it has left; whether it has."""
    if not terminal.ended():
        terminal.type("q")
        time.sleep(0.2)
    return terminal.ended()


def mutt_deletes(box, mail, subject):
    """Opens the mailbox, marks one message, and leaves once more mail came. mutt stays each time that it finds mail as it
    wants to write: on a busy machine always, so that mail rests in the end."""
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/Mail")
        with open(f"{folder}/muttrc", "w", encoding="ascii") as file:
            file.write("set delete=yes quit=yes move=no mark_old=no wait_key=no confirmappend=no\n")
        with Terminal(["mutt", "-n", "-F", f"{folder}/muttrc", "-f", box.mbox], {"HOME": folder}) as terminal:
            terminal.see("number")
            terminal.type(f"/~s {subject}$\nd")
            mail.wait_for(3)
            for _ in range(STAYS):
                leave(terminal)
            end = time.monotonic() + LIMIT_S
            with mail.coming:
                while not leave(terminal):
                    assert time.monotonic() < end, f"mutt does not leave:\n{terminal.screen()}"


def test_mutt(server):
    box = Watched(server, "test0001", numbered(range(FIRST)))
    with tap.test("mutt deletes messages while mail arrives"):
        with arriving(server, box.account) as mail:
            for number in range(ROUNDS):
                mutt_deletes(box, mail, f"number {number}")
        tap.note(f"{mail.count} messages came")
        is_whole(server, box, numbers(*range(ROUNDS, mail.count)))


def main():
    with Server(users=2, set=['sending.retry {"1s"}']) as server:
        test_formail(server)
        test_mutt(server)
    tap.done()


if __name__ == "__main__":
    main()
