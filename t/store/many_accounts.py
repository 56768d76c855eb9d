"""many_accounts.py - a store of many accounts, and an account of many mailboxes; with few descriptors, too.

What is open at a time is bounded by settings and by what the process may have; nobody is refused for it.
"""

import contextlib
import os
import pty
import random
import re
import subprocess
import threading

import tap
from mail import done, imap_session, numbered, send
from postern import TOP, Server, binary, wait_until

ACCOUNTS = int(os.environ.get("N", "2000"))
MAILBOXES = ACCOUNTS // 2
MESSAGES = 2
FEW = 160  # descriptors
GUESTS = 100  # sessions at a time
WAIT_S = 200
FILL = os.path.join(TOP, os.environ.get("BUILD", "build"), "bench/accounts_fill")


def fill(server, accounts, mailboxes):
    """Writes accounts and mailboxes into a server's store, as the text files that they are."""
    server.stop()
    subprocess.run([FILL, server.store, server.domain, str(accounts), str(MESSAGES), str(mailboxes)], check=True)
    server.start()


def descriptors(server):
    """Of the worker that has most."""
    return max(len(os.listdir(f"/proc/{pid}/fd")) for pid in server.workers())


def databases(server):
    """Databases of the index that are open, in the worker that has most of them open."""
    def of(pid):
        links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        return len({os.path.dirname(link) for link in links if "/leveldb/" in link})
    return max(of(pid) for pid in server.workers())


def messages(server, account):
    with imap_session(server, account) as imap:
        return len(done(imap.search(None, "ALL"))[0].split())


def some(count):
    """So many accounts here and there, the same first ones each time."""
    numbers = list(range(1, ACCOUNTS))
    random.Random(1).shuffle(numbers)
    return [f"test{n:04}" for n in numbers[:count]]


def on_terminal(server, *words):
    """What a command prints, and what it shows meanwhile of how far it is, as fast as the server's clock lets it."""
    shown = bytearray()
    ours, terminal = pty.openpty()

    def read():
        with contextlib.suppress(OSError):  # at its end
            while piece := os.read(ours, 4096):
                shown.extend(piece)

    with subprocess.Popen([binary(), "-c", server.conf, *words], stdout=subprocess.PIPE, stderr=terminal, text=True) as run:
        os.close(terminal)
        reader = threading.Thread(target=read)
        reader.start()
        while run.poll() is None:
            server.clock("+1s")
        said = run.stdout.read()
        reader.join()
    os.close(ours)
    return said, shown.decode()


def test_accounts(server):
    with tap.test("every account of a store that was written as text files is there"):
        names = server.command("account", "list", server.domain).split()
        assert len(names) == ACCOUNTS + 1 and names == sorted(names), len(names)
        assert {messages(server, account) for account in some(20)} == {MESSAGES}
    with tap.test("mail reaches many of them, and no more are kept in memory than is set"):
        reached = some(200)
        for first in range(0, len(reached), 50):
            send(server, reached[first:first + 50], numbered([7]))
        assert {messages(server, account) for account in some(20)} == {MESSAGES + 1}
        assert databases(server) <= 4, databases(server)
    with tap.test("after kill -9 they are served as before"):
        server.kill()
        server.start()
        assert {messages(server, account) for account in some(60)} == {MESSAGES + 1}
    with tap.test("fsck looks at every account beside it all"):
        said, shown = on_terminal(server, "fsck", "--all")
        assert "nothing is wrong" in said and f"{ACCOUNTS + MAILBOXES} mailboxes" in said, said
    with tap.test("and shows how far it is"):
        counts = [int(count) for count in re.findall(r"(\d+) mailboxes  ", shown)]
        assert len(set(counts)) > 1 and counts == sorted(counts) and counts[-1] <= ACCOUNTS + MAILBOXES, shown
    backup = server.path("backup")
    os.mkdir(backup)
    if os.geteuid() == 0:
        os.chown(backup, os.stat(server.store).st_uid, -1)
    with tap.test("and a backup has every account"):
        said, shown = on_terminal(server, "backup", backup)
        kept = os.listdir(os.path.join(backup, "domains", server.domain))
        assert sum(name.startswith("test") for name in kept) == ACCOUNTS, len(kept)
    with tap.test("and shows how far it is, too"):
        counts = [int(count) for count in re.findall(r"(\d+) accounts, ", shown)]
        assert len(set(counts)) > 1 and counts == sorted(counts) and counts[-1] <= ACCOUNTS + 1, shown


def test_mailboxes(server):
    imap = imap_session(server, "test0000")

    def listed(*how):
        return done(imap.list(*how))

    with tap.test(f"an account of {MAILBOXES} mailboxes lists them all"):
        assert len(listed('""', '"All/*"')) == MAILBOXES
    with tap.test("and their status"):
        tag = imap._new_tag()
        imap.send(tag + b' LIST "" "All/*" RETURN (STATUS (MESSAGES))\r\n')
        told = 0
        while not (line := imap.readline()).startswith(tag):
            told += line.startswith(b"* STATUS ")
        assert line.split()[1] == b"OK" and told == MAILBOXES, (line, told)
    with tap.test("RENAME of what is above them takes them all along, CREATE and DELETE go on"):
        done(imap.create("New/Place"))
        done(imap.rename("All", "Every"))
        assert len(listed('""', '"Every/*"')) == MAILBOXES and not any(listed('""', '"All/*"'))
        done(imap.select('"Every/00007"'))
        done(imap.create("Every/More"))
        done(imap.delete("Every/00008"))
        assert len(listed('""', '"Every/*"')) == MAILBOXES
    imap.logout()
    server.kill()
    server.start()
    with tap.test("which kill -9 does not undo"), imap_session(server, "test0000") as imap:
        assert len(listed('""', '"Every/*"')) == MAILBOXES


@contextlib.contextmanager
def few_descriptors(server):
    """The server is started with few, for as long as this lasts."""
    script = server.path("few.sh")
    with open(script, "w") as file:
        file.write(f'#!/bin/sh\nulimit -n {FEW}\nexec {binary()} "$@"\n')
    os.chmod(script, 0o755)
    before = os.environ.get("POSTERN_BINARY")
    os.environ["POSTERN_BINARY"] = script
    try:
        server.restart()
        yield
    finally:
        if before is None:
            del os.environ["POSTERN_BINARY"]
        else:
            os.environ["POSTERN_BINARY"] = before


def test_few(server):
    accounts = some(GUESTS)
    with few_descriptors(server):
        guests = [imap_session(server, account) for account in accounts]
        with tap.test(f"with {FEW} descriptors {GUESTS} sessions on mailboxes of their own are served"):
            for imap in guests:
                done(imap.create("Little"))
                done(imap.store("1", "+FLAGS", r"(\Flagged)"))
        with tap.test("beside them mail comes to everybody else"):
            others = some(GUESTS + 50)[GUESTS:]
            send(server, others, numbered([8]))
            for imap in guests:
                imap.logout()
            wait_until(lambda: {messages(server, account) for account in others} == {MESSAGES + 2},
                       WAIT_S, "mail for all of them")
        with tap.test("clients that are more than there is room for are served one after the other"):
            waiting = [imap_session(server, account) for account in accounts[:40]]
            assert descriptors(server) <= FEW
            for imap in waiting:
                imap.logout()
        with tap.test("and nothing but new connections ever had to wait for a descriptor"):
            short = [line for line in server.log().splitlines() if "Too many open files" in line]
            assert all(" accept role=" in line for line in short), short[:5]


def main():
    if not os.path.exists(FILL):
        subprocess.run(["make", "-s", "-C", TOP, os.path.relpath(FILL, TOP)], check=True)
    with Server(users=1, workers=2, set=["store.open_accounts 50", "store.open_mailboxes 50",
                                         "store.open_indexes 4", "limits.connections_per_address 5000"]) as server:
        fill(server, ACCOUNTS, MAILBOXES)
        test_accounts(server)
        test_mailboxes(server)
        test_few(server)
    tap.done()


if __name__ == "__main__":
    main()
