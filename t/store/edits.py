"""edits.py - other programs write to mailboxes while the server runs: what they did is seen, nothing is lost.

A session has the mailbox selected all the time and must see each change, as news of its own mailbox. UIDVALIDITY stays,
messages that are still there keep their UIDs, and no UID is two messages.
"""

import collections
import contextlib
import fcntl
import mailbox
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time

import tap
import terminal
from mail import append, done, fetch_all, flags_of, imap_session, literals, numbered, send
from postern import Failed, Server, wait_until

tap.need("mutt", "formail", "procmail", "tmux")
LIMIT_S = 60


MAILBOX_FIELDS = (b"Status:", b"X-UID:", b"X-Postern:", b"X-IMAPbase:", b"Content-Length:")


class Watched:
    """An account's INBOX and a session that has it selected from the beginning to the end."""

    def __init__(self, server, account, texts):
        self.server, self.account = server, account
        self.mbox, self.state = server.mailbox_file(account), server.mailbox_file(account, kind="state")
        send(server, [account], texts)
        self.imap = imap_session(server, account)
        self.validity = self.imap.response("UIDVALIDITY")[1]
        self.ever, self.now, self.shown = {}, {}, None
        self.seen = self.look()

    def look(self):
        """{subject: (UID, flags)} as the session has it after a NOOP. shown: a message with fields that are the mailbox's own,
        as a program has just written them and nobody has read it again."""
        done(self.imap.noop())
        found, self.shown = {}, None
        status, answers = self.imap.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[HEADER])")
        if status == "NO":  # they went while they were fetched
            assert re.match(rb"\[(EXPUNGEISSUED|UNAVAILABLE)\]", answers[0]), answers
            return self.now
        answers = [answer for answer in literals(answers) if b"UID" in answer[0]]
        for about, header in answers:
            uid = int(re.search(rb"UID (\d+)", about)[1])
            subject = re.search(rb"Subject: (.*)\r\n", header)[1].decode()
            assert subject.startswith(self.ever.setdefault(uid, subject)), f"UID {uid} was {self.ever[uid]} and is {subject}"
            if any(b"\n" + field in b"\n" + header for field in MAILBOX_FIELDS):
                self.shown = (subject, header)
            found[subject] = (uid, flags_of(about))
        return found

    def becomes(self, expected):
        """Waits until the session sees these subjects, and no others, with these flags; others than the new keep UIDs."""
        try:
            wait_until(lambda: self.is_now(expected), LIMIT_S, "this")
        except Failed:
            raise AssertionError(f"expected {expected}, it sees {self.now}, shows {self.shown}") from None
        for subject, (uid, _) in self.now.items():
            if subject in self.seen:
                assert self.seen[subject][0] == uid, f"{subject} was UID {self.seen[subject][0]} and is {uid}"
        self.seen = self.now
        with imap_session(self.server, self.account) as fresh:
            assert fresh.response("UIDVALIDITY")[1] == self.validity

    def is_now(self, expected):
        self.now = self.look()
        return not self.shown and {subject: flags for subject, (_, flags) in self.now.items()} == expected

    def store(self, subjects, flags):
        uids = ",".join(str(self.seen[subject][0]) for subject in subjects)
        done(self.imap.uid("STORE", uids, "+FLAGS.SILENT", flags))
        for subject in subjects:
            uid, had = self.seen[subject]
            self.seen[subject] = (uid, tuple(sorted({*had, flags.strip("()").encode()})))

    def flags(self, **changed):
        return {subject: flags for subject, (_, flags) in self.seen.items()}

    def owned(self, path):
        """What root made belongs to the server's user."""
        if os.geteuid() == 0:
            shutil.chown(path, self.server.options["user"])


def numbers(*places):
    return {f"number {place}": () for place in places}


def mutt(path, *steps):
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/muttrc", "w") as file:
            os.mkdir(f"{folder}/Mail")
            file.write('set delete=yes quit=yes move=no mark_old=no wait_key=no confirmappend=no\n')
        terminal.drive(["mutt", "-n", "-F", f"{folder}/muttrc", "-f", path], {"HOME": folder}, steps)


def test_appended(server):
    box = Watched(server, "test0000", numbered(range(3)))
    with tap.test("what an MDA appends is seen, and what is delivered after it"):
        with locked(box.mbox):
            with open(box.mbox, "ab") as file:
                for text in numbered((3, 4)):
                    file.write(b"From mda@example.test Mon Nov 23 05:40:43 2026\n" + text.replace(b"\r\n", b"\n") + b"\n")
        send(server, [box.account], numbered([5]))
        box.becomes(numbers(*range(6)))


def locked(path):
    """Python's own way to a locked mbox: by fcntl and by a dot lock. It does not wait for them by itself."""
    end = time.monotonic() + LIMIT_S
    while True:
        box = mailbox.mbox(path)
        with contextlib.suppress(mailbox.ExternalClashError, FileExistsError):
            box.lock()
            if os.path.samestat(os.fstat(box._file.fileno()), os.stat(path)):
                break  # it is still the file of that name
            box.unlock()
        box.close()
        assert time.monotonic() < end, "it stays locked"
        time.sleep(0.002)

    class Lock:
        def __enter__(self):
            return box

        def __exit__(self, *_):
            box.unlock()
            box.close()
    return Lock()


def test_replaced(server):
    box = Watched(server, "test0001", numbered(range(5)))
    box.store(["number 2"], r"(\Flagged)")
    expected = numbers(0, 2, 3, 4)
    with tap.test("a message edited by a program that renames: it keeps its UID, the others keep flags, too"):
        subprocess.run(["sed", "-i", "/^Subject: number 1$/s/.*/Subject: number 1 edited/", box.mbox], check=True)
        box.owned(box.mbox)
        expected["number 2"] = (rb"\Flagged",)
        expected["number 1 edited"] = ()
        box.seen["number 1 edited"] = box.seen["number 1"]
        box.becomes(expected)
    with tap.test("and mail goes on"):
        send(server, [box.account], numbered([6]))
        box.becomes({**expected, "number 6": ()})


def test_mutt(server):
    box = Watched(server, "test0002", numbered(range(5)))
    box.store(["number 3"], r"(\Answered)")
    expected = numbers(0, 1, 3, 4)
    with tap.test("mutt reads, flags and deletes in the file: the session sees it"):
        mutt(box.mbox, ("number 4", "1\n\n"), ("0: text", "i2\nF3\nd$q"))
        expected["number 0"] = (rb"\Seen",)
        expected["number 1"] = (rb"\Flagged",)
        expected["number 3"] = (rb"\Answered",)
        box.becomes(expected)
    with tap.test("what is expunged over IMAP does not come back when mutt writes the file"):
        box.store(["number 4"], r"(\Deleted)")
        done(box.imap.expunge())
        del expected["number 4"], box.seen["number 4"]
        box.becomes(expected)
        mutt(box.mbox, ("number 3", "1\nF$q"))
        expected["number 0"] = (rb"\Flagged", rb"\Seen")
        box.becomes(expected)


def split(text):
    """The messages of an mbox, postmarks and all."""
    return [b"From " + part for part in (b"\n" + text[:-1]).split(b"\nFrom ")[1:]]


def stripped(message):
    """Without what the server wrote into its header."""
    return re.sub(rb"\n(X-UID|X-IMAPbase|X-Postern|X-Keywords|Status|X-Status):[^\n]*", b"", message)


def rewritten(box, change, renames):
    """The mbox as another program leaves it that does so to its messages."""
    with open(box.mbox, "rb") as file:
        parts = split(file.read())
    new = box.mbox + ".new" if renames else box.mbox
    with open(new, "wb") as file:
        file.write(b"\n".join(change(parts)) + b"\n")
    box.owned(new)
    if renames:
        os.rename(new, box.mbox)


def test_expunged(server):
    box = Watched(server, "test0010", numbered(range(8)))

    def expunge(subject):
        box.store([subject], r"(\Deleted)")
        done(box.imap.expunge())
        del box.seen[subject]
        assert b"Subject: " + subject.encode() in open(box.mbox, "rb").read(), "it was written anew"

    for place, (name, change) in enumerate((
            ("turns the order round", lambda parts: [stripped(parts[-1]), *parts[-2:0:-1], parts[0]]),
            ("takes our fields away", lambda parts: [stripped(part) for part in parts]),
            ("does both", lambda parts: [stripped(part) for part in reversed(parts)]))):
        with tap.test(f"what is expunged does not come back when another program {name}"):
            expunge(f"number {place}")
            expected = box.flags()
            rewritten(box, change, place % 2)
            box.becomes(expected)
            send(server, [box.account], numbered([20 + place]))
            box.becomes({**expected, f"number {20 + place}": ()})
    for account, kind, cut in (("test0011", "cut short", lambda text: text.index(b"\n") + 1), ("test0012", "emptied", lambda _: 0)):
        box = Watched(server, account, numbered(range(4)))
        with tap.test(f"nor when the state file alone is {kind}"):
            expunge("number 1")
            os.truncate(box.state, cut(open(box.state, "rb").read()))
            wait_until(lambda: f"read again account={server.address(account)}" in server.log(), LIMIT_S, "its being read again")
            box.becomes(numbers(0, 2, 3))
            send(server, [account], numbered([9]))
            box.becomes(numbers(0, 2, 3, 9))
    with tap.test("a copy of it that comes later is another message"):
        box = Watched(server, "test0013", numbered(range(3)))
        expunge("number 1")
        with open(box.mbox, "rb") as file:
            copy = stripped(split(file.read())[1])
        with open(box.mbox, "ab") as file:
            file.write(copy + b"\n")
        box.becomes(numbers(0, 1, 2))
        assert box.now["number 1"][0] == 4, box.now


def test_restored(server):
    box = Watched(server, "test0003", numbered(range(4)))
    with tap.test("a mailbox put back by hand appears: mbox and state"):
        shutil.copy(box.mbox, box.mbox + ".kept")
        shutil.copy(box.state, box.state + ".kept")
        box.store(["number 0", "number 1"], r"(\Deleted)")
        done(box.imap.expunge())
        del box.seen["number 0"], box.seen["number 1"]
        box.becomes(numbers(2, 3))
        shutil.copy(box.mbox + ".kept", box.mbox)
        shutil.copy(box.state + ".kept", box.state)
        box.becomes(numbers(0, 1, 2, 3))
    with tap.test("truncated to nothing, it is empty; mail goes on"):
        os.truncate(box.mbox, 0)
        box.becomes({})
        send(server, [box.account], numbered([9]))
        box.becomes(numbers(9))
    with tap.test("put back, the mbox alone, it appears again"):
        shutil.copy(box.mbox + ".kept", box.mbox)
        box.becomes(numbers(0, 1, 2, 3))
    with tap.test("its state file removed, nothing changes"):
        box.store(["number 3"], r"(\Flagged)")
        os.unlink(box.state)
        send(server, [box.account], numbered([8]))
        expected = numbers(0, 1, 2, 3, 8)
        expected["number 3"] = (rb"\Flagged",)
        box.becomes(expected)
        wait_until(lambda: os.path.exists(box.state), LIMIT_S, "another state file")
    with tap.test("its mbox moved away and back at once, nothing changes"):
        os.rename(box.mbox, box.mbox + ".away")
        time.sleep(1.2)
        os.rename(box.mbox + ".away", box.mbox)
        box.becomes(expected)
    with tap.test("its mbox removed, it is empty; mail goes on"):
        os.unlink(box.mbox)
        box.becomes({})
        send(server, [box.account], numbered([7]))
        box.becomes(numbers(7))


def test_put_back(server):
    """The mbox alone, of a time when the mailbox still had messages whose text is in the mbox of today, too."""
    for account, by_rename in (("test0014", False), ("test0015", True)):
        box = Watched(server, account, numbered(range(4)))
        kept = box.mbox + ".kept"
        shutil.copy(box.mbox, kept)
        box.owned(kept)
        os.utime(kept, (time.time() - 3600,) * 2)

        def expunge(*subjects):
            box.store(subjects, r"(\Deleted)")
            done(box.imap.expunge())
            for subject in subjects:
                del box.seen[subject]

        def put_back():
            if by_rename:
                shutil.copy2(kept, kept + ".new")
                box.owned(kept + ".new")
                os.rename(kept + ".new", box.mbox)
            else:
                shutil.copy2(kept, box.mbox)

        box.store(["number 2"], r"(\Flagged)")
        expunge("number 1", "number 3")
        with tap.test("the same bytes written again bring nothing back"):
            with open(box.mbox, "rb") as file:
                content = file.read()
            assert b"number 1" in content and b"number 3" in content, "it was written anew"
            read = server.log().count(f"it is read again account={server.address(account)}")
            with open(box.mbox, "wb") as file:
                file.write(content)
            wait_until(lambda: server.log().count(f"it is read again account={server.address(account)}") > read, LIMIT_S, "a look")
            box.becomes({"number 0": (), "number 2": (rb"\Flagged",)})
        with tap.test(f"an mbox put back alone, with its times, {'by rename' if by_rename else 'in place'}: all of it appears, "
                      "what was expunged as new"):
            put_back()
            box.becomes({**numbers(0, 1, 3), "number 2": (rb"\Flagged",)})
            assert min(box.now["number 1"][0], box.now["number 3"][0]) > 4, box.now
        with tap.test("and what is delivered right after it, before anybody has looked"):
            expunge("number 3")
            put_back()
            send(server, [account], numbered([9]))
            wait_until(lambda: {"number 1", "number 3", "number 9"} <= box.look().keys(), LIMIT_S, "all of it")
            send(server, [account], numbered([10]))
            wait_until(lambda: "number 10" in box.look(), LIMIT_S, "more mail")
    with tap.test("put back with its state a moment later: what was there then is there, what was expunged then stays gone, or is "
                  "new for who looked in between"):
        box = Watched(server, "test0016", numbered(range(4)))
        expunge("number 0")
        for path in box.mbox, box.state:
            shutil.copy(path, path + ".kept")
            os.utime(path + ".kept", (time.time() - 3600,) * 2)
        expunge("number 1")
        shutil.copy2(box.mbox + ".kept", box.mbox)
        shutil.copy2(box.state + ".kept", box.state)
        wait_until(lambda: box.look().keys() - {"number 0"} == numbers(1, 2, 3).keys(), LIMIT_S, "what was there then")
        found = box.look()
        assert found.get("number 0", (5, ()))[0] > 4 and [found[f"number {n}"][0] for n in (2, 3)] == [3, 4], found


def listed(server, account):
    with imap_session(server, account) as fresh:
        return len(done(fresh.uid("SEARCH", "ALL"))[0].split())


def test_locked(server):
    box = Watched(server, "test0004", numbered(range(2)))
    with tap.test("while another program has a mailbox locked, mail for it waits and the mailbox can be read"):
        with locked(box.mbox):
            size = os.path.getsize(box.mbox)
            send(server, [box.account], numbered([2]))
            assert listed(server, box.account) == 2 and os.path.getsize(box.mbox) == size
    with tap.test("RENAME and DELETE refuse what another program has locked (RFC 5530: INUSE)"):
        for name in "Locked", "Locked/Below":
            done(box.imap.create(name))
            append(server, box.account, numbered([1]), name)
        path = server.mailbox_file(box.account, "Locked")

        def in_use(answer):
            assert answer[0] == "NO" and b"[INUSE]" in answer[1][0], answer

        with locked(server.mailbox_file(box.account, "Locked/Below")):
            in_use(box.imap.rename("Locked", "Renamed"))
            in_use(box.imap.rename("Locked/Below", "Renamed"))
            in_use(box.imap.delete("Locked/Below"))
        with DotLock(path):
            box.owned(path + ".lock")
            in_use(box.imap.delete("Locked"))
            in_use(box.imap.rename("Locked", "Renamed"))
        with open(path, "r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX)
            in_use(box.imap.delete("Locked"))
            in_use(box.imap.rename("Locked", "Renamed"))
        with locked(path):  # mail waits for it already
            append(server, box.account, numbered([2]), "Locked")
            in_use(box.imap.delete("Locked"))
            in_use(box.imap.rename("Locked", "Renamed"))
    with tap.test("and do it when the lock is given up"):
        wait_until(lambda: box.imap.rename("Locked", "Renamed")[0] == "OK", LIMIT_S, "the mailbox")
        done(box.imap.select("Renamed"))
        assert len(done(box.imap.uid("SEARCH", "ALL"))[0].split()) == 2
        done(box.imap.delete("Renamed/Below"))
        done(box.imap.select("INBOX"))
    with tap.test("others' mail does not wait"):
        with locked(box.mbox):
            send(server, [box.account], numbered([3]))
            send(server, ["test0005"], numbered([0]))
            wait_until(lambda: listed(server, "test0005") == 1, LIMIT_S, "mail of another account")
            with open(box.mbox, "ab") as file:
                file.write(b"From mda@example.test Mon Nov 23 05:40:43 2026\n"
                           + numbered([4])[0].replace(b"\r\n", b"\n") + b"\n")
    with tap.test("it comes when the lock is given up, behind what the other program wrote"):
        box.becomes(numbers(*range(5)))
    with tap.test("locked for long, what is durable is answered, what is not begun is refused; checkpoints go on"):
        with locked(box.mbox):
            done(box.imap.append("INBOX", None, None, numbered([5])[0]))
            status, why = box.imap.append("INBOX", None, None, numbered([6])[0])
            assert status == "NO", why
            send(server, [box.account], numbered([7]))  # the acceptor's queue takes it
            assert listed(server, box.account) == 5
        box.becomes(numbers(*range(6), 7))
    for how in ("kill -9", "a stop"):
        with tap.test(f"mail that waits for a lock outlives {how}, and waits on while it is locked"):
            place = len(box.seen) + 1
            with locked(box.mbox):
                size = os.path.getsize(box.mbox)
                send(server, [box.account], numbered([place]))
                if how == "a stop":
                    server.stop()
                else:
                    server.kill()
                server.start()
                assert listed(server, box.account) == len(box.seen)
                assert os.path.getsize(box.mbox) == size
            box.imap = imap_session(server, box.account)
            box.becomes({**box.flags(), f"number {place}": ()})
            assert not [name for slot in os.listdir(f"{server.store}/journal") if slot.isdigit()
                        for name in os.listdir(f"{server.store}/journal/{slot}") if name.startswith("aside")]


def test_load(server):
    """Deliveries, appends by MDAs and a program that writes the file anew, all at once: each message is there once."""
    account, texts = "test0006", numbered(range(400))
    box = Watched(server, account, numbered([1000]))

    def deliver(part):
        for text in part:
            send(server, [account], [text])

    def mda(part):
        with tempfile.TemporaryDirectory() as folder:
            with open(f"{folder}/rc", "w") as rc:
                rc.write(f"DEFAULT={folder}/elsewhere\nLOGFILE={folder}/log\n:0:\n{box.mbox}\n")
            for text in part:
                subprocess.run(["procmail", "-f", "mda@example.test", "-m", f"{folder}/rc"], input=text.replace(b"\r\n", b"\n"), check=True)
            assert not os.path.exists(f"{folder}/elsewhere"), open(f"{folder}/log").read()

    def program(part):
        for text in part:
            with locked(box.mbox) as other:
                other.add(text.replace(b"\r\n", b"\n"))
                other.flush()

    def editor(rounds):
        """Marks messages as read in place, under the lock, without making the file another one."""
        for _ in range(rounds):
            with locked(box.mbox), open(box.mbox, "r+b") as file:
                content = file.read()
                file.seek(0)
                file.write(re.sub(rb"(?m)^(X-UID: \d*[05]\n)(?!Status)", rb"\1Status: RO\n", content))
                file.truncate()
            time.sleep(0.3)

    with tap.test("with MDAs, an editor and deliveries at once no message is lost and none comes twice"):
        jobs = [(deliver, texts[:150]), (deliver, texts[150:250]), (mda, texts[250:320]), (program, texts[320:]),
                (editor, 10)]
        failed = []

        def run(what, with_what):
            try:
                what(with_what)
            except Exception as why:  # told below
                failed.append(why)
        threads = [threading.Thread(target=run, args=job) for job in jobs]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            box.look()
            time.sleep(0.1)
        assert not failed, failed
        wait_until(lambda: len(box.look()) == 401, LIMIT_S, "all messages")
        found = collections.Counter(re.search(rb"Subject: (.*)\r\n", text)[1].decode() for text in fetched(server, account))
        assert found == collections.Counter([f"number {place}" for place in [*range(400), 1000]]), found
    with tap.test("nor after kill -9, with another index"):
        server.kill()
        shutil.rmtree(f"{server.store}/index")
        server.start()
        again = collections.Counter(re.search(rb"Subject: (.*)\r\n", text)[1].decode() for text in fetched(server, account))
        assert again == found
        box.imap = imap_session(server, account)
        assert {uid: subject for subject, (uid, _) in box.look().items()}.items() <= box.ever.items()


class DotLock:
    """A program that knows no other lock: it reads the mbox, waits a little and writes it back."""

    def __init__(self, path):
        self.path = path + ".lock"

    def __enter__(self):
        end = time.monotonic() + LIMIT_S
        while True:
            with contextlib.suppress(FileExistsError):
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
                return self
            assert time.monotonic() < end, "it stays locked"
            time.sleep(0.001)

    def __exit__(self, *_):
        os.unlink(self.path)


def rewrite(box, by_rename):
    with DotLock(box.mbox):
        with open(box.mbox, "rb") as file:
            content = file.read()
        time.sleep(0.05)
        path = box.mbox + ".edited" if by_rename else box.mbox
        with open(path, "wb") as file:
            file.write(content)
        if by_rename:
            box.owned(path)
            os.rename(path, box.mbox)


def test_dot_locked(server, account, by_rename):
    box = Watched(server, account, numbered([1000]))
    over, failed = threading.Event(), []

    def edit():
        try:
            while not over.is_set():
                rewrite(box, by_rename)
                time.sleep(0.03)
        except Exception as why:  # told below
            failed.append(why)
    with tap.test(f"a program with dot locks alone that writes {'by rename' if by_rename else 'in place'} costs no mail"):
        editor = threading.Thread(target=edit)
        editor.start()
        try:
            for text in numbered(range(40)):
                send(server, [account], [text])
        finally:
            over.set()
            editor.join()
        assert not failed, failed
        expected = collections.Counter([f"number {place}" for place in [*range(40), 1000]])
        wait_until(lambda: len(box.look()) == 41, LIMIT_S, "all messages")
        found = collections.Counter(re.search(rb"Subject: (.*)\r\n", text)[1].decode() for text in fetched(server, account))
        assert found == expected, found
    with tap.test("and the server's own lock is gone"):
        wait_until(lambda: not os.path.exists(box.mbox + ".lock"), LIMIT_S, "no lock file")


def test_stale(server):
    box = Watched(server, "test0007", numbered(range(2)))
    lock = box.mbox + ".lock"
    with tap.test("mail waits for a lock file; one that is stale goes away"):
        with open(lock, "w"):
            pass
        box.owned(lock)
        send(server, [box.account], numbered([2]))
        assert listed(server, box.account) == 2 and os.path.exists(lock)
        os.utime(lock, (time.time() - 400,) * 2)
        box.becomes(numbers(0, 1, 2))
        assert not os.path.exists(lock)
    with tap.test("fsck has nothing to say of a lock file"):
        with DotLock(box.mbox):
            assert ".lock" not in server.command("fsck", "--all", fails=True)  # others have something to tell
    with tap.test("a lock file of ours that kill -9 left is in nobody's way"):
        for place, text in (3, f"{os.getpid()}\n"), (4, ""):  # the pid is another's by now; it was not written yet
            server.kill()
            with open(lock, "w") as file:
                file.write(text)
            box.owned(lock)
            os.chmod(lock, 0o1444)
            server.start()
            send(server, [box.account], numbered([place]))
            box.imap = imap_session(server, box.account)
            box.becomes(numbers(*range(place + 1)))
            assert not os.path.exists(lock)


def fetched(server, account):
    return [text for _, _, text in fetch_all(server, account)]


def main():
    with Server(users=17, set=['sending.retry {"1s"}']) as server:
        test_appended(server)
        test_replaced(server)
        test_mutt(server)
        test_expunged(server)
        test_restored(server)
        test_put_back(server)
        test_locked(server)
        test_load(server)
        test_dot_locked(server, "test0008", False)
        test_dot_locked(server, "test0009", True)
        test_stale(server)
    tap.done()


if __name__ == "__main__":
    main()
