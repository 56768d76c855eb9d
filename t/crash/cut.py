"""cut.py - power cuts: whatever a cut may leave of the store, the server starts on it and has all that it acknowledged.

A preloaded library (record.c) writes down each change that the server makes to its files, and each sync. Clients change mail
meanwhile, each alone in an account of its own, and note in the same record what they begin and what is answered. Then,
for places chosen by chance, the store is made anew as a cut there may leave it (t/lib/power.py), a server is started on
it, and every account is read:

    - it is what its client was told last, or what the one change under way then would have made of it
    - each message is whole and has its UID, flags and mailbox; UIDVALIDITY is as it was
    - a message that comes now gets a UID never seen before

CUTS says how many (12 in make check, N by make crash N=1000), SEED repeats them.
"""

import contextlib
import hashlib
import imaplib
import os
import poplib
import random
import re
import shutil
import smtplib
import subprocess
import sys
import tempfile
import threading
import time

import power
import tap
from mail import SENDER, done, quoted
from postern import PASSWORD, Failed, Server, binary

CUTS = int(os.environ.get("CUTS") or os.environ.get("KILLS") or "12")
SEED = os.environ.get("SEED") or str(random.randrange(1 << 30))
LOAD_S = 6  # of changes for each recording
CUTS_EACH = 100  # of one recording
ACCOUNTS = 3
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

    def __init__(self, server, number, note):
        self.server, self.account, self.note = server, f"test{number:04}", note
        self.chance = random.Random(f"{SEED} {number}")
        self.state, self.next, self.count = {}, {}, 0
        self.imap = imaplib.IMAP4(server.host, server.ports["imap"], timeout=60)
        self.imap.login(server.address(self.account), PASSWORD)
        self.selected = None
        self.create("INBOX")

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
        self.note({"account": self.account, "begins": after})
        return after

    def is_done(self, after):
        self.state = after
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
        after = self.will(lambda state: state["INBOX"][1].update({uid: [tag, []]}))
        with smtplib.SMTP(self.server.host, self.server.ports["smtp"], timeout=60) as smtp:
            smtp.sendmail(SENDER, [self.server.address(self.account)], make_message(tag))
        self.next["INBOX"] += 1
        self.is_done(after)
        while f"UIDNEXT {uid + 1})".encode() not in done(self.imap.status("INBOX", "(UIDNEXT)"))[0]:
            pass  # it is durable before it is seen

    def append(self, name):
        tag, uid, flags = self.tag(), self.next[name], sorted(self.chance.sample(FLAGS, self.chance.randrange(3)))
        after = self.will(lambda state: state[name][1].update({uid: [tag, flags]}))
        done(self.imap.append(quoted(name), f"({' '.join(flags)})", None, make_message(tag)))
        self.next[name] += 1
        self.is_done(after)

    def some(self, name):
        uids = sorted(self.state[name][1])
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
            self.uid("STORE", ",".join(map(str, uids)), "FLAGS.SILENT", f"({' '.join(flags)})")
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
        if (uids := sorted(self.in_mailbox(name))) and target != name:

            def change(state):
                for place, uid in enumerate(uids):
                    state[target][1][self.next[target] + place] = state[name][1][uid]
                    if word == "MOVE":
                        del state[name][1][uid]

            after = self.will(change)
            self.uid(word, ",".join(map(str, uids)), quoted(target))
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
        if uids := sorted(self.state["INBOX"][1]):
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


# --- recording ---------------------------------------------------------------------------------------------------------


def recorder():
    """The library; a program with AddressSanitizer wants that one's first."""
    library = os.path.join(os.path.dirname(binary()), "t", "crash", "record.so")
    with open(binary(), "rb") as program:
        if b"libasan.so" not in program.read():
            return library
    asan = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    return f"{os.path.realpath(asan.stdout.strip())} {library}"


def change_until(client, end, failed):
    try:
        while time.monotonic() < end:
            client.change_something()
    except Exception as why:  # the load's own mistake: nothing it noted is worth anything then
        failed.append(f"{client.account}: {why!r}")


def record(server, folder):
    """What the server does to its store under load, from its start on."""
    path = os.path.join(folder, "record")
    with open(path, "wb"):
        pass
    os.chmod(path, 0o666)
    recording = power.Record(path, server.store)
    os.environ.update(LD_PRELOAD=recorder(), RECORD_BELOW=server.store, RECORD_TO=path)
    try:
        server.start()
    finally:
        for name in ("LD_PRELOAD", "RECORD_BELOW", "RECORD_TO"):
            del os.environ[name]
    fd = os.open(path, os.O_WRONLY | os.O_APPEND)
    clients = [Client(server, number, lambda what: power.note(fd, what)) for number in range(ACCOUNTS)]
    failed, end = [], time.monotonic() + LOAD_S
    threads = [threading.Thread(target=change_until, args=(client, end, failed)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for client in clients:
        client.end()
    server.kill()
    os.close(fd)
    if failed:
        raise Failed("; ".join(failed))
    return recording.read()


# --- what is there after a cut --------------------------------------------------------------------------------------------


def expected(recording, cut):
    """account -> the states that it may be in, and the UIDs that were ever given by UIDVALIDITY."""
    states, given = {}, {}
    for at, what in recording.notes:
        if at < cut:
            account = what["account"]
            last = what.get("is")
            states[account] = [last] if last is not None else [*states.get(account, [{}])[:1], what["begins"]]
            for validity, messages in (last or {}).values():
                given.setdefault(account, {}).setdefault(validity, set()).update(map(int, messages))
    return states, given


def found(server, account, wrong):
    """The account's state as IMAP tells it."""
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
                    if digest(part[1]) != digest(make_message(tag)):
                        wrong.append(f"{account} {name} UID {uid}: {tag} is not what it was")
            state[name] = [validity, messages]
    return state


def fits(state, wanted):
    """UIDVALIDITY is anything where no answer told it."""
    return state.keys() == wanted.keys() and all(
        wanted[name][0] in (None, state[name][0]) and wanted[name][1] == state[name][1] for name in state)


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


def new_uid(server, account, given):
    """A message that comes now gets a UID that no other had."""
    with smtplib.SMTP(server.host, server.ports["smtp"], timeout=60) as smtp:
        smtp.sendmail(SENDER, [server.address(account)], make_message("after"))
    with imaplib.IMAP4(server.host, server.ports["imap"], timeout=60) as imap:
        imap.login(server.address(account), PASSWORD)
        done(imap.select("INBOX", readonly=True))
        uid = int(done(imap.uid("SEARCH", "HEADER", "X-Tag", "after"))[0])
        return uid not in given.get(int(imap.response("UIDVALIDITY")[1][0]), ())


def check(server, recording, cut):
    """What is wrong with what the server makes of the store as it is now."""
    wrong = []
    states, given = expected(recording, cut)
    server.start()
    for account, allowed in sorted(states.items()):
        state = found(server, account, wrong)
        if not any(fits(state, wanted) for wanted in allowed):
            wrong += [f"{account}: {why}" for why in difference(state, allowed[0])]
        if not new_uid(server, account, given.get(account, {})):
            wrong.append(f"{account}: a UID was given twice")
    server.kill()
    return wrong


def owned_by(directory, like):
    owner = os.stat(like)
    for name in ["", *power.below(directory)]:
        os.chown(os.path.join(directory, name), owner.st_uid, owner.st_gid, follow_symlinks=False)


def cut_once(server, recording, cut, chance):
    """A server on what this cut left; what is wrong then."""
    directory = tempfile.mkdtemp(prefix="left-", dir=server.folder)
    how = recording.leave(cut, chance, directory)
    owned_by(directory, server.store)
    os.chmod(directory, 0o755)
    shutil.rmtree(server.store)
    os.rename(directory, server.store)
    try:
        wrong = check(server, recording, cut)
    except (OSError, EOFError, AssertionError, Failed, imaplib.IMAP4.error, smtplib.SMTPException) as why:
        server.kill()
        wrong = [f"{why!r}; the end of its log:\n{server.tail()}"]
    return [f"cut at record {cut} of {recording.count}, {how}: {line}" for line in wrong]


def round_of_cuts(cuts, number):
    chance = random.Random(f"{SEED} round {number}")
    with Server(users=ACCOUNTS, workers=2, set=["journal.segment 1M", "journal.size 8M", "journal.checkpoint 300ms",
                                                "store.shards 4", "store.compact_share 10"]) as server:
        server.stop()
        recording = record(server, server.folder)
        first = next(at for at, what in recording.notes if "is" in what)
        wrong = []
        for n in range(cuts):
            wrong += cut_once(server, recording, chance.randint(first, recording.count), chance)
            if n % 10 == 9:
                tap.note(f"round {number}: {n + 1} cuts, {len(recording.notes)} notes, {len(wrong)} wrong")
        server.start()
    return wrong


def main():
    tap.note(f"CUTS={CUTS} SEED={SEED}")
    wrong, cuts, number = [], 0, 0
    while cuts < CUTS:
        more = min(CUTS_EACH, CUTS - cuts)
        wrong += round_of_cuts(more, number)
        cuts, number = cuts + more, number + 1
    for line in wrong:
        tap.complain(line)
    tap.note(f"cuts={cuts} wrong={len(wrong)}")
    tap.ok(not wrong, "whatever a power cut leaves, all that was acknowledged is there once, as it was")
    tap.done()


if __name__ == "__main__":
    sys.exit(main())
