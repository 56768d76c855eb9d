"""stalls.py - LevelDB hangs, and no client waits for it: what it does to its files is held (t/crash/disk.c) while clients of
all kinds are answered, on mailboxes that are in memory and on those that are not."""

import json
import os
import poplib

import faulty
import tap
from faulty import CHANGING, OPEN, rule
from mail import append, done, fetch_all, imap_session, numbered, send, texts
from postern import PASSWORD, Server, wait_until

WAIT_S = 300
WARM, COLD, LATE = "test0000", "test0001", "test0002"
MANY = 300  # more than a small view has room for
HELD = rule([*CHANGING, OPEN], path="/leveldb/", hold=True)


class Held:
    """LevelDB's files are out of reach from before the clients begin until they are done."""

    def __init__(self, disk):
        self.disk = disk

    def __enter__(self):
        self.disk.set([HELD])
        return self

    def wait(self):
        wait_until(lambda: self.disk.held() > 0, WAIT_S, "LevelDB hangs")

    def __exit__(self, *wrong):
        held = self.disk.held()
        self.disk.let_go()
        wait_until(lambda: self.disk.held() == 0, WAIT_S, "LevelDB goes on")
        assert wrong[0] or held, "LevelDB hung to the end"


def stats(server, name):
    return json.loads(server.command("stats", "--json"))[name]


def retrieve(server, account):
    pop = poplib.POP3(server.host, server.ports["pop3"], timeout=WAIT_S)
    pop.user(server.address(account))
    pop.pass_(PASSWORD)
    try:
        return [b"\r\n".join(pop.retr(number + 1)[1]) + b"\r\n" for number in range(pop.stat()[0])]
    finally:
        pop.quit()


def subjects(found):
    return [text.split(b"number ")[1].split(b"\r\n")[0] for text in found]


def expected(numbers):
    return [b"%d" % number for number in numbers]


def files_of(pid):
    """Paths of what a process has open."""
    paths = []
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            paths.append(os.readlink(f"/proc/{pid}/fd/{number}"))
        except FileNotFoundError:  # closed since
            pass
    return paths


def rests(server):
    """Whether no process of it has an index open, another minute later."""
    server.clock("+61s")
    return not any(path.endswith("/leveldb/LOCK") for pid in server.workers() for path in files_of(pid))


def change_all(server, account):
    """What a client does to its mailboxes: each must be answered."""
    with imap_session(server, account) as imap:
        done(imap.append("INBOX", None, None, numbered([100])[0]))
        done(imap.store("1", "+FLAGS", r"(\Flagged)"))
        done(imap.create("Other"))
        done(imap.copy("1:2", "Other"))
        done(imap.status("Other", "(MESSAGES UNSEEN)"))
        done(imap.rename("Other", "Another"))
        done(imap.store("2", "+FLAGS", r"(\Deleted)"))
        done(imap.expunge())
        done(imap.select("Another"))
        done(imap.fetch("1:*", "(FLAGS BODY.PEEK[])"))
        done(imap.close())
        done(imap.delete("Another"))
        done(imap.select("INBOX"))
        return imap.untagged_responses["EXISTS"][0]


with Server(users=6, workers=1, set=["journal.checkpoint 1s"]) as server:
    send(server, [WARM, COLD, LATE], numbered(range(5)))
    uids = [uid for uid, _, _ in fetch_all(server, COLD)]
    disk = faulty.start_on(server)

    with tap.test("mailboxes that are not in memory are read from their files while LevelDB is being opened"):
        with Held(disk) as held:
            assert subjects(texts(server, COLD)) == expected(range(5))
            held.wait()
            assert [uid for uid, _, _ in fetch_all(server, COLD)] == uids
            assert subjects(retrieve(server, LATE)) == expected(range(5))

    with tap.test("what LevelDB could not be told then, it knows later"):
        assert "account=" not in server.command("fsck", server.address(COLD)), "nothing is amiss"

    with tap.test("mail is taken, read and changed while LevelDB cannot write"):
        assert subjects(texts(server, WARM)) == expected(range(5))
        with Held(disk) as held:
            send(server, [WARM], numbered([5]))
            held.wait()
            checkpoints = stats(server, "journal.checkpoints")
            send(server, [WARM, COLD], numbered([6]))
            assert subjects(texts(server, WARM)) == expected(range(7))
            assert change_all(server, WARM) == b"7"
            assert subjects(texts(server, WARM)) == expected([0, 2, 3, 4, 5, 6, 100])
            assert subjects(retrieve(server, WARM)) == expected([0, 2, 3, 4, 5, 6, 100])
            assert change_all(server, COLD) == b"6"
            wait_until(lambda: stats(server, "journal.checkpoints") > checkpoints, WAIT_S, "a checkpoint")
            assert stats(server, "store.index_stalls") > 0

    with tap.test("a mailbox outgrows its view while LevelDB cannot write"):
        with imap_session(server, LATE) as watching, Held(disk) as held:
            send(server, [LATE], numbered(range(5, MANY)))
            held.wait()
            wait_until(lambda: done(watching.noop()) and watching.untagged_responses.get("EXISTS", [b""])[-1] ==
                       b"%d" % MANY, WAIT_S, "all are told of")
            assert subjects(texts(server, LATE)) == expected(range(MANY))

    with tap.test("an index that nobody asked for a minute is closed, and hangs when it is opened again"):
        wait_until(lambda: rests(server), WAIT_S, "all indexes are closed")
        with Held(disk) as held:
            assert subjects(texts(server, WARM)) == expected([0, 2, 3, 4, 5, 6, 100])
            send(server, [COLD], numbered([7]))
            held.wait()
            assert subjects(texts(server, COLD)) == expected([0, 2, 3, 4, 6, 100, 7])
            assert subjects(texts(server, LATE)) == expected(range(MANY))
        assert "account=" not in server.command("fsck", server.address(COLD)), "nothing is amiss"

    with tap.test("all of it is there after a kill while LevelDB hangs"):
        disk.set([HELD])
        append(server, WARM, numbered([7]))
        wait_until(lambda: disk.held() > 0, WAIT_S, "LevelDB hangs")
        server.kill()
        disk.set([])
        faulty.start(server)
        assert subjects(texts(server, WARM)) == expected([0, 2, 3, 4, 5, 6, 100, 7])
        assert subjects(texts(server, COLD)) == expected([0, 2, 3, 4, 6, 100, 7])
        assert subjects(texts(server, LATE)) == expected(range(MANY))

tap.done()
