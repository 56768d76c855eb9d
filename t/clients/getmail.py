"""getmail.py - getmail takes mail by POP3 and IMAP, plain and over TLS, keeps, deletes or moves it, delivers by LMTP."""

import os
import subprocess
import tempfile

import tap
from mail import create, send, texts
from postern import PASSWORD, Server
from real_mail import python_messages
from taking import take_all

tap.need("getmail")
CONF = """
[retriever]
type = Simple{kind}Retriever
server = localhost
port = {port}
username = {user}
password = {password}
{more}
[destination]
type = MDA_lmtp
host = {host}
port = {lmtp}
override = {to}

[options]
read_all = {again}
delete = {delete}
delivered_to = false
received = false
verbose = 0
"""


def getmail(kind, role, keep, more="", again=False):
    rc = f"{folder}/{role}.rc"
    with open(rc, "w") as file:
        file.write(CONF.format(kind=kind, port=server.ports[role], user=server.address("test0000"), password=PASSWORD,
                               host=server.host, lmtp=server.ports["lmtp"], to=server.address("test0001"),
                               delete=not keep, more=more, again=again))
    run = subprocess.run(["getmail", "--quiet", f"--getmaildir={folder}", f"--rcfile={rc}"], capture_output=True,
                         text=True, timeout=120, env={**os.environ, "HOME": folder})
    assert run.returncode == 0 and not run.stderr, run.stdout + run.stderr


# It drops a Return-Path or Bcc that a message was sent with.
mail = [text for text in python_messages() if b"\nReturn-Path:" not in b"\n" + text and b"\nBcc:" not in text][::3]
with Server(users=2) as server, tempfile.TemporaryDirectory() as folder:
    trust = f"ca_certs = {server.certificate}\n"
    for how, kind, role, more in (("by POP3", "POP3", "pop3", ""),
                                  ("by POP3 over TLS", "POP3SSL", "pop3s", trust),
                                  ("by IMAP", "IMAP", "imap", "record_mailbox = false\n"),
                                  ("by IMAP over TLS", "IMAPSSL", "imaps", "record_mailbox = false\n" + trust)):
        take_all(server, how, mail, lambda keep: getmail(kind, role, keep, more), lambda: texts(server, "test0001"))
    with tap.test("what was taken is moved to another mailbox"):
        create(server, "test0000", "Taken")
        send(server, ["test0000"], mail[:3])
        want, before = texts(server, "test0000"), len(texts(server, "test0001"))
        getmail("IMAP", "imap", False, "move_on_delete = Taken\n", again=True)
        assert texts(server, "test0000") == [] and texts(server, "test0000", "Taken") == want
        assert len(texts(server, "test0001")) == before + 3
tap.done()
