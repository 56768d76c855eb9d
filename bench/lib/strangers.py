"""strangers.py - what clients see of a server to which strangers bring more mail than it can take.

How much it can bear is measured first: strangers who wait for each other (bench/offer, a message each). Then twice as many
come, whatever became of those before, while clients do what clients do: IMAP sessions that log in, select, fetch and mark,
POP3 sessions that log in and retrieve. Every command of theirs has a time; an error or an end that was not asked for is
counted.
"""

import imaplib
import os
import poplib
import statistics
import subprocess
import threading
import time

from postern import PASSWORD

CLIENTS = 10  # of IMAP, and as many of POP3
PAUSE_S = 0.1
SECONDS = int(os.environ.get("PHASE", "20"))
TIMEOUT_S = 30


class Clients(threading.Thread):
    """One client of each protocol's half, session after session until it is told to end."""

    def __init__(self, server, number):
        super().__init__(daemon=True)
        self.server, self.number = server, number
        self.ended = threading.Event()
        self.waits, self.errors = [], []
        self.start()

    def timed(self, call, *args):
        start = time.monotonic()
        answer = call(*args)
        self.waits.append(time.monotonic() - start)
        if isinstance(answer, tuple) and answer[0] in ("NO", "BAD"):
            raise imaplib.IMAP4.error(str(answer))
        return answer

    def imap(self, address):
        with self.timed(lambda: imaplib.IMAP4(self.server.host, self.server.ports["imap"], timeout=TIMEOUT_S)) as imap:
            self.timed(imap.login, address, PASSWORD)
            self.timed(imap.select)
            for _ in range(10):
                self.timed(imap.fetch, "1:10", "(FLAGS ENVELOPE)")
                self.timed(imap.store, "1", "+FLAGS", r"(\Flagged)")
                self.timed(imap.fetch, "1", "BODY.PEEK[]")
                time.sleep(PAUSE_S)

    def pop3(self, address):
        pop = self.timed(lambda: poplib.POP3(self.server.host, self.server.ports["pop3"], timeout=TIMEOUT_S))
        self.timed(pop.user, address)
        self.timed(pop.pass_, PASSWORD)
        self.timed(pop.uidl)
        self.timed(pop.retr, 1)
        self.timed(pop.quit)
        time.sleep(PAUSE_S)

    def run(self):
        address = self.server.address(f"test{self.number:04}")
        while not self.ended.is_set():
            try:
                (self.imap if self.number % 2 else self.pop3)(address)
            except (OSError, EOFError, imaplib.IMAP4.error, poplib.error_proto) as e:
                self.errors.append(repr(e))


def offer(program, server, accounts, rate, seconds=SECONDS):
    done = subprocess.run([program, str(server.ports["smtp"]), str(accounts), str(seconds), str(rate)], check=True,
                          stdout=subprocess.PIPE, text=True)
    return {name: float(value) for name, value in (line.split("=") for line in done.stdout.splitlines())}


def with_clients(server, load):
    """What the load said, the clients' waits in ms and their errors."""
    clients = [Clients(server, n) for n in range(2 * CLIENTS)]
    said = load()
    for client in clients:
        client.ended.set()
    for client in clients:
        client.join()
    return said, [1000 * w for c in clients for w in c.waits], [e for c in clients for e in c.errors]


def measure(program, server, accounts):
    offer(program, server, accounts, 0, 5)
    bears, waits, errors = with_clients(server, lambda: offer(program, server, accounts, 0))
    rate = bears["taken"] / SECONDS
    yield "what it bears", "messages/s", rate
    yield "there: clients wait, median", "ms", statistics.median(waits)
    yield "there: clients wait, 99 %", "ms", statistics.quantiles(waits, n=100)[98]
    yield "there: clients' errors", "errors", len(errors)
    said, waits, errors = with_clients(server, lambda: offer(program, server, accounts, round(2 * rate)))
    yield "twice as much: offered", "messages/s", said["begun"] / SECONDS
    yield "twice as much: taken", "messages/s", said["taken"] / SECONDS
    yield "twice as much: put off (421, 451)", "messages/s", said["put_off"] / SECONDS
    yield "twice as much: strangers without an answer", "messages", said["failed"]
    yield "twice as much: stranger's wait for 250, 99 %", "ms", said["p99_us"] / 1000
    yield "twice as much: clients' commands", "1/s", len(waits) / SECONDS
    yield "twice as much: clients wait, median", "ms", statistics.median(waits)
    yield "twice as much: clients wait, 99 %", "ms", statistics.quantiles(waits, n=100)[98]
    yield "twice as much: clients wait, the longest", "ms", max(waits)
    yield "twice as much: clients' errors and time-outs", "errors", len(errors)
    if errors:
        print("\n".join(errors[:5]))
