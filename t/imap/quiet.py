"""quiet.py - a session whose client is quiet lets go of its mailbox, and knows what it told its client all the same.

A quiet session holds no view, only which UIDs its client counts (RFC 3501, 2.3.1.2 and 7.4.1). While it sleeps others
expunge, append, change flags and rename; the mailbox is written anew, leaves its owner's memory, or
it is deleted. Then the client speaks and is told just what it lacks; one that idles is woken and told (RFC 2177).
Memory: N sessions, quiet on mailboxes of their own, cost less than a generous bound each.
"""

import os
import re
import socket
import ssl

import tap
from postern import PASSWORD, Server, wait_until

WAIT_S = 120
SESSIONS = int(os.environ.get("N", "300"))
QUIET = "imap.quiet_time 1m"  # longer than a busy machine lets any client wait
NO_FILE = "no file can be read there"
PLAIN, TLS = "imap", "imaps"


class Client:
    def __init__(self, server, account, role=PLAIN):
        self.server = server
        self.socket = socket.create_connection((server.host, server.ports[role]), timeout=WAIT_S)
        if role == TLS:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket)
        self.lines = self.socket.makefile("rb")
        self.line()
        self.run(f"LOGIN {server.address(account)} {PASSWORD}")

    def close(self):
        self.lines.close()
        self.socket.close()

    def line(self):
        line = self.lines.readline().decode().rstrip("\r\n")
        assert line, "the connection ended"
        return line

    def send(self, text):
        self.socket.sendall(text.encode() + b"\r\n")

    def answer(self, code=None):
        """The untagged lines up to the tagged one, which is OK, or NO with the code."""
        told = []
        while not (line := self.line()).startswith("a "):
            told.append(line)
        assert line.startswith(f"a NO {code}" if code else "a OK"), line
        return told

    def run(self, command, code=None):
        self.send("a " + command)
        return self.answer(code)

    def append(self, count=1, text="x\r\n"):
        for _ in range(count):
            self.run(f"APPEND INBOX {{{len(text)}+}}\r\n{text}")

    def idle(self):
        self.send("a IDLE")
        assert self.line().startswith("+")

    def uids(self):
        return [int(re.search(r"UID (\d+)", line)[1]) for line in self.run("FETCH 1:* (UID)")]


def count(server, name):
    return int(re.search(rf"^{re.escape(name)}\s+(\d+)", server.command("stats"), re.M)[1])


def asleep(server, sessions=1, before=None):
    """The clock moves until so many more sessions have given back what they hold, than now or than `before`."""
    before = count(server, "imap.quieted") if before is None else before
    server.clock("+61s")
    wait_until(lambda: count(server, "imap.quieted") >= before + sessions, WAIT_S, "sessions to be quiet")


def of(lines, word):
    return [line for line in lines if word in line]


def fresh(server, messages, text="x\r\n"):
    """A session that knows so many messages and is quiet, and another that is awake."""
    with_all = Client(server, "test0000")
    if "* 0 EXISTS" not in with_all.run("SELECT INBOX"):
        with_all.run(r"STORE 1:* +FLAGS.SILENT (\Deleted)")
    with_all.run("EXPUNGE")
    with_all.append(messages, text)
    sleeper = Client(server, "test0000")
    told = sleeper.run("SELECT INBOX")
    assert f"* {messages} EXISTS" in told, told
    return with_all, sleeper


def written_anew(server):
    """A quiet session of 40 messages whose first 30 are expunged and no longer in the file, and the UIDs it counts."""
    other, sleeper = fresh(server, 40, 300 * "garbage for the next generation\r\n")
    uids = sleeper.uids()
    asleep(server, 2)
    other.run(r"STORE 1:30 +FLAGS (\Deleted)")
    other.run("EXPUNGE")
    other.close()
    anew = server.log().count("written anew account")
    server.clock("+301s")
    wait_until(lambda: server.log().count("written anew account") > anew, WAIT_S, "the mailbox to be written anew")
    return sleeper, uids


def told_by_others(server):
    with tap.test("expunged, added and changed while it slept: told in answer to the next command"):
        other, sleeper = fresh(server, 6)
        uids = sleeper.uids()
        asleep(server, 2)
        other.run(r"STORE 2,5 +FLAGS (\Deleted)")
        other.run("EXPUNGE")
        other.append()
        other.run(r"STORE 1 +FLAGS (\Flagged)")
        woken = count(server, "imap.woken")
        told = sleeper.run("NOOP")
        assert of(told, "EXPUNGE") == ["* 5 EXPUNGE", "* 2 EXPUNGE"], told
        assert of(told, "EXISTS") == ["* 5 EXISTS"], told
        assert of(told, "FETCH") == [r"* 1 FETCH (FLAGS (\Flagged))"], told
        assert count(server, "imap.woken") == woken + 1
        assert sleeper.uids()[:4] == [uid for n, uid in enumerate(uids) if n not in (1, 4)]
        asleep(server, 2)
        assert not sleeper.run("NOOP"), "it is told nothing twice"
        sleeper.close()
        other.close()
    with tap.test("FETCH first: the numbers stay as they were told, the gone message among them (7.4.1)"):
        other, sleeper = fresh(server, 4)
        uids = sleeper.uids()
        asleep(server, 2)
        other.run(r"STORE 1 +FLAGS (\Deleted)")
        other.run("EXPUNGE")
        asleep(server, 1)
        told = sleeper.run("FETCH 2:4 (UID)")
        assert [line for line in told if "UID" in line] == [f"* {n} FETCH (UID {uids[n - 1]})" for n in (2, 3, 4)], told
        assert not of(told, "EXPUNGE"), told
        asleep(server, 1)
        assert sleeper.run("NOOP") == ["* 1 EXPUNGE"]
        assert sleeper.uids() == uids[1:]
        sleeper.close()
        other.close()
    with tap.test("written anew while it slept: the same, though the file has other places now"):
        sleeper, uids = written_anew(server)
        told = sleeper.run("FETCH 31 (UID)")
        assert f"* 31 FETCH (UID {uids[30]})" in told and not of(told, "EXPUNGE"), told
        asleep(server, 1)
        assert of(sleeper.run("NOOP"), "EXPUNGE") == [f"* {n} EXPUNGE" for n in range(30, 0, -1)]
        assert sleeper.uids() == uids[30:]
        sleeper.close()
    with tap.test("gone and written anew: a lost message is left out, and nobody reads the mailbox again for it"):
        sleeper, uids = written_anew(server)
        for items in ("FLAGS RFC822.SIZE INTERNALDATE", "BODY.PEEK[]", "ENVELOPE"):
            told = sleeper.run(f"FETCH 2,31 ({items})", code="[EXPUNGEISSUED]")
            assert [line.split(" (")[0] for line in of(told, " FETCH (")] == ["* 31 FETCH"], told
        assert of(sleeper.run("SEARCH TEXT garbage"), "SEARCH") == [" ".join(["* SEARCH", *map(str, range(31, 41))])]
        assert "is not where it was" not in server.log()
        told = sleeper.run(f"UID FETCH {uids[1]},{uids[30]} (FLAGS RFC822.SIZE)")  # a UID that is no more: no error
        assert [line.split(" (")[0] for line in of(told, "RFC822.SIZE")] == ["* 31 FETCH"], told
        assert len(of(told, "EXPUNGE")) == 30, told
        assert sleeper.uids() == uids[30:]
        sleeper.close()
    with tap.test("renamed while it slept, and no longer in its owner's memory: found by what it is, not by its name"):
        other, sleeper = fresh(server, 3)
        other.run("CREATE Before")
        other.run("COPY 1:3 Before")
        sleeper.run("SELECT Before")
        uids = sleeper.uids()
        asleep(server, 2)
        other.run("RENAME Before After")
        other.close()
        server.clock("+61s")
        server.clock("+61s")
        assert not sleeper.run("NOOP"), "nothing changed for its client"
        assert sleeper.uids() == uids
        sleeper.close()


def told_in_idle(server):
    with tap.test("one that idles is woken by a change, however often, and asleep again"):
        other, idler = fresh(server, 2)
        idler.idle()
        for n in range(3):
            asleep(server, 2)
            other.append()
            assert idler.line() == f"* {n + 3} EXISTS"
            idler.line()  # RECENT
        asleep(server, 2)
        other.run(r"STORE 1 +FLAGS (\Deleted)")
        assert idler.line().startswith("* 1 FETCH")
        asleep(server, 2)
        other.run("EXPUNGE")
        assert idler.line() == "* 1 EXPUNGE"
        asleep(server, 2)
        idler.send("DONE")
        assert not idler.answer()
        idler.close()
    with tap.test("another program adds a message to a mailbox that nobody has in memory: told, too"):
        idler = Client(server, "test0000")
        idler.run("SELECT INBOX")
        idler.idle()
        other.close()
        asleep(server, 1)
        server.clock("+61s")
        server.clock("+61s")
        with open(server.mailbox_file("test0000"), "ab") as mbox:
            mbox.write(b"From x@example.test Thu Jan  1 00:00:00 2026\nSubject: by hand\n\ntext\n\n")
        assert idler.line() == "* 5 EXISTS"
        idler.close()
    with tap.test("a mailbox that is deleted while one sleeps in it is empty for its client"):
        other, sleeper = Client(server, "test0000"), Client(server, "test0000")
        other.run("CREATE Doomed")
        other.run("SELECT INBOX")
        other.run("COPY 1:2 Doomed")
        sleeper.run("SELECT Doomed")
        asleep(server, 2)
        other.run("DELETE Doomed")
        assert sleeper.run("NOOP") == ["* 2 EXPUNGE", "* 1 EXPUNGE"]
        sleeper.close()
        other.close()


def looked_at(server, more=1):
    """Files of mailboxes in which somebody sleeps are looked at, so many more times."""
    before = count(server, "store.looked")
    wait_until(lambda: count(server, "store.looked") >= before + more, WAIT_S, "files to be looked at")


def write_by_hand(server, account):
    with open(server.mailbox_file(account), "ab") as mbox:
        mbox.write(b"From x@example.test Thu Jan  1 00:00:00 2026\nSubject: by hand\n\ntext\n\n")


def idlers(server, account, sessions):
    """Sessions that sleep in IDLE, in a mailbox that nobody has in memory, and whose file was looked at."""
    clients = [Client(server, account) for _ in range(sessions)]
    for client in clients:
        client.run("SELECT INBOX")
        client.idle()
    asleep(server, sessions)
    server.clock("+61s")
    server.clock("+61s")
    looked_at(server, 2)
    return clients


def written_by_others(server):
    for leaving in range(2):
        with tap.test(f"two sleep in one mailbox, number {leaving} leaves: the other is told what a program wrote"):
            clients = idlers(server, "test0000", 2)
            clients.pop(leaving).close()
            wait_until(lambda: server.command("who").count("imap") == 1, WAIT_S, "the session's end")
            write_by_hand(server, "test0000")
            assert clients[0].line() == f"* {leaving + 1} EXISTS"
            clients[0].close()
            wait_until(lambda: "imap" not in server.command("who"), WAIT_S, "the session's end")
    with tap.test("while the worker is overloaded files are not looked at for those who sleep; then they are"):
        (idler,) = idlers(server, "test0000", 1)
        server.command("lag", "2s")
        wait_until(lambda: count(server, "worker.0.yields.background"), WAIT_S, "overload")
        looked = count(server, "store.looked")
        for _ in range(5):
            server.clock("+2s")
        assert count(server, "store.looked") - looked <= 1  # which was under way
        write_by_hand(server, "test0000")
        server.command("lag", "0s")
        assert idler.line() == "* 3 EXISTS"
        idler.close()


def put_into_an_mdir(server):
    with tap.test("one who sleeps in an mdir is told of a file that a program put there"):
        account = "test0003"
        with_one = Client(server, account)
        with_one.append(1)
        with_one.close()
        server.command("mailbox", "convert", server.address(account), "INBOX", "mdir")
        (idler,) = idlers(server, account, 1)
        with open(os.path.join(server.mailbox_file(account, kind="mdir"), "by-hand"), "wb") as file:
            file.write(b"From x@example.test Thu Jan  1 00:00:00 2026\nSubject: by hand\n\ntext\n\n")
        assert idler.line() == "* 2 EXISTS"
        idler.close()


def written_as_it_falls_asleep(server):
    with tap.test("what a program writes when a session is asleep already, but its file was not looked at yet, is told"):
        idler = Client(server, "test0002")
        idler.append(1)
        idler.run("SELECT INBOX")
        idler.idle()
        server.command("lag", "2s")  # then files are not looked at for those who sleep
        server.clock("+2s")
        asleep(server)
        write_by_hand(server, "test0002")
        server.command("lag", "0s")
        assert idler.line() == "* 2 EXISTS"
        idler.close()


def out_of_reach(server):
    with tap.test("a mailbox that cannot be had: commands are refused, UNSELECT is not; half a command waits for it"):
        sleepers = [Client(server, "test0001") for _ in range(2)]
        sleepers[0].append(2)
        for sleeper in sleepers:
            sleeper.run("SELECT INBOX")
        asleep(server, 2)
        for _ in range(3):
            server.clock("+61s")
        mbox = server.mailbox_file("test0001")
        os.rename(mbox, f"{mbox}.away")
        os.mkdir(mbox)
        sleepers[0].run("FETCH 1 (UID)", code="[UNAVAILABLE]")
        sleepers[0].run("UNSELECT")
        refused = server.log().count(NO_FILE)
        sleepers[1].socket.sendall(b"a FETCH 1 ")
        wait_until(lambda: server.log().count(NO_FILE) > refused, WAIT_S, "the mailbox to be asked for in vain")
        os.rmdir(mbox)
        os.rename(f"{mbox}.away", mbox)
        sleepers[1].socket.sendall(b"(UID)\r\n")
        assert sleepers[1].answer() == ["* 1 FETCH (UID 1)"]


def pss_kib(server):
    total = 0
    for pid in server.processes():
        with open(f"/proc/{pid}/smaps_rollup") as rollup:
            total += sum(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
    return total


def quiet_ones(server, role):
    clients, before = [], count(server, "imap.quieted")  # some may be quiet before the last is there
    for n in range(SESSIONS):
        clients.append(Client(server, f"test{n:04d}", role))
        clients[-1].run("SELECT INBOX")
        clients[-1].idle()
    asleep(server, SESSIONS, before)
    for _ in range(3):
        server.clock("+61s")  # and what their owner holds of the mailboxes goes, too
    return clients


def cost_kib(server, role):
    without = pss_kib(server)
    clients = quiet_ones(server, role)
    each = (pss_kib(server) - without) / SESSIONS
    for client in clients:
        client.close()
    wait_until(lambda: "imap" not in server.command("who"), WAIT_S, "the sessions' end")
    return each


def memory(server, role, most):
    cost_kib(server, role)  # what is opened once is opened
    each = cost_kib(server, role)
    for _ in range(2):  # what is done beside it (a checkpoint, LevelDB's own) may take memory just then
        each = min(each, cost_kib(server, role)) if each >= most else each
    tap.ok(each < most, f"a quiet session by {role} costs less than {most} KiB")
    tap.note(f"{each:.2f} KiB")


def main():
    with Server(users=1, workers=2, set=["store.open_mailboxes 10", QUIET, "imap.idle_timeout 24h"]) as server:
        told_by_others(server)
        told_in_idle(server)
    with Server(users=4, workers=1, set=["overload.background 1s", QUIET, "imap.idle_timeout 24h"]) as server:
        written_by_others(server)
        written_as_it_falls_asleep(server)
        put_into_an_mdir(server)
        out_of_reach(server)
    if "asan" not in os.environ.get("BUILD", ""):
        with Server(users=SESSIONS, workers=2, set=["limits.connections_per_address 0", QUIET]) as server:
            memory(server, PLAIN, 4)
            memory(server, TLS, 12)
    tap.done()


if __name__ == "__main__":
    main()
