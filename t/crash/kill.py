"""kill.py - kill -9 of a worker, of the master and of everything, again and again, under load of every kind, with ledgers.

Four loads run beside each other, and between them the killer kills:

    - senders give messages to several accounts at once by SMTP, each with an id of its own, and note which were
      acknowledged; readers look at these accounts meanwhile, note which UID is which message, flag, and expunge now and
      then the newest message, whose UID a server that forgot something would give again
    - clients (t/lib/ledger.py) change an account each, which nobody else uses: mail by SMTP, APPEND, STORE, EXPUNGE, COPY,
      MOVE, CREATE, RENAME and DELETE of mailboxes, POP3; they know every UID, and look at all of it after each loss
    - a sender submits mail for a host elsewhere, which takes it, puts it off, refuses it and breaks connections
    - operators make, change and delete accounts and aliases, and have mailboxes written anew (postern settle)

Small segments and frequent checkpoints have the journal used again many times. At the end of each round all is read:

    - a message that was acknowledged is there exactly once, whole, in the mailbox of each of its recipients;
      one that was not, at most once; one whose expunge was acknowledged, never again
    - what a client was told last is what is there; a change that was cut short was made whole or not at all
    - no UID was ever two messages; UIDVALIDITY never changed
    - what was to leave was sent or came back, and never twice if the answer to the first was read (t/lib/mail_away.py)

KILLS says how many kills (30 in make check, 1,000 by make crash), WORKERS how many workers (2); SEED repeats their
order.
"""

import collections
import contextlib
import errno
import imaplib
import os
import random
import re
import signal
import smtplib
import threading
import time

import mail_away
import tap
from ledger import ERRORS, Client, Wrong, difference, fits, found, tally, told
from mail import SENDER, done, flags_of, literals
from postern import PASSWORD, Failed, Server, is_gone, wait_until
from seed import seed
from sending import until

KILLS = int(os.environ.get("KILLS", "30"))
WORKERS = int(os.environ.get("WORKERS", "2"))
SEED = seed()
ROUND = 50  # kills before all is counted and new accounts are taken
USERS = 4  # of a round, that senders send to
SENDERS, READERS, CLIENTS, OPERATORS = 2, 1, 4, 1
ACCOUNTS = USERS + CLIENTS + 1  # of a round; the last one's mail leaves
PAUSE_S = (0.02, 0.5)  # the load's time between the server being well and its next kill
AIM_S = 1  # within which some client has a change under way, most likely
AFTER_S = 0.006  # that one is so far, at most, when the kill comes
BACK_S = 30  # how long a killed worker or a server with journals to write again may take to serve
PORT_S = 120  # for a port to be free again
AWAY_S = 0.2  # between messages that leave, at most
LARGE = 600_000  # more than a call carries in its ring, and than stays in memory
SETTINGS = ["journal.segment 1M", "journal.size 16M", "journal.checkpoint 300ms", "store.compact_share 10",
            'sending.retry {"1s"}', "sending.reports_per_sender 0"]
ID = re.compile(rb"X-Load-Id: (\S+)")


# --- mail to several, who are read by others -----------------------------------------------------------------------------


class Ledger:
    """What the senders and readers know, for one round."""

    def __init__(self, accounts):
        self.lock = threading.Lock()
        self.accounts = accounts
        self.tried = {}  # id -> recipients
        self.acknowledged = set()
        self.seen = collections.defaultdict(dict)  # account -> UID -> id
        self.validity = collections.defaultdict(set)  # account -> UIDVALIDITY
        self.expunging = collections.defaultdict(set)  # account -> ids whose expunge was asked for
        self.expunged = collections.defaultdict(set)  # and said to be done
        self.flagged = collections.defaultdict(set)  # account -> UIDs
        self.wrong, self.tally = [], collections.Counter()

    def is_wrong(self, what, text):
        self.tally[what] += 1
        self.wrong.append(text)

    def saw(self, account, uid, name):
        with self.lock:
            before = self.seen[account].setdefault(uid, name)
            if before != name:
                self.is_wrong("uid_changes", f"{account}: UID {uid} was {before} and is {name}")
            if name in self.expunged[account]:
                self.is_wrong("twice", f"{account}: {name} was expunged and is back as UID {uid}")


def make_message(name):
    """A message known by its id: some are larger than what the server keeps in memory."""
    chance = random.Random(name)
    lines = chance.choice((1, 10, 100, 100, 1000)) if chance.random() < 0.97 else LARGE // 60
    text = "".join(f"{chance.getrandbits(200):x} line {n}\r\n" for n in range(lines))
    return f"From: {SENDER}\r\nX-Load-Id: {name}\r\nSubject: load\r\n\r\n{text}".encode()


def until_stopped(stopping, session):
    while not stopping.is_set():
        with contextlib.suppress(*ERRORS):
            session()
        stopping.wait(0.01)  # the server is gone, or says that it cannot now


class Sender:
    def __init__(self, server, ledger, name):
        self.server, self.ledger, self.name = server, ledger, name
        self.chance = random.Random(f"{SEED} {name}")
        self.count = 0

    def run(self, stopping):
        def session():
            with smtplib.SMTP(self.server.host, self.server.ports["smtp"], timeout=BACK_S) as smtp:
                while not stopping.is_set():
                    self.count += 1
                    self.send(smtp, f"{self.name}-{self.count}")

        until_stopped(stopping, session)

    def send(self, smtp, name):
        accounts = self.chance.sample(self.ledger.accounts, self.chance.choice((1, 1, 1, 2, 3)))
        with self.ledger.lock:
            self.ledger.tried[name] = accounts
        refused = smtp.sendmail(SENDER, [self.server.address(account) for account in accounts], make_message(name))
        with self.ledger.lock:
            self.ledger.acknowledged.add(name)
            if refused:
                self.ledger.tried[name] = [a for a in accounts if self.server.address(a) not in refused]


class Reader:
    def __init__(self, server, ledger, name):
        self.server, self.ledger = server, ledger
        self.chance = random.Random(f"{SEED} {name}")

    def run(self, stopping):
        until_stopped(stopping, lambda: self.session(stopping))

    def session(self, stopping):
        account = self.chance.choice(self.ledger.accounts)
        with imaplib.IMAP4(self.server.host, self.server.ports["imap"], timeout=BACK_S) as imap:
            imap.login(self.server.address(account), PASSWORD)
            self.look(imap, account)
            for _ in range(3):
                with self.ledger.lock:
                    seen = sorted(self.ledger.seen[account].items())
                if seen:
                    self.flag(imap, account, *self.chance.choice(seen))
                    self.expunge(imap, account, *seen[-1])
                stopping.wait(0.02)
                self.look(imap, account)

    def look(self, imap, account):
        """Notes the messages not yet seen."""
        done(imap.select())
        with self.ledger.lock:
            self.ledger.validity[account].add(imap.response("UIDVALIDITY")[1][0])
            first = max(self.ledger.seen[account], default=0) + 1
        answers = literals(done(imap.uid("FETCH", f"{first}:*", "(BODY.PEEK[HEADER.FIELDS (X-Load-Id)])")))
        for about, text in answers:
            uid = int(re.search(rb"UID (\d+)", about)[1])
            if uid >= first:  # n:* names the last message even when it is older
                self.ledger.saw(account, uid, ID.search(text)[1].decode())

    def flag(self, imap, account, uid, name):
        done(imap.uid("STORE", str(uid), "+FLAGS.SILENT", r"(\Flagged)"))
        with self.ledger.lock:
            self.ledger.flagged[account].add(uid)

    def expunge(self, imap, account, uid, name):
        with self.ledger.lock:
            self.ledger.expunging[account].add(name)
        done(imap.uid("STORE", str(uid), "+FLAGS.SILENT", r"(\Deleted)"))
        done(imap.expunge())
        with self.ledger.lock:
            self.ledger.expunged[account].add(name)


def read_all(server, ledger, account):
    """{id: how often} of an INBOX; notes what is wrong with its messages."""
    with imaplib.IMAP4(server.host, server.ports["imap"], timeout=600) as imap:
        imap.login(server.address(account), PASSWORD)
        done(imap.select())
        ledger.validity[account].add(imap.response("UIDVALIDITY")[1][0])
        answers = literals(done(imap.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[])")))
    there = collections.Counter()
    for about, text in answers:
        name, uid = ID.search(text)[1].decode(), int(re.search(rb"UID (\d+)", about)[1])
        there[name] += 1
        ledger.saw(account, uid, name)
        if account not in ledger.tried.get(name, ()):
            ledger.is_wrong("twice", f"{account} has {name}, which was never for it")
        elif not text.endswith(make_message(name)):
            ledger.is_wrong("lost", f"{account}: {name} is not what was sent, has {len(text)} bytes")
        if uid in ledger.flagged[account] and rb"\Flagged" not in flags_of(about):
            ledger.is_wrong("lost", f"{account}: UID {uid}, {name}, was flagged and is {flags_of(about)}")
    return there


def count_all(server, ledger):
    """Notes what is wrong with the accounts now that all is quiet."""
    for account in ledger.accounts:
        there = read_all(server, ledger, account)
        for name, accounts in ledger.tried.items():
            least = account in accounts and name in ledger.acknowledged and name not in ledger.expunging[account]
            most = account in accounts and name not in ledger.expunged[account]
            if not least <= there[name] <= most:
                ledger.is_wrong("lost" if there[name] < least else "twice",
                                f"{account} has {name} {there[name]} times, not {int(least)} to {int(most)}")
        if len(ledger.validity[account]) > 1:
            ledger.is_wrong("uid_changes", f"{account}: UIDVALIDITY was {ledger.validity[account]}")


# --- operators -----------------------------------------------------------------------------------------------------------


class Operator:
    """Accounts of its own, each with an alias: (password, alias) or None when it is not there."""

    gate = threading.RLock()  # held while a command runs: without a server it works on the store, which then cannot start

    def __init__(self, server, name, settled):
        self.server, self.settled = server, settled
        self.chance = random.Random(f"{SEED} {name}")
        self.state = {f"{name}-{n}": None for n in range(2)}
        self.after = {}
        self.done = self.count = 0
        self.wrong = None

    def run(self, stopping):
        try:
            until_stopped(stopping, lambda: self.change_until(stopping))
        except Wrong as why:
            self.wrong = why

    def change_until(self, stopping):
        while not stopping.is_set():
            self.look()
            self.change(self.chance.choice(sorted(self.state)))
            stopping.wait(0.05)

    def command(self, *words):
        with self.gate:
            return self.server.command(*words)

    def change(self, name):
        address, alias = self.server.address(name), self.server.address(f"{name}-alias")
        self.count += 1
        password, (old, has_alias) = f"secret{self.count}", self.state[name] or (None, False)
        if self.chance.random() < 0.3:
            address = self.server.address(self.chance.choice(self.settled))
            if self.chance.random() < 0.5:
                return self.command("settle", address)
            return self.command("mailbox", "convert", address, "INBOX", self.chance.choice(("mdir", "mbox")))
        changes = [(("account", "passwd", address, "--password", password), (password, has_alias))] * 3
        changes += [(("alias", "delete", alias), (old, False))] if has_alias else [
            (("alias", "add", alias, address), (old, True))]
        changes += [] if has_alias else [(("account", "delete", address), None)]
        words, self.after[name] = self.chance.choice(changes) if old else (
            ("account", "add", address, "--password", password), (password, False))
        self.command(*words)
        self.state[name] = self.after.pop(name)
        self.done += 1
        return None

    def look(self):
        """What is there is what must be, or what a command that was cut short makes of it."""
        for name, wanted in self.state.items():
            allowed = [wanted, *([self.after[name]] if name in self.after else [])]
            state = self.found(name, [known[0] for known in allowed if known])
            if state not in allowed:
                raise Wrong(f"account {name} is {state}, not {allowed}", collections.Counter(lost=1))
            self.state[name] = state
            self.after.pop(name, None)

    def found(self, name, passwords):
        domain = self.server.domain
        with self.gate:
            if self.server.address(name) not in self.command("account", "list", domain).split():
                return None
            has_alias = self.server.address(f"{name}-alias") in self.command("alias", "list", domain).split()
        return next((p for p in passwords if self.lets_in(name, p)), None), has_alias

    def lets_in(self, name, password):
        with imaplib.IMAP4(self.server.host, self.server.ports["imap"], timeout=BACK_S) as imap:
            try:
                return imap.login(self.server.address(name), password)[0] == "OK"
            except imaplib.IMAP4.abort:
                raise
            except imaplib.IMAP4.error as why:
                assert "AUTHENTICATIONFAILED" in str(why), why  # not: no login now
                return False


# --- kills ---------------------------------------------------------------------------------------------------------------


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
    with Operator.gate:
        start_again(server)


def start_again(server):
    """While it was down another program may have taken one of its ports for a moment."""
    end = time.monotonic() + PORT_S
    while True:
        try:
            server.start()
            return
        except Failed as why:
            if os.strerror(errno.EADDRINUSE) not in str(why) or time.monotonic() > end:
                raise
            server.kill()
            time.sleep(0.5)


class Round:
    """New accounts, a load on each, so many kills, and a look at all."""

    def __init__(self, server, number, far):
        self.server, self.number, self.far = server, number, far
        first = number * ACCOUNTS
        self.ledger = Ledger([f"test{first + n:04}" for n in range(USERS)])
        self.clients = [Client(server, first + USERS + n, random.Random(f"{SEED} {number} {n}")) for n in range(CLIENTS)]
        self.operators = [Operator(server, f"op{number}-{n}", [client.account for client in self.clients])
                          for n in range(OPERATORS)]
        self.away = mail_away.Sender(server, first + ACCOUNTS - 1, [far], random.Random(f"{SEED} {number} away"),
                                     AWAY_S)
        self.wrong, self.tally = [], collections.Counter()
        self.killed, self.slowest_s, self.kills = collections.Counter(), 0.0, []

    def play(self, kills, chance):
        stopping = threading.Event()
        threads = [threading.Thread(target=load.run, args=(stopping,)) for load in (
            *(Sender(self.server, self.ledger, f"{self.number}-{n}") for n in range(SENDERS)),
            *(Reader(self.server, self.ledger, f"{self.number} reader {n}") for n in range(READERS)),
            *self.operators)]
        threads += [threading.Thread(target=self.run_client, args=(client, stopping)) for client in self.clients]
        self.far.calm = False
        for thread in (*threads, self.away):
            thread.start()
        try:
            for place in range(kills):
                time.sleep(chance.uniform(*PAUSE_S))
                self.aim(chance)
                what = ("worker", "master", "everything")[place % 3]
                self.kills.append(time.monotonic())
                kill_something(self.server, what, chance)
                self.slowest_s = max(self.slowest_s, time.monotonic() - self.kills[-1])
                self.killed[what] += 1
        finally:
            stopping.set()
            self.away.stopping.set()
            for thread in (*threads, self.away):
                thread.join()

    @staticmethod
    def under_way(client):
        return client.after is not None and not client.why

    def aim(self, chance):
        """Every other kill comes while a client has a change under way."""
        end = time.monotonic() + AIM_S
        if chance.random() < 0.5:
            while time.monotonic() < end and not any(map(self.under_way, self.clients)):
                time.sleep(0.0002)
            time.sleep(chance.uniform(0, AFTER_S))

    def run_client(self, client, stopping):
        try:
            client.change_until(stopping)
        except Exception as why:  # told when the round is over
            self.is_wrong(why)

    def is_wrong(self, why):
        self.wrong.append(str(why) if isinstance(why, Wrong) else repr(why))
        self.tally.update(why.tally if isinstance(why, Wrong) else {})

    def look(self):
        """What is wrong now that all is quiet."""
        self.far.calm = True
        until(self.server, lambda: "the queue is empty" in self.server.command("queue", "list"), "an empty queue", "+10m")
        lost, twice, _ = mail_away.audit(self.server, [self.away], [self.far], self.kills)
        self.wrong += lost + twice
        self.tally.update(lost=len(lost), twice=len(twice))
        self.far.check()
        self.far.forget()
        count_all(self.server, self.ledger)
        self.wrong += self.ledger.wrong
        self.tally.update(self.ledger.tally)
        for each in (*self.clients, *self.operators):
            try:
                if isinstance(each, Operator):
                    if each.wrong:
                        raise each.wrong
                    each.look()
                elif not any(each.account in line for line in self.wrong):
                    each.resume()
                    self.compare(each)
            except Wrong as why:
                self.is_wrong(why)

    def compare(self, client):
        state = found(self.server, client.account)
        if not fits(state, client.state):
            raise Wrong(f"{client.account}: {'; '.join(difference(state, client.state))}", tally(state, client.state))

    def acknowledged(self):
        return (len(self.ledger.acknowledged), sum(map(len, self.ledger.expunged.values())),
                sum(map(len, self.ledger.flagged.values())), sum(c.changes for c in self.clients),
                sum(o.done for o in self.operators), len(self.away.acknowledged))


def play_round(server, number, kills, chance, tallied, far):
    """How much was acknowledged."""
    round_ = Round(server, number, far)
    with tap.test(f"round {number}: the server is well after each of {kills} kills"):
        round_.play(kills, chance)
    with tap.test(f"round {number}: all that was acknowledged is there exactly once, no UID is two messages"):
        round_.look()
        assert not round_.wrong, f"{len(round_.wrong)} things are wrong: " + "; ".join(round_.wrong[:10])
    mail, expunges, flags, changes, accounts, away = round_.acknowledged()
    told_kills = ", ".join(f"{count} times {what}" for what, count in round_.killed.items())
    tap.note(f"killed {told_kills}; {mail} of {len(round_.ledger.tried)} messages acknowledged, {expunges} expunged, "
             f"{flags} flagged; {changes} changes by clients, {sum(c.cuts for c in round_.clients)} cut short, "
             f"{sum(c.refusals for c in round_.clients)} refused; {accounts} changes of accounts; {away} recipients elsewhere; "
             f"slowest return {round_.slowest_s:.2f} s")
    tap.ok(mail and changes and away, f"round {number}: there was a load")
    tallied.update(round_.tally)
    return sum(round_.acknowledged())


def main():
    tap.note(f"SEED={SEED}")
    chance, tallied = random.Random(SEED), collections.Counter()
    rounds, acknowledged = -(-KILLS // ROUND), 0
    far = mail_away.Wavering("far", random.Random(f"{SEED} far"))
    with Server(users=ACCOUNTS * rounds, workers=WORKERS, set=[*SETTINGS, *far.settings()]) as server:
        for number in range(rounds):
            acknowledged += play_round(server, number, min(ROUND, KILLS - ROUND * number), chance, tallied, far)
            if tap.failed:
                break
    far.stop()
    tap.note(told("kill", KILLS, acknowledged, tallied))
    tap.done()


if __name__ == "__main__":
    try:
        main()
    except Failed as why:
        tap.note(why)
        raise
