"""idle.py - how soon do those that IDLE hear of a change, whichever worker they are on? (RFC 2177)

Sessions on four workers idle on one mailbox while others change it: by IMAP from each worker in turn, and by LMTP. The
time is taken from the moment that the change is answered until the last of a session's lines about it is there. It is
told, not judged: a busy machine takes what it takes. What is judged is that each of them hears of everything at all.
ROUNDS says how often each kind of change is made (10).
"""

import os
import select
import smtplib
import socket
import time

import tap
from postern import PASSWORD, Server

ROUNDS = int(os.environ.get("ROUNDS", "10"))
IDLERS = 12
ACTORS = 4
WAIT_S = 60


class Client:
    def __init__(self, server, account):
        self.socket = socket.create_connection((server.host, server.ports["imap"]), timeout=WAIT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.waiting = b""
        self.line()
        self.run(f"LOGIN {server.address(account)} {PASSWORD}")
        self.run("SELECT INBOX")

    def line(self):
        while b"\r\n" not in self.waiting:
            more = self.socket.recv(65536)
            if not more:
                raise ConnectionError("the connection ended")
            self.waiting += more
        line, self.waiting = self.waiting.split(b"\r\n", 1)
        return line

    def send(self, text):
        self.socket.sendall(text)

    def run(self, command, more=b""):
        self.send(b"a " + command.encode() + b"\r\n")
        return self.finish(more)

    def finish(self, more):
        """When what has been begun and goes on with `more` was answered."""
        self.send(more)
        while not (line := self.line()).startswith(b"a "):
            pass
        assert line.startswith(b"a OK"), line
        return time.monotonic()


def hear(idlers, word, since):
    """Milliseconds from `since` until each idler has a line that ends so; a line may be there before."""
    missing = {idler.socket: idler for idler in idlers}
    took = []
    while missing:
        ready, _, _ = select.select(list(missing), [], [], WAIT_S)
        assert ready, f"{len(missing)} idlers do not hear of {word} within {WAIT_S} s"
        now = time.monotonic()
        for one in ready:
            idler = missing[one]
            idler.waiting += one.recv(65536)
            *lines, idler.waiting = idler.waiting.split(b"\r\n")
            if any(word in line for line in lines):
                took.append(max(0.0, now - since) * 1000)
                del missing[one]
    return took


def deliver(server):
    with smtplib.LMTP(server.host, server.ports["lmtp"], timeout=WAIT_S) as lmtp:
        lmtp.sendmail("x@example.test", [server.address("test0000")], "Subject: news\r\n\r\n")
        return time.monotonic()


def play(server):
    idlers = [Client(server, "test0000") for _ in range(IDLERS)]
    actors = [Client(server, "test0000") for _ in range(ACTORS)]
    took = {}
    actors[0].run("CREATE Other")
    for idler in idlers:
        idler.send(b"i IDLE\r\n")
        idler.line()
    for turn in range(ROUNDS):
        actor = actors[turn % ACTORS]
        keyword = f"k{turn % 50}".encode()
        for kind, act, word in (
            ("APPEND", lambda a: a.run("APPEND INBOX {3+}", b"a:b\r\n"), b"RECENT"),
            ("delivery", lambda a: deliver(server), b"RECENT"),
            ("STORE", lambda a: a.run(f"STORE 1 +FLAGS ({keyword.decode()})"), keyword + b"))"),
            ("STORE of all", lambda a: a.run(r"STORE 1:* +FLAGS.SILENT (\Deleted)"), b"* 2 FETCH"),
            ("MOVE", lambda a: a.run("MOVE 1 Other"), b"EXPUNGE"),
            ("EXPUNGE", lambda a: a.run("EXPUNGE"), b"* 1 EXPUNGE"),
        ):
            actor.run("NOOP")
            took.setdefault(kind, []).extend(hear(idlers, word, act(actor)))
    for actor in actors:  # the view grows out of its file: each worker maps another
        many = b"{3+}\r\na:b " * 299 + b"{3+}\r\na:b\r\n"
        actor.send(b"a APPEND INBOX ")
        took.setdefault("APPEND of 300", []).extend(hear(idlers, b"RECENT", actor.finish(many)))
    for idler in idlers:
        idler.send(b"DONE\r\n")
        while not idler.line().startswith(b"i OK"):
            pass
    return took


def main():
    with Server(users=1, workers=4) as server, tap.test("all that idle hear of every change"):
        took = play(server)
    for kind, times in took.items():
        times.sort()
        tap.note(f"{kind}: half within {times[len(times) // 2]:.1f} ms, 99 % within {times[len(times) * 99 // 100]:.1f} ms, "
                 f"all within {times[-1]:.1f} ms")
    tap.done()


if __name__ == "__main__":
    main()
