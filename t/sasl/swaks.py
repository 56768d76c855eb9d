"""swaks.py - swaks logs in by each mechanism that it has, where it may, and hands in mail."""

import subprocess

import tap
from mail import texts
from postern import PASSWORD, Server

tap.need("swaks")


def swaks(server, role, mechanism, password, *options):
    run = subprocess.run(["swaks", "--server", f"localhost:{server.ports[role]}", "--from", server.address("test0000"),
                          "--to", server.address("test0000"), "--ehlo", "client.test", "--auth", mechanism, "--auth-user",
                          server.address("test0000"), "--auth-password", password, *options], capture_output=True,
                         text=True, timeout=120, stdin=subprocess.DEVNULL)
    return run.returncode, run.stdout + run.stderr


with Server(users=1) as server:
    sent = 0
    for mechanism in ("PLAIN", "LOGIN"):
        for role, how, options in (("submission", "in clear text", []), ("submission", "behind STARTTLS", ["--tls"]),
                                   ("submissions", "over TLS", ["--tls-on-connect"]),
                                   ("smtp", "behind STARTTLS", ["--tls"])):
            with tap.test(f"{role} {how}: {mechanism}"):
                status, said = swaks(server, role, mechanism, PASSWORD, *options)
                assert status == 0, said
                sent += 1
                with_ = "ESMTPSA" if options else "ESMTPA"
                got = texts(server, "test0000")
                assert len(got) == sent and f"with {with_} (account ".encode() in got[-1], got[-1]
            with tap.test(f"{role} {how}: {mechanism} with a wrong password"):
                status, said = swaks(server, role, mechanism, "wrong", *options)
                assert status == 28 and "535 5.7.8" in said, said
    with tap.test("smtp in clear text offers none"):
        status, said = swaks(server, "smtp", "PLAIN", PASSWORD)
        assert status == 28 and "250-STARTTLS" in said and "250-AUTH" not in said, said
    with tap.test("without a login nothing is taken where mail is handed in"):
        run = subprocess.run(["swaks", "--server", f"localhost:{server.ports['submission']}", "--from", "a@example.test",
                              "--to", server.address("test0000")], capture_output=True, text=True, timeout=120,
                             stdin=subprocess.DEVNULL)
        assert run.returncode == 23 and "530 5.7.0" in run.stdout, run.stdout
tap.done()
