"""kill.py - kill -9 of a worker, of the master and of everything, again and again, under load, with a ledger.

Senders give messages to the server by SMTP, each with an id of its own, and note which were acknowledged. Readers look
at the mailboxes meanwhile and note which UID is which message; they flag, copy and append, and expunge now and then
the newest message, whose UID a server that forgot something would give again. Between them the killer kills. At the
end of each round every mailbox is read:

    - a message that was acknowledged is there exactly once, whole, in the mailbox of each of its recipients;
      one that was not, at most once; one whose expunge was acknowledged, never again
    - acknowledged copies and flags are there
    - no UID was ever two messages; UIDVALIDITY never changed

KILLS says how many kills (50 in make check, 1,000 by make crash), WORKERS how many workers (2); SEED repeats their
order.
"""

import collections
import imaplib
import os
import random
import re
import signal
import smtplib
import threading
import time

import tap
from mail import SENDER, done, flags_of, literals
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
INBOX, KEPT = "INBOX", "Kept"  # copies go to the second


class Ledger:
    """What the clients know, for one round."""

    def __init__(self, accounts):
        self.lock = threading.Lock()
        self.accounts = accounts
        self.tried = {}  # id -> recipients
        self.acknowledged = set()
        self.seen = collections.defaultdict(dict)  # (account, mailbox) -> UID -> id
        self.validity = collections.defaultdict(set)  # of an (account, mailbox)
        self.expunging = collections.defaultdict(set)  # account -> ids whose expunge was asked for
        self.expunged = collections.defaultdict(set)  # and said to be done
        self.flagged = collections.defaultdict(set)  # account -> UIDs
        self.copying = collections.defaultdict(collections.Counter)  # account -> id -> how often it was asked for
        self.copied = collections.defaultdict(collections.Counter)  # and said to be done
        self.wrong = []  # found under way

    def saw(self, account, mailbox, uid, name):
        with self.lock:
            before = self.seen[account, mailbox].setdefault(uid, name)
            if before != name:
                self.wrong.append(f"{account} {mailbox}: UID {uid} was {before} and is {name}")
            if mailbox == INBOX and name in self.expunged[account]:
                self.wrong.append(f"{account}: {name} was expunged and is back as UID {uid}")

    def seen_in(self, account):
        """[(UID, id)] of an INBOX, oldest first."""
        with self.lock:
            return sorted(self.seen[account, INBOX].items())


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
        count = 0

        def session():
            nonlocal count
            account = chance.choice(self.ledger.accounts)
            with imaplib.IMAP4(self.server.host, self.server.ports["imap"], timeout=BACK_S) as imap:
                imap.login(self.server.address(account), PASSWORD)
                self.look(imap, account, KEPT)
                self.look(imap, account, INBOX)
                for _ in range(3):
                    count += 1
                    self.append(imap, account, f"{self.number}-appended-{reader}-{count}")
                    if seen := self.ledger.seen_in(account):
                        self.flag(imap, account, *chance.choice(seen))
                        self.copy(imap, account, *chance.choice(seen))
                        self.expunge(imap, account, *seen[-1])
                    self.stopping.wait(0.02)
                    self.look(imap, account, INBOX)

        self.until_stopped(session)

    def look(self, imap, account, mailbox):
        """Notes the messages not yet seen."""
        done(imap.select(mailbox))
        with self.ledger.lock:
            self.ledger.validity[account, mailbox].add(imap.response("UIDVALIDITY")[1][0])
            first = max(self.ledger.seen[account, mailbox], default=0) + 1
        for uid, name in listed(imap, first):
            self.ledger.saw(account, mailbox, uid, name)

    def append(self, imap, account, name):
        with self.ledger.lock:
            self.ledger.tried[name] = [account]
        done(imap.append(INBOX, None, None, make_message(name)))
        with self.ledger.lock:
            self.ledger.acknowledged.add(name)

    def flag(self, imap, account, uid, name):
        done(imap.uid("STORE", str(uid), "+FLAGS.SILENT", r"(\Flagged)"))
        with self.ledger.lock:
            self.ledger.flagged[account].add(uid)

    def copy(self, imap, account, uid, name):
        with self.ledger.lock:
            self.ledger.copying[account][name] += 1
        done(imap.uid("COPY", str(uid), KEPT))
        with self.ledger.lock:
            if name not in self.ledger.expunging[account]:  # a COPY of what is gone copies nothing
                self.ledger.copied[account][name] += 1

    def expunge(self, imap, account, uid, name):
        with self.ledger.lock:
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


def read_all(server, ledger, account, mailbox):
    """{id: how often} of a mailbox, and what is wrong with its messages."""
    with imaplib.IMAP4(server.host, server.ports["imap"], timeout=600) as imap:
        imap.login(server.address(account), PASSWORD)
        done(imap.select(mailbox))
        ledger.validity[account, mailbox].add(imap.response("UIDVALIDITY")[1][0])
        answers = literals(done(imap.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[])")))
    there, wrong = collections.Counter(), []
    for about, text in answers:
        name, uid = ID.search(text)[1].decode(), int(re.search(rb"UID (\d+)", about)[1])
        there[name] += 1
        ledger.saw(account, mailbox, uid, name)
        if account not in ledger.tried.get(name, ()):
            wrong.append(f"{account} has {name}, which was never for it")
        elif not text.endswith(make_message(name)):
            wrong.append(f"{account} {mailbox}: {name} is not what was sent, has {len(text)} bytes")
        if mailbox == INBOX and uid in ledger.flagged[account] and rb"\Flagged" not in flags_of(about):
            wrong.append(f"{account}: UID {uid}, {name}, was flagged and is {flags_of(about)}")
    return there, wrong


def count_all(server, ledger):
    """What is wrong with the mailboxes now that all is quiet."""
    wrong = []
    for account in ledger.accounts:
        there, wrong_here = read_all(server, ledger, account, INBOX)
        wrong += wrong_here
        for name, accounts in ledger.tried.items():
            least = account in accounts and name in ledger.acknowledged and name not in ledger.expunging[account]
            most = account in accounts and name not in ledger.expunged[account]
            if not least <= there[name] <= most:
                wrong.append(f"{account} has {name} {there[name]} times, not {int(least)} to {int(most)}")
        there, wrong_here = read_all(server, ledger, account, KEPT)
        wrong += wrong_here
        for name, most in ledger.copying[account].items():
            if not ledger.copied[account][name] <= there[name] <= most:
                wrong.append(f"{account} has {there[name]} copies of {name}, not {ledger.copied[account][name]} to {most}")
    wrong += [f"{place}: UIDVALIDITY was {said}" for place, said in ledger.validity.items() if len(said) > 1]
    return ledger.wrong + wrong


def make_kept(server, accounts):
    for account in accounts:
        with imaplib.IMAP4(server.host, server.ports["imap"], timeout=BACK_S) as imap:
            imap.login(server.address(account), PASSWORD)
            done(imap.create(KEPT))


def play_round(server, number, kills, chance):
    ledger = Ledger([f"test{USERS * number + n:04}" for n in range(USERS)])
    make_kept(server, ledger.accounts)
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
             f"{sum(map(len, ledger.expunged.values()))} expunged, {sum(map(len, ledger.flagged.values()))} flagged, "
             f"{sum(copies.total() for copies in ledger.copied.values())} copied; slowest return {slowest_s:.2f} s")
    return bool(ledger.acknowledged)


def main():
    tap.note(f"SEED={SEED}")
    chance = random.Random(SEED)
    rounds = -(-KILLS // ROUND)
    with Server(users=USERS * rounds, workers=WORKERS) as server:
        for number in range(rounds):
            loaded = play_round(server, number, min(ROUND, KILLS - ROUND * number), chance)
            tap.ok(loaded, f"round {number}: there was a load")
            if tap.failed:
                break
    tap.done()


if __name__ == "__main__":
    try:
        main()
    except Failed as why:
        tap.note(why)
        raise
