"""change.py - kill -9 under changes of mailboxes: APPEND, STORE, COPY, EXPUNGE, with a model per mailbox.

Each client has an account of its own, so it knows what its mailboxes hold but for the one command that was under way
when the server went: that one is done whole or not at all. After each loss of its connection, and at the end, a client
looks at everything:

    - messages, UIDs and flags are those of the model, with the command that was under way or without it
    - no UID was ever two messages; UIDVALIDITY never changed

KILLS says how many kills (12 in make check), WORKERS how many workers (2); SEED repeats the order.
"""

import imaplib
import os
import random
import re
import threading
import time

import tap
from kill import BACK_S, kill_something
from mail import done, literals
from postern import PASSWORD, Server

KILLS = int(os.environ.get("KILLS", "12"))
WORKERS = int(os.environ.get("WORKERS", "2"))
SEED = os.environ.get("SEED") or str(random.randrange(1 << 30))
CLIENTS = 4
PAUSE_S = (0.1, 0.8)  # the load's time between the server being well and its next kill
MESSAGES_MAX = 60  # of one mailbox; a client expunges more when it has them
SETTLE_S = 0.3  # for what an owner still had to do for a client whose worker was killed
FLAGS = (r"\Answered", r"\Deleted", r"\Draft", r"\Flagged", r"\Seen", "red", "$green")
MAILBOXES = ("INBOX", "Copies")
ID = re.compile(rb"X-Load-Id: (\S+)")


def parts(chance, uids):
    """Some of these, one at least, and how a command names them."""
    some = sorted(chance.sample(uids, chance.randint(1, len(uids))))
    return some, ",".join(map(str, some))


class Wrong(Exception):
    """The server has not what it should."""


class Client(threading.Thread):
    """A mailbox is {UID: (id, flags)}. What a command under way would make of the model is `after`."""

    def __init__(self, server, number):
        super().__init__()
        self.server, self.account = server, f"test{number:04}"
        self.chance = random.Random(f"{SEED} {number}")
        self.stopping = threading.Event()
        self.model = {mailbox: {} for mailbox in MAILBOXES}
        self.after = None
        self.ever = {mailbox: {} for mailbox in MAILBOXES}  # UID -> id
        self.validity = {}
        self.created = False
        self.count = self.changes = self.uncertain = 0
        self.wrong = None

    def run(self):
        try:
            while not self.stopping.is_set():
                try:
                    self.session()
                except (OSError, EOFError, imaplib.IMAP4.error):
                    time.sleep(0.01)  # the server is gone, or says that it cannot now
        except Exception as why:  # told by the test that waits for this thread
            self.wrong = f"{self.account}: {type(why).__name__}: {why}"

    def connect(self):
        imap = imaplib.IMAP4(self.server.host, self.server.ports["imap"], timeout=BACK_S)
        imap.login(self.server.address(self.account), PASSWORD)
        return imap

    def session(self):
        with self.connect() as imap:
            if not self.created:
                imap.create("Copies")
                self.created = True
            if self.after:
                time.sleep(SETTLE_S)
            self.look(imap)
            done(imap.select())
            while not self.stopping.is_set():
                self.change(imap)

    def change(self, imap):
        """One command. Until it is answered its outcome is open."""
        inbox = self.model["INBOX"]
        kinds = [self.append, self.store, self.store, self.store, self.copy, self.expunge] if inbox else [self.append]
        kind = self.expunge if len(inbox) > MESSAGES_MAX else self.chance.choice(kinds)
        changed = {mailbox: dict(messages) for mailbox, messages in self.model.items()}
        kind(imap, changed)
        self.after = None
        self.model = changed
        self.changes += 1

    def append(self, imap, changed):
        self.count += 1
        name = f"{self.account}-{self.count}"
        flags = frozenset(self.chance.sample(FLAGS, self.chance.randint(0, 3)))
        text = f"X-Load-Id: {name}\r\n\r\n" + "text\r\n" * self.chance.choice((0, 1, 10, 1000))
        self.after = self.with_new(changed, "INBOX", [(name, flags)])
        answer = done(imap.append("INBOX", f"({' '.join(flags)})", None, text.encode()))
        self.add(changed, "INBOX", [int(answer[0].split()[2].rstrip(b"]"))], [(name, flags)])

    def copy(self, imap, changed):
        some, told = parts(self.chance, list(changed["INBOX"]))
        if len(changed["Copies"]) > MESSAGES_MAX:
            return self.clear_copies(imap, changed)
        messages = [changed["INBOX"][uid] for uid in some]
        self.after = self.with_new(changed, "Copies", messages)
        answer = done(imap.uid("COPY", told, "Copies"))
        code = imap.response("COPYUID")[1]
        uids = numbers((code[-1] or answer[0]).split()[-1].rstrip(b"]"))
        assert len(uids) == len(some), f"COPYUID says {code}"
        self.add(changed, "Copies", uids, messages)
        return None

    def clear_copies(self, imap, changed):
        """Every copy is expunged; the UIDs may not come again."""
        done(imap.select("Copies"))
        uids = list(changed["Copies"])
        self.after = self.with_flags(changed, "Copies", uids, "+FLAGS.SILENT", {r"\Deleted"})
        done(imap.uid("STORE", "1:*", "+FLAGS.SILENT", r"(\Deleted)"))
        self.model = self.after(self.model)
        self.after = lambda model: {**model, "Copies": {}}
        done(imap.expunge())
        changed["Copies"] = {}
        done(imap.select())

    def store(self, imap, changed):
        some, told = parts(self.chance, list(changed["INBOX"]))
        how = self.chance.choice(("+FLAGS", "-FLAGS", "FLAGS")) + self.chance.choice(("", ".SILENT"))
        flags = set(self.chance.sample(FLAGS, self.chance.randint(0 if how[0] == "F" else 1, 3)))
        self.after = self.with_flags(changed, "INBOX", some, how, flags)
        done(imap.uid("STORE", told, how, f"({' '.join(flags)})"))
        changed.update(self.after(changed))

    def expunge(self, imap, changed):
        def gone(model):
            left = {uid: message for uid, message in model["INBOX"].items() if r"\Deleted" not in message[1]}
            return {**model, "INBOX": left}

        self.after = gone
        done(imap.expunge())
        changed.update(gone(changed))

    def with_new(self, changed, mailbox, messages):
        """The model with these messages behind those that are there, at UIDs that only the server knows."""
        return lambda model: {**model, mailbox: {**model[mailbox], **{-n: m for n, m in enumerate(messages, 1)}}}

    def with_flags(self, changed, mailbox, uids, how, flags):
        def one(old):
            return frozenset(old | flags if how[0] == "+" else old - flags if how[0] == "-" else flags)

        return lambda model: {**model, mailbox: {
            uid: (name, one(old)) if uid in uids else (name, old) for uid, (name, old) in model[mailbox].items()}}

    def add(self, changed, mailbox, uids, messages):
        for uid, message in zip(uids, messages, strict=True):
            self.note(mailbox, uid, message[0])
            changed[mailbox][uid] = message

    def note(self, mailbox, uid, name):
        if self.ever[mailbox].setdefault(uid, name) != name:
            raise Wrong(f"{mailbox}: UID {uid} was {self.ever[mailbox][uid]} and is {name}")

    def look(self, imap):
        """What is there is the model, with the open command or without, and is the model from now on."""
        there = {}
        for mailbox in MAILBOXES:
            done(imap.select(mailbox))
            validity = imap.response("UIDVALIDITY")[1][0]
            if self.validity.setdefault(mailbox, validity) != validity:
                raise Wrong(f"{mailbox}: UIDVALIDITY was {self.validity[mailbox]} and is {validity}")
            there[mailbox] = messages = {}
            for about, text in literals(done(imap.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[])"))):
                uid, name = int(re.search(rb"UID (\d+)", about)[1]), ID.search(text)[1].decode()
                flags = re.search(rb"FLAGS \(([^)]*)\)", about)[1].decode().split()
                messages[uid] = (name, frozenset(flags) - {r"\Recent"})
                self.note(mailbox, uid, name)
        possible = [self.model] + ([self.after(self.model)] if self.after else [])
        self.uncertain += self.after is not None
        if not any(same(there, model) for model in possible):
            raise Wrong("; or ".join(parting(there, model) for model in possible))
        self.model, self.after = there, None


def numbers(told):
    """The UIDs of a COPYUID code: "4:6,9"."""
    found = []
    for part in told.decode().split(","):
        first, _, last = part.partition(":")
        found += range(int(first), int(last or first) + 1)
    return found


def parting(there, model):
    """Where what is there is not the model; new messages have UIDs that the model does not know."""
    found = []
    for mailbox in MAILBOXES:
        have, want = there[mailbox], model[mailbox]
        known = {uid: message for uid, message in want.items() if uid > 0}
        new = [want[-n] for n in range(1, len(want) - len(known) + 1)]
        more = [have[uid] for uid in sorted(have.keys() - known.keys())]
        wrong = [f"UID {u} is {have.get(u)}, not {m}" for u, m in known.items() if have.get(u) != m]
        if more != new:
            wrong.append(f"new are {more[:4]}, not {new[:4]}")
        found += [f"{mailbox}: {what}" for what in wrong[:4]]
    return ", ".join(found)


def same(there, model):
    return not parting(there, model)


def main():
    tap.note(f"SEED={SEED}")
    chance = random.Random(SEED)
    with Server(users=CLIENTS, workers=WORKERS) as server:
        clients = [Client(server, number) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        try:
            with tap.test(f"the server is well after each of {KILLS} kills"):
                for place in range(KILLS):
                    time.sleep(chance.uniform(*PAUSE_S))
                    kill_something(server, ("worker", "master", "worker", "everything")[place % 4], chance)
        finally:
            for client in clients:
                client.stopping.set()
            for client in clients:
                client.join()
        with tap.test("after each loss everything is as it was, but the command under way is done whole or not at all"):
            wrong = [client.wrong for client in clients if client.wrong]
            assert not wrong, "\n".join(wrong)
        with tap.test("and in the end"):
            for client in clients:
                with client.connect() as imap:
                    time.sleep(SETTLE_S if client.after else 0)
                    client.look(imap)
        tap.note(f"{sum(c.changes for c in clients)} changes, {sum(c.uncertain for c in clients)} looks with one open")
        tap.ok(all(client.changes and client.uncertain for client in clients), "there was a load, and it was cut short")
    tap.done()


if __name__ == "__main__":
    main()
