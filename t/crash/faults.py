"""faults.py - a disk that is full, broken or slow: what cannot be done is refused, nothing else, and all is well afterwards.

A preloaded library (disk.c) makes calls of the server fail as this test wants. Clients change mail all the while, each alone
in an account of its own; a change that is answered was made, one that is refused was made whole or not at all (a note tells
of those that were made all the same, whose answer needed what failed), and no mail that SMTP refused was taken. When the
fault is over each client goes on within a moment, by itself; and after kill -9 every account is what its client knows.

SECONDS says how long each fault lasts (0.7), SEED repeats what the clients do.
"""

import errno
import imaplib
import mmap
import os
import poplib
import random
import smtplib
import struct
import threading
import time

import power
import tap
from ledger import Client, difference, disk, fits, found
from postern import Server, wait_until

SECONDS = float(os.environ.get("SECONDS", "0.7"))
SEED = os.environ.get("SEED") or str(random.randrange(1 << 30))
ACCOUNTS = 3
WARM_S = 2  # of changes before the first: the journals have their segments then
WELL_S = 30  # how long after a fault a change may still be refused
RULE = struct.Struct("=IiIIIII100s")
RULES = 16
ERRORS = (OSError, EOFError, AssertionError, imaplib.IMAP4.error, smtplib.SMTPException, poplib.error_proto)
REFUSED = (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused)
OPEN, READ = 11, 12


def rule(kinds, number=0, every=1, slow_ms=0, short_by=0, path=""):
    return RULE.pack(sum(1 << kind for kind in kinds), number, every, slow_ms, short_by, 0, 0, path.encode())


MAKING = (power.WRITE, power.CREATE, power.DIRECTORY, power.GROW)
FAULTS = {
    "a full disk": [rule(MAKING, errno.ENOSPC)],
    "a disk that is full now and then": [rule(MAKING, errno.ENOSPC, every=3)],
    "a quota that is used up": [rule(MAKING, errno.EDQUOT)],
    "writes to the journal that fail": [rule([power.WRITE], errno.EIO, every=2, path="journal/")],
    "syncs of the journal that fail": [rule([power.SYNC], errno.EIO, every=3, path="journal/")],
    "syncs of all that fail": [rule([power.SYNC_ALL], errno.EIO, every=2)],
    "writes to mailboxes that fail": [rule([power.WRITE], errno.EIO, every=2, path="domains/")],
    "writes to the index that fail": [rule([power.WRITE, power.CREATE], errno.EIO, every=2, path="index/")],
    "names that cannot be changed": [rule([power.RENAME, power.LINK, power.UNLINK], errno.EIO, every=2)],
    "writes that are short": [rule([power.WRITE], every=2, short_by=7)],
    "files that cannot be opened": [rule([OPEN, power.CREATE], errno.EMFILE, every=2)],
    "reads that fail": [rule([READ], errno.EIO, every=3, path="domains/")],
    "syncs that are slow": [rule([power.SYNC, power.SYNC_ALL], slow_ms=150)],
}


class Disk:
    """The rules that disk.c reads."""

    def __init__(self, path):
        with open(path, "wb") as file:
            file.write(bytes(RULE.size * RULES))
        os.chmod(path, 0o666)
        self.file = open(path, "r+b")
        self.map = mmap.mmap(self.file.fileno(), 0)

    def set(self, rules):
        self.map[:] = b"".join(rules).ljust(RULE.size * RULES, b"\0")

    def hits(self):
        return sum(RULE.unpack_from(self.map, n * RULE.size)[6] for n in range(RULES))


class Changes(threading.Thread):
    """A client that changes its account until it is told to stop. What it sees in the end is looked at by others."""

    def __init__(self, client):
        super().__init__()
        self.client, self.stopping = client, threading.Event()
        self.done = self.refused = 0
        self.made, self.wrong = [], []
        self.start()

    def run(self):
        while not self.stopping.is_set():
            try:
                self.client.change_something()
                self.client.look()
                self.done += 1
            except ERRORS as why:
                self.refused += 1
                self.resume(why)

    def resume(self, why):
        while not self.stopping.is_set():
            try:
                if self.client.resume():
                    if isinstance(why, REFUSED):
                        self.wrong.append(f"{self.client.account}: {why!r}")
                    self.made.append(f"{self.client.account}: refused, and made all the same: {why!r}")
                return
            except ERRORS:
                self.stopping.wait(0.02)  # it cannot even be looked at now; is_well looks at last


def is_well(client):
    """Whether a client gets on again, within a while."""
    end = time.monotonic() + WELL_S
    while True:
        try:
            client.resume()
            for change in (client.deliver, lambda: client.append("INBOX"), lambda: client.mark("INBOX")):
                change()
                client.look()
            return
        except ERRORS:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def suffer(clients, faulty, rules, seconds):
    """The fault while the clients work; then all must be well."""
    faulty.set(rules)
    threads = [Changes(client) for client in clients]
    time.sleep(seconds)
    if rules:
        wait_until(faulty.hits, WELL_S, "a call that fails")
    hits = faulty.hits()
    faulty.set([])
    for thread in threads:
        thread.stopping.set()
    for thread in threads:
        thread.join()
    tap.note(f"{hits} faults, {sum(t.done for t in threads)} changes made, {sum(t.refused for t in threads)} refused")
    wrong = [line for thread in threads for line in thread.wrong]
    assert not wrong, "refused, and taken all the same: " + "; ".join(wrong)
    tap.note("\n".join(line for thread in threads for line in thread.made) or "none of these was made")
    for client in clients:
        is_well(client)


def main():
    tap.note(f"SEED={SEED}")
    with Server(users=ACCOUNTS, workers=2, set=["journal.segment 1M", "journal.size 8M", "journal.checkpoint 300ms",
                                                "store.compact_share 10", 'sending.retry {"1s"}']) as server:
        server.stop()
        faulty = Disk(server.path("faults"))
        os.environ.update(LD_PRELOAD=disk(), DISK_BELOW=server.store, DISK_FAULTS=server.path("faults"))
        try:
            server.start()
        finally:
            for name in ("LD_PRELOAD", "DISK_BELOW", "DISK_FAULTS"):
                del os.environ[name]
        clients = [Client(server, number, random.Random(f"{SEED} {number}"), lambda what: None)
                   for number in range(ACCOUNTS)]
        before = server.workers()
        suffer(clients, faulty, [], WARM_S)
        for name, rules in FAULTS.items():
            with tap.test(name):
                suffer(clients, faulty, rules, SECONDS)
        tap.ok(server.workers() == before, "no worker died of it")
        with tap.test("after kill -9 every account is what its client knows"):
            server.kill()
            server.start()
            for client in clients:
                state = found(server, client.account)
                assert fits(state, client.state), list(difference(state, client.state))
    tap.done()


if __name__ == "__main__":
    main()
