"""relay.py - kill -9 of a worker, of the master and of everything while mail goes through, with a ledger per recipient.

Senders submit messages, each with an id of its own, and note which were acknowledged. Destinations take them, put them
off, refuse them and break connections, and note what they answered and whether the other side went on after it. Between
them the killer kills. When all is quiet and nothing waits any more:

    - each recipient of an acknowledged message was sent it, or its sender has it back: one or the other, never both
    - it was sent twice only if the answer to the first was never read: the destination's kernel saw the connection reset,
      as Linux does when a process ends with input that it did not read (Session.was_read of lib/smtp_sink.py). The server
      takes an answer off its socket only after it has noted it (storage/queue/answers.h), so this has no exception

KILLS says how many kills (12 in make check, 1,000 by make crash), WORKERS how many workers (2); SEED repeats their
order.
"""

import collections
import os
import random
import re
import smtplib
import threading
import time

import tap
from kill import kill_something
from ledger import told
from mail import fetch_all
from postern import Failed, Server
from seed import seed
from sending import Far, submission, until

KILLS = int(os.environ.get("KILLS", "12"))
WORKERS = int(os.environ.get("WORKERS", "2"))
SEED = seed()
ROUND = 50  # kills before all is counted
SENDERS = 4
PAUSE_S = (0.1, 0.6)
ID = re.compile(rb"X-Load-Id: (\S+)\r\n")
REFUSED = "550 5.1.1 nobody"


def make_message(name, chance):
    filling = "x" * 70 + "\r\n"
    return (f"From: test0000@example.test\r\nTo: a@far.test\r\nSubject: load\r\nX-Load-Id: {name}\r\n\r\n"
            + filling * chance.choice((1, 10, 100, 500))).encode()


class Sender(threading.Thread):
    """Submits for ever, whatever happens to the server; its account gets what comes back."""

    def __init__(self, server, number, far):
        super().__init__(daemon=True)
        self.server, self.account, self.far = server, f"test{number:04}", far
        self.chance = random.Random(f"{SEED} {number}")
        self.stopping = threading.Event()
        self.tried = {}  # id -> recipients
        self.acknowledged = set()  # (id, recipient)

    def run(self):
        while not self.stopping.is_set():
            try:
                with submission(self.server, self.account) as smtp:
                    while not self.stopping.is_set():
                        self.send(smtp)
            except (OSError, EOFError, smtplib.SMTPException):
                self.stopping.wait(0.02)

    def send(self, smtp):
        name = f"{self.account}-{len(self.tried)}"
        places = self.chance.sample(self.far, self.chance.choice((1, 1, 2, len(self.far))))
        recipients = [far.address(f"{local}{name}") for far in places
                      for local in self.chance.sample(("a", "b", "gone"), self.chance.choice((1, 1, 2)))]
        self.tried[name] = recipients
        refused = smtp.sendmail(self.server.address(self.account), recipients, make_message(name, self.chance))
        self.acknowledged.update((name, address) for address in recipients if address not in refused)
        self.stopping.wait(self.chance.uniform(0, 0.02))


class Wavering(Far):
    """A destination that goes wrong now and then, and refuses those who are gone for good."""

    def __init__(self, name, chance):
        super().__init__(name, without=chance.choice(((), ("CHUNKING",), ("PIPELINING",))))
        self.chance, self.calm = chance, False

    def chosen(self, step, whom):
        if step == "rcpt" and whom[0].startswith("gone"):
            return REFUSED
        if self.calm or self.chance.random() > 0.03:
            return None
        return {"rcpt": "450 4.2.1 later", "mail": "421 4.3.2 closing", "body": "reset", "data": "drop",
                "dot": self.chance.choice(("451 4.3.0 no room", "take", "drop"))}.get(step)


def taken_of(far):
    """{(id, recipient): [transaction]}"""
    taken = collections.defaultdict(list)
    for each in far:
        for t in each.messages:
            for address in t.taken:
                taken[ID.search(t.content)[1].decode(), address].append(t)
    return taken


def returned_to(server, sender):
    """{(id, recipient): how often} of the reports in a sender's INBOX."""
    returned = collections.Counter()
    for _, _, text in fetch_all(server, sender.account):
        name = ID.search(text)[1].decode()
        failed = re.findall(rb"Final-Recipient: *[^;]*; *(\S+)\r\n(?:(?!\r\n).*\r\n)*?Action: *failed", text)
        returned.update((name, address.decode()) for address in failed)
    return returned


def audit(server, senders, far, kills):
    """What is wrong, and how many came twice for which reason."""
    taken, wrong, twice = taken_of(far), [], collections.Counter()
    for sender in senders:
        returned = returned_to(server, sender)
        for name, address in ((name, address) for name in sender.tried for address in sender.tried[name]):
            sent, back = taken[name, address], returned[name, address]
            if (name, address) in sender.acknowledged and not sent and not back:
                wrong.append(f"{name} to {address} is lost")
            if sent and back:
                wrong.append(f"{name} to {address} was sent and came back, too")
            if back > 1:
                wrong.append(f"{name} to {address} came back {back} times")
            for first in sent[:-1]:
                twice["read" if first.read else "answer not read" if first.replies else "never answered"] += 1
                if first.read:
                    wrong.append(f"{name} to {address} was sent {len(sent)} times, though its answer was read; kills "
                                 f"came {[round(at - first.at, 2) for at in kills if abs(at - first.at) < 5]} s later")
    return wrong, twice


def kill_often(server, count, chance):
    """When each kill was."""
    kills = []
    for place in range(count):
        time.sleep(chance.uniform(*PAUSE_S))
        kills.append(time.monotonic())
        kill_something(server, ("worker", "master", "everything")[place % 3], chance)
        server.clock("+6m")  # what was put off is tried between the kills, too
    return kills


def play_round(server, far, number, count, chance):
    senders = [Sender(server, SENDERS * number + n, far) for n in range(SENDERS)]
    for each in far:
        each.calm = False
    for sender in senders:
        sender.start()
    kills = []
    try:
        with tap.test(f"round {number}: the server is well after each of {count} kills"):
            kills = kill_often(server, count, chance)
    finally:
        for sender in senders:
            sender.stopping.set()
        for sender in senders:
            sender.join()
    with tap.test(f"round {number}: all that waits comes to an end"):
        for each in far:
            each.calm = True
        until(server, lambda: "@" not in server.command("queue", "list"), "an empty queue", "+10m", 300)
    wrong, twice = ["it cannot be told what is lost"], {}
    with tap.test(f"round {number}: each recipient of an acknowledged message got it or its sender has it back, once"):
        wrong, twice = audit(server, senders, far, kills)
        assert not wrong, f"{len(wrong)} are wrong: " + "; ".join(wrong[:10])
    acknowledged = sum(len(sender.acknowledged) for sender in senders)
    tap.note(f"{acknowledged} of {sum(len(r) for s in senders for r in s.tried.values())} recipients acknowledged, "
             f"{sum(each.counts().total() for each in far)} times one was sent to, twice: {dict(twice)}")
    lost = sum("lost" in line for line in wrong)
    tap.note(told("relay", len(kills), acknowledged, collections.Counter(lost=lost, twice=len(wrong) - lost)))
    tap.ok(acknowledged > count, f"round {number}: there was a load")
    for each in far:
        with tap.test(f"round {number}: nothing was done that no client may do to {each.title}"):
            each.check()
        each.forget()


def main():
    tap.note(f"SEED={SEED}")
    chance = random.Random(SEED)
    rounds = -(-KILLS // ROUND)
    far = [Wavering(f"far{n}", random.Random(f"{SEED} far {n}")) for n in range(4)]
    settings = ["sending.reports_per_sender 0", *(setting for each in far for setting in each.settings())]
    with Server(set=settings, users=SENDERS * rounds, workers=WORKERS) as server:
        for number in range(rounds):
            play_round(server, far, number, min(ROUND, KILLS - ROUND * number), chance)
            if tap.failed:
                break
    for each in far:
        each.stop()
    tap.done()


if __name__ == "__main__":
    try:
        main()
    except Failed as why:
        tap.note(why)
        raise
