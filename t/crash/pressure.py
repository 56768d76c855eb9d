"""pressure.py - a journal that is far too small for its load: mail is put off, never lost, and the server goes on.

The server is killed, once when a load is over and once amid another, so that what a full journal holds is written again.
SECONDS says how long a load is (6), KILLS how many are cut short, one for each 50 of it and one at least, WORKERS how many
workers (2), SEED repeats the messages.
"""

import collections
import contextlib
import os
import random
import re
import smtplib
import threading
import time

import tap
from ledger import told
from mail import SENDER, done, imap_session, send, texts
from postern import Server, wait_until
from seed import seed

SECONDS = float(os.environ.get("SECONDS", "6"))
KILLS = max(1, int(os.environ.get("KILLS", "0")) // 50)
WORKERS = int(os.environ.get("WORKERS", "2"))
SEED = seed()
SENDERS = 6
ACCOUNTS = [f"test{number:04}" for number in range(6)]
SIZES = (100, 1000, 20_000, 200_000, 250_000, 600_000, 3_000_000)
LARGER = 6_000_000  # than the whole journal
SLOW_S = 15  # no reply may take as long
JOURNAL = ["journal.size 4M", "journal.segment 1M", "journal.checkpoint 1s", 'sending.retry {"1s"}']
WAIT_S = 60  # for what an owner could not take at once, and the queue did
ID = re.compile(rb"X-Load-Id: (\S+)\r\n")


def make_message(name, size):
    return f"X-Load-Id: {name}\r\n\r\n".encode() + (b"z" * 70 + b"\r\n") * (size // 72)


class Sender(threading.Thread):
    def __init__(self, server, name, killed):
        super().__init__()
        self.server, self.name, self.killed = server, name, killed
        self.chance = random.Random(f"{SEED} {name}")
        self.codes = collections.Counter()
        self.acknowledged = []  # (account, id, message)
        self.slowest_s = 0.0
        self.wrong = None

    def run(self):
        try:
            self.send_all()
        except Exception as why:  # told by the test that waits for this thread
            if not self.killed.is_set():
                self.wrong = f"{type(why).__name__}: {why}"

    def send_all(self):
        end = time.monotonic() + SECONDS
        with smtplib.SMTP(self.server.host, self.server.ports["smtp"], timeout=SLOW_S) as smtp:
            while time.monotonic() < end:
                start = time.monotonic()
                self.send(smtp)
                self.slowest_s = max(self.slowest_s, time.monotonic() - start)

    def send(self, smtp):
        name = f"{self.name}-{sum(self.codes.values())}"
        text = make_message(name, self.chance.choice(SIZES))
        accounts = self.chance.sample(ACCOUNTS, self.chance.choice((1, 1, 2, len(ACCOUNTS))))
        try:
            refused = smtp.sendmail(SENDER, [self.server.address(account) for account in accounts], text)
        except smtplib.SMTPRecipientsRefused as why:
            self.codes.update([min(code for code, _ in why.recipients.values())])
        except smtplib.SMTPResponseException as why:
            self.codes.update([why.smtp_code])
        else:
            self.codes.update([250])
            self.acknowledged += [(a, name, text) for a in accounts if self.server.address(a) not in refused]


@contextlib.contextmanager
def load(server, name):
    """Senders at work for SECONDS, or until the server is killed; they end with it."""
    killed = threading.Event()
    senders = [Sender(server, f"{name}{number}", killed) for number in range(SENDERS)]
    for sender in senders:
        sender.start()
    try:
        yield senders, killed
    finally:
        for sender in senders:
            sender.join()


def tell(senders):
    codes = sum((sender.codes for sender in senders), collections.Counter())
    tap.note(f"replies {dict(codes)}, slowest {max(sender.slowest_s for sender in senders):.1f} s")
    return codes, [sender.wrong for sender in senders if sender.wrong]


def start_again(server, senders, tally):
    """All that was acknowledged is there then."""
    server.start()
    wait_until(lambda: server.command("queue", "list") == "the queue is empty\n", WAIT_S, "an empty queue")
    wrong = dict(missing(server, senders))
    tally["acknowledged"] += sum(len(sender.acknowledged) for sender in senders)
    tally["twice"] += sum(times > 1 for times in wrong.values())
    tally["lost"] += sum(times < 2 for times in wrong.values())
    assert not wrong, f"{len(wrong)} are not there once: {list(wrong.items())[:10]}"


def missing(server, senders):
    """What was acknowledged and is not there once, as it was sent: ((account, id), how often it is there)."""
    found = {account: collections.defaultdict(list) for account in ACCOUNTS}
    for account in ACCOUNTS:
        for text in texts(server, account):
            start = text.index(b"X-Load-Id: ")
            found[account][ID.match(text, start)[1].decode()].append(text[start:])
    return [((account, name), len(found[account][name]))
            for sender in senders for account, name, text in sender.acknowledged if found[account][name] != [text]]


def cut_short(number, tally):
    with Server(users=len(ACCOUNTS), workers=WORKERS, set=JOURNAL) as server:
        with load(server, f"cut{number}-") as (senders, killed):
            time.sleep(random.Random(f"{SEED} {number}").uniform(SECONDS / 4, SECONDS))
            killed.set()
            server.kill()
        assert not tell(senders)[1], tell(senders)[1]
        start_again(server, senders, tally)


def main():
    tap.note(f"SEED={SEED}")
    tally = collections.Counter()
    with Server(users=len(ACCOUNTS), workers=WORKERS, set=JOURNAL) as server:
        with tap.test("a message larger than the whole journal is taken"):
            send(server, ACCOUNTS[:1], [make_message("larger", LARGER)])
        with load(server, "whole-") as (senders, _):
            pass
        codes, wrong = tell(senders)
        tap.ok(not wrong and codes.keys() <= {250, 451, 452}, f"mail is taken or put off {wrong or ''}")
        tap.ok(codes[250] > 0, "some is taken")
        with tap.test("flags can be changed when mail cannot be taken, and mail can be taken soon after"):
            with imap_session(server, ACCOUNTS[0]) as imap:
                done(imap.store("1:*", "+FLAGS.SILENT", r"(\Seen)"))
            time.sleep(2)
            send(server, ACCOUNTS, [make_message("after", 100)])
        with tap.test("after kill -9 all that was acknowledged is there, once"):
            server.kill()
            start_again(server, senders, tally)
    for number in range(KILLS):
        with tap.test("and after a kill amid the load"):
            cut_short(number, tally)
    tap.note(told("pressure", KILLS + 1, tally["acknowledged"], tally))
    tap.done()


if __name__ == "__main__":
    main()
