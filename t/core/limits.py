"""limits.py - what one address and one account may take, over all workers, and what each protocol says beyond that."""

import base64
import contextlib
import json
import os
import re
import signal
import socket
import struct
import time

import tap
from auth import Auth
from postern import PASSWORD, Server, wait_until
from scram_client import Scram

WAIT_S = 60
BALANCER = "127.0.7.1"
OPEN, STRANGERS, CONNECTS, ERRORS, COMMANDS = 8, 5, 40, 12, 150
ACCOUNT_OPEN, LOGINS = 3, 25
PAIR, ADDRESS, ACCOUNT = 3, 8, 6  # failed logins
SETTINGS = {"exempt": "{}", "connections_per_address": OPEN, "strangers_per_address": STRANGERS,
            "connects_per_address": CONNECTS, "errors_per_address": ERRORS, "commands_per_address": COMMANDS,
            "connections_per_account": ACCOUNT_OPEN, "logins_per_account": LOGINS, "errors_per_account": 0,
            "failed_logins": PAIR, "failed_logins_per_address": ADDRESS, "failed_logins_per_account": ACCOUNT,
            "failed_logins_wait": "1m", "login_time": "90s", "stranger_time": "100s", "session_time": "200s"}
GREETING = {"smtp": b"220 ", "submission": b"220 ", "lmtp": b"220 ", "imap": b"* OK", "pop3": b"+OK"}
REFUSAL = {"smtp": b"421 4.7.0 ", "submission": b"421 4.7.0 ", "lmtp": b"421 4.7.0 ", "imap": b"* BYE ",
           "pop3": b"-ERR [SYS/TEMP] "}
COMMAND = {"smtp": b"NOOP\r\n", "lmtp": b"NOOP\r\n", "imap": b"a NOOP\r\n", "pop3": b"CAPA\r\n"}
MINUTE_MS = 60_000
numbers = iter(range(1, 250))
moved_ms = 0  # by how much the server's clock was


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


def move(server, seconds):
    global moved_ms
    ms = round(seconds * 1000)
    server.clock(f"+{ms}ms")
    moved_ms += ms


def after_a_while(server):
    """What came in the last minutes counts no more, and a minute of the server's counting begins."""
    now_ms = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000_000 + moved_ms
    move(server, (30 * MINUTE_MS - now_ms % MINUTE_MS + 1) / 1000)


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
        wait_until(lambda: all(worker["state"] == "serving" and worker["pid"] != victim["pid"]
                               for worker in json.loads(server.command("status", "--json"))["workers"]), WAIT_S, "its next life")
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
    after_a_while(server)
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


def accounts(server):
    refusals = {"imap": ("a LOGIN {0} {1}", b"a ", b"a NO [UNAVAILABLE] "), "pop3": ("USER {0}\r\nPASS {1}", b"-ERR", b"-ERR [SYS/TEMP] ")}
    name = server.address("test0002")
    with tap.test("so many connections of one account, from wherever, and no more"):
        wires = [logged_in(server, fresh(), "test0002") for _ in range(ACCOUNT_OPEN)]
        for role, (command, start, refusal) in refusals.items():
            answer = Wire(server, role, fresh()).ask(command.format(name, PASSWORD) + "\r\n", start)
            assert answer.startswith(refusal), answer
        assert plain(Wire(server, "submission", fresh()), name, PASSWORD).startswith(b"454 4.7.0 ")
        wires.append(logged_in(server, fresh(), "test0003"))
        close(wires)
        wait_until(lambda: not [s for s in json.loads(server.command("who", "--json")) if s["account"]], WAIT_S, "their end")
        logged_in(server, fresh(), "test0002").close()
    with tap.test("so many logins of one account a minute, and no more"):
        after_a_while(server)
        for _ in range(LOGINS):
            wire = logged_in(server, fresh(), "test0002")
            wire.close()
            wait_until(lambda: not [s for s in json.loads(server.command("who", "--json")) if s["account"]], WAIT_S, "its end")
        answer = Wire(server, "imap", fresh()).ask(f"a LOGIN {name} {PASSWORD}\r\n", b"a ")
        assert answer.startswith(b"a NO [UNAVAILABLE] "), answer
        after_a_while(server)


def plain(wire, name, password):
    """What AUTH PLAIN is answered by a submission server."""
    message = base64.b64encode(f"\0{name}\0{password}".encode()).decode()
    wire.ask("EHLO client.test\r\n", b"250 ")
    return wire.ask(f"AUTH PLAIN {message}\r\n", (b"235", b"535", b"454"))


def scram(server, account, password):
    """What SCRAM comes to, once it is clear."""
    with Auth(server, "imap") as auth:
        client = Scram(server.address(account), password)
        answer = auth.begin("SCRAM-SHA-256", client.first().encode())
        return str(auth.say(client.last(answer.decode()).encode()))


def attempt(server, here, account, password):
    """What one LOGIN is answered: OK, NO [AUTHENTICATIONFAILED] or NO [UNAVAILABLE]."""
    wire = Wire(server, "imap", here)
    answer = wire.ask(f"a LOGIN {server.address(account)} {password}\r\n", b"a ")
    wire.close()
    return re.match(rb"a (OK|NO \[\w+\])", answer)[1].decode()


WRONG, LATER = "NO [AUTHENTICATIONFAILED]", "NO [UNAVAILABLE]"


def guesses(server):
    with tap.test("after so many failures of an account from an address, its password is not looked at any more"):
        guesser, owner = fresh(), fresh()
        for case in ("test0004", "TEST0004", "test0004+x"):
            assert attempt(server, guesser, case, "wrong") == WRONG
        assert attempt(server, guesser, "test0004", "wrong") == LATER
        assert attempt(server, guesser, "test0004", PASSWORD) == LATER, "right or wrong is told apart"
        assert attempt(server, owner, "test0004", PASSWORD) == "OK", "the owner is locked out"
        assert attempt(server, guesser, "test0005", PASSWORD) == "OK", "others behind the address are locked out"
        wire = Wire(server, "submission", guesser)
        assert plain(wire, server.address("test0004"), PASSWORD).startswith(b"454 4.7.0 ")
        after_a_while(server)
        assert attempt(server, guesser, "test0004", PASSWORD) == "OK", "it is refused for ever"
    with tap.test("by whatever mechanism"):
        for _ in range(PAIR):
            assert "AUTHENTICATIONFAILED" in scram(server, "test0007", "wrong")
        assert "UNAVAILABLE" in scram(server, "test0007", PASSWORD)
        wire = Wire(server, "submission", fresh())
        assert plain(wire, server.address("test0007"), PASSWORD).startswith(b"235 ")
        after_a_while(server)
    with tap.test("the log has each failure in one form, and of those that are refused a few"):
        guesser = fresh()
        for _ in range(PAIR + 10):
            attempt(server, guesser, "test0004", "wrong")
        found = re.findall(rf"warn imap \S+ login failed account={server.address('test0004')} peer={guesser} mechanism=LOGIN "
                           r"tls=no reason=\"(.*)\"", server.log())
        assert found[:PAIR] == ["wrong name or password"] * PAIR and set(found[PAIR:]) <= {"too many failed logins"}, found
        assert len(found) <= PAIR + 2, found
        after_a_while(server)
    with tap.test("after so many failures from an address it may try no account, known or not"):
        guesser = fresh()
        for number in range(ADDRESS):
            assert attempt(server, guesser, f"nobody{number}", "wrong") == WRONG
        assert attempt(server, guesser, "test0005", PASSWORD) == LATER
        assert attempt(server, fresh(), "test0005", PASSWORD) == "OK"
        after_a_while(server)
    with tap.test("after so many failures of an account from everywhere, logins from new addresses wait, and are not refused"):
        owner, traveller = fresh(), fresh()
        assert attempt(server, owner, "test0006", PASSWORD) == "OK"
        for _ in range(ACCOUNT):
            assert attempt(server, fresh(), "test0006", "wrong") == WRONG
        assert attempt(server, owner, "test0006", PASSWORD) == "OK", "whoever was there lately need not wait"
        wires = [Wire(server, "imap", here) for here in (traveller, fresh())]
        for wire, password in zip(wires, (PASSWORD, "wrong")):
            wire.send(f"a LOGIN {server.address('test0006')} {password}\r\n".encode())
            wire.socket.settimeout(0.5)
            try:
                said = wire.socket.recv(100)
            except TimeoutError:
                said = b""
            assert not said, f"it does not wait: {said}"
        move(server, 31)
        move(server, 30)
        for wire, answer in zip(wires, (b"a OK", b"a NO [AUTHENTICATIONFAILED]")):
            wire.socket.settimeout(WAIT_S)
            assert wire.socket.recv(1000).startswith(answer)
        close(wires)
        after_a_while(server)


def times(server):
    with tap.test("one must log in within a time, however busy he seems"):
        here = fresh()
        imap, pop3 = Wire(server, "imap", here), Wire(server, "pop3", here)
        for _ in range(10):
            imap.send(b"a")
            pop3.send(b"U")
            move(server, 9)
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
            move(server, 10)
        assert drips.line().startswith(b"421 4.7.0 ") and drips.line() == b""
        assert message.line().startswith(b"421 4.7.0 ") and message.line() == b""
        assert unread.said_last().startswith(b"421 4.7.0 ")
    with tap.test("a handshake that stalls is given up"):
        stalled = Wire(server, "imaps", fresh())
        stalled.send(b"\x16\x03\x01")
        wait_until(lambda: [s for s in json.loads(server.command("who", "--json")) if s["service"] == "imaps"], WAIT_S, "it")
        move(server, 91)
        move(server, 11)
        assert stalled.line() == b""
    with tap.test("a session may be ended after so long"):
        wire = logged_in(server, fresh(), "test0001")
        for _ in range(19):
            move(server, 10)
            assert wire.ask("b NOOP\r\n", b"b ").startswith(b"b OK")
        move(server, 10)
        assert wire.line().startswith(b"* BYE ") and wire.line() == b""


def main():
    options = [f"limits.{name} {value}" for name, value in SETTINGS.items()]
    options += ["login.clear_text always", "imap.login_timeout 1h", f'listen.imap.proxy {{"{BALANCER}"}}']
    with Server(workers=2, set=options) as server:
        for part in (connections, deaths, networks, rates, accounts, guesses, times):
            part(server)
    tap.done()


if __name__ == "__main__":
    main()
