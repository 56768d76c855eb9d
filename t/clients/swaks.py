"""swaks.py - swaks sends: plain, pipelined, over TLS, by STARTTLS, logged in by each mechanism, by LMTP, and 2 MB."""

import os
import subprocess
import tempfile

import tap
from mail import texts
from postern import PASSWORD, Server

tap.need("swaks")


def swaks(server, role, *options, status=0):
    run = subprocess.run(["swaks", "--server", f"{server.host}:{server.ports[role]}", "--from", server.address("test0000"),
                          "--to", server.address("test0000"), "--ehlo", "client.test", *options], capture_output=True,
                         text=True, timeout=120, stdin=subprocess.DEVNULL)
    assert run.returncode == status, run.stdout + run.stderr


with Server(users=2) as server, tempfile.TemporaryDirectory() as folder:
    big = os.path.join(folder, "big")
    with open(big, "wb") as file:
        file.write(os.urandom(2_000_000))
    login = ["--auth-user", server.address("test0000"), "--auth-password", PASSWORD]
    for name, role, options in (
            ("plain", "smtp", []),
            ("pipelined, to two recipients", "smtp", ["--pipeline", "--to", ",".join(map(server.address, (
                "test0000", "test0001")))]),
            ("by STARTTLS", "smtp", ["--tls"]),
            ("by STARTTLS and PLAIN", "submission", ["--tls", *login, "--auth", "PLAIN"]),
            ("by STARTTLS and LOGIN, pipelined", "submission", ["--tls", "--pipeline", *login, "--auth", "LOGIN"]),
            ("over TLS, logged in by PLAIN", "submissions", ["--tls-on-connect", *login, "--auth", "PLAIN"]),
            ("over TLS, logged in by LOGIN", "submissions", ["--tls-on-connect", *login, "--auth", "LOGIN"]),
            ("by LMTP and STARTTLS", "lmtp", ["--protocol", "LMTP", "--tls"]),
            ("by LMTP", "lmtp", ["--protocol", "LMTP"]),
            ("by LMTP with 2 MB attached", "lmtp", ["--protocol", "LMTP", "--attach", f"@{big}"]),
            ("pipelined over TLS, with 2 MB attached", "smtp", ["--tls", "--pipeline", "--attach", f"@{big}"]),
            ("with 2 MB attached", "smtp", ["--attach", f"@{big}"])):
        with tap.test(f"swaks sends {name}"):
            before = len(texts(server, "test0000"))
            swaks(server, role, "--body", f"sent {name}", *options)
            got = texts(server, "test0000")
            assert len(got) == before + 1 and f"sent {name}".encode() in got[-1]
    with tap.test("what is told wrong is refused: no login, a wrong password, an unknown recipient"):
        swaks(server, "submission", "--tls", status=23)  # of MAIL
        swaks(server, "submissions", "--tls-on-connect", *login[:3], "wrong", "--auth", "PLAIN", status=28)  # of AUTH
        swaks(server, "smtp", "--to", server.address("nobody.here"), status=24)  # of every recipient
    with tap.test("the second recipient has one"):
        assert len(texts(server, "test0001")) == 1
    with tap.test("the 2 MB are all there"):
        assert len(texts(server, "test0000")[-1]) > 2_000_000 * 4 / 3
tap.done()
