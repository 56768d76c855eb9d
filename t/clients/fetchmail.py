"""fetchmail.py - fetchmail takes mail by POP3 and by IMAP and hands it on: here to another account, by SMTP."""

import os
import subprocess
import tempfile

import tap
from mail import send, texts
from postern import PASSWORD, Server

tap.need("fetchmail")
TEXTS = [f"From: a@example.test\r\nSubject: {n}\r\nMessage-ID: <{n}@x.test>\r\n\r\n{n}: text\r\n".encode() for n in range(5)]


def fetchmail(server, protocol, account, port, options, folder):
    rc = os.path.join(folder, "fetchmailrc")
    with open(rc, "w") as file:
        file.write(f'poll localhost port {port} protocol {protocol} timeout 60\n user "{server.address(account)}" '
                   f'password "{PASSWORD}" {options} smtphost "localhost/{server.ports["smtp"]}" '
                   f'smtpname "{server.address("test0001")}" \n')
    os.chmod(rc, 0o600)
    return subprocess.run(["fetchmail", "--fetchmailrc", rc, "--pidfile", f"{folder}/pid", "--invisible", "--nosyslog"],
                          env={**os.environ, "HOME": folder, "FETCHMAILHOME": folder}, capture_output=True, text=True,
                          timeout=120)


def check(server, name, protocol, role, options):
    with tap.test(f"fetchmail takes everything {name}"), tempfile.TemporaryDirectory() as folder:
        send(server, ["test0000"], TEXTS)
        before = len(texts(server, "test0001"))
        run = fetchmail(server, protocol, "test0000", server.ports[role], options, folder)
        assert run.returncode == 0, run.stdout + run.stderr
        got = texts(server, "test0001")[before:]
        assert [text.endswith(sent.partition(b"\r\n\r\n")[2]) for sent, text in zip(TEXTS, got)] == [True] * 5
        assert texts(server, "test0000") == []
        again = fetchmail(server, protocol, "test0000", server.ports[role], options, folder)
        assert again.returncode == 1, "1 says that there is no mail: " + again.stdout + again.stderr


with Server(users=2) as server:
    clear = "sslproto ''"
    secure = f"ssl sslcertck sslcertfile {server.certificate}"
    check(server, "by POP3", "pop3", "pop3", clear)
    check(server, "by POP3 over TLS", "pop3", "pop3s", secure)
    check(server, "by IMAP", "imap", "imap", clear)
    check(server, "by IMAP over TLS", "imap", "imaps", secure)
tap.done()
