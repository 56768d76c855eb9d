"""backup.py - postern backup and postern restore, beside a live server: what is in a backup, what comes back."""

import contextlib
import imaplib
import json
import os
import pwd
import re
import shutil
import signal
import smtplib
import subprocess
import tempfile
import threading
import time

import tap
from mail import SENDER, append, done, literals, quoted
from postern import PASSWORD, Server, binary, wait_until

WAIT_S = 120
SKIPPED = 10000
TRIES = 20


def message(subject, lines=5):
    return f"From: {SENDER}\r\nSubject: {subject}\r\n\r\n".encode() + b"text of a line\r\n" * lines


def deliver(server, account, subject, lines=5):
    with smtplib.SMTP(server.host, server.ports["smtp"], timeout=WAIT_S) as smtp:
        smtp.sendmail(SENDER, [server.address(account)], message(subject, lines))


@contextlib.contextmanager
def session(server, account, mailbox="INBOX"):
    with imaplib.IMAP4(server.host, server.ports["imap"], timeout=WAIT_S) as imap:
        imap.login(server.address(account), PASSWORD)
        done(imap.select(quoted(mailbox)))
        yield imap


def content(server, account, mailbox="INBOX"):
    """(UIDVALIDITY, UIDNEXT, {UID: (subject, flags, date)})"""
    with session(server, account, mailbox) as imap:
        validity, uidnext = (int(imap.untagged_responses[what][0]) for what in ("UIDVALIDITY", "UIDNEXT"))
        found = literals(done(imap.uid("FETCH", "1:*", "(FLAGS INTERNALDATE BODY.PEEK[HEADER.FIELDS (SUBJECT)])")))
    messages = {}
    for about, text in found:
        flags = re.search(rb"FLAGS \(([^)]*)\)", about)[1].decode().split()
        messages[int(re.search(rb"UID (\d+)", about)[1])] = (
            re.search(rb"Subject: (.*?)\r\n", text)[1].decode(), sorted(set(flags) - {r"\Recent"}),
            re.search(rb'INTERNALDATE "([^"]*)"', about)[1].decode())
    return validity, uidnext, messages


def names(server, account):
    with session(server, account) as imap:
        return sorted(line.decode().rpartition(' "/" ')[2].strip('"') for line in done(imap.list()))


def postern(server, *words, status=0):
    ended = subprocess.run([binary(), "-c", server.conf, *words], capture_output=True, text=True, timeout=WAIT_S)
    assert ended.returncode == status, f"{words}: status {ended.returncode}: {ended.stdout}{ended.stderr}"
    return ended.stdout + ended.stderr


def fill(server):
    """What the tests bring back."""
    for n in range(6):
        deliver(server, "test0000", f"number {n}")
    deliver(server, "test0000", "large", 40_000)
    deliver(server, "test0001", "of another")
    with session(server, "test0000") as imap:
        done(imap.uid("STORE", "2", "+FLAGS", r"(\Seen $Work)"))
        done(imap.uid("STORE", "6", "+FLAGS", r"(\Deleted)"))
        done(imap.expunge())
        done(imap.create("Archive/Old"))
        done(imap.append("Archive/Old", r"(\Flagged work)", '"01-Feb-2021 10:20:30 +0000"', message("kept for long")))
        done(imap.append("Archive/Old", None, None, message("second")))
        done(imap.create(quoted("Grüße.x")))
        done(imap.subscribe("Archive/Old"))


def files_below(directory):
    return sorted(os.path.relpath(os.path.join(at, name), directory)
                  for at, _, found in os.walk(directory) for name in found)


def server_of(folder, original):
    for name in (original.certificate, original.path("key.pem")):
        shutil.copy(name, folder)
    with open(os.path.join(folder, "options.json"), "w") as file:
        json.dump({**original.options, "base_port": 0}, file)
    stat = os.stat(original.folder)
    os.chown(folder, stat.st_uid, stat.st_gid)
    return Server(folder)


def test_backup(server, at):
    before = content(server, "test0000"), content(server, "test0000", "Archive/Old")
    with tap.test("a backup tells what is in it"):
        told = postern(server, "backup", at("whole"))
        assert re.search(r"3 accounts|\d+ accounts, \d+ files, \d+ KiB in", told), told
    with tap.test("a backup has mail as links, settings, the queue, a manifest; no journal and no index"):
        found = files_below(at("whole"))
        mbox = f"domains/{server.domain}/test0000/INBOX.mbox"
        assert "manifest" in found and mbox in found and "login.secret" in found, found
        assert f"domains/{server.domain}/test0000/account.settings" in found, found
        assert any(re.match("queue/files", name) for name in found), found
        assert not any(re.match("journal|index|run", name) for name in found), found
        assert os.path.samefile(server.mailbox_file("test0000"), at("whole", mbox))
    with tap.test("a backup is refused where something is, within the store, and where it cannot be written"):
        assert "is not empty" in postern(server, "backup", at("whole"), status=1)
        inside = os.path.join(server.store, "inside")
        assert "lies within the store" in postern(server, "backup", inside, status=1)
        os.rmdir(inside)
        assert postern(server, "backup", at("missing", "deeper"), status=1)
        os.mkdir(at("closed"), 0o500)
        assert "Permission denied" in postern(server, "backup", at("closed"), status=1) or os.stat(at("closed")).st_uid
        assert postern(server, "backup", status=2) and postern(server, "backup", "--what", at("x"), status=2)
    with tap.test("--copy makes no links: nothing that changes the store's files in place reaches it"):
        postern(server, "backup", "--copy", at("copies"))
        linked = [name for name in files_below(at("copies")) if os.stat(at("copies", name)).st_nlink > 1]
        assert not linked and files_below(at("copies")) == files_below(at("whole")), linked
    with tap.test("--json tells it as JSON"):
        told = json.loads(postern(server, "backup", "--json", at("json")).splitlines()[-1])
        assert told["accounts"] >= 3 and told["files"] >= 6 and told["bytes"] > 0, told
    with tap.test("a backup of one account has that alone"):
        postern(server, "backup", "--account", server.address("test0001"), at("one"))
        assert os.listdir(at("one", "domains", server.domain)) == ["test0001"]
        assert "no account" in postern(server, "backup", "--account", server.address("nobody"), at("none"), status=1)
        assert not os.path.exists(at("none", "manifest"))
    return before


def test_restore(server, at, before):
    inbox, old = before
    with tap.test("what comes later changes nothing in a backup"):
        deliver(server, "test0000", "later")
        with session(server, "test0000") as imap:
            done(imap.uid("STORE", "1:*", "+FLAGS", r"(\Deleted)"))
            done(imap.expunge())
        told = postern(server, "restore", at("whole"), server.address("test0000"), "INBOX")
        assert "brought back as Restored/INBOX" in told, told
        validity, uidnext, messages = content(server, "test0000", "Restored/INBOX")
        assert (validity, messages) == (inbox[0], inbox[2]), (messages, inbox)
        assert uidnext >= inbox[1] + SKIPPED, uidnext
    with tap.test("one message comes back with its flags and date, under a new UID"):
        told = postern(server, "restore", at("whole"), server.address("test0000"), "INBOX", "2")
        uid = int(re.search(r"as INBOX UID (\d+)", told)[1])
        messages = content(server, "test0000")[2]
        assert messages == {uid: inbox[2][2]}, (messages, inbox[2][2])
        told = postern(server, "restore", "--to", "Archive/Old", at("whole"), server.address("test0000"), "INBOX", "7")
        uid = int(re.search(r"as Archive/Old UID (\d+)", told)[1])
        assert content(server, "test0000", "Archive/Old")[2][uid] == inbox[2][7]
        with session(server, "test0000", "Archive/Old") as imap:
            text = literals(done(imap.uid("FETCH", str(uid), "(BODY.PEEK[])")))[0][1]
            assert text.endswith(message("large", 40_000)), len(text)
    with tap.test("a message, mailbox or account that a backup has not is told of"):
        address = server.address("test0000")
        assert "no message of UID 6" in postern(server, "restore", at("whole"), address, "INBOX", "6", status=1)
        assert "no mailbox None" in postern(server, "restore", at("whole"), address, "None", status=1)
        assert "no account" in postern(server, "restore", at("whole"), server.address("nobody"), status=1)
        assert "is no backup" in postern(server, "restore", at("none"), address, status=1)
        assert "is not there" in postern(server, "restore", "--to", "None", at("whole"), address, "INBOX", "1", status=1)
        assert postern(server, "restore", at("whole"), address, "INBOX", "0", status=2)
        assert postern(server, "restore", at("whole"), status=2)
        assert postern(server, "restore", "--replace", at("whole"), address, status=2)
        assert postern(server, "restore", "--merge", at("whole"), address, "INBOX", status=2)
    with tap.test("a mailbox that was deleted comes back under its name; its UIDs go on far behind"):
        with session(server, "test0000") as imap:
            done(imap.delete("Archive/Old"))
        postern(server, "restore", at("whole"), server.address("test0000"), "Archive/Old")
        validity, uidnext, messages = content(server, "test0000", "Archive/Old")
        assert (validity, messages) == (old[0], old[2]) and uidnext >= old[1] + SKIPPED, (messages, old)
        with session(server, "test0000", "Archive/Old") as imap:
            done(imap.append("Archive/Old", None, None, message("new")))
        assert max(content(server, "test0000", "Archive/Old")[2]) >= old[1] + SKIPPED
    with tap.test("--replace puts it in the place of the one that is there, and sessions hear of it"):
        with session(server, "test0000", "Archive/Old") as imap:
            postern(server, "restore", "--replace", at("whole"), server.address("test0000"), "Archive/Old")
            with contextlib.suppress(imaplib.IMAP4.error, OSError):
                imap.noop()
        validity, uidnext, messages = content(server, "test0000", "Archive/Old")
        assert (validity, messages) == (old[0], old[2]) and uidnext > old[1] + SKIPPED, (uidnext, messages)
    with tap.test("brought back again and again it gives no UID twice"):
        given = set()
        for _ in range(3):
            with session(server, "test0000") as imap:
                done(imap.delete("Archive/Old"))
            postern(server, "restore", at("whole"), server.address("test0000"), "Archive/Old")
            uid = content(server, "test0000", "Archive/Old")[1]
            assert uid not in given, (uid, given)
            given.add(uid)
            append(server, "test0000", [message("another")], "Archive/Old")
            time.sleep(1.1)  # UIDs go on with the seconds
    with tap.test("--to gives a mailbox another name, if that is free"):
        postern(server, "restore", "--to", "Where/It is", at("whole"), server.address("test0000"), "INBOX")
        assert content(server, "test0000", "Where/It is")[2] == inbox[2]
        again = postern(server, "restore", "--to", "Where/It is", at("whole"), server.address("test0000"), "INBOX", status=1)
        assert "is there already" in again, again
        assert "is there already" in postern(server, "restore", at("whole"), server.address("test0000"), "INBOX", status=1)


def test_accounts(server, at, before):
    inbox, old = before
    address = server.address("test0000")
    with tap.test("an account that is there is not overwritten"):
        assert "is there already" in postern(server, "restore", at("whole"), address, status=1)
    with tap.test("--merge brings back what it lacks, and the rest below Restored/"):
        with session(server, "test0000") as imap:
            done(imap.delete("Restored/INBOX"))
            done(imap.delete(quoted("Grüße.x")))
        told = postern(server, "restore", "--merge", at("whole"), address)
        assert "3 mailboxes" in told, told
        there = names(server, "test0000")
        assert "Restored/INBOX" in there and "Restored/Archive/Old" in there and any("Gr&" in n for n in there), there
    with tap.test("it comes back under another name, password and all"):
        told = postern(server, "restore", "--to", server.address("other"), at("whole"), address)
        assert f"brought back as {server.address('other')}" in told, told
        assert content(server, "other") [2] == inbox[2] and content(server, "other", "Archive/Old")[2] == old[2]
        deliver(server, "other", "goes on")
        wait_until(lambda: len(content(server, "other")[2]) == len(inbox[2]) + 1, WAIT_S, "a delivery")
        assert max(content(server, "other")[2]) >= inbox[1] + SKIPPED
    with tap.test("one that was deleted comes back as it was: names, UIDs, flags, subscriptions"):
        postern(server, "account", "delete", address)
        told = postern(server, "restore", at("whole"), address)
        assert "3 mailboxes" in told, told
        validity, uidnext, messages = content(server, "test0000")
        assert (validity, messages) == (inbox[0], inbox[2]) and uidnext >= inbox[1] + SKIPPED, (messages, inbox)
        assert content(server, "test0000", "Archive/Old")[2] == old[2]
        with session(server, "test0000") as imap:
            assert any(b"Archive/Old" in line for line in done(imap.lsub())), imap.lsub()
    with tap.test("one of a domain that is not there is refused"):
        there = postern(server, "restore", "--to", "a@elsewhere.test", at("whole"), address, status=1)
        assert "domain" in there, there
    with tap.test("what came back is there after kill -9"):
        server.kill()
        server.start()
        assert content(server, "test0000")[2] == inbox[2] and content(server, "other", "Archive/Old")[2] == old[2]
        assert "nothing is wrong" in postern(server, "fsck", "--all")
    with tap.test("nothing is left over beside the accounts"):
        assert not [n for n in os.listdir(os.path.join(server.store, "domains", server.domain)) if n.startswith(".")]


def test_started(server, at, before):
    inbox = before[0]
    with tap.test("no server starts on a backup itself, nor on one that was not finished"):
        for name in ("whole", "none"):
            folder = at(f"of-{name}")
            os.mkdir(folder)
            other = server_of(folder, server)
            os.symlink(at(name), os.path.join(folder, "store"))
            with contextlib.suppress(Exception):
                other.start()
            assert "backup" in other.log(), other.tail()
            other.kill()
            assert os.path.exists(at("whole", "manifest"))
    with tap.test("a server starts on a copy of it: mail, UIDs and flags are those of the backup, UIDs skip ahead"):
        folder = at("copy")
        os.mkdir(folder)
        shutil.copytree(at("whole"), os.path.join(folder, "store"))
        subprocess.run(["chown", "-R", "--reference", server.store, folder], check=True)
        with server_of(folder, server) as other:
            validity, _, messages = content(other, "test0000")
            assert (validity, messages) == (inbox[0], inbox[2]), (messages, inbox)
            deliver(other, "test0000", "to the copy")
            wait_until(lambda: len(content(other, "test0000")[2]) > len(inbox[2]), WAIT_S, "a delivery")
            assert max(content(other, "test0000")[2]) >= inbox[1] + SKIPPED
            assert not os.path.exists(os.path.join(folder, "store", "manifest"))
            other.restart()
            assert len(content(other, "test0000")[2]) == len(inbox[2]) + 1


def test_damaged(server, at):
    """A backup that time, a disk or a transfer spoiled is told of, by name, and what is whole of it comes back."""
    account = "test0001"
    address = server.address(account)
    for n in range(2):
        deliver(server, account, f"spoiled {n}", 50)
    postern(server, "backup", "--copy", at("good"))
    inbox = content(server, account)[2]
    number = 0

    def spoiled(change, name="INBOX.mbox"):
        nonlocal number
        number += 1
        shutil.copytree(at("good"), at(f"bad{number}"))
        path = at(f"bad{number}", "domains", server.domain, account, name)
        change(path)
        subprocess.run(["chown", "-R", "--reference", server.store, at(f"bad{number}")], check=True)
        return at(f"bad{number}")

    with tap.test("an mbox that is shorter than it was: what is whole comes back, the rest is told by name"):
        bad = spoiled(lambda path: os.truncate(path, os.path.getsize(path) - 200))
        told = postern(server, "restore", "--to", "Cut", bad, address, "INBOX", status=1)
        assert f"{len(inbox) - 1} messages" in told and "INBOX.mbox is shorter than it was" in told, told
        assert "message that is not whole" in told, told
        assert content(server, account, "Cut")[2] == {uid: inbox[uid] for uid in sorted(inbox)[:-1]}
        told = postern(server, "restore", bad, address, "INBOX", str(max(inbox)), status=1)
        assert "not whole" in told and len(content(server, account)[2]) == len(inbox), told
        told = postern(server, "restore", "--to", server.address("cut"), bad, address, status=1)
        assert "INBOX.mbox is shorter" in told and len(content(server, "cut")[2]) == len(inbox) - 1, told
    with tap.test("one that ends where a message ends is told of, too, and a state file, and what is missing"):
        def cut_message(path):
            with open(path, "rb") as file:
                os.truncate(path, file.read().rindex(b"\n\nFrom ") + 2)

        told = postern(server, "restore", "--to", "Cut2", spoiled(cut_message), address, "INBOX", status=1)
        assert "INBOX.mbox is shorter" in told and "not whole, which" not in told, told
        bad = spoiled(lambda path: os.truncate(path, os.path.getsize(path) - 1), "INBOX.state")
        assert "INBOX.state is shorter" in postern(server, "restore", "--to", "Cut3", bad, address, "INBOX", status=1)
        told = postern(server, "restore", "--to", "Cut4", spoiled(os.unlink, "INBOX.state"), address, "INBOX", status=1)
        assert "INBOX.state is missing" in told and len(content(server, account, "Cut4")[2]) == len(inbox), told
    with tap.test("a manifest that is empty, cut, of a later version or missing is refused"):
        for text in ("", "postern-backup 1", "postern-backup 2 inode=1 began=1\n", None):
            bad = spoiled(lambda path: None)
            if text is None:
                os.unlink(os.path.join(bad, "manifest"))
            else:
                with open(os.path.join(bad, "manifest"), "w") as file:
                    file.write(text)
            told = postern(server, "restore", "--to", "Cut5", bad, address, "INBOX", status=1)
            assert "is no backup" in told, told
        assert "Cut5" not in names(server, account)


def mounted(path, size):
    """A small file system of its own; None where none can be had."""
    os.mkdir(path)
    return subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0777", "none", path],
                          capture_output=True).returncode == 0


def test_elsewhere(server, at, before):
    if os.geteuid() or not mounted(at("mount"), "64m"):
        tap.note("no file system can be mounted here: not tested on another one")
        return
    try:
        with tap.test("on another file system files are copies"):
            postern(server, "backup", at("mount", "there"))
            mbox = at("mount", "there", "domains", server.domain, "test0000", "INBOX.mbox")
            assert os.stat(mbox).st_nlink == 1
            postern(server, "restore", "--to", "From there", at("mount", "there"), server.address("test0000"), "INBOX")
            assert content(server, "test0000", "From there")[2] == content(server, "test0000")[2]
    finally:
        subprocess.run(["umount", at("mount")])
    assert mounted(at("small"), "200k")
    try:
        with tap.test("a disk without room leaves no backup that could be taken for one"):
            told = postern(server, "backup", at("small", "there"), status=1)
            assert "No space left" in told, told
            assert not os.path.exists(at("small", "there", "manifest"))
            assert "not finished" in postern(server, "restore", at("small", "there"), server.address("test0000"), status=1)
    finally:
        subprocess.run(["umount", at("small")])


def test_interrupted(server, at):
    many = "".join(f"many{n}@{server.domain} {PASSWORD}\n" for n in range(500))
    server.command("account", "add", "--batch", input=many)

    def begun(name):
        process = subprocess.Popen([binary(), "-c", server.conf, "backup", at(name)], stderr=subprocess.PIPE, text=True)
        wait_until(lambda: process.poll() is not None or os.path.exists(at(name, "domains")), WAIT_S, "its beginning")
        return process

    with tap.test("^C leaves a backup unfinished, and the server well"):
        process = begun("stopped")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=WAIT_S)
        ended = process.returncode
        assert ended == 0 or not os.path.exists(at("stopped", "manifest")), ended
        assert content(server, "test0001")[2]
    with tap.test("so does the death of a worker"):
        process = begun("killed")
        for pid in server.workers():
            os.kill(pid, signal.SIGKILL)
        process.communicate(timeout=WAIT_S)
        assert (process.returncode == 0) == os.path.exists(at("killed", "manifest")), process.returncode
        server.wait_ready()
    with tap.test("what a restore that was killed left over is told by fsck, and removed, but not that of one that goes on"):
        folders = server.path("store", "domains", server.domain)
        address = server.address("test0000")

        def left():
            return [name for name in os.listdir(folders) if name.startswith(".restoring-")]

        def begun_restore(number):
            process = subprocess.Popen([binary(), "-c", server.conf, "restore", "--to", f"Again {number}", at("whole"), address,
                                        "INBOX"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while not left() and process.poll() is None:
                pass
            return process

        for number in range(TRIES):
            process = begun_restore(number)
            server.kill()
            process.wait(timeout=WAIT_S)
            server.start()
            if left():
                break
        assert left()
        said = postern(server, "fsck", "--all", status=1)
        assert f"{server.domain}/.restoring-" in said and "is left over" in said, said
        postern(server, "fsck", "--all", "--repair")
        assert not left()
        process = begun_restore("beside")
        postern(server, "fsck", "--all", "--repair")
        assert process.wait(timeout=WAIT_S) == 0
    with tap.test("while a backup is made mail comes and goes, and all from before is in it"):
        ended, count = threading.Event(), 0
        deliver(server, "test0001", "just before")
        process = begun("busy")
        threading.Thread(target=lambda: (process.communicate(timeout=WAIT_S), ended.set())).start()
        while not ended.is_set():
            deliver(server, "test0001", f"meanwhile {count}")
            count += 1
        assert process.returncode == 0
        tap.note(f"{count} messages meanwhile")
        postern(server, "restore", "--to", "Busy", at("busy"), server.address("test0001"), "INBOX")
        subjects = [subject for subject, _, _ in content(server, "test0001", "Busy")[2].values()]
        assert "just before" in subjects and "of another" in subjects, subjects


def main():
    folder = tempfile.mkdtemp(prefix="postern-backup-")
    os.chmod(folder, 0o711)
    if not os.geteuid():
        shutil.chown(folder, user=pwd.getpwnam("nobody").pw_uid)

    def at(*words):
        return os.path.join(folder, *words)

    try:
        with Server(users=2, workers=2) as server:
            fill(server)
            before = test_backup(server, at)
            test_restore(server, at, before)
            test_accounts(server, at, before)
            test_started(server, at, before)
            test_damaged(server, at)
            test_elsewhere(server, at, before)
            test_interrupted(server, at)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    tap.done()


if __name__ == "__main__":
    main()
