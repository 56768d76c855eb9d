"""crowd.py - a server with very many accounts: how soon it serves, what it takes, how long the turns of its loops are.

The accounts are written by bench/accounts_fill, each with some mail in INBOX; test0000 has very many mailboxes. Turns
are told as in waiting.py. A reply is the one to SELECT, to a client that keeps trying from when the server was started.
"""

import os
import pwd
import re
import shutil
import subprocess
import time

import postern
from measure import pss_kib, settle
from waiting import Turns, command

MESSAGES = 3
MAILBOXES = 10000
TOUCHED = 5  # of the accounts one in so many gets mail, and as many are read
LIMIT_S = 600


def fill(program, server, accounts):
    """Writes a store for a server that does not run and has test0000."""
    subprocess.run([program, server.store, server.domain, str(accounts), str(MESSAGES),
                    str(min(MAILBOXES, accounts))], check=True)


def first_reply(server, number):
    """Starts it; seconds until a client has selected a mailbox."""
    begun = time.monotonic()
    with open(server.path("log"), "ab") as log:
        server.process = subprocess.Popen([postern.binary(), "-c", server.conf, "run"], stdin=subprocess.DEVNULL,
                                          stdout=log, stderr=log, start_new_session=True)
    with open(server.path("pid"), "w") as file:
        file.write(f"{server.process.pid} {postern.process_stat(server.process.pid)[2]}\n")
    while time.monotonic() - begun < LIMIT_S:
        try:
            with postern.socket.create_connection((postern.HOST, server.ports["imap"]), timeout=LIMIT_S) as client:
                client.sendall(b"a LOGIN test%04d secret\r\nb SELECT INBOX\r\n" % number)
                file = client.makefile("rb")
                while line := file.readline():
                    if line.startswith(b"b OK"):
                        return time.monotonic() - begun
        except OSError:
            time.sleep(0.005)
    raise postern.Failed("no reply")


class Session:
    """An IMAP session on test0000, whose commands are timed to the last byte."""

    def __init__(self, server):
        self.socket = postern.socket.create_connection((postern.HOST, server.ports["imap"]), timeout=LIMIT_S)
        self.file = self.socket.makefile("rb")
        self.file.readline()
        self.ask("LOGIN test0000 secret")

    def ask(self, line):
        begun = time.monotonic()
        self.socket.sendall(f"a {line}\r\n".encode())
        while not (answer := self.file.readline()).startswith(b"a "):
            if not answer:
                raise postern.Failed(f"{line}: the session ended")
        if not answer.startswith(b"a OK"):
            raise postern.Failed(f"{line}: {answer.decode()}")
        return time.monotonic() - begun


def backup(server):
    folder = server.path("backup")
    os.mkdir(folder)
    if os.geteuid() == 0:
        os.chown(folder, pwd.getpwnam(server.options["user"]).pw_uid, -1)
    command(server, "backup", folder)
    shutil.rmtree(folder)


def phases(server, accounts, load):
    """(name, what is done) of all that is looked at beside the running server."""
    touched = max(1, accounts // TOUCHED)
    yield "mail to many", lambda: load("smtp@smtp", 20, touched, touched, SIZE=2000)
    yield "POP3 of many", lambda: load("pop3@pop3", 20, touched, ACCOUNTS=touched)
    yield "account list", lambda: command(server, "account", "list", server.domain)
    yield "backup", lambda: backup(server)
    yield "fsck --all", lambda: command(server, "fsck", "--all")
    session = Session(server)
    for line in ('LIST "" "*"', 'LIST "" "*" RETURN (STATUS (MESSAGES))', "SELECT All/00001", "DELETE All/00002",
                 "CREATE All/More", "RENAME All Every"):
        yield re.sub(r"All/\d+|All/More", "one", line), lambda: session.ask(line)


def measure(server, accounts, load, leaders):
    """(figure, unit, value) of a server that has the accounts and does not run."""
    turns = Turns(server)
    yield "first reply after a start", "s", first_reply(server, accounts // 2)
    settle(leaders())
    yield "memory after a start", "MiB", pss_kib(leaders()) / 1024
    most = 0
    for name, act in phases(server, accounts, load):
        begun = time.monotonic()
        act()
        yield name, "s", time.monotonic() - begun
        most = max(most, pss_kib(leaders()) / 1024)
        yield f"longest turn: {name}", "ms", turns.longest_ms()
    yield "memory, the most of it", "MiB", most
    load("smtp@smtp", 20, max(1, accounts // 20), accounts, SIZE=2000)
    server.kill()
    yield "first reply after kill -9", "s", first_reply(server, accounts // 3)
    yield "longest turn: after kill -9", "ms", turns.longest_ms()
    yield "turns over 5 ms, in all", "turns", turns.long
