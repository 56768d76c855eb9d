"""offlineimap.py - OfflineIMAP keeps a tree of Maildirs and an account the same, over TLS and by STARTTLS."""

import itertools
import os
import subprocess
import tempfile

import tap
from both_ways import Far, Near, both_ways
from postern import PASSWORD, Server
from real_mail import python_messages

tap.need("offlineimap")
CONF = """
[general]
accounts = postern
metadata = {folder}/state
ui = basic
fsync = False

[Account postern]
localrepository = near
remoterepository = far
utf8foldernames = yes

[Repository near]
type = Maildir
localfolders = {folder}/mail
sep = /

[Repository far]
type = IMAP
remotehost = localhost
remoteport = {port}
remoteuser = {user}
remotepass = {password}
ssl = {ssl}
starttls = {starttls}
sslcacertfile = {certificate}
auth_mechanisms = {mechanism}
"""


with Server(users=1) as server, tempfile.TemporaryDirectory() as folder:
    ways = itertools.cycle([("imaps", "yes", "LOGIN"), ("imap", "no", "PLAIN")])

    def sync():
        role, ssl, mechanism = next(ways)
        with open(f"{folder}/offlineimaprc", "w") as file:
            file.write(CONF.format(port=server.ports[role], user=server.address("test0000"), password=PASSWORD, ssl=ssl,
                                   starttls="no" if ssl == "yes" else "yes", mechanism=mechanism, folder=folder,
                                   certificate=server.certificate))
        run = subprocess.run(["offlineimap", "-c", f"{folder}/offlineimaprc", "-o"], capture_output=True, text=True,
                             timeout=120, env={**os.environ, "HOME": folder})
        assert run.returncode == 0, run.stdout + run.stderr

    both_ways(Near(f"{folder}/mail"), Far(server, "test0000"), sync, python_messages())
tap.done()
