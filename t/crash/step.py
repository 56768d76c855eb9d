"""step.py - kill -9 at each step of each change: before or after any one call that it makes to its files.

A preloaded library (disk.c) ends the process that makes the nth call below the store: a write, a sync, a new name. One
client makes one change at a time, of every kind that there is; the process that dies under it is the owner of its account,
or the worker it speaks to, or both. Then either everything is killed and started anew, or that worker is followed by
another, whom the call is sent to once more. Each time

    - a change that was answered was made, once; one that was cut short was made whole or not at all
    - whoever speaks to a worker that lives gets his answer, and it is OK

STEPS says how many (20 in make check; half of its kills by make crash), SEED repeats their order.
"""

import collections
import os
import random
import signal
import time

import tap
from faulty import AFTER, BEFORE, CHANGING, rule, start, start_on
from kill import Operator
from ledger import ERRORS, Client, Wrong, difference, fits, found, is_refusal, tally, told
from postern import Server, is_gone, wait_until
from seed import seed

STEPS = int(os.environ.get("STEPS") or int(os.environ.get("KILLS", "40")) // 2)
SEED = seed()
NEVER = 0xFFFFFFFF  # calls
MESSAGES = 4  # in the mailbox that changes
BACK_S = 60


class Stage:
    """A server, a client and an operator, and the changes that they can make."""

    def __init__(self, server, faulty, chance):
        self.server, self.faulty, self.chance = server, faulty, chance
        self.client = client = Client(server, 0, chance)
        client.settle_s = 0
        self.operator = Operator(server, "op", [client.account])
        self.kinds = {
            "mail": client.deliver, "APPEND": lambda: client.append("INBOX"), "STORE": lambda: client.store("INBOX"),
            "EXPUNGE": lambda: client.expunge("INBOX"), "COPY": lambda: client.copy("INBOX", "COPY"),
            "MOVE": lambda: client.copy("INBOX", "MOVE"), "CREATE": lambda: client.create(f"box {client.tag()}"),
            "RENAME": lambda: client.rename(self.other()), "RENAME INBOX": client.rename_inbox,
            "DELETE": lambda: client.delete(self.other()), "QUIT of POP3": client.pop,
            "settle": lambda: server.command("settle", server.address(client.account)),
            "account": lambda: self.operator.change("op-0"),
        }
        self.calls = dict.fromkeys(self.kinds, 1)  # that a change of this kind made at most
        self.done = self.answered = 0

    def other(self):
        return next(name for name in sorted(self.client.state) if name != "INBOX")

    def prepare(self, kind):
        client = self.client
        while len(client.state["INBOX"][1]) < MESSAGES:
            client.do(lambda: client.append("INBOX"))
        if len(client.state) < 2:
            client.do(lambda: client.create(f"box {client.tag()}"))
        for name in [name for name in client.state if len(client.state[name][1]) > 5 * MESSAGES or kind == "EXPUNGE"]:
            client.do(lambda name=name: client.mark(name))
            if kind != "EXPUNGE":
                client.do(lambda name=name: client.expunge(name))
        while len(client.state) > 4:
            client.do(lambda: client.delete(self.other()))

    def change(self, kind):
        if kind in ("settle", "account"):
            self.kinds[kind]()
        else:
            self.client.do(self.kinds[kind])

    def count(self, kind):
        """How many calls a change of this kind makes when nothing happens."""
        self.prepare(kind)
        self.faulty.set([rule(CHANGING, every=NEVER)])
        self.change(kind)
        self.calls[kind] = max(self.calls[kind], self.faulty.counts()[0])
        self.faulty.set([])

    def step(self, kind, everything):
        """One change, at one of whose calls a process dies."""
        self.prepare(kind)
        nth, when = self.chance.randint(1, self.calls[kind]), self.chance.choice((BEFORE, AFTER))
        before = self.server.workers()
        self.faulty.set([rule(CHANGING, every=nth, die=when, once=True)])
        why = None
        try:
            self.change(kind)
            self.answered += 1
        except ERRORS as failed:
            why = failed
        died = self.faulty.hits() > 0
        self.faulty.set([])
        if died:
            wait_until(lambda: any(map(is_gone, before)), BACK_S, "the end of one that kills itself")
            self.done += 1
        if died and everything:
            os.kill(self.server.pid, signal.SIGKILL)
            self.server.kill()
            start(self.server)
        elif died:
            self.server.wait_ready()
        elif why:
            raise why  # nobody died of it
        told_step = f"{kind}, {'before' if when == BEFORE else 'after'} call {nth} of {self.calls[kind]}"
        try:
            if is_refusal(why):
                raise Wrong("a call to one that died is not repeated", collections.Counter(lost=1))
            self.look()
        except Wrong as wrong:
            raise Wrong(f"{told_step}, {'everything' if everything else 'one worker'} killed, answer {why!r}: {wrong}",
                        wrong.tally) from None

    def look(self):
        end = time.monotonic() + BACK_S
        while True:
            try:
                self.client.resume()
                self.operator.look()
                return
            except ERRORS:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)


def main():
    tap.note(f"STEPS={STEPS} SEED={SEED}")
    chance, tallied = random.Random(SEED), collections.Counter()
    with Server(users=1, workers=2, set=["journal.segment 1M", "journal.size 8M", "journal.checkpoint 300ms",
                                         "store.compact_share 10", 'sending.retry {"1s"}']) as server:
        stage = Stage(server, start_on(server), chance)
        with tap.test("changes of every kind are made"):
            for kind in stage.kinds:
                stage.count(kind)
            tap.note(f"calls below the store: {stage.calls}")
        with tap.test(f"whatever call of a change a process dies at, in {STEPS} tries"):
            for number in range(STEPS):
                try:
                    stage.step(chance.choice(sorted(stage.kinds)), everything=number % 2 == 1)
                except Wrong as why:
                    tallied.update(why.tally)
                    raise
        tap.ok(stage.done > 0, f"{stage.done} died, {stage.answered} changes were answered all the same")
        with tap.test("and in the end"):
            state = found(server, stage.client.account)
            tallied.update(tally(state, stage.client.state))
            assert fits(state, stage.client.state), list(difference(state, stage.client.state))
        tap.note(told("step", stage.done, stage.client.changes + stage.operator.done, tallied))
    tap.done()


if __name__ == "__main__":
    main()
