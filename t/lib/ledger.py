"""ledger.py - a client that changes an account at random and knows what must be in it; and what a server says is.

    client = Client(server, number, random.Random(seed), note)
    client.change_something()   # ERRORS: the server is gone, or refuses ...
    client.change_until(stop)   # ... here each time it looks what came of that, and goes on; Wrong: neither what was nor
                                # what the change makes of it
    state = found(server, client.account)
    assert fits(state, client.state), list(difference(state, client.state))

One client alone uses an account, one command after the other, so it knows every UID beforehand. `note` is told of each
change: {"account", "begins": what would be} before it, {"account", "is": what is now} when it was answered; both with
"next": from which UID on that is a guess. A state is {mailbox: [uidvalidity, {uid: [tag, flags]}]}; None is a UIDVALIDITY that
nobody told yet.
"""

import collections
import contextlib
import hashlib
import imaplib
import os
import poplib
import random
import re
import smtplib
import subprocess
import time

from mail import SENDER, done, quoted
from postern import PASSWORD, Failed, binary

MESSAGES_MAX = 25  # of a mailbox: more are expunged first
LARGE = 400_000  # not kept in memory
SETTLE_S = 0.5  # for what an owner still has to do for a client whose worker was killed
MAIL_S = 120  # within which mail that was taken is in its mailbox, or known not to be
FLAGS = (r"\Seen", r"\Answered", r"\Flagged", r"\Deleted", r"\Draft", "work", "$Forwarded")
ERRORS = (OSError, EOFError, AssertionError, Failed, imaplib.IMAP4.error, smtplib.SMTPException, poplib.error_proto)


class Wrong(Exception):
    """The server has not what it must have."""

    def __init__(self, text, tally):
        super().__init__(text)
        self.tally = tally


def is_refusal(why):
    """Whether the server answered that it does not do it: not that the connection broke."""
    return isinstance(why, (AssertionError, smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused)) or (
        isinstance(why, poplib.error_proto) and "EOF" not in str(why))


def make_message(tag):
    chance = random.Random(tag)
    lines = LARGE // 60 if chance.random() < 0.03 else chance.choice((1, 5, 40, 300))
    text = "".join(f"From {chance.getrandbits(180):x} line {n}\r\n" for n in range(lines))
    return f"From: {SENDER}\r\nX-Tag: {tag}\r\nSubject: {tag}\r\n\r\n{text}".encode()


def digest(message):
    return hashlib.sha256(message[message.index(b"From: "):]).hexdigest()[:16]


def copy_of(state):
    return {name: [validity, dict(messages)] for name, (validity, messages) in state.items()}


class Client:
    """One account and what is in it. `state` is {mailbox: [uidvalidity, {uid: [tag, flags]}]}; JSON as it is noted."""

    def __init__(self, server, number, chance, note=lambda what: None):
        self.server, self.account, self.note = server, f"test{number:04}", note
        self.chance = chance
        self.state, self.after, self.next, self.count = {}, None, {}, 0
        self.changes = self.refusals = self.cuts = 0  # answered; refused; cut short
        self.given = collections.defaultdict(dict)  # UIDVALIDITY -> UID -> the tag that it ever had
        self.mailing = False  # a message may be on its way in the queue
        self.settle_s = SETTLE_S
        self.why = None  # what a change went wrong by; the next thing is to look
        self.connect()
        self.create("INBOX")

    def connect(self):
        self.selected = None
        self.imap = imaplib.IMAP4(self.server.host, self.server.ports["imap"], timeout=60)
        self.imap.login(self.server.address(self.account), PASSWORD)

    def change_until(self, stopping):
        while not stopping.is_set():
            try:
                self.change_something()
            except ERRORS:
                stopping.wait(0.02)

    def resume(self):
        """After a change that went wrong: looks what came of it and goes on from there. One that was refused was not made;
        one that was cut short was made whole or not at all."""
        with contextlib.suppress(OSError):
            self.imap.shutdown()
        self.connect()
        if self.after and not is_refusal(self.why):
            time.sleep(self.settle_s)
        self.look(is_refusal(self.why))
        self.why = None

    def look(self, refused=False):
        """What is there is what must be, or what the change under way would have made of it."""
        if self.mailing:
            self.wait_for_mail()
        state = found(self.server, self.account)
        allowed = [self.state] + ([self.after] if self.after and not refused else [])
        if not any(fits_but_new(state, wanted, self.next) for wanted in allowed):
            told = "; ".join(difference(state, self.state)) or "UIDs are not those that follow"
            if refused and self.after and fits_but_new(state, self.after, self.next):
                told = f"refused, and made all the same: {told}"
            raise Wrong(f"{self.account}: {told}", tally(state, self.state))
        self.next = {name: self.select(name)[1] for name in state}
        self.is_done(state)

    def wait_for_mail(self):
        """Until no queue has anything for this account any more: what was taken is there, what was not is not."""
        end, quiet = time.monotonic() + MAIL_S, 0
        while quiet < 2 and time.monotonic() < end:
            listed = self.server.command("queue", "list", "--to", self.server.address(self.account))
            quiet = 0 if self.server.address(self.account) in listed else quiet + 1
            time.sleep(0.1)
        self.mailing = False

    def end(self):
        with contextlib.suppress(OSError, imaplib.IMAP4.error):
            self.imap.logout()

    def select(self, mailbox):
        done(self.imap.select(quoted(mailbox)))
        self.selected = mailbox
        return int(self.imap.response("UIDVALIDITY")[1][0]), int(self.imap.response("UIDNEXT")[1][0])

    def will(self, change):
        """Notes what a change under way would make of the account; change works on a copy."""
        after = copy_of(self.state)
        change(after)
        self.after = after
        self.note({"account": self.account, "begins": after, "next": self.next})
        return after

    def is_done(self, after, uids_known=True):
        for validity, messages in after.values():
            for uid, (tag, _) in messages.items():
                if validity and uids_known and self.given[validity].setdefault(uid, tag) != tag:
                    raise Wrong(f"{self.account}: UID {uid} was {self.given[validity][uid]} and is {tag}",
                                collections.Counter(uid_changes=1))
        self.changes += self.after is not None
        self.state, self.after = copy_of(after), None
        self.note({"account": self.account, "is": after, "sure": uids_known, "next": self.next})

    def tag(self):
        self.count += 1
        return f"{self.account}-{self.count}"

    # Changes

    def create(self, name):
        after = self.will(lambda state: state.update({name: [None, {}]}))
        if name != "INBOX":
            done(self.imap.create(quoted(name)))
            self.is_done(after)
        after[name][0], self.next[name] = self.select(name)
        self.is_done(after)

    def deliver(self):
        tag, uid = self.tag(), str(self.next["INBOX"])
        after = self.will(lambda state: state["INBOX"][1].update({uid: [tag, []]}))
        self.mailing = True
        self.send(tag)
        self.is_done(after, uids_known=False)
        end = time.monotonic() + MAIL_S
        while not (there := self.arrived(tag)):  # it is durable before it is seen
            assert time.monotonic() < end, f"{tag} was taken, and does not come"
        after["INBOX"][1][there] = after["INBOX"][1].pop(uid)
        self.next["INBOX"] = int(there) + 1
        self.mailing = False
        self.is_done(after)

    def arrived(self, tag):
        """The UID of a message that is new in INBOX."""
        self.select("INBOX")
        for part in done(self.imap.uid("FETCH", f"{self.next['INBOX']}:*", "(UID BODY.PEEK[HEADER.FIELDS (X-Tag)])")):
            if isinstance(part, tuple) and f"X-Tag: {tag}\r".encode() in part[1]:
                return re.search(rb"UID (\d+)", part[0])[1].decode()
        return None

    def send(self, tag):
        with contextlib.closing(smtplib.SMTP(self.server.host, self.server.ports["smtp"], timeout=60)) as smtp:
            smtp.sendmail(SENDER, [self.server.address(self.account)], make_message(tag))

    def append(self, name):
        tag, uid, flags = self.tag(), str(self.next[name]), sorted(self.chance.sample(FLAGS, self.chance.randrange(3)))
        after = self.will(lambda state: state[name][1].update({uid: [tag, flags]}))
        answer = done(self.imap.append(quoted(name), f"({' '.join(flags)})", None, make_message(tag)))
        there = re.search(rb"APPENDUID \d+ (\d+)", answer[0])[1].decode()
        after[name][1][there] = after[name][1].pop(uid)
        self.next[name] = int(there) + 1
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
            first = self.next[target]

            def change(state, first=first):
                for place, uid in enumerate(uids):
                    state[target][1][str(first + place)] = state[name][1][uid]
                    if word == "MOVE":
                        del state[name][1][uid]

            self.will(change)
            self.uid(word, ",".join(uids), quoted(target))
            first = int(self.imap.response("COPYUID")[1][-1].split()[2].split(b":")[0])
            after = copy_of(self.state)
            change(after, first)
            self.next[target] = first + len(uids)
            self.is_done(after)

    def rename(self, name):
        if name != "INBOX":
            new = f"box {self.tag()}"
            after = self.will(lambda state: state.update({new: state.pop(name)}))
            self.select("INBOX")
            done(self.imap.rename(quoted(name), quoted(new)))
            self.next[new] = self.next.pop(name)
            self.is_done(after)

    def rename_inbox(self):
        """What it holds goes to a new mailbox, itself it stays (RFC 3501, 6.3.5)."""
        new, next_uid = f"box {self.tag()}", self.next["INBOX"]

        def change(state):
            messages = state["INBOX"][1]
            state[new] = [None, {str(n): messages[uid] for n, uid in enumerate(sorted(messages, key=int), 1)}]
            state["INBOX"] = [state["INBOX"][0], {}]

        after = self.will(change)
        done(self.imap.rename("INBOX", quoted(new)))
        self.is_done(after)
        after[new][0], self.next[new] = self.select(new)
        self.next["INBOX"] = next_uid
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
            with contextlib.closing(poplib.POP3(self.server.host, self.server.ports["pop3"], timeout=60)) as pop:
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
        if self.why:
            self.do(lambda: None)
        name = self.chance.choice(sorted(self.state))
        if len(self.state[name][1]) > MESSAGES_MAX:
            self.do(lambda: self.mark(name))
            self.do(lambda: self.expunge(name))
            return
        self.do(self.chance.choices(
            (self.deliver, lambda: self.append(name), lambda: self.store(name), lambda: self.expunge(name),
             lambda: self.copy(name, "COPY"), lambda: self.copy(name, "MOVE"), lambda: self.rename(name),
             lambda: self.delete(name), self.pop, lambda: self.create(f"box {self.tag()}"), self.rename_inbox),
            (30, 10, 25, 6, 8, 8, 3, 1, 3, *((2, 1) if len(self.state) < 5 else (0, 0))))[0])

    def do(self, change):
        """One change; what went wrong with the last one is looked at first."""
        try:
            if self.why:
                self.resume()
            change()
        except ERRORS as why:
            if not self.why:
                self.why, self.refusals, self.cuts = why, self.refusals + is_refusal(why), self.cuts + (
                    self.after is not None and not is_refusal(why))
            raise


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


def fits_but_new(state, wanted, uidnext):
    """The same where a change went wrong on the way: it, or a try of it, may have used up UIDs, so messages from a mailbox's
    next UID on have any from there on."""
    return state.keys() == wanted.keys() and all(
        wanted[name][0] in (None, state[name][0]) and
        parted(state[name][1], uidnext.get(name)) == parted(wanted[name][1], uidnext.get(name)) for name in state)


def parted(messages, first):
    """({UID: old message}, [new message])"""
    new = sorted((uid for uid in messages if first and int(uid) >= first), key=int)
    return {uid: m for uid, m in messages.items() if uid not in new}, [messages[uid] for uid in new]


def tally(state, wanted):
    """How many messages are lost, there too often, or have UIDs that are not theirs."""
    count = collections.Counter(lost=0, twice=0, uid_changes=0)
    for name in {*state, *wanted}:
        (validity, messages), (was, those) = state.get(name, [None, {}]), wanted.get(name, [None, {}])
        have, want = (collections.Counter(tag for tag, _ in m.values()) for m in (messages, those))
        count["lost"] += (want - have).total()
        count["twice"] += (have - want).total()
        count["uid_changes"] += name in state and name in wanted and was not in (None, validity)
        for uid, (tag, flags) in those.items():
            if uid in messages and messages[uid] != [tag, flags]:
                count["uid_changes" if messages[uid][0] != tag else "lost"] += 1  # lost: a change of flags
    return count


def told(kind, count, acknowledged, wrong):
    """The line about a whole test that is added up with those of others; wrong: a tally."""
    return f"crash kind={kind} count={count} acknowledged={acknowledged} " + " ".join(
        f"{what}={wrong[what]}" for what in ("lost", "twice", "uid_changes"))


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
    if not os.path.exists(library):
        raise Failed(f"there is no {library}: run make disk")
    with open(binary(), "rb") as program:
        if b"libasan.so" not in program.read():
            return library
    asan = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    return f"{os.path.realpath(asan.stdout.strip())} {library}"
