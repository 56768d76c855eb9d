"""fsck.py - `postern fsck` and `postern index rebuild`, beside a server that serves.

What is wrong is told with account, mailbox, UID and file; --repair mends it, throws nothing away and changes no UID.
"""

import glob
import json
import os
import random
import threading

import tap
from ledger import ERRORS, Client, difference, fits
from ledger import found as there
from mail import append, create, done, fetch_all, flags_of, imap_session, numbered, send
from postern import Server
from seed import seed

MAILBOX = "Archive/2026"
ROUNDS = 8  # of looking all over beside changes


def found(server, *words, fails=True):
    """What fsck tells as JSON: (problems, its last line)."""
    lines = [json.loads(line) for line in server.command("fsck", "--json", *words, fails=fails).splitlines()]
    return lines[:-1], lines[-1]


def contents(server, account, mailbox="INBOX"):
    return [(uid, flags_of(about), text) for uid, about, text in fetch_all(server, account, mailbox)]


def edit(path, old, new):
    """In place, as damage does it: nothing else moves."""
    assert len(old) == len(new)
    with open(path, "r+b") as file:
        bytes_ = file.read()
        assert bytes_.count(old) == 1, (path, old)
        file.seek(bytes_.index(old))
        file.write(new)


class Changes(threading.Thread):
    """A client that changes its account until it is told to stop; nothing that it asks for may be refused."""

    def __init__(self, client):
        super().__init__()
        self.client, self.stopping, self.why = client, threading.Event(), None
        self.start()

    def run(self):
        try:
            while not self.stopping.is_set():
                self.client.change_something()
        except ERRORS as why:  # told by the test that waits for this thread
            self.why = why

    def end(self):
        self.stopping.set()
        self.join()
        assert not self.why, f"{self.client.account}: {self.why!r}"


def beside_load():
    """Mailboxes come, go, change their names and are written anew while they are looked over."""
    with Server(users=2, workers=2, set=["journal.checkpoint 300ms", "store.compact_share 10"]) as server:
        clients = [Client(server, number, random.Random(f"{seed()} {number}")) for number in range(2)]
        threads = [Changes(client) for client in clients]
        with tap.test("nothing is wrong with mailboxes that change meanwhile, and nothing is mended"):
            for _ in range(ROUNDS):
                for words in (["--all"], ["--all", "--repair"]):
                    problems, last = found(server, *words, fails=False)
                    assert not problems and not last["problems"], problems
                server.command("index", "rebuild", "--all")
        with tap.test("and each client has what it was told"):
            for thread in threads:
                thread.end()
            tap.note(f"{sum(client.changes for client in clients)} changes")
            for client in clients:
                state = there(server, client.account)
                assert fits(state, client.state), list(difference(state, client.state))


def main():
    with Server(users=3, workers=2) as server:
        one, two = (server.address(f"test000{n}") for n in (0, 1))
        folder = os.path.dirname(server.mailbox_file("test0000"))
        send(server, ["test0000", "test0001"], numbered(range(20)))
        create(server, "test0000", MAILBOX)
        append(server, "test0000", numbered(range(5)), MAILBOX, r"(\Flagged work)")

        with tap.test("a store that is well has no problems"):
            assert "nothing is wrong" in server.command("fsck", "--all")
            problems, last = found(server, "--all", fails=False)
            assert not problems and last["messages"] == 45 and last["mailboxes"] == 3, last

        with tap.test("one account alone"):
            problems, last = found(server, two, fails=False)
            assert not problems and last["messages"] == 20, last

        with tap.test("what is meant must be said, and be there"):
            server.command("fsck", fails=True)
            server.command("fsck", one, "--all", fails=True)
            server.command("fsck", "--everything", fails=True)
            server.command("index", "--all", fails=True)
            assert "no such account" in server.command("fsck", server.address("nobody"), fails=True)

        with tap.test("an index made anew changes nothing, and sessions go on"):
            before = [contents(server, "test0000"), contents(server, "test0000", MAILBOX)]
            with imap_session(server, "test0000") as imap:
                server.command("index", "rebuild", "--all")
                assert done(imap.uid("SEARCH", "ALL"))[0].split() == [b"%d" % uid for uid in range(1, 21)]
                done(imap.uid("STORE", "3", "+FLAGS", r"(\Answered)"))
                server.command("index", "rebuild", one)
                assert rb"\Answered" in done(imap.uid("FETCH", "3", "(FLAGS)"))[0]
                done(imap.uid("STORE", "3", "-FLAGS", r"(\Answered)"))
            assert before == [contents(server, "test0000"), contents(server, "test0000", MAILBOX)]
            assert not found(server, "--all", fails=False)[0]

        with tap.test("a message whose UID is damaged is told, with all that names it"):
            edit(server.mailbox_file("test0000"), b"X-UID: 7\n", b"X-UIX: 7\n")
            problems, last = found(server, one)
            assert {(p["account"], p["mailbox"], p.get("uid")) for p in problems} >= {(one, "INBOX", 7)}, problems
            assert last["left"] == last["problems"] == len(problems)
            assert all(p["mend"] == "can" for p in problems), problems
            assert "X-UIX" in open(server.mailbox_file("test0000"), encoding="utf-8").read(), "changed without --repair"

        with tap.test("and repaired"):
            problems, last = found(server, one, "--repair", fails=False)
            assert last["left"] == 0 and problems and all(p["mend"] == "done" for p in problems), problems
            assert not found(server, one, fails=False)[0]
            assert [uid for uid, _, _ in contents(server, "test0000")] == list(range(1, 21))

        with tap.test("lines of a state file that are not understood are set aside, the others count"):
            with imap_session(server, "test0001") as imap:
                done(imap.uid("STORE", "5", "+FLAGS", r"(\Flagged)"))
                done(imap.uid("STORE", "6", "+FLAGS", r"(\Flagged)"))
            path = server.mailbox_file("test0001", kind="state")
            edit(path, b"flags 5 ", b"flogs 5 ")
            problems, _ = found(server, two)
            assert any(p["file"].endswith("INBOX.state") and p["offset"] for p in problems), problems
            found(server, two, "--repair", fails=False)
            assert b"flogs" in open(glob.glob(path + ".damaged.*")[0], "rb").read()
            assert [uid for uid, flags, _ in contents(server, "test0001") if rb"\Flagged" in flags] == [6]
            problems, last = found(server, two, fails=False)
            assert [p["mend"] for p in problems] == ["note"] and not last["problems"], problems

        with tap.test("what is left over is removed, modes are corrected, what is not ours stays"):
            half = os.path.join(folder, "INBOX.mbox.7")
            new = os.path.join(folder, "account.mailboxes.new")
            strange = os.path.join(folder, "strange")
            owner = os.stat(folder)
            for path in (half, new, strange):
                with open(path, "w", encoding="utf-8"):
                    os.chown(path, owner.st_uid, owner.st_gid)
                    os.chmod(path, 0o600)
            os.chmod(server.mailbox_file("test0000"), 0o644)
            problems, last = found(server, one)
            assert last["problems"] == 4 and last["left"] == 4, problems
            problems, last = found(server, one, "--repair")
            assert last["left"] == 1 and os.path.exists(strange), problems
            assert not os.path.exists(half) and not os.path.exists(new)
            assert os.stat(server.mailbox_file("test0000")).st_mode & 0o777 == 0o600

        with tap.test("an index that says something else than the files is made anew"):
            edit(server.mailbox_file("test0000", MAILBOX, "mbox"), b"number 3\n", b"number\n3\n")
            problems, _ = found(server, one)
            assert any(p.get("mailbox") == MAILBOX and "index" in p["problem"] for p in problems), problems
            found(server, one, "--repair")
            problems, _ = found(server, one)
            assert not any(p.get("mailbox") for p in problems), problems

        with tap.test("an mbox without a message in it is set aside, and mail comes again"):
            path = server.mailbox_file("test0002")
            send(server, ["test0002"], numbered(range(3)))
            server.stop()
            with open(path, "r+b") as file:
                file.write(b"\0" * os.path.getsize(path))
            server.start()
            problems, _ = found(server, server.address("test0002"))
            assert any("not an mbox" in p["problem"] for p in problems), problems
            problems, last = found(server, server.address("test0002"), "--repair", fails=False)
            assert not last["left"], problems
            assert glob.glob(path + ".damaged.*")
            send(server, ["test0002"], numbered([9]))
            (uid, _, _), = contents(server, "test0002")
            assert uid > 3, "a UID was given twice"
    beside_load()
    tap.done()


if __name__ == "__main__":
    main()
