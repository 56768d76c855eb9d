"""limits.py - what one address and one account may take, over all workers, and what each protocol says beyond that."""

import contextlib
import json
import os
import re
import signal
import socket
import struct

import tap
from mail import append
from postern import PASSWORD, Server, wait_until

WAIT_S = 60
BALANCER = "127.0.7.1"
OPEN, STRANGERS, CONNECTS, ERRORS, COMMANDS = 8, 5, 40, 12, 150
ACCOUNT_OPEN, LOGINS = 3, 25
PAIR, ADDRESS, ACCOUNT = 3, 8, 6  # failed logins
SETTINGS = {"exempt": "{}", "connections_per_address": OPEN, "strangers_per_address": STRANGERS,
            "connects_per_address": CONNECTS, "errors_per_address": ERRORS, "commands_per_address": COMMANDS,
            "connections_per_account": ACCOUNT_OPEN, "logins_per_account": LOGINS, "errors_per_account": 0,
            "failed_logins": PAIR, "failed_logins_per_address": ADDRESS, "failed_logins_per_account": ACCOUNT,
            "failed_logins_wait": "1m", "login_time": "50s", "stranger_time": "100s", "session_time": "200s"}
GREETING = {"smtp": b"220 ", "submission": b"220 ", "lmtp": b"220 ", "imap": b"* OK", "pop3": b"+OK"}
REFUSAL = {"smtp": b"421 4.7.0 ", "submission": b"421 4.7.0 ", "lmtp": b"421 4.7.0 ", "imap": b"* BYE ",
           "pop3": b"-ERR [SYS/TEMP] "}
COMMAND = {"smtp": b"NOOP\r\n", "lmtp": b"NOOP\r\n", "imap": b"a NOOP\r\n", "pop3": b"CAPA\r\n"}
numbers = iter(range(1, 250))


def fresh():
    """An address that nobody has connected from yet."""
    return f"127.0.5.{next(numbers)}"


class Wire:
    """A connection from an address of ours; `first` is what the server said first."""

    def __init__(self, server, role, here, header=b""):
        self.socket = socket.create_connection((server.host, server.ports[role]), timeout=WAIT_S, source_address=(here, 0))
        self.lines = self.socket.makefile("rb")
        self.socket.sendall(header)
        self.role = role
        self.first = b"" if role.endswith("s") else self.line()

    def line(self):
        try:
            return self.lines.readline()
        except ConnectionError:
            return b""

    def send(self, what):
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(what)

    def ask(self, command, start):
        """The line that begins so, or b"" at the end."""
        self.send(command.encode())
        while (line := self.line()) and not line.startswith(start):
            pass
        return line

    def said_last(self):
        """The last line before the end."""
        last = b""
        while line := self.line():
            last = line
        return last

    def close(self):
        self.lines.close()
        self.socket.close()

    @property
    def greeted(self):
        return self.first.startswith(GREETING[self.role])

    @property
    def refused(self):
        return self.first.startswith(REFUSAL[self.role]) and self.line() == b""


def close(wires):
    for wire in wires:
        wire.close()


def sessions(server, peer):
    return [s for s in json.loads(server.command("who", "--json")) if s["peer"] == peer]


def wait_gone(server, peer):
    wait_until(lambda: not sessions(server, peer), WAIT_S, "the sessions' end")


def after_a_while(server):
    """What came in the last minutes counts no more."""
    server.clock("+30m")


def connections(server):
    for role in GREETING:
        with tap.test(f"{role}: so many connections that have not logged in, and no more, whichever worker has them"):
            here = fresh()
            wires = [Wire(server, role, here) for _ in range(STRANGERS)]
            assert all(wire.greeted for wire in wires)
            for _ in range(5):
                assert Wire(server, role, here).refused
            assert Wire(server, role, fresh()).greeted, "another address is refused too"
            close(wires)
            wait_gone(server, here)
            assert Wire(server, role, here).greeted
    with tap.test("where TLS comes first the connection is closed without a word"):
        here = fresh()
        wires = [Wire(server, "imap", here) for _ in range(STRANGERS)]
        for role in ("imaps", "pop3s", "submissions"):
            assert Wire(server, role, here).line() == b""
        close(wires)
    with tap.test("who has logged in counts among all of the address, no longer among its strangers"):
        here = fresh()
        wires = [logged_in(server, here, f"test{n // 2:04}") for n in range(OPEN - 1)]
        wires.append(Wire(server, "imap", here))
        assert wires[-1].greeted and Wire(server, "imap", here).refused
        close(wires)
        wait_gone(server, here)
    with tap.test("a flood leaves a few lines in the log, and `postern stats` the number"):
        here = fresh()
        wires = [Wire(server, "smtp", here) for _ in range(STRANGERS)]
        for _ in range(20):
            assert Wire(server, "smtp", here).refused
        found = len(re.findall(rf"refused role=smtp peer={here} ", server.log()))
        assert found == 1, f"{found} lines"
        assert json.loads(server.command("stats", "--json"))["limits.refused"] >= 20
        close(wires)


def logged_in(server, here, account):
    wire = Wire(server, "imap", here)
    answer = wire.ask(f"a LOGIN {server.address(account)} {PASSWORD}\r\n", b"a ")
    assert answer.startswith(b"a OK"), answer or wire.first
    return wire


def deaths(server):
    with tap.test("what a killed worker held is given back, and no more"):
        here = fresh()
        wires = [Wire(server, "imap", here) for _ in range(STRANGERS)]
        by_worker = [s["id"].split("-")[0] for s in sessions(server, here)]
        status = json.loads(server.command("status", "--json"))["workers"]
        victim = status[int(by_worker[0])]
        os.kill(victim["pid"], signal.SIGKILL)
        left = STRANGERS - by_worker.count(by_worker[0])
        wait_until(lambda: [w["pid"] for w in json.loads(server.command("status", "--json"))["workers"]
                            if w["state"] == "serving" and w["pid"] != victim["pid"]].__len__() == len(status),
                   WAIT_S, "its next life")
        wires += [Wire(server, "imap", here) for _ in range(STRANGERS - left)]
        assert all(wire.greeted for wire in wires), "it is not given back"
        assert Wire(server, "imap", here).refused, "more is given back"
        close(wires)


def networks(server):
    def wire(peer):
        kind = socket.AF_INET6 if ":" in peer else socket.AF_INET
        family = 0x21 if kind == socket.AF_INET6 else 0x11
        address = socket.inet_pton(kind, peer)
        body = address + address + struct.pack(">HH", 40000, 25)
        header = b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x21, family]) + struct.pack(">H", len(body)) + body
        return Wire(server, "imap", BALANCER, header)

    with tap.test("an IPv6 address counts as its /64"):
        wires = [wire(f"2001:db8:0:1:{n}::{n}") for n in range(1, STRANGERS + 1)]
        assert all(w.greeted for w in wires)
        assert wire("2001:db8:0:1:ffff::1").refused
        assert wire("2001:db8:0:2::1").greeted
        close(wires)
    with tap.test("an IPv4 address by itself, however it is written; the balancer's is not counted"):
        wires = [wire("192.0.2.1" if n % 2 else "::ffff:192.0.2.1") for n in range(STRANGERS)]
        assert all(w.greeted for w in wires)
        assert wire("192.0.2.1").refused and wire("::ffff:192.0.2.1").refused
        assert wire("192.0.2.2").greeted
        close(wires)


def rates(server):
    with tap.test("so many connections a minute, and no more"):
        here = fresh()
        came = 0
        while (wire := Wire(server, "smtp", here)).greeted:
            came += 1
            wire.close()
            wait_gone(server, here)
        assert came == CONNECTS, came
        assert "connects too often" in wire.first.decode()
        after_a_while(server)
        assert Wire(server, "smtp", here).greeted
    for role in COMMAND:
        with tap.test(f"{role}: so many commands a minute, and no more"):
            here = fresh()
            wire = Wire(server, role, here)
            wire.send(COMMAND[role] * (COMMANDS + 5))
            last = wire.said_last()
            assert last.startswith(REFUSAL[role]) and b"too many commands" in last, last
            after_a_while(server)
    for role in COMMAND:
        with tap.test(f"{role}: so many errors a minute, over all connections, and then none is let in"):
            here = fresh()
            for _ in range(2):
                wire = Wire(server, role, here)
                wire.send(b"x WHAT\r\n" * (ERRORS // 2))
                for _ in range(ERRORS // 2):
                    assert re.match(rb"500|x BAD|-ERR", wire.line())
            wire.send(b"x WHAT\r\n")
            last = wire.said_last()
            assert last.startswith(REFUSAL[role]) or (role == "pop3" and last.startswith(b"-ERR")), last
            assert Wire(server, role, here).refused
            after_a_while(server)
            assert Wire(server, role, here).greeted


def times(server):
    with tap.test("one must log in within a time, however busy he seems"):
        here = fresh()
        imap, pop3 = Wire(server, "imap", here), Wire(server, "pop3", here)
        for _ in range(6):
            imap.send(b"a")
            pop3.send(b"U")
            server.clock("+9s")
        assert imap.line().startswith(b"* BYE ") and imap.line() == b""
        assert pop3.line() == b""
    with tap.test("a session without login has a time, in a command, in a message, or unread"):
        here = fresh()
        drips, message, unread = (Wire(server, "smtp", here) for _ in range(3))
        message.ask(f"EHLO client.test\r\nMAIL FROM:<>\r\nRCPT TO:<{server.address('test0000')}>\r\nDATA\r\n", b"354")
        for _ in range(11):
            drips.send(b"N")
            message.send(b"line\r\n")
            unread.send(b"HELP\r\n")
            server.clock("+10s")
        assert drips.line().startswith(b"421 4.7.0 ") and drips.line() == b""
        assert message.line().startswith(b"421 4.7.0 ") and message.line() == b""
        assert unread.said_last().startswith(b"421 4.7.0 ")
    with tap.test("a handshake that stalls is given up"):
        stalled = Wire(server, "imaps", fresh())
        stalled.send(b"\x16\x03\x01")
        wait_until(lambda: [s for s in json.loads(server.command("who", "--json")) if s["service"] == "imaps"], WAIT_S, "it")
        server.clock("+61s")
        server.clock("+11s")
        assert stalled.line() == b""
    with tap.test("a session may be ended after so long"):
        wire = logged_in(server, fresh(), "test0001")
        for _ in range(19):
            server.clock("+10s")
            assert wire.ask("b NOOP\r\n", b"b ").startswith(b"b OK")
        server.clock("+10s")
        assert wire.line().startswith(b"* BYE ") and wire.line() == b""


def main():
    options = [f"limits.{name} {value}" for name, value in SETTINGS.items()]
    options += ["login.clear_text always", "imap.login_timeout 1h", f'listen.imap.proxy {{"{BALANCER}"}}']
    with Server(workers=2, set=options) as server:
        for part in (connections, deaths, networks, rates, times):
            part(server)
    tap.done()


if __name__ == "__main__":
    main()
