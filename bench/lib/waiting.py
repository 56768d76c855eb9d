"""waiting.py - a server whose queue is full: how soon it serves, what it takes, how long the turns of its loops are.

The messages are written by bench/queue_fill for 1,000 destinations whose names no server knows, all of them due at the
start. The turns are measured by the loops themselves, in processor time (core/worker.c): those of over 1 ms are in the
log, and a phase's longest is told.
"""

import json
import os
import pwd
import re
import subprocess
import time

from measure import pss_kib
from postern import binary
from unpacked import wait_until

WORKERS = 2
LONG_US = 5000
DESTINATIONS = 1000
PHASE_S = int(os.environ.get("PHASE", "20"))  # that is looked at, for what takes hours
LIMIT_S = 600
COMMAND_S = 3600
LONG_TURN = re.compile(r"a turn took long slot=\d+ us=(\d+)")


def fill(program, server, messages):
    """Writes a queue into the store of a server that does not run."""
    subprocess.run([program, server.store, str(WORKERS), str(messages), str(DESTINATIONS)], check=True)
    if os.geteuid() == 0:
        owner = pwd.getpwnam(server.options["user"])
        for folder, _, files in os.walk(os.path.join(server.store, "queue")):
            for path in (folder, *(os.path.join(folder, name) for name in files)):
                os.chown(path, owner.pw_uid, owner.pw_gid)


class Turns:
    """What the log tells of turns since it was asked last."""

    def __init__(self, server):
        self.path = server.path("log")
        self.seen = os.path.getsize(self.path)
        self.long = 0  # of all until now, those of over LONG_US

    def longest_ms(self):
        with open(self.path, errors="replace") as log:
            log.seek(self.seen)
            text = log.read()
            self.seen = log.tell()
        told = [int(us) for us in LONG_TURN.findall(text)]
        self.long += sum(us > LONG_US for us in told)
        return max([1000, *told]) / 1000


def command(server, *words):
    """Runs a command that may take long; what it prints is passed over."""
    subprocess.run([binary(), "-c", server.conf, *words], stdout=subprocess.DEVNULL, check=True, timeout=COMMAND_S)


def totals(server):
    return json.loads(server.command("queue", "stats", "--json"))


def phases(server, messages):
    """(name, what is done) of all that is looked at with the queue read."""
    yield "reload", lambda: (server.command("reload"), time.sleep(PHASE_S))
    # What is for one destination, then everything, goes elsewhere: next hops are looked for anew.
    with open(server.conf, "a") as conf:
        conf.write('route "elsewhere" {\n\trecipients = {"*@d0001.test"}\n\tto = "smtp:[127.0.0.1]:1"\n}\n')
    yield "reload with another route", lambda: (server.command("reload"), time.sleep(PHASE_S))
    yield "queue list", lambda: command(server, "queue", "list", "--limit", str(messages // 10))
    yield "queue hold --to", lambda: command(server, "queue", "hold", "--to", "*@d0002.test")
    yield "queue hold --all", lambda: command(server, "queue", "hold", "--all")
    yield "queue release --all", lambda: command(server, "queue", "release", "--all")
    yield "queue retry --all", lambda: command(server, "queue", "retry", "--all")
    yield "queue hold --from", lambda: command(server, "queue", "hold", "--from", server.address("postmaster"))
    yield "queue delete --held", lambda: (command(server, "queue", "delete", "--held"), wait_until(
        lambda: totals(server)["messages"] <= messages // 2 + DESTINATIONS * WORKERS, LIMIT_S, "half are gone"))
    yield "warnings", lambda: (server.clock("+5h"), time.sleep(PHASE_S))
    yield "expiry", lambda: (server.clock("+5d"), time.sleep(PHASE_S))


def measure(server, messages, leaders):
    """(figure, unit, value) of a server whose queue was filled and which does not run."""
    turns = Turns(server)
    begun = time.monotonic()
    server.start()
    yield "serves after", "s", time.monotonic() - begun
    wait_until(lambda: not totals(server)["reading"], LIMIT_S, "the queue is read")
    yield "queue is read after", "s", time.monotonic() - begun
    assert totals(server)["messages"] == messages
    yield "memory with the queue read", "MiB", pss_kib(leaders()) / 1024
    yield "longest turn: start", "ms", turns.longest_ms()
    time.sleep(PHASE_S)
    yield "longest turn: sending", "ms", turns.longest_ms()
    most = 0
    for name, act in phases(server, messages):
        begun = time.monotonic()
        act()
        lasted = time.monotonic() - begun
        most = max(most, pss_kib(leaders()) / 1024)
        yield f"longest turn: {name}", "ms", turns.longest_ms()
        if name.startswith("queue"):
            yield f"{name}", "s", lasted
    yield "memory, the most of it", "MiB", most
    yield "turns over 5 ms, in all", "turns", turns.long
