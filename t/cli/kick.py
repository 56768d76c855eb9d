"""kick.py - sessions are ended by an administrator: by account, address or id, in all workers, each in its protocol's words."""

import json
import socket

import tap
from mail import append, imap_session
from postern import PASSWORD, Server, wait_until

WAIT_S = 60
SESSIONS = 8  # of one account, so that every worker has some


class Wire:
    """A connection that says what it is told to, after the greeting."""

    def __init__(self, server, role, here="127.0.0.1"):
        self.socket = socket.create_connection((server.host, server.ports[role]), timeout=WAIT_S, source_address=(here, 0))
        self.lines = self.socket.makefile("rb")
        self.lines.readline()

    def ask(self, command, start):
        """Sends a command; answers the line that begins so, or b"" at the end."""
        self.socket.sendall(command.encode())
        while (line := self.lines.readline()) and not line.startswith(start):
            pass
        return line

    def rest(self):
        return self.lines.read()


def imap(server, account):
    wire = Wire(server, "imap")
    assert wire.ask(f"a LOGIN {server.address(account)} {PASSWORD}\r\nb SELECT INBOX\r\n", b"b ").startswith(b"b OK")
    return wire


def pop3(server, account):
    wire = Wire(server, "pop3")
    wire.ask(f"USER {server.address(account)}\r\n", b"+OK")
    assert wire.ask(f"PASS {PASSWORD}\r\n", b"").startswith(b"+OK")
    return wire


def who(server):
    return json.loads(server.command("who", "--json"))


def kicked(server, what):
    """How many sessions a kick says it ended."""
    return int(server.command("kick", what).split()[0])


def by_account(server):
    with tap.test("all sessions of an account are ended, in every worker, idle or not, and no others"):
        append(server, "test0000", [b"Subject: stays\r\n\r\ntext\r\n"])
        mine = [imap(server, "test0000") for _ in range(SESSIONS)]
        mail = pop3(server, "test0000")
        mail.ask("DELE 1\r\n", b"+OK")
        other = imap(server, "test0001")
        mine[0].ask("c IDLE\r\n", b"+")
        assert kicked(server, server.address("TEST0000")) == SESSIONS + 1
        for wire in mine:
            assert wire.rest() == b"* BYE ended by the administrator\r\n"
        assert mail.rest() == b"", "POP3 has no word for it"
        assert other.ask("c NOOP\r\n", b"c ").startswith(b"c OK")
    with tap.test("whoever is kicked may come back, and what POP3 did not update is there"):
        with imap_session(server, "test0000") as again:
            assert again.select()[1] == [b"1"]
    with tap.test("who is not there cannot be kicked"):
        assert "no session" in server.command("kick", server.address("test0009"), fails=True)
        assert "no session" in server.command("kick", "0-ffffff", fails=True)
        assert "wanted" in server.command("kick", "everybody", fails=True)
        assert "wanted" in server.command("kick", "", fails=True)


def by_address(server):
    with tap.test("sessions from an address or a network are ended, logged in or not"):
        one, two, three = (Wire(server, "smtp", f"127.0.9.{n}") for n in (1, 2, 3))
        three.ask("EHLO client.test\r\n", b"250 ")
        assert kicked(server, "127.0.9.1") == 1
        assert one.rest().startswith(b"421 4.7.0 "), "no 421"
        assert two.ask("NOOP\r\n", b"250").startswith(b"250")
        assert kicked(server, "127.0.9.0/24") == 2
        assert two.rest().startswith(b"421 4.7.0 ") and three.rest().startswith(b"421 4.7.0 ")
    with tap.test("of a message that is coming in nothing stays"):
        half = Wire(server, "smtp", "127.0.9.4")
        half.ask(f"EHLO client.test\r\nMAIL FROM:<>\r\nRCPT TO:<{server.address('test0002')}>\r\nDATA\r\n", b"354")
        half.socket.sendall(b"Subject: half\r\n\r\nte")
        assert kicked(server, "127.0.9.4") == 1
        assert half.rest().startswith(b"421 4.7.0 ")
        with imap_session(server, "test0002") as mailbox:
            assert mailbox.select()[1] == [b"0"]


def by_id(server):
    with tap.test("one session is ended by its id"):
        first, second = imap(server, "test0003"), imap(server, "test0003")
        ids = [s["id"] for s in who(server) if s["account"] == server.address("test0003")]
        assert len(ids) == 2, ids
        assert kicked(server, ids[0]) == 1
        wait_until(lambda: [s["id"] for s in who(server) if s["account"]] == ids[1:], WAIT_S, "its end")
        said = sorted([wire.ask("c LOGOUT\r\n", (b"c OK", b"* BYE ended")) for wire in (first, second)])
        assert said[0] == b"* BYE ended by the administrator\r\n" and said[1].startswith(b"c OK"), said


def without_reading(server):
    with tap.test("a client that does not read what it asked for is cut off in the end"):
        append(server, "test0004", [b"Subject: large\r\n\r\n" + b"x" * 70 + b"\r\n" + b"more of it\r\n" * (2 << 20)])
        wire = imap(server, "test0004")
        wire.socket.sendall(b"c FETCH 1 BODY.PEEK[]\r\n" * 10)
        assert wire.lines.readline().startswith(b"* 1 FETCH")
        assert kicked(server, server.address("test0004")) == 1
        server.clock("+31s")
        server.clock("+11s")
        wait_until(lambda: not [s for s in who(server) if s["account"] == server.address("test0004")], WAIT_S, "its end")


def with_the_account(server):
    with tap.test("a new password ends the sessions that may know the old one alone"):
        wire, other = imap(server, "test0005"), imap(server, "test0006")
        server.command("account", "passwd", server.address("test0005"), "--password", "other")
        assert wire.rest() == b"* BYE ended by the administrator\r\n"
        assert other.ask("c NOOP\r\n", b"c ").startswith(b"c OK")
    with tap.test("an account that is deleted takes its sessions along"):
        server.command("account", "delete", server.address("test0006"))
        assert other.rest() == b"* BYE ended by the administrator\r\n"


def main():
    with Server(workers=2) as server:
        for part in (by_account, by_address, by_id, without_reading, with_the_account):
            part(server)
    tap.done()


if __name__ == "__main__":
    main()
