"""login_cut.py - hosts that go away in the midst of logging in, while what they asked for is computed (RFC 5802)."""

import base64
import select
import socket
import threading

import tap
from dns_server import DnsServer
from postern import Server, wait_until
from smtp_client import Client

seen, early = [], []
listener = socket.create_server(("0.0.0.0", 0))


def serve(conn):
    """Greets, challenges, and is gone. Nothing may be said before its greeting."""
    file = conn.makefile("rb")
    early.extend(select.select([conn], [], [], 0.2)[0])
    conn.sendall(b"220 far.test\r\n")
    for line in file:
        if line.startswith(b"EHLO"):
            conn.sendall(b"250-far.test\r\n250 AUTH SCRAM-SHA-256\r\n")
        elif line.startswith(b"AUTH"):
            nonce = base64.b64decode(line.split()[2]).split(b"r=")[1]
            challenge = b"r=%sfar,s=%s,i=1000000" % (nonce, base64.b64encode(b"salt of far"))
            conn.sendall(b"334 " + base64.b64encode(challenge) + b"\r\n")
            seen.append(line)
            break
    file.close()
    conn.close()


def accept():
    while True:
        try:
            conn, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=serve, args=(conn,), daemon=True).start()


threading.Thread(target=accept, daemon=True).start()
PORT = listener.getsockname()[1]
route = {"to": f"smtp:[far.example.test]:{PORT}", "user": "us", "password": "secret", "tls": "never"}
ZONE = "".join(f"far 300 A 127.0.0.{n}\n" for n in range(11, 15))
settings = [f"route.far.{name} {value}" for name, value in route.items()]
with DnsServer(ZONE) as dns, Server(users=1, workers=1, dns=dns.address, set=settings) as server:
    with tap.test("the mail waits, and the server goes on"):
        client = Client(server, role="submission", account="test0000")
        assert client.send(b"<%s>" % server.address("test0000").encode(), [b"<x@far.test>"]) == 250
        wait_until(lambda: len(seen) == 4, 60, "every address was tried")
        assert all(b"SCRAM" in line for line in seen)
        Client(server, role="submission", account="test0000")  # which takes its turn behind the computing
        assert client.ask(b"NOOP") == 250
        assert not early, "an answer went to who did not ask"
        server.stop()
listener.close()
tap.done()
