"""kill.py - kill -9 of a worker, of the master and of everything, again and again, under load, with a ledger.

Senders give messages to the server, each with an id of its own, and note which were acknowledged. Readers look at
the mailboxes meanwhile, note which UID is which message, and expunge now and then the newest one, whose UID a server
that forgot something would give again. Between them the killer kills. At the end of each round every mailbox is read:

    - a message that was acknowledged is there exactly once, whole, in the mailbox of each of its recipients;
      one that was not, at most once; one whose expunge was acknowledged, never again
    - no UID was ever two messages; UIDVALIDITY never changed

KILLS says how many kills (50 in make check, 1,000 by make crash), WORKERS how many workers (2); SEED repeats their
order.
"""

import collections
import hashlib
import imaplib
import os
import random
import re
import signal
import smtplib
import threading
import time

import tap
from mail import SENDER, done, literals
from postern import PASSWORD, Failed, Server, is_gone, wait_until

KILLS = int(os.environ.get("KILLS", "50"))
WORKERS = int(os.environ.get("WORKERS", "2"))
SEED = os.environ.get("SEED") or str(random.randrange(1 << 30))
ROUND = 50  # kills before all is counted and new accounts are taken
USERS = 4  # of a round
SENDERS, READERS = 3, 1
PAUSE_S = (0.02, 0.3)  # the load's time between the server being well and its next kill
BACK_S = 30  # how long a killed worker or a server with journals to write again may take to serve
LARGE = 600_000  # more than a call carries in its ring, and than stays in memory
ID = re.compile(rb"X-Load-Id: (\S+)")


class Ledger:
    """What the clients know, for one round."""

    def __init__(self, accounts):
        self.lock = threading.Lock()
        self.accounts = accounts
        self.tried = {}  # id -> recipients
        self.acknowledged = set()
        self.seen = collections.defaultdict(dict)  # account -> UID -> id
        self.validity = collections.defaultdict(set)
        self.expunging = collections.defaultdict(set)  # account -> ids whose expunge was asked for
        self.expunged = collections.defaultdict(set)  # and said to be done
        self.wrong = []  # found under way

    def saw(self, account, uid, name):
        with self.lock:
            before = self.seen[account].setdefault(uid, name)
            if before != name:
                self.wrong.append(f"{account}: UID {uid} was {before} and is {name}")
            if name in self.expunged[account]:
                self.wrong.append(f"{account}: {name} was expunged and is back as UID {uid}")


def make_message(name):
    """A message known by its id: some are larger than what the server keeps in memory."""
    chance = random.Random(name)
    lines = chance.choice((1, 10, 100, 100, 1000)) if chance.random() < 0.97 else LARGE // 60
    text = "".join(f"{chance.getrandbits(200):x} line {n}\r\n" for n in range(lines))
    return f"From: {SENDER}\r\nX-Load-Id: {name}\r\nSubject: load\r\n\r\n{text}".encode()


class Load:
    """Clients that go on whatever happens to the server, until stopped."""

    def __init__(self, server, ledger, number):
        self.server, self.ledger = server, ledger
        self.stopping = threading.Event()
        self.number = number
        self.threads = [threading.Thread(target=self.send_for_ever, args=(n,)) for n in range(SENDERS)]
        self.threads += [threading.Thread(target=self.read_for_ever, args=(n,)) for n in range(READERS)]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def until_stopped(self, session):
        while not self.stopping.is_set():
            try:
                session()
            except (OSError, EOFError, AssertionError, smtplib.SMTPException, imaplib.IMAP4.error):
                self.stopping.wait(0.01)  # the server is gone, or says that it cannot now

    def send_for_ever(self, sender):
        chance = random.Random(f"{SEED} {self.number} {sender}")
        count = 0

        def session():
            nonlocal count
            with smtplib.SMTP(self.server.host, self.server.ports["smtp"], timeout=BACK_S) as smtp:
                while not self.stopping.is_set():
                    count += 1
                    self.send(smtp, f"{self.number}-{sender}-{count}", chance)

        self.until_stopped(session)

    def send(self, smtp, name, chance):
        accounts = chance.sample(self.ledger.accounts, chance.choice((1, 1, 1, 2, 3)))
        with self.ledger.lock:
            self.ledger.tried[name] = accounts
        refused = smtp.sendmail(SENDER, [self.server.address(account) for account in accounts], make_message(name))
        with self.ledger.lock:
            self.ledger.acknowledged.add(name)
            if refused:
                self.ledger.tried[name] = [a for a in accounts if self.server.address(a) not in refused]

    def read_for_ever(self, reader):
        chance = random.Random(f"{SEED} {self.number} reader {reader}")

        def session():
            account = chance.choice(self.ledger.accounts)
            with imaplib.IMAP4(self.server.host, self.server.ports["imap"], timeout=BACK_S) as imap:
                imap.login(self.server.address(account), PASSWORD)
                done(imap.select())
                self.look(imap, account)
                for _ in range(3):
                    self.expunge_newest(imap, account)
                    self.stopping.wait(0.02)
                    done(imap.noop())
                    self.look(imap, account)

        self.until_stopped(session)

    def look(self, imap, account):
        """Notes the messages not yet seen."""
        validity = imap.response("UIDVALIDITY")[1][0]
        with self.ledger.lock:
            if validity:
                self.ledger.validity[account].add(validity)
            first = max(self.ledger.seen[account], default=0) + 1
        for uid, name in listed(imap, first):
            self.ledger.saw(account, uid, name)

    def expunge_newest(self, imap, account):
        with self.ledger.lock:
            if not self.ledger.seen[account]:
                return
            uid = max(self.ledger.seen[account])
            name = self.ledger.seen[account][uid]
            self.ledger.expunging[account].add(name)
        done(imap.uid("STORE", str(uid), "+FLAGS.SILENT", r"(\Deleted)"))
        done(imap.expunge())
        with self.ledger.lock:
            self.ledger.expunged[account].add(name)


def listed(imap, first):
    """[(UID, id)] from a UID on."""
    found = literals(done(imap.uid("FETCH", f"{first}:*", "(BODY.PEEK[HEADER.FIELDS (X-Load-Id)])")))
    found = [(int(re.search(rb"UID (\d+)", about)[1]), ID.search(text)[1].decode()) for about, text in found]
    return [(uid, name) for uid, name in found if uid >= first]  # n:* names the last message even when it is older


def kill_something(server, what, chance):
    """One kill, and the server well again after it."""
    if what == "worker":
        victim = chance.choice(server.workers())
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: is_gone(victim), BACK_S, "a killed worker's end")
        server.wait_ready()
        return
    if what == "master":
        os.kill(server.pid, signal.SIGKILL)
        wait_until(lambda: not server.processes(), BACK_S, "the workers' end after the master's")
    server.kill()
    server.start()


def count_all(server, ledger):
    """What is wrong with the mailboxes now that all is quiet."""
    wrong = []
    for account in ledger.accounts:
        with imaplib.IMAP4(server.host, server.ports["imap"], timeout=600) as imap:
            imap.login(server.address(account), PASSWORD)
            done(imap.select())
            ledger.validity[account].add(imap.response("UIDVALIDITY")[1][0])
            answers = literals(done(imap.uid("FETCH", "1:*", "(BODY.PEEK[])")))
        there = collections.Counter()
        for about, text in answers:
            name = ID.search(text)[1].decode()
            there[name] += 1
            ledger.saw(account, int(re.search(rb"UID (\d+)", about)[1]), name)
            if account not in ledger.tried.get(name, ()):
                wrong.append(f"{account} has {name}, which was never for it")
            elif not text.endswith(make_message(name)):
                wrong.append(f"{account}: {name} is not what was sent: {hashlib.md5(text).hexdigest()}, {len(text)} bytes")
        for name, accounts in ledger.tried.items():
            if account not in accounts:
                continue
            least = name in ledger.acknowledged and name not in ledger.expunging[account]
            most = name not in ledger.expunged[account]
            if not least <= there[name] <= most:
                wrong.append(f"{account} has {name} {there[name]} times, not {int(least)} to {int(most)}")
        if len(ledger.validity[account]) > 1:
            wrong.append(f"{account}: UIDVALIDITY was {ledger.validity[account]}")
    return ledger.wrong + wrong


def play_round(server, number, kills, chance):
    ledger = Ledger([f"test{USERS * number + n:04}" for n in range(USERS)])
    load = Load(server, ledger, number)
    killed = collections.Counter()
    slowest_s = 0.0
    try:
        with tap.test(f"round {number}: the server is well after each of {kills} kills"):
            for place in range(kills):
                time.sleep(chance.uniform(*PAUSE_S))
                what = ("worker", "master", "everything")[place % 3]
                start_s = time.monotonic()
                kill_something(server, what, chance)
                slowest_s = max(slowest_s, time.monotonic() - start_s)
                killed[what] += 1
    finally:
        load.stop()
    with tap.test(f"round {number}: every acknowledged message is there exactly once, no UID is two messages"):
        wrong = count_all(server, ledger)
        assert not wrong, f"{len(wrong)} things are wrong: " + "; ".join(wrong[:10])
    told = ", ".join(f"{count} times {what}" for what, count in killed.items())
    tap.note(f"killed {told}; {len(ledger.acknowledged)} of {len(ledger.tried)} messages acknowledged, "
             f"{sum(map(len, ledger.expunged.values()))} expunged; slowest return {slowest_s:.2f} s")
    return bool(ledger.acknowledged)


def main():
    tap.note(f"SEED={SEED}")
    chance = random.Random(SEED)
    rounds = -(-KILLS // ROUND)
    with Server(users=USERS * rounds, workers=WORKERS) as server:
        loaded = [play_round(server, number, min(ROUND, KILLS - ROUND * number), chance) for number in range(rounds)]
        tap.ok(all(loaded), "there was a load in every round")
    tap.done()


if __name__ == "__main__":
    try:
        main()
    except Failed as why:
        tap.note(why)
        raise
