"""model.py - the store against a simple model of it, over long histories of everything, with kills between.

One thing happens after the other, chosen by a seed: accounts are changed by SMTP, IMAP and POP3 (each by a client of
t/lib/ledger.py, whose state is the model: mailboxes, UIDVALIDITY, UIDs, messages, flags); operators make and delete
accounts, aliases and passwords, look the store over, have indexes and generations made anew, reload, stop and start,
take backups and bring accounts and mailboxes back. Between them, and in the middle of them, a worker or everything is
killed. A change that was cut short was made whole or not at all; all else is as the model says. Every LOOK steps the whole
store is compared with it; at the end the index is thrown away and it is compared once more.

STEPS says how many steps (60 in make check), SEED repeats their choice (not the moments of the kills). A history that
fails is printed.
"""

import contextlib
import imaplib
import os
import random
import shutil
import signal
import smtplib
import tempfile
import threading
import time

import tap
from ledger import ERRORS, Client, Wrong, copy_of, difference, fits, found, make_message
from mail import SENDER, done
from postern import PASSWORD, Failed, Server, is_gone, wait_until
from seed import seed

STEPS = int(os.environ.get("STEPS", "60"))
SEED = seed()
LOOK = 20
ACCOUNTS_MAX = 4
WAIT_S = 120
SETTINGS = ["journal.segment 1M", "journal.size 8M", "journal.checkpoint 300ms", "store.compact_share 10",
            'sending.retry {"1s"}']


class Model:
    def __init__(self, server, folder, chance):
        self.server, self.folder, self.chance = server, folder, chance
        self.clients = {}  # by account
        self.gone = {}  # accounts deleted, and what a backup has of them: {account: (client, backup)}
        self.aliases = {}  # alias -> account
        self.backups = []  # (directory, {account: state})
        self.made = 0
        self.history = []
        self.kills = 0

    # What happens

    def step(self):
        what = self.chance.choices(
            (self.change, self.change_cut, self.kill_now, self.add_account, self.delete_account, self.alias,
             self.by_alias, self.look_over, self.settle, self.convert, self.restart, self.reload, self.back_up, self.bring_back,
             self.bring_mailbox, self.lose_index),
            (60, 14, 4, 2, 1, 2, 3, 2, 3, 4, 2, 2, 2, 3, 3, 1))[0]
        self.history.append(what.__name__)
        what()

    def say(self, text):
        self.history[-1] += " " + text

    def any(self):
        return self.clients[self.chance.choice(sorted(self.clients))]

    def change(self, client=None):
        """One change, or whatever came of the one that was cut short."""
        client = client or self.any()
        before = client.changes
        for _ in range(20):
            try:
                client.change_something()
                break
            except ERRORS as why:
                self.server.wait_ready()
                last = why
        else:
            raise Wrong(f"{client.account}: nothing goes any more: {last!r}", {})
        self.say(f"{client.account} {client.changes - before}")

    def change_cut(self):
        """Something is killed while a change is under way."""
        client, after_s = self.any(), self.chance.choice((0, 0.001, 0.003, 0.01, 0.03))
        killer = threading.Timer(after_s, self.kill, [self.chance.choice(("worker", "worker", "everything"))])
        killer.start()
        with contextlib.suppress(*ERRORS):
            for _ in range(3):
                client.change_something()
        killer.join()
        self.bring_up()
        self.change(client)

    def kill_now(self):
        self.kill(self.chance.choice(("worker", "everything")))
        self.bring_up()

    def kill(self, what):
        self.kills += 1
        if what == "worker":
            with contextlib.suppress(ProcessLookupError, IndexError):
                os.kill(self.chance.choice(self.server.workers()), signal.SIGKILL)
        else:
            self.server.kill()

    def bring_up(self):
        if is_gone(self.server.pid):
            self.server.kill()
            self.server.start()
        self.server.wait_ready()
        for client in self.clients.values():  # a connection that ended is no change that was refused
            try:
                client.imap.noop()
            except ERRORS:
                with contextlib.suppress(OSError):
                    client.imap.shutdown()
                if not client.why:
                    client.connect()

    def add_account(self):
        if len(self.clients) < ACCOUNTS_MAX:
            account = f"test{self.made:04}"
            self.server.command("account", "add", self.server.address(account), "--password", PASSWORD)
            self.clients[account] = Client(self.server, self.made, self.chance)
            self.made += 1

    def calm(self, client):
        """No change of it is half known."""
        if client.why:
            self.change(client)

    def delete_account(self):
        if len(self.clients) > 1:
            client = self.any()
            self.calm(client)
            client.end()
            self.server.command("account", "delete", self.server.address(client.account))
            del self.clients[client.account]
            kept = [(d, states[client.account]) for d, states in self.backups if client.account in states]
            if kept:
                self.gone[client.account] = (client, *kept[-1])
            self.say(client.account)
            self.aliases = {a: to for a, to in self.aliases.items() if to != client.account or not self.drop(a)}

    def drop(self, alias):
        self.server.command("alias", "delete", self.server.address(alias))
        return True

    def alias(self):
        name = f"alias{len(self.history)}"
        account = self.any().account
        self.server.command("alias", "add", self.server.address(name), self.server.address(account))
        self.aliases[name] = account

    def by_alias(self):
        """Mail to another name of an account."""
        if self.aliases:
            alias = self.chance.choice(sorted(self.aliases))
            client = self.clients[self.aliases[alias]]
            self.calm(client)
            tag = client.tag()
            with contextlib.closing(smtplib.SMTP(self.server.host, self.server.ports["smtp"], timeout=WAIT_S)) as smtp:
                smtp.sendmail(SENDER, [self.server.address(alias)], make_message(tag))
            wait_until(lambda: client.arrived(tag), WAIT_S, "mail to an alias")
            uid = client.arrived(tag)
            client.state["INBOX"][1][uid] = [tag, []]
            client.next["INBOX"] = int(uid) + 1

    def look_over(self):
        self.server.command("fsck", "--all")
        self.server.command("index", "rebuild", self.server.address(self.any().account))

    def settle(self):
        self.server.command("settle", self.server.address(self.any().account))

    def convert(self):
        client, form = self.any(), self.chance.choice(("mdir", "mbox"))
        mailbox = self.chance.choice(sorted(client.state))
        self.say(f"{client.account} {mailbox} {form}")
        self.server.command("mailbox", "convert", self.server.address(client.account), mailbox, form)

    def restart(self):
        for client in self.clients.values():
            client.end()
        self.server.restart()
        self.bring_up()

    def reload(self):
        self.server.command("reload")

    def lose_index(self):
        for client in self.clients.values():
            self.calm(client)
            client.end()
        self.server.stop()
        shutil.rmtree(os.path.join(self.server.store, "index"))
        self.server.start()
        self.bring_up()

    # Backups

    def back_up(self):
        for client in self.clients.values():
            self.calm(client)
        directory = os.path.join(self.folder, f"backup{len(self.history)}")
        self.server.command("backup", directory)
        self.backups.append((directory, {a: copy_of(c.state) for a, c in self.clients.items()}))

    def bring_back(self):
        """An account that was deleted, if there is one."""
        if self.gone and len(self.clients) < ACCOUNTS_MAX:
            account = self.chance.choice(sorted(self.gone))
            client, directory, state = self.gone.pop(account)
            self.server.command("restore", directory, self.server.address(account))
            client.connect()
            client.state, client.after, client.why = copy_of(state), None, None
            self.next_uids(client)
            self.clients[account] = client
            self.say(account)

    def bring_mailbox(self):
        """A mailbox as a backup has it, under a name that was never used."""
        known = [(d, a) for d, states in self.backups for a in states if a in self.clients]
        if known:
            directory, account = self.chance.choice(known)
            client = self.clients[account]
            self.calm(client)
            state = dict(self.backups)[directory][account]
            name, new = self.chance.choice(sorted(state)), f"back {len(self.history)}"
            self.server.command("restore", "--to", new, directory, self.server.address(account), name)
            client.state[new] = [state[name][0], dict(state[name][1])]
            client.next[new] = client.select(new)[1]
            self.say(f"{account} {name!r} as {new!r}")
            client.select("INBOX")
            done(client.imap.delete(f'"{new}"')) if self.compare_mailbox(client, new) else None
            del client.state[new]

    def compare_mailbox(self, client, name):
        there = found(self.server, client.account)
        if there.get(name) != client.state[name]:
            raise Wrong(f"{client.account} {name!r}: {client.state[name]} came back as {there.get(name)}", {})
        return True

    def next_uids(self, client):
        for name in client.state:
            client.next[name] = client.select(name)[1]

    # Comparing

    def compare(self):
        accounts = set(self.server.command("account", "list").split())
        wanted = {self.server.address(a) for a in (*self.clients, "postmaster")}
        if accounts != wanted:
            raise Wrong(f"accounts are {sorted(accounts)}, not {sorted(wanted)}", {})
        for client in self.clients.values():
            self.calm(client)
            state = found(self.server, client.account)
            if not fits(state, client.state):
                raise Wrong(f"{client.account}: " + "; ".join(difference(state, client.state)), {})
        for alias, account in self.aliases.items():
            told = self.server.command("alias", "show", self.server.address(alias))
            if self.server.address(account) not in told:
                raise Wrong(f"{alias} is {told}, not {account}", {})


def play(model):
    for _ in range(2):
        model.history.append("add_account")
        model.add_account()
    for step in range(1, STEPS + 1):
        model.step()
        if step % LOOK == 0 or step == STEPS:
            model.compare()
    model.history.append("lose_index")
    model.lose_index()
    model.compare()
    told = model.server.command("fsck", "--all")
    assert "nothing is wrong" in told, told


def main():
    tap.note(f"SEED={SEED} STEPS={STEPS}")
    chance = random.Random(SEED)
    folder = tempfile.mkdtemp(prefix="postern-model-")
    os.chmod(folder, 0o711)
    try:
        with Server(users=0, workers=2, set=SETTINGS) as server:
            model = Model(server, folder, chance)
            with tap.test(f"after each of {STEPS} steps the store is what the model says"):
                try:
                    play(model)
                except Exception:
                    tap.complain(f"SEED={SEED}; the history:\n" +
                                 "\n".join(f"{n} {what}" for n, what in enumerate(model.history, 1)))
                    raise
            changes = sum(c.changes for c in model.clients.values())
            tap.note(f"{len(model.history)} steps, {model.kills} kills, {changes} changes of {len(model.clients)} accounts, "
                     f"{len(model.backups)} backups")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    tap.done()


if __name__ == "__main__":
    main()
