"""ledger.py - a client that changes an account at random and knows what must be in it; and what a server says is.

    client = Client(server, number, random.Random(seed), note)
    client.change_something()
    state = found(server, client.account)
    assert fits(state, client.state), list(difference(state, client.state))

One client alone uses an account, one command after the other, so it knows every UID beforehand. `note` is told of each
change: {"account", "begins": what would be} before it, {"account", "is": what is now} when it was answered. A state is
{mailbox: [uidvalidity, {uid: [tag, flags]}]}; None is a UIDVALIDITY that nobody told yet.
"""

import contextlib
import hashlib
import imaplib
import os
import poplib
import random
import re
import smtplib
import subprocess

from mail import SENDER, done, quoted
from postern import PASSWORD, binary

MESSAGES_MAX = 25  # of a mailbox: more are expunged first
LARGE = 400_000  # not kept in memory
FLAGS = (r"\Seen", r"\Answered", r"\Flagged", r"\Deleted", r"\Draft", "work", "$Forwarded")


def make_message(tag):
    chance = random.Random(tag)
    lines = LARGE // 60 if chance.random() < 0.03 else chance.choice((1, 5, 40, 300))
    text = "".join(f"From {chance.getrandbits(180):x} line {n}\r\n" for n in range(lines))
    return f"From: {SENDER}\r\nX-Tag: {tag}\r\nSubject: {tag}\r\n\r\n{text}".encode()


def digest(message):
    return hashlib.sha256(message[message.index(b"From: "):]).hexdigest()[:16]


class Client:
    """One account and what is in it. `state` is {mailbox: [uidvalidity, {uid: [tag, flags]}]}; JSON as it is noted."""

    def __init__(self, server, number, chance, note):
        self.server, self.account, self.note = server, f"test{number:04}", note
        self.chance = chance
        self.state, self.after, self.next, self.count = {}, None, {}, 0
        self.connect()
        self.create("INBOX")

    def connect(self):
        self.selected = None
        self.imap = imaplib.IMAP4(self.server.host, self.server.ports["imap"], timeout=60)
        self.imap.login(self.server.address(self.account), PASSWORD)

    def resume(self):
        """After a change that went wrong: the account is as before or as it would be; looks which, and goes on from there.
        Answers whether the change was made all the same."""
        self.end()
        self.connect()
        return self.look()

    def look(self):
        """What is there is what it must be, or what the change that went wrong would have made of it: whatever its UIDs,
        of which a change that went wrong may have used some up. Answers whether that change was made."""
        state = found(self.server, self.account)
        made = content(state) != content(self.state)
        assert not made or self.after and content(state) == content(self.after), list(difference(state, self.state))
        self.next = {name: self.select(name)[1] for name in state}
        self.is_done(state)
        return made

    def end(self):
        with contextlib.suppress(OSError, imaplib.IMAP4.error):
            self.imap.logout()

    def select(self, mailbox):
        done(self.imap.select(quoted(mailbox)))
        self.selected = mailbox
        return int(self.imap.response("UIDVALIDITY")[1][0]), int(self.imap.response("UIDNEXT")[1][0])

    def will(self, change):
        """Notes what a change under way would make of the account; change works on a copy."""
        after = {name: [validity, dict(messages)] for name, (validity, messages) in self.state.items()}
        change(after)
        self.after = after
        self.note({"account": self.account, "begins": after})
        return after

    def is_done(self, after):
        self.state, self.after = after, None
        self.note({"account": self.account, "is": after})

    def tag(self):
        self.count += 1
        return f"{self.account}-{self.count}"

    # Changes

    def create(self, name):
        after = self.will(lambda state: state.update({name: [None, {}]}))
        if name != "INBOX":
            done(self.imap.create(quoted(name)))
        after[name][0], self.next[name] = self.select(name)
        self.is_done(after)

    def deliver(self):
        tag, uid = self.tag(), self.next["INBOX"]
        after = self.will(lambda state: state["INBOX"][1].update({str(uid): [tag, []]}))
        with smtplib.SMTP(self.server.host, self.server.ports["smtp"], timeout=60) as smtp:
            smtp.sendmail(SENDER, [self.server.address(self.account)], make_message(tag))
        self.next["INBOX"] += 1
        self.is_done(after)
        while int(done(self.imap.status("INBOX", "(UIDNEXT)"))[0].split()[-1].rstrip(b")")) <= uid:
            pass  # it is durable before it is seen

    def append(self, name):
        tag, uid, flags = self.tag(), self.next[name], sorted(self.chance.sample(FLAGS, self.chance.randrange(3)))
        after = self.will(lambda state: state[name][1].update({str(uid): [tag, flags]}))
        done(self.imap.append(quoted(name), f"({' '.join(flags)})", None, make_message(tag)))
        self.next[name] += 1
        self.is_done(after)

    def some(self, name):
        uids = sorted(self.state[name][1], key=int)
        return self.chance.sample(uids, self.chance.randint(1, min(4, len(uids)))) if uids else []

    def in_mailbox(self, name):
        if self.selected != name:
            self.select(name)
        return self.some(name)

    def uid(self, *words):
        done(self.imap.uid(*words))

    def store(self, name):
        if uids := self.in_mailbox(name):
            flags = sorted(self.chance.sample(FLAGS, self.chance.randint(1, 3)))

            def change(state):
                for uid in uids:
                    state[name][1][uid] = [state[name][1][uid][0], flags]

            after = self.will(change)
            self.uid("STORE", ",".join(uids), "FLAGS.SILENT", f"({' '.join(flags)})")
            self.is_done(after)

    def expunge(self, name):
        self.in_mailbox(name)

        def change(state):
            for uid in [uid for uid, (_, flags) in state[name][1].items() if r"\Deleted" in flags]:
                del state[name][1][uid]

        after = self.will(change)
        done(self.imap.expunge())
        self.is_done(after)

    def copy(self, name, word):
        target = self.chance.choice(sorted(set(self.state) - {name}) or [name])
        if (uids := sorted(self.in_mailbox(name), key=int)) and target != name:

            def change(state):
                for place, uid in enumerate(uids):
                    state[target][1][str(self.next[target] + place)] = state[name][1][uid]
                    if word == "MOVE":
                        del state[name][1][uid]

            after = self.will(change)
            self.uid(word, ",".join(uids), quoted(target))
            self.next[target] += len(uids)
            self.is_done(after)

    def rename(self, name):
        if name != "INBOX":
            new = f"box {self.tag()}"
            after = self.will(lambda state: state.update({new: state.pop(name)}))
            self.select("INBOX")
            done(self.imap.rename(quoted(name), quoted(new)))
            self.next[new] = self.next.pop(name)
            self.is_done(after)

    def delete(self, name):
        if name != "INBOX":
            after = self.will(lambda state: state.pop(name))
            self.select("INBOX")
            done(self.imap.delete(quoted(name)))
            self.is_done(after)

    def pop(self):
        if uids := sorted(self.state["INBOX"][1], key=int):
            number = self.chance.randrange(len(uids))
            pop = poplib.POP3(self.server.host, self.server.ports["pop3"], timeout=60)
            pop.user(self.server.address(self.account))
            pop.pass_(PASSWORD)
            after = self.will(lambda state: state["INBOX"][1].pop(uids[number]))
            pop.dele(number + 1)
            pop.quit()
            self.is_done(after)

    def mark(self, name):
        """All messages are to go."""
        self.select(name)

        def change(state):
            for uid, (tag, flags) in state[name][1].items():
                state[name][1][uid] = [tag, sorted({*flags, r"\Deleted"})]

        after = self.will(change)
        self.uid("STORE", "1:*", "+FLAGS.SILENT", r"(\Deleted)")
        self.is_done(after)

    def change_something(self):
        name = self.chance.choice(sorted(self.state))
        if len(self.state[name][1]) > MESSAGES_MAX:
            self.mark(name)
            self.expunge(name)
            return
        self.chance.choices(
            (self.deliver, lambda: self.append(name), lambda: self.store(name), lambda: self.expunge(name),
             lambda: self.copy(name, "COPY"), lambda: self.copy(name, "MOVE"), lambda: self.rename(name),
             lambda: self.delete(name), self.pop, lambda: self.create(f"box {self.tag()}")),
            (30, 10, 25, 6, 8, 8, 3, 1, 3, 2 if len(self.state) < 5 else 0))[0]()


def found(server, account):
    """The account's state as IMAP tells it. Each message is whole."""
    state = {}
    with imaplib.IMAP4(server.host, server.ports["imap"], timeout=60) as imap:
        imap.login(server.address(account), PASSWORD)
        for line in done(imap.list()):
            name = re.fullmatch(rb'\([^)]*\) "/" "?(.*?)"?', line)[1].decode()
            done(imap.select(quoted(name), readonly=True))
            validity, messages = int(imap.response("UIDVALIDITY")[1][0]), {}
            for part in done(imap.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[])")):
                if isinstance(part, tuple):
                    uid = re.search(rb"UID (\d+)", part[0])[1].decode()
                    flags = re.search(rb"FLAGS \(([^)]*)\)", part[0])[1].decode().split()
                    tag = re.search(rb"X-Tag: (\S+)", part[1])[1].decode()
                    messages[uid] = [tag, sorted(set(flags) - {r"\Recent"})]
                    assert digest(part[1]) == digest(make_message(tag)), f"{name} UID {uid}: {tag} is not what it was"
            state[name] = [validity, messages]
    return state


def fits(state, wanted):
    """UIDVALIDITY is anything where no answer told it."""
    return state.keys() == wanted.keys() and all(
        wanted[name][0] in (None, state[name][0]) and wanted[name][1] == state[name][1] for name in state)


def content(state):
    """What is in which mailbox, whatever its UIDs: a change that failed may have used some up."""
    return {name: sorted([tag, flags] for tag, flags in messages.values()) for name, (_, messages) in state.items()}


def difference(state, wanted):
    for name in sorted({*state, *wanted}):
        if name not in state or name not in wanted:
            yield f"{name!r} is {'there' if name in state else 'missing'}"
        elif not fits({name: state[name]}, {name: wanted[name]}):
            (validity, messages), (was, those) = state[name], wanted[name]
            if was not in (None, validity):
                yield f"{name!r}: UIDVALIDITY {was} is {validity}"
            for uid in sorted({*messages, *those}, key=int):
                if messages.get(uid) != those.get(uid):
                    yield f"{name!r} UID {uid}: {those.get(uid)} is {messages.get(uid)}"


def disk():
    """What is preloaded to have a disk that does as it is told (t/crash/disk.c). A program with AddressSanitizer wants that
    one's library first."""
    library = os.path.join(os.path.dirname(binary()), "t", "crash", "disk.so")
    with open(binary(), "rb") as program:
        if b"libasan.so" not in program.read():
            return library
    asan = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    return f"{os.path.realpath(asan.stdout.strip())} {library}"
