"""cut_loads.py - what a store is changed by while it is recorded for t/crash/cut.py, and what must be there after a cut.

Each load notes its own state in the record: {"account": its name, "begins": what would be} before a change, {"account",
"is": what is now} when that was answered; `missing(server, allowed, ...)` tells what is wrong with what a server has, by
the states that are allowed, the oldest first: [(text, tally)].

    Tree    an account's mail and its mailboxes, nested ones, renamed with what is in them (a Client of ledger.py)
    Names   accounts made, deleted, given passwords and aliases by the command line (an Operator of kill.py), which also
            has the mailboxes of others written anew (postern settle)
    Orders  messages that wait in the queue, held, released and deleted by an operator
    Out     mail for other hosts, which goes there, or back to its sender
"""

import collections
import json
import re

from kill import Operator
from ledger import Client, difference, fits, found, tally
from mail import done, quoted, texts
from postern import wait_until
from sending import Far, submission, text, until

LOST = collections.Counter(lost=1)
TWICE = collections.Counter(twice=1)
PAUSE_S = 0.05
DEPTH = 3  # of mailboxes in mailboxes
POSTER = "test0003"  # sends what leaves, and gets back what was refused


class Tree(Client):
    """Mailboxes in mailboxes: renamed with all that is in them (RFC 3501, 6.3.5), deleted when nothing is."""

    def run(self, stopping):
        while not stopping.is_set():
            self.change_something()

    def create(self, name):
        parents = [parent for parent in sorted(self.state) if parent != "INBOX" and parent.count("/") < DEPTH - 1]
        if name != "INBOX" and parents and self.chance.random() < 0.5:
            name = f"{self.chance.choice(parents)}/{name}"
        super().create(name)

    def inside(self, name):
        return [each for each in sorted(self.state) if each.startswith(name + "/")]

    def rename(self, name):
        if name == "INBOX":
            return
        new = f"box {self.tag()}"
        names = {each: new + each[len(name):] for each in (name, *self.inside(name))}

        def change(state):
            for old, renamed in names.items():
                state[renamed] = state.pop(old)

        after = self.will(change)
        self.select("INBOX")
        done(self.imap.rename(quoted(name), quoted(new)))
        for old, renamed in names.items():
            self.next[renamed] = self.next.pop(old)
        self.is_done(after)

    def delete(self, name):
        if not self.inside(name):
            super().delete(name)


def tree_missing(server, account, allowed):
    state = found(server, account)
    if any(fits(state, wanted) for wanted in allowed):
        return []
    least = min(allowed, key=lambda wanted: tally(state, wanted).total())
    return [(f"{account}: {'; '.join(difference(state, least))}", tally(state, least) or LOST)]


class Noted:
    """Notes what it would make of its state, and what it made of it."""

    key = ""

    def __init__(self, note):
        self.note, self.noted, self.changes = note, {}, 0

    def begins(self, after):
        self.note({"account": self.key, "begins": after})

    def is_done(self, state):
        self.noted = dict(state)
        self.changes += 1
        self.note({"account": self.key, "is": self.noted})


class Names(Noted, Operator):
    key = "names"

    def __init__(self, server, chance, note, settled):
        Noted.__init__(self, note)
        Operator.__init__(self, server, "op", list(settled))
        self.chance = chance

    def run(self, stopping):
        self.is_done(self.state)
        while not stopping.is_set():
            self.change(self.chance.choice(sorted(self.state)))
            if self.state != self.noted:
                self.is_done(self.state)
            stopping.wait(PAUSE_S)

    def command(self, *words):
        if self.after:
            self.begins({**self.state, **self.after})
        return super().command(*words)


def names_missing(server, allowed, chance):
    states = [{name: known and tuple(known) for name, known in state.items()} for state in allowed]
    wrong = []
    for name in sorted({name for state in states for name in state}):
        names = Names(server, chance, lambda what: None, [])
        wanted = [state.get(name) for state in states]
        state = names.found(name, [known[0] for known in wanted if known])
        if state not in wanted:
            wrong.append((f"account {name} is {state}, not one of {wanted}", LOST))
    return wrong


def queued(server):
    """{address: state} of all that the queue has, once it is read."""
    wait_until(lambda: not json.loads(server.command("queue", "stats", "--json"))["reading"], 60, "the queue is read")
    listed = json.loads(server.command("queue", "list", "--json", "--limit", "1000"))
    return {r["address"]: "held" if r["state"] == "held" else "waits"
            for message in listed for r in message["recipients"]}


def waiting(server, far):
    """{local part: "held" or "waits"} of what the queue has for this destination."""
    return {address.partition("@")[0]: state for address, state in queued(server).items()
            if address.endswith("@" + far.domain)}


class Orders(Noted):
    """Mail that nobody takes, and what an operator says of it."""

    key = "orders"

    def __init__(self, server, chance, note, far):
        super().__init__(note)
        self.server, self.chance, self.far, self.count = server, chance, far, 0

    def run(self, stopping):
        self.is_done({})
        while not stopping.is_set():
            if len(self.noted) < 3:
                self.submit()
            else:
                self.order(self.chance.choice(sorted(self.noted)))
            stopping.wait(PAUSE_S)

    def submit(self):
        self.count += 1
        name = f"o{self.count}"
        after = {**self.noted, name: "waits"}
        self.begins(after)
        with submission(self.server, POSTER) as smtp:
            smtp.sendmail(self.server.address(POSTER), [self.far.address(name)],
                          text(name, sender=self.server.address(POSTER), to=self.far.address(name)))
        self.is_done(after)

    def order(self, name):
        after = dict(self.noted)
        order = self.chance.choice(("hold", "release", "delete"))
        if order == "delete":
            del after[name]
        else:
            after[name] = "held" if order == "hold" else "waits"
        self.begins(after)
        while waiting(self.server, self.far).get(name) != after.get(name):  # one that is being tried is left alone
            self.server.command("queue", order, "--to", self.far.address(name))
        self.is_done(after)


def orders_missing(server, allowed, far):
    state = waiting(server, far)
    if state in allowed:
        return []
    return [(f"the queue has {state}, not {allowed}", TWICE if state.keys() - allowed[0].keys() else LOST)]


class Away(Far):
    """A host that takes mail, and notes each before it says so; it refuses those who are gone."""

    def __init__(self, name, note=None):
        self.noting = note
        super().__init__(name)

    def chosen(self, step, whom):
        if step == "rcpt" and whom[0].startswith("gone"):
            return "550 5.1.1 nobody"
        if step == "dot" and self.noting:
            for address in whom:
                self.noting({"taken": address.partition("@")[0]})
        return super().chosen(step, whom)


class Out(Noted):
    """Its state: {local part: "accepted" or, when the queue knows it no more, "through"}."""

    key = "out"

    def __init__(self, server, chance, note, far):
        super().__init__(note)
        self.server, self.chance, self.far, self.count = server, chance, far, 0

    def run(self, stopping):
        self.is_done({})
        with submission(self.server, POSTER) as smtp:
            while not stopping.is_set():
                for _ in range(self.chance.randint(1, 4)):
                    self.submit(smtp)
                self.look()
                stopping.wait(PAUSE_S)

    def submit(self, smtp):
        self.count += 1
        names = [f"{self.chance.choice(('a', 'a', 'b', 'gone'))}{self.count}-{n}" for n in
                 range(self.chance.choice((1, 1, 2, 5)))]
        body = "x" * 70 + "\r\n"
        message = text(f"m{self.count}", sender=self.server.address(POSTER), body=body * self.chance.choice((1, 10, 1000)))
        after = {**self.noted, **{name: "accepted" for name in names}}
        self.begins(after)
        smtp.sendmail(self.server.address(POSTER), [self.far.address(name) for name in names], message)
        self.is_done(after)

    def look(self):
        before = [name for name, state in self.noted.items() if state == "accepted"]
        there = waiting(self.server, self.far)
        if through := [name for name in before if name not in there]:
            self.is_done({**self.noted, **{name: "through" for name in through}})


def returned(server):
    """{local part: how often} it came back to its sender."""
    back = collections.Counter()
    for message in texts(server, POSTER):
        back.update(local.decode() for local in re.findall(rb"Final-Recipient: *[^;]*; *(gone[^@\s]+)@", message))
    return back


def out_missing(server, allowed, far, stuck, taken_before):
    """What the oldest state has was taken there before the cut, is now, or comes back; what was through is not done again.
    Waits until nothing else than what is stuck is in the queue any more."""
    until(server, lambda: queued(server).keys() == {stuck.address(name) for name in waiting(server, stuck)},
          "an empty queue", "+10m")
    again, back, wrong = far.counts(), returned(server), []
    for name, state in allowed[0].items():
        sent = again[far.address(name)]
        if name.startswith("gone"):
            if not back[name]:
                wrong.append((f"{name} was refused and did not come back", LOST))
        elif not sent and name not in taken_before:
            wrong.append((f"{name} was {state} and never sent", LOST))
        elif sent and (state == "through" or sent > 1):
            wrong.append((f"{name} was {state} and is sent {sent} times more", TWICE))
    return wrong
