"""relay.py - kill -9 of a worker, of the master and of everything while mail goes through, with a ledger per recipient.

Senders submit messages, each with an id of its own, and note which were acknowledged. Destinations take them, put them
off, refuse them and break connections, and note what they answered and whether the other side went on after it. Between
them the killer kills. When all is quiet and nothing waits any more:

    - each recipient of an acknowledged message was sent it, or its sender has it back: one or the other, never both
    - it was sent twice only if the answer to the first was never read (t/lib/mail_away.py)

KILLS says how many kills (12 in make check; half of its kills by make crash), WORKERS how many workers (2); SEED repeats their
order.
"""

import collections
import os
import random
import time

import tap
from kill import kill_something
from ledger import told
from mail_away import Sender, Wavering, audit
from postern import Failed, Server
from seed import seed
from sending import until

KILLS = int(os.environ.get("KILLS", "24")) // 2
WORKERS = int(os.environ.get("WORKERS", "2"))
SEED = seed()
ROUND = 50  # kills before all is counted
SENDERS = 4
PAUSE_S = (0.1, 0.6)
SETTLED_S = 60  # for what a list of the queue did not show


def kill_often(server, count, chance):
    """When each kill was."""
    kills = []
    for place in range(count):
        time.sleep(chance.uniform(*PAUSE_S))
        kills.append(time.monotonic())
        kill_something(server, ("worker", "master", "everything")[place % 3], chance)
        server.clock("+6m")  # what was put off is tried between the kills, too
    return kills


def audit_settled(server, senders, far, kills):
    """A server that has just started lists what it has read of its queue so far, and a report is durable before it is
    seen: an empty list may come before the end. What is lost for good is lost in a minute, too."""
    end = time.monotonic() + SETTLED_S
    while True:
        lost, wrong, twice = audit(server, senders, far, kills)
        if not lost or time.monotonic() > end:
            return lost, wrong, twice
        tap.complain(f"not there yet: {'; '.join(lost[:10])}")
        server.clock("+10m")
        time.sleep(1)


def play_round(server, far, number, count, chance):
    numbers = range(SENDERS * number, SENDERS * (number + 1))
    senders = [Sender(server, n, far, random.Random(f"{SEED} {n}")) for n in numbers]
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
    lost, wrong, twice = ["it cannot be told what is lost"], [], {}
    with tap.test(f"round {number}: each recipient of an acknowledged message got it or its sender has it back, once"):
        lost, wrong, twice = audit_settled(server, senders, far, kills)
        assert not lost + wrong, f"{len(lost + wrong)} are wrong: " + "; ".join((lost + wrong)[:10])
    acknowledged = sum(len(sender.acknowledged) for sender in senders)
    tap.note(f"{acknowledged} of {sum(len(r) for s in senders for r in s.tried.values())} recipients acknowledged, "
             f"{sum(each.counts().total() for each in far)} times one was sent to, twice: {dict(twice)}")
    tap.note(told("relay", len(kills), acknowledged, collections.Counter(lost=len(lost), twice=len(wrong))))
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
