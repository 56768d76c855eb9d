"""big.py - one big mailbox: how soon it is open and read, what changes in it cost, and whom they keep waiting.

The mailbox is an mbox of one account (`write`), put where a server keeps it: both Postern and Dovecot take it as it is,
for it bears UIDs. Waits are those of a client on a socket; what is cold is not in the page cache, from which every file
of the server is put out by posix_fadvise (`evict`), after it was stopped and before it is started.
"""

import glob
import os
import pwd
import shutil
import socket
import statistics
import subprocess
import threading
import time

from measure import cpu_seconds, settle
from peer import VMAIL
from waiting import Turns

HOST = "127.0.0.1"
WAIT_S = 600
DATE = "Mon Nov 23 10:00:00 2026"


LINE = "The quick brown fox jumps over the lazy dog, and over and over again.\n"


def message(uid, size):
    """One of about so many bytes, with the fields that mail has today."""
    head = (f"Received: from mail{uid % 7}.example.org ([192.0.2.{uid % 250}]) by mx.example.test\n"
            f"\twith ESMTP id {uid:x}; Mon, 23 Nov 2026 10:00:00 +0000\n"
            f"From: \"Somebody {uid % 97}\" <sender{uid % 97}@example.org>\nTo: Test <test0000@example.test>,\n"
            f" \"Another One\" <another@example.test>\nSubject: the {uid}th of many messages, about this and that\n"
            f"Date: Mon, 23 Nov 2026 10:{uid // 60 % 60:02}:{uid % 60:02} +0000\n"
            f"Message-ID: <{uid:08}.load@example.org>\nIn-Reply-To: <{uid - 1:08}.load@example.org>\n"
            f"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n")
    return head + LINE * max((size - len(head)) // len(LINE), 1)


def write(path, messages, size, owner):
    """An mbox of so many messages, all read but the last."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", buffering=1 << 20) as mbox:
        for uid in range(1, messages + 1):
            base = f"X-IMAPbase: 1795000000 {messages:010}\n" if uid == 1 else ""
            mbox.write(f"From sender{uid % 97}@example.org {DATE}\n{base}X-UID: {uid}\n"
                       f"Status: {'RO' if uid < messages else 'O'}\n{message(uid, size)}\n")
    os.chmod(path, 0o600)
    if os.geteuid() == 0:
        for made in (path, os.path.dirname(path)):
            os.chown(made, *owner)


def files_of(folder):
    for at, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(at, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield path


def evict(folder):
    """Puts every file below a folder out of the page cache."""
    for path in files_of(folder):
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fdatasync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(fd)


def warm(path):
    with open(path, "rb", buffering=0) as file:
        block = bytearray(1 << 20)
        while file.readinto(block):
            pass


class Imap:
    """One IMAP session that costs as little as it can: answers are counted, not understood."""

    def __init__(self, port, account="test0000@example.test", password="secret"):
        self.socket = socket.create_connection((HOST, port))
        self.socket.settimeout(WAIT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.block = bytearray(1 << 20)
        self.socket.recv(4096)
        self.tag = 0
        self.answer = b""
        self.ask(f"LOGIN {account} {password}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, command):
        """Sends a command; the milliseconds until its answer is whole. The end of it is in self.answer."""
        self.tag += 1
        wanted = f"t{self.tag} ".encode()
        begun = time.monotonic()
        self.socket.sendall(wanted + command.encode() + b"\r\n")
        tail, size = b"", 0
        while True:
            count = self.socket.recv_into(self.block)
            if not count:
                raise ConnectionError(f"the server ended the session in {command}")
            size += count
            tail = (tail + bytes(self.block[max(0, count - 4096):count]))[-4096:]
            if tail.endswith(b"\r\n"):
                last = tail[tail.rfind(b"\r\n", 0, -2) + 2:] if b"\r\n" in tail[:-2] else tail
                if last.startswith(wanted):
                    break
        ms = 1000 * (time.monotonic() - begun)
        self.answer, self.size = tail, size
        if not last.startswith(wanted + b"OK"):
            raise RuntimeError(f"{command}: {last!r}")
        return ms


    def append(self, messages, at_once=500):
        """APPEND of many in each command (RFC 3502), to INBOX."""
        for first in range(0, len(messages), at_once):
            self.tag += 1
            command = [f"t{self.tag} APPEND INBOX"]
            for text in messages[first:first + at_once]:
                text = text.replace("\n", "\r\n")
                command.append(f" (\\Seen) {{{len(text)}+}}\r\n{text}")
            self.socket.sendall("".join((*command, "\r\n")).encode())
            while f"t{self.tag} OK".encode() not in self.socket.recv(4096):
                continue


class Bystander:
    """Another session on an account of its own, which asks again and again: how long it was kept waiting."""

    EVERY_S = 0.005

    def __init__(self, port, account):
        self.imap = Imap(port, account)
        self.worst = 0.0
        self.ended = threading.Event()
        self.imap.ask("SELECT INBOX")
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.ended.wait(self.EVERY_S):
            self.worst = max(self.worst, self.imap.ask("NOOP"))

    def worst_ms(self):
        """The longest wait since this was asked last."""
        worst, self.worst = self.worst, 0.0
        return worst

    def end(self):
        self.ended.set()
        self.thread.join()
        self.imap.socket.close()


# A server and its mailbox

class Big:
    """A server of bench/run, Postern or Dovecot, with one big mailbox."""

    def __init__(self, server):
        self.server = server
        self.is_postern = server.name == "postern"
        self.is_mbox = server.name != "dovecot-sdbox"
        self.folder = server.server.folder if self.is_postern else server.folder
        self.turns = None

    def fill(self, messages, size):
        if not self.is_mbox:
            with Imap(self.server.ports["imap"]) as imap:
                imap.append([message(uid, size) for uid in range(1, messages + 1)])
        else:
            self.server.stop()
            user = pwd.getpwnam(self.server.server.options["user"]) if self.is_postern and os.geteuid() == 0 else None
            write(self.path, messages, size, (user.pw_uid, user.pw_gid) if user else (VMAIL, VMAIL))
            self.server.start()
        with Imap(self.server.ports["imap"]) as imap:
            imap.ask("SELECT INBOX")
            imap.ask("FETCH 1:* FLAGS")
        settle(self.server.leaders)
        if self.is_postern:
            self.turns = Turns(self.server.server)

    @property
    def path(self):
        """Of the mbox."""
        return (self.server.server.mailbox_file("test0000") if self.is_postern
                else os.path.join(self.folder, "mail/test0000/inbox"))

    def cold(self):
        """Starts it anew with none of its files in memory, its mailbox as it was left."""
        settle(self.server.leaders)
        self.server.stop()
        evict(self.folder)
        self.server.start()

    def without_index(self):
        """Starts it anew with its files in memory, but without the index of the mailbox."""
        self.server.stop()
        for path in ([self.server.server.path("store/index")] if self.is_postern
                     else glob.glob(os.path.join(self.folder, "mail/test0000/mail/.imap"))):
            shutil.rmtree(path)
        warm(self.path)
        self.server.start()

    def forget_headers(self):
        """What Dovecot has noted of headers that were asked for."""
        for path in glob.glob(os.path.join(self.folder, "**/dovecot.index.cache"), recursive=True):
            os.unlink(path)

    def resident(self):
        """Bytes of the mbox in memory."""
        told = subprocess.run(["fincore", "-nbo", "RES", self.path], capture_output=True, text=True, check=True)
        return int(told.stdout)

    def timed(self, name, act, times=1, commands=1):
        """(figure, unit, value) of what act() says it took, and of the processor time for each command of it."""
        cpu = cpu_seconds(self.server.leaders)
        taken = [act() for _ in range(times)]
        settle(self.server.leaders, quiet_s=1)
        cpu = cpu_seconds(self.server.leaders) - cpu
        yield name, "ms", statistics.median(taken)
        yield f"{name}, CPU", "ms", 1000 * cpu / times / commands


def open_and_read(big):
    """What a client waits for who opens the mailbox and asks for what such clients ask."""
    port = big.server.ports["imap"]
    big.cold()
    with Imap(port) as imap:
        yield from big.timed("SELECT, cold", lambda: imap.ask("SELECT INBOX"))
        yield from big.timed("FLAGS of all, cold", lambda: imap.ask("FETCH 1:* FLAGS"))
        yield from big.timed("SELECT, warm", lambda: imap.ask("SELECT INBOX"), 3)
        yield from big.timed("FLAGS of all, warm", lambda: imap.ask("FETCH 1:* FLAGS"), 3)
    big.server.stop()
    big.forget_headers()
    big.server.start()
    big.cold()
    with Imap(port) as imap:
        imap.ask("SELECT INBOX")
        yield from big.timed("ENVELOPE of all, cold", lambda: imap.ask("FETCH 1:* ENVELOPE"))
        yield from big.timed("ENVELOPE of all, warm", lambda: imap.ask("FETCH 1:* ENVELOPE"), 2)
    if big.is_mbox:
        big.without_index()
        with Imap(port) as imap:
            yield from big.timed("SELECT, index gone", lambda: imap.ask("SELECT INBOX"))


def change(big, messages):
    """What changes in the mailbox cost, and for how long a session on another account waits meanwhile."""
    port = big.server.ports["imap"]
    half, tenth = messages // 2, messages // 10
    steps = (("STORE of one", [f"STORE {n * (messages // 200) + 1} +FLAGS.SILENT (\\Flagged)" for n in range(200)]),
             ("STORE of all", ["STORE 1:* +FLAGS.SILENT (\\Answered)"]),
             ("SEARCH FLAGGED", ["SEARCH FLAGGED"] * 3),
             ("STORE and EXPUNGE of one", [command for n in range(50) for command in (
                 f"STORE {half + n} +FLAGS.SILENT (\\Deleted)", "EXPUNGE")]),
             ("STORE \\Deleted of a tenth", [f"STORE {half}:{half + tenth} +FLAGS.SILENT (\\Deleted)"]),
             ("EXPUNGE of a tenth", ["EXPUNGE"]),
             ("STORE \\Deleted of a half", [f"STORE 1:{half} +FLAGS.SILENT (\\Deleted)"]),
             ("CLOSE that expunges a half, then compaction", ["CLOSE"]))
    with Imap(port) as imap:
        imap.ask("SELECT INBOX")
        bystander = Bystander(port, "test0001@example.test")
        big.turns.longest_ms()
        try:
            for name, commands in steps:
                yield from big.timed(name, lambda: sum(map(imap.ask, commands)) / len(commands), commands=len(commands))
                yield f"{name}, another's longest wait", "ms", bystander.worst_ms()
                yield f"{name}, longest turn", "ms", big.turns.longest_ms()
        finally:
            bystander.end()


def measure(big, messages):
    """(figure, unit, value) of a very large mailbox."""
    port = big.server.ports["imap"]
    for _ in range(3):
        big.cold()
        with Imap(port) as imap:
            big.turns.longest_ms()
            yield from big.timed("SELECT, cold", lambda: imap.ask("SELECT INBOX"))
            yield "SELECT, cold: bytes of the mbox read", "bytes", big.resident()
            yield from big.timed("SELECT, warm", lambda: imap.ask("SELECT INBOX"), 3)
            yield from big.timed("FLAGS of all, warm", lambda: imap.ask("FETCH 1:* FLAGS"))
            yield "SELECT and FLAGS, longest turn", "ms", big.turns.longest_ms()
    for _ in range(3):
        big.without_index()
        with Imap(port) as imap:
            big.turns.longest_ms()
            cpu = cpu_seconds(big.server.leaders)
            imap.ask("SELECT INBOX")
            cpu = cpu_seconds(big.server.leaders) - cpu
            yield "index made anew, of mbox for a second of CPU", "GB/s", os.path.getsize(big.path) / cpu / 1e9
            settle(big.server.leaders)
            yield "index made anew, longest turn", "ms", big.turns.longest_ms()
    yield from change(big, messages)
