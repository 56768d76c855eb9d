"""gsasl.py - GNU SASL's client logs in by SMTP and IMAP with every mechanism that it and we have."""

import subprocess

import tap
from postern import PASSWORD, Server

tap.need("gsasl")
WELCOME = {"submission": "235 2.7.0 welcome", "imap": "welcome"}


def gsasl(server, role, mechanism, password, *options):
    run = subprocess.run(["gsasl", "--client", "--smtp" if role == "submission" else "--imap", "--mechanism", mechanism,
                          "--authentication-id", server.address("test0000"), "--password", password, *options,
                          "localhost", str(server.ports[role])], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                         timeout=120)
    return run.returncode == 0 and WELCOME[role] in run.stdout, run.stdout + run.stderr


with Server(users=1, set=["login.channel_binding yes"]) as server:
    secure = [f"--x509-ca-file={server.certificate}"]
    himself = ["--authorization-id", server.address("test0000")]
    for role in WELCOME:
        for mechanism, how, options in (
                ("PLAIN", "over TLS", secure + himself), ("LOGIN", "over TLS", secure),
                ("SCRAM-SHA-256", "over TLS", secure + ["--no-cb"]),
                ("SCRAM-SHA-256", "over TLS, as himself", secure + ["--no-cb"] + himself),
                ("SCRAM-SHA-256", "over TLS, as nobody else", secure + ["--no-cb", "--authorization-id", ""]),
                ("SCRAM-SHA-256", "in clear text", ["--no-starttls"]),
                ("SCRAM-SHA-256-PLUS", "over TLS", secure)):
            with tap.test(f"{role}: {mechanism} {how}"):
                good, said = gsasl(server, role, mechanism, PASSWORD, *options)
                assert good, said
            with tap.test(f"{role}: {mechanism} {how} with a wrong password"):
                good, said = gsasl(server, role, mechanism, "wrong", *options)
                assert not good and "wrong name or password" in said, said
tap.done()
