"""copies.py - the store is copied by tar, rsync and cp while it is under load, and a server is started on the copy.

Senders deliver by SMTP, each message with an id of its own. Beside them a client of IMAP per account flags, copies, appends
and expunges messages, makes, renames and deletes mailboxes; expunges make new generations. A copy is made by a tool in
the middle of that, and a server of its own started on it. Then:

    - every message that was acknowledged before the copy began, and whose expunge nobody asked for, is in it, whole
    - a UID is the same message in both; UIDVALIDITY is as it was
    - what is delivered to the copy gets UIDs that the original never gave
    - the original has lost nothing

ROUNDS says how many copies are made by each tool (1 in make check); SEED repeats the load's choices.
"""

import collections
import contextlib
import glob
import imaplib
import json
import os
import random
import re
import shutil
import smtplib
import subprocess
import tempfile
import threading
import time

import tap
from mail import SENDER, done, literals
from postern import PASSWORD, Server, wait_until
from seed import seed

ROUNDS = int(os.environ.get("ROUNDS", "1"))
SEED = seed()
ACCOUNTS = 3  # of a round
SENDERS = 2
ENOUGH = 40  # messages acknowledged before a copy begins
TRIES = 40  # a tool that says that a file vanished is asked again
WAIT_S = 600
STILL_S = 1.0  # that mailboxes keep their names at least: a tool is to get through now and then
ID = re.compile(rb"X-Load-Id: (\S+)")
SKIPPED = 10000
GONE = re.compile(r"(?:mbox|state)['’]?:.*(?:No such file|removed before)|vanished: .*(?:mbox|state)\"")


def make_message(name):
    chance = random.Random(name)
    lines = chance.choice((1, 10, 100, 300, 3000)) if chance.random() < 0.97 else 6000
    text = "".join(f"{chance.getrandbits(200):x} line {n}\r\n" for n in range(lines))
    return f"From: {SENDER}\r\nX-Load-Id: {name}\r\nSubject: load\r\n\r\n{text}".encode()


class Ledger:
    """What clients of the original know."""

    def __init__(self, accounts):
        self.lock = threading.Lock()
        self.accounts = accounts
        self.acknowledged = {}  # id -> recipients
        self.expunging = collections.defaultdict(set)  # account -> ids whose expunge was asked for
        self.seen = collections.defaultdict(dict)  # (account, UIDVALIDITY) -> UID -> id
        self.wrong = []

    def saw(self, account, validity, uid, name):
        with self.lock:
            if self.seen[account, validity].setdefault(uid, name) != name:
                self.wrong.append(f"{account} {validity}: UID {uid} was {self.seen[account, validity][uid]}, is {name}")

    def owed(self):
        """{account: ids} that a copy begun now must have, unless somebody expunges them."""
        with self.lock:
            return {a: {n for n, to in self.acknowledged.items() if a in to} - self.expunging[a] for a in self.accounts}


class Load:
    def __init__(self, server, ledger, number):
        self.server, self.ledger, self.number = server, ledger, number
        self.stopping = threading.Event()
        self.failed = []
        targets = [(self.send, n) for n in range(SENDERS)] + [(self.change, a) for a in ledger.accounts]
        self.threads = [threading.Thread(target=self.run, args=target) for target in targets]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def run(self, work, who):
        try:
            work(who, random.Random(f"{SEED} {self.number} {who}"))
        except Exception as why:  # nothing may fail: the original is well all the time
            self.failed.append(f"{who}: {why!r}")

    def send(self, sender, chance):
        with smtplib.SMTP(self.server.host, self.server.ports["smtp"], timeout=WAIT_S) as smtp:
            count = 0
            while not self.stopping.is_set():
                count += 1
                name = f"{self.number}-{sender}-{count}"
                accounts = chance.sample(self.ledger.accounts, chance.choice((1, 1, 2)))
                smtp.sendmail(SENDER, [self.server.address(a) for a in accounts], make_message(name))
                with self.ledger.lock:
                    self.ledger.acknowledged[name] = set(accounts)
                self.stopping.wait(0.005)

    def change(self, account, chance):
        boxes, count, moved_s = [], 0, 0.0
        with imaplib.IMAP4(self.server.host, self.server.ports["imap"], timeout=WAIT_S) as imap:
            imap.login(self.server.address(account), PASSWORD)
            while not self.stopping.is_set():
                count += 1
                messages = look(imap, account, "INBOX", self.ledger)
                what = chance.random()
                if 0.6 <= what < 0.75 and boxes:
                    if time.monotonic() < moved_s + STILL_S:
                        continue
                    moved_s = time.monotonic()
                if messages and what < 0.5:
                    self.flag_and_expunge(imap, account, messages, chance)
                elif what < 0.6 or not boxes:
                    boxes.append(f"box-{count}")
                    done(imap.create(boxes[-1]))
                elif what < 0.7:
                    place = chance.randrange(len(boxes))
                    done(imap.rename(boxes[place], f"was-{count}"))
                    boxes[place] = f"was-{count}"
                elif what < 0.75:
                    gone = boxes.pop(chance.randrange(len(boxes)))
                    look(imap, account, gone, self.ledger)
                    with self.ledger.lock:
                        held = set(self.ledger.seen[account, validity_of(imap)].values())
                        self.ledger.expunging[account] |= {n for n in held if n.startswith(f"{account}-")}
                    done(imap.select("INBOX"))
                    done(imap.delete(gone))
                else:
                    name = f"{account}-{self.number}-{count}"
                    done(imap.append(chance.choice(boxes), None, None, make_message(name)))
                    with self.ledger.lock:
                        self.ledger.acknowledged[name] = {account}
                self.stopping.wait(0.005)

    def flag_and_expunge(self, imap, account, messages, chance):
        chosen = chance.sample(sorted(messages), min(len(messages), chance.randrange(1, 4)))
        uids = ",".join(map(str, chosen))
        done(imap.uid("STORE", uids, "+FLAGS.SILENT", chance.choice((r"(\Seen)", r"(\Flagged work)", r"(\Answered)"))))
        if len(messages) > 30:
            chosen = chance.sample(sorted(messages), len(messages) // 2)
            with self.ledger.lock:
                self.ledger.expunging[account] |= {messages[uid] for uid in chosen}
            done(imap.uid("STORE", ",".join(map(str, chosen)), "+FLAGS.SILENT", r"(\Deleted)"))
            done(imap.expunge())


def validity_of(imap):
    return int(imap.response("UIDVALIDITY")[1][0] or 0)


def look(imap, account, mailbox, ledger=None, whole=False):
    """{UID: id} of a mailbox, which stays selected."""
    imap.untagged_responses.clear()
    done(imap.select(mailbox))
    validity = int(imap.untagged_responses["UIDVALIDITY"][0])
    part = "BODY.PEEK[]" if whole else "BODY.PEEK[HEADER.FIELDS (X-Load-Id)]"
    messages = {}
    for about, text in literals(done(imap.uid("FETCH", "1:*", f"({part})"))):
        uid, name = int(re.search(rb"UID (\d+)", about)[1]), ID.search(text)[1].decode()
        messages[uid] = name
        if ledger:
            ledger.saw(account, validity, uid, name)
        if whole:
            assert text.endswith(make_message(name)), f"{account} {mailbox} UID {uid}: {name} is not what was sent"
    imap.untagged_responses["UIDVALIDITY"] = [str(validity).encode()]
    return messages


def read_all(server, account):
    """{mailbox: (UIDVALIDITY, {UID: id})} of an account, every message whole."""
    found = {}
    with imaplib.IMAP4(server.host, server.ports["imap"], timeout=WAIT_S) as imap:
        imap.login(server.address(account), PASSWORD)
        for line in done(imap.list()):
            name = line.decode().rpartition(' "/" ')[2].strip('"')
            messages = look(imap, account, name, whole=True)
            found[name] = (validity_of(imap), messages)
    return found


# --- copying -------------------------------------------------------------------------------------------------------------

def by_cp(store, to):
    return subprocess.run(["cp", "-a", store, to], capture_output=True, text=True)


def by_tar(store, to):
    made = subprocess.run(["tar", "-C", store, "-cf", to + ".tar", "."], capture_output=True, text=True)
    os.mkdir(to)
    subprocess.run(["tar", "-C", to, "-xpf", to + ".tar"], check=True)
    os.unlink(to + ".tar")
    return made


def by_rsync(store, to):
    return subprocess.run(["rsync", "-a", "--delete", store + "/", to], capture_output=True, text=True)


def copy(tool, store, to):
    """A tool that says that mail vanished under it is asked again, as an administrator would."""
    for _ in range(TRIES):
        made = tool(store, to)
        if not GONE.search(made.stderr):
            return
        if tool is not by_rsync:  # which goes on where it was
            shutil.rmtree(to)
    raise AssertionError(f"mail vanishes each time: {made.stderr}")


def server_of_copy(folder, original):
    """A server in a folder whose store is a copy of the original's."""
    for name in (original.certificate, original.path("key.pem")):
        shutil.copy(name, folder)
    with open(os.path.join(folder, "options.json"), "w") as file:
        json.dump({**original.options, "base_port": 0}, file)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(folder, "store", "run", "pid"))  # t/lib would take it for this one's
    shutil.copystat(original.folder, folder)
    stat = os.stat(original.folder)
    os.chown(folder, stat.st_uid, stat.st_gid)
    return Server(folder)


# --- what is there ---------------------------------------------------------------------------------------------------------

def lost(there, owed, expunging):
    """What is missing or twice, of {account: mailboxes}. The messages of a mailbox are its own: ids tell."""
    for account, ids in owed.items():
        count = collections.Counter(n for _, messages in there[account].values() for n in messages.values())
        yield from (f"{account} lost {n}" for n in sorted(ids - count.keys() - expunging[account]))
        yield from (f"{account} has {n} {c} times" for n, c in count.items() if c > 1)


def other_uids(there, ledger):
    """UIDs that are another message in the original."""
    for account, mailboxes in there.items():
        for name, (validity, messages) in mailboxes.items():
            given = ledger.seen.get((account, validity), {})
            yield from (f"{account} {name} UID {uid} is {n}, was {given[uid]}"
                        for uid, n in messages.items() if given.get(uid, n) != n)


def deliver_new(server, accounts, label):
    with smtplib.SMTP(server.host, server.ports["smtp"], timeout=WAIT_S) as smtp:
        for account in accounts:
            for n in range(2):
                smtp.sendmail(SENDER, [server.address(account)], make_message(f"{label}-{account}-{n}"))


def play_round(server, tool, number):
    label = tool.__name__.replace("_", " ") + f" round {number}"
    first = ACCOUNTS * number
    ledger = Ledger([f"test{n:04}" for n in range(first, first + ACCOUNTS)])
    folder = tempfile.mkdtemp(prefix="postern-copy-")
    load = Load(server, ledger, f"{tool.__name__}{number}")
    copied = None
    try:
        wait_until(lambda: len(ledger.acknowledged) >= ENOUGH or load.failed, WAIT_S, "a load")
        owed = ledger.owed()
        copy(tool, server.store, os.path.join(folder, "store"))
        copied = server_of_copy(folder, server)
        copied.start()
        load.stop()
        assert not load.failed, load.failed
        there = {account: read_all(copied, account) for account in ledger.accounts}
        original = {account: read_all(server, account) for account in ledger.accounts}
        for account, mailboxes in original.items():
            for validity, messages in mailboxes.values():
                for uid, name in messages.items():
                    ledger.saw(account, validity, uid, name)
        with tap.test(f"{label}: a copy has all that was acknowledged before it began"):
            wrong = list(lost(there, owed, ledger.expunging))
            assert not wrong, f"{len(wrong)} things are wrong: {wrong[:10]}"
        with tap.test(f"{label}: a UID is the same message in both"):
            wrong = list(other_uids(there, ledger))
            assert not wrong, f"{len(wrong)} things are wrong: {wrong[:10]}"
        with tap.test(f"{label}: new messages get UIDs that nobody ever had"):
            deliver_new(copied, ledger.accounts, f"new{number}")
            for account in ledger.accounts:
                validity, messages = read_all(copied, account)["INBOX"]
                new = [uid for uid, n in messages.items() if n.startswith(f"new{number}-")]
                assert len(new) == 2, new
                old = set(ledger.seen[account, validity]) | set(there[account]["INBOX"][1])
                assert min(new) > max(old, default=0) and min(new) > SKIPPED, (min(new), max(old))
        with tap.test(f"{label}: the original has lost nothing"):
            wrong = ledger.wrong + list(lost(original, ledger.owed(), ledger.expunging))
            assert not wrong, f"{len(wrong)} things are wrong: {wrong[:10]}"
        tap.note(f"{label}: {len(ledger.acknowledged)} messages, {sum(map(len, owed.values()))} owed, "
                 f"{sum(map(len, ledger.expunging.values()))} expunged")
        copied.stop()
    finally:
        load.stop()
        if copied:
            copied.kill()
        if not os.environ.get("KEEP"):
            shutil.rmtree(folder, ignore_errors=True)


def test_torn(server):
    """A tool may read a file while a message is being written to it, and the journal before that."""
    account = "torn"
    folder = tempfile.mkdtemp(prefix="postern-copy-")
    try:
        for n in range(3):
            with smtplib.SMTP(server.host, server.ports["smtp"], timeout=WAIT_S) as smtp:
                smtp.sendmail(SENDER, [server.address(account)], make_message(f"torn-{n}"))
        before = read_all(server, account)["INBOX"]
        server.stop()
        shutil.copytree(server.store, os.path.join(folder, "store"))
        subprocess.run(["chown", "-R", "--reference", server.store, folder], check=True)
        copied = server_of_copy(folder, server)
        mbox = copied.mailbox_file(account)
        with open(mbox, "rb+") as file:
            file.truncate(file.read().rindex(b"X-Load-Id: torn-2") + 30)
        for segment in glob.glob(os.path.join(folder, "store", "journal", "*", "segment.*")):
            os.unlink(segment)  # else it is whole again
        with copied, tap.test("a message of which a copy has only the beginning is none; its UID goes to no other"):
            validity, messages = read_all(copied, account)["INBOX"]
            assert (validity, messages) == (before[0], {uid: n for uid, n in before[1].items() if n != "torn-2"})
            with open(mbox + ".damaged.1", "rb") as file:
                assert b"X-Load-Id: torn-2" in file.read(), "what was cut off is kept"
            told = f'account={copied.address(account)} mailbox="INBOX" uid=3'
            assert told in copied.log(), [line for line in copied.log().splitlines() if "cut off" in line]
            deliver_new(copied, [account], "torn-new")
            messages = read_all(copied, account)["INBOX"][1]
            assert len(messages) == 4 and min(sorted(messages)[2:]) > SKIPPED, messages
        shutil.rmtree(os.path.join(folder, "store"))
        shutil.copytree(server.store, os.path.join(folder, "store"))
        shutil.rmtree(os.path.join(folder, "store", "journal"))
        subprocess.run(["chown", "-R", "--reference", server.store, folder], check=True)
        with server_of_copy(folder, server) as copied, tap.test("without its journal a store has all that was settled"):
            assert read_all(copied, account)["INBOX"] == before
            deliver_new(copied, [account], "torn-new")
            assert max(read_all(copied, account)["INBOX"][1]) > SKIPPED
            copied.restart()
            deliver_new(copied, [account], "torn-once")
            assert max(read_all(copied, account)["INBOX"][1]) < 2 * SKIPPED, "it skips once"
        shutil.rmtree(os.path.join(folder, "store"))
        shutil.copytree(server.store, os.path.join(folder, "store"))
        subprocess.run(["chown", "-R", "--reference", server.store, folder], check=True)
        copied = server_of_copy(folder, server)
        with open(copied.mailbox_file(account), "ab") as file:
            file.write(b"From me@there.test Mon Nov 23 15:00:00 2026\nSubject: x\n\nimportant\n")
        with copied, tap.test("what another program wrote to a copy without an empty line behind it stays"):
            with imaplib.IMAP4(copied.host, copied.ports["imap"], timeout=WAIT_S) as imap:
                imap.login(copied.address(account), PASSWORD)
                done(imap.select("INBOX"))
                texts = [text for _, text in literals(done(imap.uid("FETCH", "1:*", "(BODY.PEEK[])")))]
            assert len(texts) == 4 and texts[3] == b"Subject: x\r\n\r\nimportant\r\n", texts[3:]
        server.start()
        test_first_life()
        with tap.test("the original skips nothing"):
            deliver_new(server, [account], "torn-old")
            assert max(read_all(server, account)["INBOX"][1]) < SKIPPED
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_first_life():
    """A store knows its journals as soon as there are any."""
    with Server(users=4, workers=2) as server:
        accounts = [f"test{n:04}" for n in range(4)]
        deliver_new(server, accounts, "before")
        there = {account: read_all(server, account)["INBOX"][1] for account in accounts}
        server.kill()
        shutil.rmtree(os.path.join(server.store, "journal", "1"))
        server.start()
        with tap.test("a journal that is missing is told of after a store's first life, too; every mailbox skips UIDs"):
            assert "its journal is missing" in server.log()
            deliver_new(server, accounts, "after")
            for account in accounts:
                assert max(read_all(server, account)["INBOX"][1]) > SKIPPED, (account, there[account])


def main():
    tap.note(f"SEED={SEED}")
    tools = (by_tar, by_rsync, by_cp)
    with Server(users=ACCOUNTS * ROUNDS * len(tools), workers=2, accounts=["torn"],
                set=["store.compact_share 5", "journal.checkpoint 500ms"]) as server:
        for number in range(ROUNDS * len(tools)):
            play_round(server, tools[number % len(tools)], number)
            if tap.failed:
                break
        test_torn(server)
    tap.done()


if __name__ == "__main__":
    main()
