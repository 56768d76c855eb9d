"""proxy.py - balancers tell whose connection they pass on, before the greeting or TLS; nobody else is believed."""

import json
import re
import socket
import ssl
import struct

import tap
from mail import texts
from postern import PASSWORD, Server, wait_until

WAIT_S = 60
BALANCER = "127.0.7.1"
OTHER = "127.0.0.1"
PEER4, PEER6 = "192.0.2.77", "2001:db8::77"
GREETING = {"smtp": b"220 ", "submission": b"220 ", "lmtp": b"220 ", "imap": b"* OK", "pop3": b"+OK"}
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def connect(server, role, here=BALANCER):
    return socket.create_connection((server.host, server.ports[role]), timeout=WAIT_S, source_address=(here, 0))


def v1(peer=PEER4, here="198.51.100.1", family="TCP4"):
    return f"PROXY {family} {peer} {here} 40000 25\r\n".encode()


def v2(peer=PEER4, here="198.51.100.1", command=1, more=b""):
    kind = socket.AF_INET6 if ":" in peer else socket.AF_INET
    body = socket.inet_pton(kind, peer) + socket.inet_pton(kind, here) + struct.pack(">HH", 40000, 25) + more
    family = 0x21 if kind == socket.AF_INET6 else 0x11
    return SIGNATURE + bytes([0x20 | command, family]) + struct.pack(">H", len(body)) + body


def line(wire):
    """The next line, or b"" at the end, whichever way that came."""
    got = b""
    try:
        while not got.endswith(b"\n") and (byte := wire.recv(1)):
            got += byte
    except ConnectionError:
        pass
    return got


def greeted(server, role, header, here=BALANCER):
    """A connection that sent a header and was greeted."""
    wire = connect(server, role, here)
    wire.sendall(header)
    assert line(wire).startswith(GREETING[role])
    return wire


def peers(server):
    return [session["peer"] for session in json.loads(server.command("who", "--json"))]


def headers(server):
    for role in GREETING:
        with tap.test(f"{role}: a session is the one's whom the header names, in version 1 and 2, IPv4 and IPv6"):
            for header, peer in ((v1(), PEER4), (v1(PEER6, "::1", "TCP6"), PEER6), (v2(), PEER4), (v2(PEER6, "::1"), PEER6),
                                 (v2(more=b"\x20\0\5\1\0\0\0\0"), PEER4), (v1(f"::ffff:{PEER4}", "::1", "TCP6"), PEER4)):
                with greeted(server, role, header):
                    assert peers(server) == [peer], (header, peers(server))
                wait_until(lambda: not peers(server), WAIT_S, "the session's end")
    with tap.test("a balancer that speaks for itself, or cannot say, is the peer"):
        for header in (v2(command=0), SIGNATURE + b"\x20\0\0\0", SIGNATURE + b"\x21\0\0\0", b"PROXY UNKNOWN\r\n"):
            with greeted(server, "imap", header):
                assert peers(server) == [BALANCER], header
            wait_until(lambda: not peers(server), WAIT_S, "the session's end")
    with tap.test("a header that comes byte by byte is taken, and what comes along behind it is not lost"):
        with connect(server, "smtp") as wire:
            for byte in v2():
                wire.sendall(bytes([byte]))
            assert line(wire).startswith(b"220 ")
        with connect(server, "imap") as wire:
            wire.sendall(v1() + b"a NOOP\r\n")
            assert line(wire).startswith(b"* OK") and line(wire).startswith(b"a OK")
    with tap.test("TLS begins behind the header"):
        context = ssl.create_default_context(cafile=server.certificate)
        context.check_hostname = False
        for role in ("imaps", "pop3s", "submissions"):
            with connect(server, role) as wire:
                wire.sendall(v2())
                with context.wrap_socket(wire) as secure:
                    assert line(secure).startswith((b"* OK", b"+OK", b"220 "))
                    assert peers(server) == [PEER4]
            wait_until(lambda: not peers(server), WAIT_S, "the session's end")


def use(server):
    with tap.test("logs and Received name the peer"):
        with greeted(server, "smtp", v1()) as wire:
            wire.sendall(f"EHLO client.test\r\nMAIL FROM:<>\r\nRCPT TO:<{server.address('test0000')}>\r\nDATA\r\n"
                         "Subject: hello\r\n\r\ntext\r\n.\r\nQUIT\r\n".encode())
            while not (last := line(wire)).startswith(b"221"):
                assert last, "no 221"
        assert f"[{PEER4}]".encode() in texts(server, "test0000")[0]
        assert f"open role=smtp peer={PEER4}" in server.log()
    with tap.test("a password in clear text is for loopback alone, wherever the balancer is"):
        with greeted(server, "imap", v1()) as wire:
            wire.sendall(f"a LOGIN {server.address('test0000')} {PASSWORD}\r\n".encode())
            assert re.match(rb"a NO \[PRIVACYREQUIRED\]", line(wire))


def refusals(server):
    with tap.test("a balancer that sends no header is dropped, and logged"):
        for wrong in (b"EHLO client.test\r\n", b"PROXY TCP4 here there 1 2\r\n", SIGNATURE + b"\x31\x11\0\0", b"\x16\x03\x01"):
            with connect(server, "smtp") as wire:
                wire.sendall(wrong)
                assert line(wire) == b"", wrong
        found = re.findall(r"warn smtp - balancer dropped role=smtp peer=(\S+) reason=\"no PROXY header\"", server.log())
        assert found == [BALANCER] * 4, found
    with tap.test("one that only looks whether somebody listens is none to log"):
        before = server.log().count("balancer dropped")
        connect(server, "imap").close()
        with greeted(server, "imap", v1()):
            pass
        assert server.log().count("balancer dropped") == before
    with tap.test("one that is silent, or drips, is dropped in time"):
        with connect(server, "imap") as silent, connect(server, "imap") as drips:
            drips.sendall(b"PRO")
            with greeted(server, "imap", v1()):  # both were accepted before it, or wait for another worker ...
                pass
            silent.settimeout(0.05)
            while True:  # ... so the clock moves until they were
                server.clock("+6s")
                try:
                    assert silent.recv(1) == b""
                    break
                except TimeoutError:
                    continue
            assert line(drips) == b""
    with tap.test("from anywhere else a header is a wrong command"):
        with connect(server, "imap", OTHER) as wire:
            assert line(wire).startswith(b"* OK"), "the server waits for it"
            wire.sendall(v1())
            assert re.match(rb"PROXY BAD|\* BYE", line(wire))
            assert peers(server) == [OTHER]


def reload(server):
    with tap.test("a reload changes who is a balancer"):
        server.options["set"] = [f'listen.imap.proxy {{"{OTHER}"}}']
        server.write_conf()
        server.command("reload")
        with greeted(server, "imap", v1(), OTHER), connect(server, "imap") as old:
            assert line(old).startswith(b"* OK")
            assert sorted(peers(server)) == sorted([PEER4, BALANCER])


def main():
    options = [f'listen.{role}.proxy {{"{BALANCER}/32", "10.0.0.0/8"}}' for role in (*GREETING, "imaps", "pop3s", "submissions")]
    with Server(workers=2, set=options) as server:
        for part in (headers, use, refusals, reload):
            part(server)
    tap.done()


if __name__ == "__main__":
    main()
