"""large.py - a large mailbox: opening it reads nothing of the mbox, its view outlives a stop and is believed only while
it says what the files say, and what changes many messages lets others in between."""

import glob
import os
import pwd
import select
import shutil
import socket

import tap
from mail import done, imap_session
from postern import PASSWORD, Server

COUNT = 20000  # more than storage/mailbox/mailbox_kept.c keeps no view for
ANSWER_S = 300
TRIES = 50
ENTRY = 64       # bytes of a view for each message
ENTRIES_AT = 12288


def write_mbox(path):
    with open(path, "w") as mbox:
        for uid in range(1, COUNT + 1):
            base = f"X-IMAPbase: 1795000000 {COUNT:010}\n" if uid == 1 else ""
            mbox.write(f"From a@example.test Mon Nov 23 10:00:00 2026\n{base}X-UID: {uid}\nStatus: RO\n"
                       f"Subject: number {uid}\n\n{uid}: text\n\n")
    os.chmod(path, 0o600)
    if os.geteuid() == 0:
        user = pwd.getpwnam("nobody")
        os.chown(path, user.pw_uid, user.pw_gid)


def kept(server):
    return glob.glob(server.path("store/index/*/views/*.kept"))


def views(server):
    return glob.glob(server.path("store/index/*/views/*"))


def numbers(imap, what):
    """What SEARCH finds."""
    return [int(word) for word in (done(imap.search(None, what))[0] or b"").split()]


def look(server):
    """(EXISTS, first unseen, flagged ones) as a session of its own sees them."""
    with imap_session(server, "test0000") as imap:
        told = imap.untagged_responses
        unseen = int(told["UNSEEN"][0]) if "UNSEEN" in told else 0
        return int(told["EXISTS"][0]), unseen, numbers(imap, "FLAGGED")


class Wire:
    """A session that sends without waiting for answers."""

    def __init__(self, server):
        self.socket = socket.create_connection((server.host, server.ports["imap"]), timeout=ANSWER_S)
        self.came = b""
        self.socket.recv(4096)
        self.ask(f"LOGIN test0000 {PASSWORD}")
        self.ask("SELECT INBOX")

    def send(self, command):
        self.came = b""
        self.socket.sendall(f"t {command}\r\n".encode())

    def read(self):
        more = self.socket.recv(1 << 20)
        assert more, "the connection ended"
        self.came += more

    def has_ended(self):
        """Whether the tagged line has come by now."""
        while select.select([self.socket], [], [], 0)[0]:
            self.read()
        return b"\nt " in b"\n" + self.came

    def ask(self, command):
        self.send(command)
        return self.ended()

    def ended(self):
        """The lines up to the tagged one."""
        while not self.has_ended():
            self.read()
        lines = self.came.splitlines()
        assert lines[-1].startswith(b"t OK"), lines[-1]
        return lines


class Client:
    """What a client makes of the numbers that it is told."""

    def __init__(self, uids):
        self.uids, self.changed = list(uids), set()

    def hear(self, lines):
        for line in lines:
            words = line.split()
            if words[0] != b"*":
                continue
            if words[2:3] == [b"EXPUNGE"]:
                del self.uids[int(words[1]) - 1]
            elif words[2:3] == [b"FETCH"]:
                self.changed.add(self.uids[int(words[1]) - 1])
        return self


def lets_in(server, command):
    """What a long command is answered, and how many changes of another session are answered meanwhile."""
    long, short = Wire(server), Wire(server)
    long.send(command)
    between = 0
    while not long.has_ended():
        short.ask(f"STORE {COUNT // 2} {'+-'[between % 2]}FLAGS.SILENT (\\Draft)")
        between += not long.has_ended()
    return long.ended(), between


with Server(users=1, workers=1) as server:
    server.stop()
    mbox = server.mailbox_file("test0000")
    write_mbox(mbox)
    server.start()
    with tap.test("a large mailbox of another program is taken over"):
        assert look(server) == (COUNT, 0, [])
    with imap_session(server, "test0000") as imap:
        done(imap.store("5,77,15000", "+FLAGS.SILENT", "(\\Flagged)"))
        done(imap.store("300:310,19000", "-FLAGS.SILENT", "(\\Seen)"))
        done(imap.store("200", "+FLAGS.SILENT", "($Word \\Deleted)"))
        done(imap.expunge())
    state = (COUNT - 1, 299, [5, 77, 14999])
    server.stop()
    with tap.test("its view is kept at a stop"):
        assert len(kept(server)) == 1, views(server)

    with tap.test("it is opened without its mbox being read"):
        os.chmod(mbox, 0)  # whoever opens it fails; its size may be looked at
        inode = os.stat(kept(server)[0]).st_ino
        server.start()
        with imap_session(server, "test0000") as imap:
            assert len(done(imap.fetch("1:*", "(FLAGS)"))) == COUNT - 1
            assert numbers(imap, "KEYWORD $Word") == []
        assert look(server) == state, look(server)
    with tap.test("with the view that was kept"):
        assert not kept(server) and inode in [os.stat(path).st_ino for path in views(server)]
    with tap.test("nor is it when there is none that was kept"):
        server.stop()
        for path in kept(server):
            os.unlink(path)
        server.start()
        assert look(server) == state, look(server)
        os.chmod(mbox, 0o600)

    with tap.test("a view that another life kept is not believed when the files say more"):
        server.stop()
        old = shutil.copy2(kept(server)[0], server.path("old"))
        server.start()
        with imap_session(server, "test0000") as imap:
            done(imap.store("6", "+FLAGS.SILENT", "(\\Flagged)"))
            done(imap.store("77", "-FLAGS.SILENT", "(\\Flagged)"))
        server.stop()
        place, = kept(server)
        owner = os.stat(place)
        shutil.copy2(old, place)
        os.chown(place, owner.st_uid, owner.st_gid)
        server.start()
        assert look(server) == (COUNT - 1, 299, [5, 6, 14999]), look(server)
    with tap.test("nor one that is damaged"):
        server.stop()
        place, = kept(server)
        with open(place, "r+b") as view:
            view.seek(ENTRIES_AT + 40 * ENTRY + 4)  # flags of a message
            view.write(b"\x04")
        server.start()
        assert look(server) == (COUNT - 1, 299, [5, 6, 14999]), look(server)
    with tap.test("nor that of a server that was killed"):
        with imap_session(server, "test0000") as imap:
            done(imap.store("7", "+FLAGS.SILENT", "(\\Flagged)"))
        server.kill()
        assert not kept(server)
        server.start()
        assert look(server) == (COUNT - 1, 299, [5, 6, 7, 14999]), look(server)

    with tap.test("flags of all are changed, and others' changes are made meanwhile"):
        for turn in range(TRIES):  # others may be too slow for it now and then
            lines, between = lets_in(server, f"STORE 1:* {'+-'[turn % 2]}FLAGS.SILENT (\\Answered)")
            if between:
                break
        assert between
        Wire(server).ask("STORE 1:* +FLAGS.SILENT (\\Answered)")
        with imap_session(server, "test0000") as imap:
            assert len(numbers(imap, "ANSWERED")) == COUNT - 1
    with tap.test("of which the silent session hears, and of nothing else"):
        told = {line.split()[1] for line in lines if b"FETCH" in line}
        assert told == {str(COUNT // 2).encode()}, lines[:5]
    with tap.test("what is so already is not changed"):
        before = os.path.getsize(server.mailbox_file("test0000", kind="state"))
        with imap_session(server, "test0000") as imap:
            done(imap.store("1:*", "+FLAGS.SILENT", "(\\Answered)"))
        assert os.path.getsize(server.mailbox_file("test0000", kind="state")) == before
    with tap.test("so are expunged those that have \\Deleted, and no others"):
        with imap_session(server, "test0000") as imap:
            done(imap.store("1:2,1001:16000,18000", "+FLAGS.SILENT", "(\\Deleted)"))
        expunging, other, idling = (Wire(server) for _ in range(3))
        idling.send("IDLE")
        told = expunging.ask("EXPUNGE")
        with imap_session(server, "test0000") as imap:
            uids = [int(word) for word in done(imap.uid("SEARCH", None, "ALL"))[0].split()]
        left = [uid for uid in range(1, COUNT + 1) if uid != 200]
        gone = {1, 2, 18001} | set(range(1002, 16002))
        assert uids == [uid for uid in left if uid not in gone], (len(uids), uids[:5])
    with tap.test("the session that does it hears which are gone before it is told that they are"):
        assert Client(left).hear(told).uids == uids
    with tap.test("another one does with its next command, and of flags; what it sent behind that waits"):
        with imap_session(server, "test0000") as imap:
            done(imap.store("990:1100", "+FLAGS.SILENT", "($Later)"))
        changed = set(uids[989:1100])
        other.send("NOOP\r\nu UID SEARCH KEYWORD $Later")
        while b"\r\nu OK" not in other.came:
            other.read()
        before, _, after = other.came.partition(b"\r\nt OK")
        client = Client(left).hear(before.splitlines())
        assert client.uids == uids and client.changed >= changed, (len(client.uids), len(client.changed))
        found = [line for line in after.splitlines() if line.startswith(b"* SEARCH")]
        assert found and {int(word) for word in found[0].split()[2:]} == changed and b"EXPUNGE" not in after
    with tap.test("one in IDLE does at once"):
        while len(Client(left).hear(idling.came.rpartition(b"\r\n")[0].splitlines()).uids) > len(uids):
            idling.read()
        idling.socket.sendall(b"DONE\r\n")
        assert Client(left).hear(idling.ended()).uids == uids
    with tap.test("and that is so after a start, without an index too"):
        server.stop()
        server.start()
        assert look(server)[0] == len(uids)
        server.stop()
        shutil.rmtree(server.path("store/index"))
        server.start()
        with imap_session(server, "test0000") as imap:
            assert [int(word) for word in done(imap.uid("SEARCH", None, "ALL"))[0].split()] == uids
            assert len(numbers(imap, "ANSWERED")) == len(uids)
tap.done()
