"""mbsync.py - mbsync keeps a tree of Maildirs and an account the same, both ways; over TLS and by STARTTLS."""

import itertools
import os
import shutil
import subprocess
import tempfile

import tap
from both_ways import Far, Near, both_ways
from mail import done, imap_session
from postern import PASSWORD, Server
from real_mail import distinct_messages

tap.need("mbsync")
CONF = """
FSync no

IMAPAccount postern
Host localhost
Port {port}
User {user}
Pass {password}
SSLType {ssl}
CertificateFile {certificate}
AuthMechs {mechanism}

IMAPStore far
Account postern

MaildirStore near
SubFolders Verbatim
Path {folder}/mail/
Inbox {folder}/mail/INBOX

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState {folder}/state/
"""

with Server(users=1) as server, tempfile.TemporaryDirectory() as folder:
    for part in ("mail", "state"):
        os.mkdir(f"{folder}/{part}")
    ways = itertools.cycle([("imaps", "IMAPS", "LOGIN"), ("imap", "STARTTLS", "*")])

    def sync():
        role, ssl, mechanism = next(ways)
        with open(f"{folder}/mbsyncrc", "w") as file:
            file.write(CONF.format(port=server.ports[role], user=server.address("test0000"), password=PASSWORD, ssl=ssl,
                                   mechanism=mechanism, certificate=server.certificate, folder=folder))
        run = subprocess.run(["mbsync", "-c", f"{folder}/mbsyncrc", "-a"], capture_output=True, text=True, timeout=120)
        assert run.returncode == 0, run.stdout + run.stderr

    # mbsync takes no message whose header has no end.
    mail = [text for text in distinct_messages() if b"\r\n\r\n" in text]
    near, far = Near(f"{folder}/mail", utf7=True), Far(server, "test0000")
    both_ways(near, far, sync, mail)
    names = far.names()
    with tap.test("an empty folder that one side lost is lost at the other"):
        near.create("One")
        far.create("Two")
        sync()
        assert near.names() == far.names() == names | {"One", "Two"}, (near.names(), far.names())
        shutil.rmtree(near.folder("One", ""))
        with imap_session(server, "test0000") as imap:
            done(imap.delete("Two"))
        sync()
        assert near.names() == far.names() == names, (near.names(), far.names())
tap.done()
