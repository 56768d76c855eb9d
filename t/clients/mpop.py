"""mpop.py - mpop takes real mail of every kind by POP3, plain, over TLS, by STLS, logged in by each mechanism."""

import os
import subprocess
import tempfile

import tap
from postern import PASSWORD, Server
from real_mail import distinct_messages
from taking import take_all

tap.need("mpop")


def mpop(role, box, keep, *options):
    run = subprocess.run(["mpop", "--host=localhost", f"--port={server.ports[role]}", "--received-header=off",
                          f"--user={server.address('test0000')}", f"--passwordeval=echo {PASSWORD}", "--only-new",
                          f"--keep={'on' if keep else 'off'}", f"--uidls-file={box}.uidls",
                          f"--delivery=maildir,{box}", "--quiet", *options],
                         capture_output=True, text=True, timeout=120, env={**os.environ, "HOME": folder})
    assert run.returncode == 0 and not run.stderr, run.stdout + run.stderr


def taken(box):
    found = []
    for entry in os.scandir(f"{box}/new"):
        with open(entry.path, "rb") as file:
            found.append(file.read().replace(b"\n", b"\r\n"))
    return found


with Server(users=1) as server, tempfile.TemporaryDirectory() as folder:
    tls = ["--tls=on", f"--tls-trust-file={server.certificate}", "--tls-starttls=off"]
    stls = [*tls[:2], "--tls-starttls=on"]
    mail = distinct_messages()
    for how, role, options, mail in (
            ("plain, by USER, pipelined", "pop3", ["--tls=off", "--auth=user", "--pipelining=on"], mail),
            ("over TLS, as it sees fit", "pop3s", [*tls, "--auth=on", "--pipelining=off"], mail[::4]),
            ("by STLS and PLAIN", "pop3", [*stls, "--auth=plain"], mail[1::4]),
            ("by STLS and LOGIN", "pop3", [*stls, "--auth=login"], mail[2::4]),
            ("by STLS and SCRAM", "pop3", [*stls, "--auth=scram-sha-256"], mail[3::4])):
        box = f"{folder}/{how}"
        for part in ("", "new", "cur", "tmp"):
            os.mkdir(f"{box}/{part}")
        take_all(server, how, mail, lambda keep: mpop(role, box, keep, *options), lambda: taken(box))
tap.done()
