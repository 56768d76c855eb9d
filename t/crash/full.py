"""full.py - a disk that is really full: mail is put off, flags and deletes still work, and so the disk is emptied again.

The store lies on a small file system of its own (tmpfs: mounting one takes root). It is filled by mail until that is refused, then
by somebody else's file to the last byte, and emptied by its own accounts: expunged over IMAP, deleted by POP3, with its
mailboxes written anew. What each client was told is what is there, after kill -9 too.
"""

import collections
import contextlib
import os
import random
import shutil
import smtplib
import subprocess
import sys
import tempfile
import time

import tap
from ledger import ERRORS, Client, difference, fits, found, is_refusal, tally, told
from mail import SENDER, done, imap_session
from postern import Server, wait_until
from seed import seed

SIZE = 64 << 20
RESERVE = 6 << 20
SETTINGS = ["journal.segment 1M", "journal.size 8M", "journal.checkpoint 300ms", f"journal.reserve {RESERVE}",
            "store.compact_share 10", "store.shards 4", 'sending.retry {"1s"}']
SEED = seed()
CLIENTS = 2
FILLED = "test0002"  # gets the mail that fills the disk
LARGE = b"Subject: large\r\n\r\n" + (b"x" * 98 + b"\r\n") * 4000
WELL_S = 30
SECONDS = 3  # of changes on a disk that has no byte left


@contextlib.contextmanager
def small_disk():
    """A folder whose store/ is a file system of its own."""
    if os.geteuid():
        print("1..0 # SKIP mounting a file system takes root")
        sys.exit(0)
    folder = tempfile.mkdtemp(prefix="postern-")
    store = os.path.join(folder, "store")
    os.chmod(folder, 0o755)
    os.mkdir(store)
    done_ = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", store], capture_output=True, text=True)
    if done_.returncode:
        os.rmdir(store)
        os.rmdir(folder)
        print(f"1..0 # SKIP no file system can be mounted here: {done_.stderr.strip()}")
        sys.exit(0)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", store], check=True)
        shutil.rmtree(folder, ignore_errors=True)


def free(server):
    status = os.statvfs(server.store)
    return status.f_bavail * status.f_frsize


def send(server, account, message):
    with contextlib.closing(smtplib.SMTP(server.host, server.ports["smtp"], timeout=60)) as smtp:
        try:
            smtp.sendmail(SENDER, [server.address(account)], message)
        except smtplib.SMTPRecipientsRefused as why:
            return next(iter(why.recipients.values()))
        except smtplib.SMTPResponseException as why:
            return why.smtp_code, why.smtp_error
    return 250, b""


def fill_by_mail(server):
    """What the message was answered that was not taken; how many were."""
    for count in range(2 * SIZE // len(LARGE)):
        code, text = send(server, FILLED, LARGE)
        if code != 250:
            return count, code, text
    raise AssertionError("mail is taken without end")


def fill_until(server, left):
    """Somebody else's file takes all room but so many bytes."""
    path = os.path.join(server.store, "filler")
    with open(path, "ab", buffering=0) as file:
        for piece in (1 << 20, 4096, 1):
            with contextlib.suppress(OSError):
                while free(server) >= left + piece:
                    file.write(b"f" * piece)
    return path


def is_short(server, client):
    """Whether mail and APPEND are refused where less than the reserve is left. The server may not have seen yet that it is
    so, and what its journal gives back makes room once more: then once more."""
    fill_until(server, RESERVE // 2)
    return not any(try_all(client, {"mail": client.deliver, "APPEND": lambda: client.append("INBOX")}).values())


def try_all(client, changes):
    """Each change once; answers {name: whether it was made}. What is refused was not made: Wrong."""
    made = {}
    for name, change in changes.items():
        try:
            client.do(change)
        except ERRORS as why:
            assert is_refusal(why), f"{name}: {why!r}"
        made[name] = client.why is None
        if client.why:
            client.resume()
    return made


def changes_of(client):
    return {"COPY": lambda: client.copy("INBOX", "COPY"), "STORE": lambda: client.store("INBOX"),
            "mark": lambda: client.mark("box"), "EXPUNGE": lambda: client.expunge("box"), "POP3": client.pop,
            "DELETE": lambda: client.delete("box")}


def main():
    tap.note(f"SEED={SEED}")
    with small_disk() as folder, Server(folder, users=CLIENTS + 1, workers=2, set=SETTINGS) as server:
        clients = [Client(server, number, random.Random(f"{SEED} {number}")) for number in range(CLIENTS)]
        for client in clients:
            client.create("box")
            for _ in range(6):
                client.append("INBOX")
                client.append("box")
        with tap.test("mail fills the disk until it is refused for now, with room left for what is smaller"):
            room = free(server)
            count, code, text = fill_by_mail(server)
            tap.note(f"{count} messages taken, then {code} {text.decode()}; {free(server) >> 10} KiB free")
            assert code == 452 and text.startswith(b"4.3.1"), (code, text)
        with tap.test("what needs room is refused and not made, flags and deletes are made"):
            wait_until(lambda: is_short(server, clients[0]), WELL_S, "mail and APPEND that are refused")
            made = try_all(clients[0], changes_of(clients[0]))
            tap.note(made)
            assert all(made[name] for name in ("STORE", "mark", "EXPUNGE", "POP3", "DELETE")), made
        with tap.test("to the last byte: what is refused was not made, what is answered was"):
            filler = fill_until(server, 0)
            assert free(server) == 0
            end, client, before = time.monotonic() + SECONDS, clients[1], clients[1].changes
            while time.monotonic() < end:
                try:
                    client.change_something()
                except ERRORS as why:
                    assert is_refusal(why), repr(why)
            tap.note(f"{client.changes - before} changes made, {client.refusals} refused")
        with tap.test("when there is room again all goes on by itself"):
            os.unlink(filler)
            for client in clients:
                wait_until(lambda client=client: try_all(client, {"STORE": lambda: client.store("INBOX")})["STORE"], WELL_S,
                           "a change of flags")
        with tap.test("what is expunged makes room for mail"):
            with imap_session(server, FILLED) as imap:
                done(imap.store("1:*", "+FLAGS.SILENT", r"(\Deleted)"))
                done(imap.expunge())
            server.command("settle", server.address(FILLED))
            wait_until(lambda: free(server) > room * 3 // 4, WELL_S, "the room of what was expunged")
            wait_until(lambda: send(server, FILLED, LARGE)[0] == 250, WELL_S, "mail that is taken again")
            more = []
            wait_until(lambda: more.append(fill_by_mail(server)[0]) or sum(more) >= count // 2, WELL_S, "as much mail again")
            tap.note(f"{more} more messages")
        with tap.test("after kill -9 every account is what its client knows"):
            server.kill()
            server.start()
            counted = collections.Counter()
            for client in clients:
                state = found(server, client.account)
                counted.update(tally(state, client.state))
                assert fits(state, client.state), list(difference(state, client.state))
            tap.note(told("full", 2, sum(client.changes for client in clients), counted))
    tap.done()


if __name__ == "__main__":
    main()
