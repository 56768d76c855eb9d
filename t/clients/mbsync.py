"""mbsync.py - mbsync keeps a Maildir and a mailbox the same: new mail, flags and deletions, both ways."""

import os
import subprocess
import tempfile

import tap
from mail import done, fetch_all, flags_of, imap_session, send, texts
from postern import PASSWORD, Server

tap.need("mbsync")
TEXTS = [f"From: a@example.test\r\nSubject: {n}\r\nMessage-ID: <{n}@x.test>\r\n\r\n{n}: text\r\n".encode()
         for n in range(20)]

CONF = """
IMAPAccount postern
Host localhost
Port {port}
User {user}
Pass {password}
SSLType IMAPS
CertificateFile {certificate}
AuthMechs LOGIN

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
Expunge Both
SyncState *
"""


class Synced:
    """A Maildir beside the account."""

    def __init__(self, server, folder):
        self.folder = folder
        os.mkdir(f"{folder}/mail")
        with open(f"{folder}/mbsyncrc", "w") as file:
            file.write(CONF.format(port=server.ports["imaps"], user=server.address("test0000"), password=PASSWORD,
                                   certificate=server.certificate, folder=folder))

    def sync(self):
        run = subprocess.run(["mbsync", "-c", f"{self.folder}/mbsyncrc", "-a"], capture_output=True, text=True,
                             timeout=120)
        assert run.returncode == 0, run.stdout + run.stderr

    def files(self, name="INBOX"):
        box = f"{self.folder}/mail/{name}"
        return sorted(entry.path for part in ("cur", "new") for entry in os.scandir(f"{box}/{part}"))

    def add(self, number, name="INBOX"):
        with open(f"{self.folder}/mail/{name}/cur/{number}.x.y:2,FS", "wb") as file:
            file.write(TEXTS[number].replace(b"\r\n", b"\n"))


with Server(users=1) as server, tempfile.TemporaryDirectory() as folder:
    near = Synced(server, folder)
    with tap.test("mbsync takes what is there"):
        send(server, ["test0000"], TEXTS[:10])
        near.sync()
        assert len(near.files()) == 10
    with tap.test("flags and deletions go out, and a new message"):
        for path in near.files()[:3]:
            os.unlink(path)
        path = near.files()[0]
        os.rename(path, path.replace("/new/", "/cur/").partition(":")[0] + ":2,RS")
        near.add(10)
        near.sync()
        found = fetch_all(server, "test0000")
        flags = [flags_of(about) for _, about, _ in found]
        assert len(found) == 8 and flags[-1] == (rb"\Flagged", rb"\Seen"), flags
        assert (rb"\Answered", rb"\Seen") in flags, flags
        assert found[-1][2].endswith(TEXTS[10].partition(b"\r\n\r\n")[2])
    with tap.test("and come in"):
        with imap_session(server, "test0000") as imap:
            done(imap.store("1:2", "+FLAGS", r"(\Deleted)"))
            done(imap.store("3", "+FLAGS", r"(\Flagged)"))
            done(imap.expunge())
        near.sync()
        assert len(near.files()) == 6 and sum(":2,F" in path for path in near.files()) == 2, near.files()
    with tap.test("a new folder goes out with its messages"):
        for part in ("", "/cur", "/new", "/tmp"):
            os.mkdir(f"{folder}/mail/Work{part}")
        for number in range(11, 20):
            near.add(number, "Work")
        near.sync()
        assert len(texts(server, "test0000", "Work")) == 9
    with tap.test("and another comes in"):
        with imap_session(server, "test0000") as imap:
            done(imap.create("Play"))
            done(imap.copy("1:*", "Play"))
        near.sync()
        assert len(near.files("Play")) == 6
    with tap.test("once all is the same nothing changes"):
        before = [near.files(name) for name in ("INBOX", "Work", "Play")]
        near.sync()
        assert before == [near.files(name) for name in ("INBOX", "Work", "Play")]
        assert len(texts(server, "test0000")) == 6
tap.done()
