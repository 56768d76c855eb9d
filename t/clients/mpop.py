"""mpop.py - mpop takes real mail of every kind by POP3, plain and over TLS, pipelined or not, keeps it or deletes it."""

import os
import subprocess
import tempfile

import tap
from postern import PASSWORD, Server
from real_mail import distinct_messages
from taking import take_all

tap.need("mpop")


def mpop(role, keep, *options):
    run = subprocess.run(["mpop", "--host=localhost", f"--port={server.ports[role]}", "--received-header=off",
                          f"--user={server.address('test0000')}", f"--passwordeval=echo {PASSWORD}", "--only-new",
                          f"--keep={'on' if keep else 'off'}", f"--uidls-file={folder}/uidls-{role}",
                          f"--delivery=maildir,{folder}/{role}", "--quiet", *options],
                         capture_output=True, text=True, timeout=120, env={**os.environ, "HOME": folder})
    assert run.returncode == 0 and not run.stderr, run.stdout + run.stderr


def taken(role):
    found = []
    for entry in os.scandir(f"{folder}/{role}/new"):
        with open(entry.path, "rb") as file:
            found.append(file.read().replace(b"\n", b"\r\n"))
    return found


with Server(users=1) as server, tempfile.TemporaryDirectory() as folder:
    secure = ["--tls=on", "--tls-starttls=off", f"--tls-trust-file={server.certificate}"]
    for how, role, options in (("by POP3", "pop3", ["--tls=off", "--auth=user", "--pipelining=on"]),
                               ("by POP3 over TLS", "pop3s", [*secure, "--pipelining=off"])):
        for part in ("", "new", "cur", "tmp"):
            os.mkdir(f"{folder}/{role}/{part}")
        take_all(server, how, distinct_messages(), lambda keep: mpop(role, keep, *options), lambda: taken(role))
tap.done()
