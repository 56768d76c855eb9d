"""gone.py - in the log every session begins with `open` and ends with `gone`, in each protocol alike, however it ends."""

import base64
import re
import socket
import struct

import tap
from postern import PASSWORD, Server, wait_until

PATIENCE_S = 60
QUIT = {"smtp": "QUIT", "submission": "QUIT", "lmtp": "QUIT", "imap": "a LOGOUT", "pop3": "QUIT"}


def ends(server):
    """{role: [(account, reason)]} of the sessions that are over, each with one beginning and one end."""
    log = server.log()
    opened = dict(re.findall(r" info \S+ (\S+) open role=(\S+) peer=127\.0\.0\.1$", log, re.M))
    gone = re.findall(r" info (\S+) (\S+) gone peer=127\.0\.0\.1 account=(\S*) lasted_s=\d+ reason=\"(.*)\"$", log, re.M)
    assert len({identity for _, identity, _, _ in gone}) == len(gone), "a session ended twice"
    found = {}
    for _, identity, account, reason in gone:
        found.setdefault(opened.pop(identity), []).append((account, reason))
    return found, opened


def wait_ends(server, role, count):
    """Those behind the first, by which the server was seen to answer."""
    wait_until(lambda: len(ends(server)[0].get(role, [])) > count, PATIENCE_S, f"{count} sessions of {role} are gone")
    return ends(server)[0][role][1:]


def connect(server, role):
    connection = socket.create_connection((server.host, server.ports[role]), PATIENCE_S)
    connection.makefile("rb").readline()
    return connection


with Server(users=1, workers=2) as server:
    for role in server.ports:
        wait_ends(server, role, 0)
    for role, word in QUIT.items():
        with tap.test(f"{role}: one that takes its leave, one that does not, one that is cut"):
            with connect(server, role) as polite:
                polite.sendall(word.encode() + b"\r\n")
                while polite.recv(1000):
                    pass
            connect(server, role).close()
            with connect(server, role) as cut:
                cut.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            found = wait_ends(server, role, 3)
            assert [account for account, _ in found] == [""] * 3
            assert {reason for _, reason in found} == {"the connection ended", "Connection reset by peer"}, found
    for role, login in (("submission", b"AUTH PLAIN "), ("imap", b"a AUTHENTICATE PLAIN "), ("pop3", b"AUTH PLAIN ")):
        with tap.test(f"{role}: whose it was"):
            with connect(server, role) as known:
                if role == "submission":
                    known.sendall(b"EHLO a.test\r\n")
                known.sendall(login + base64.b64encode(f"\0test0000@example.test\0{PASSWORD}".encode()) + b"\r\n")
                wait_until(lambda: f" login account=test0000@example.test peer=127.0.0.1" in server.log(), PATIENCE_S, "login")
                known.sendall(QUIT[role].encode() + b"\r\n")
                while known.recv(1000):
                    pass
            assert wait_ends(server, role, 4)[3][0] == "test0000@example.test"
    for role in "submissions", "imaps", "pop3s":
        with tap.test(f"{role}: what never became one ends as well"):
            with socket.create_connection((server.host, server.ports[role]), PATIENCE_S) as connection:
                connection.sendall(b"this is no TLS at all\r\n\r\n")
                wait_ends(server, role, 1)
    with tap.test("those that are open when the server stops end with it"):
        left = [connect(server, role) for role in QUIT]
        server.stop()
        found, opened = ends(server)
        assert not opened, opened
        assert sum(len(each) for each in found.values()) == len(server.ports) + 3 * 5 + 3 + 3 + len(left), found
tap.done()
