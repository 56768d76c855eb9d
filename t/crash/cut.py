"""cut.py - power cuts: whatever a cut may leave of the store, the server starts on it and has all that it acknowledged.

A preloaded library (disk.c) writes down each change that the server makes to its files, and each sync. Loads of every kind
(t/lib/cut_loads.py) change the store meanwhile: mail in, flags, copies, moves and expunges, mailboxes made, renamed and
deleted with what is in them, POP3, accounts, passwords and aliases by the command line, mailboxes written anew, mail that
leaves, orders to the queue. They note in the same record what they begin and what is answered. Then, for places chosen by
chance, the store is made anew as a cut there may leave it (t/lib/power.py), a server is started on it, and all is read. Of
these starts every third is recorded, too, and its power cut: the server must bear a second cut while it mends the first.

    - each account is what its client was told last, or what the one change under way then would have made of it
    - each message is whole and has its UID, flags and mailbox; UIDVALIDITY is as it was
    - a message that comes now gets a UID never seen before
    - what another host was to get it got or gets now; what it got and the queue knew no more is not sent again
    - the queue holds what an operator had it hold; accounts, passwords and aliases are as the command line said
    - `postern fsck` finds nothing wrong

With DURABILITY=relaxed what was told since the oldest write to a journal that is not synced may be gone, and nothing older; it
is told how old such a write was at most.

CUTS says how many (12 in make check, N by make crash N=1000), SEED repeats the load and the cuts. With KEEP what a cut left
that something is wrong after stays: the store before each start (left, again) and after it (found), the log, the records.
"""

import collections
import contextlib
import imaplib
import os
import random
import shutil
import smtplib
import sys
import tempfile
import threading
import time

import power
import tap
from cut_loads import (LOST, Away, Names, Orders, Out, Tree, names_missing, orders_missing, out_missing, tree_missing)
from ledger import ERRORS, disk, make_message, told
from mail import SENDER, done
from postern import PASSWORD, Failed, Server
from seed import seed

CUTS = int(os.environ.get("CUTS") or os.environ.get("KILLS") or "12")
SEED = seed()
DURABILITY = os.environ.get("DURABILITY") or "full"
KEEP = bool(os.environ.get("KEEP"))
LOST_S = 2  # relaxed: a second till what is told is synced, and as much again for a busy machine
LOAD_S = 6  # of changes for each recording
CUTS_EACH = 100  # of one recording
ACCOUNTS = 3
AGAIN = 3  # one start in so many is cut, too
SETTINGS = ["journal.segment 1M", "journal.size 4M", "journal.checkpoint 300ms", f"journal.durability {DURABILITY}",
            "store.shards 4", "store.compact_share 10", "sending.reports_per_sender 0"]


# --- recording ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def recorded(server, name, far=None):
    """What a server started in here does to its store, and what a destination notes meanwhile; a Record, which is read
    behind it, and what notes in it."""
    path = os.path.join(server.folder, name)
    with open(path, "wb"):
        pass
    os.chmod(path, 0o666)
    recording = power.Record(path, server.store)
    fd = os.open(path, os.O_WRONLY | os.O_APPEND)
    if far:
        far.noting = lambda what: power.note(fd, what)
    os.environ.update(LD_PRELOAD=disk(), DISK_BELOW=server.store, DISK_RECORD=path)
    try:
        server.start()
    finally:
        for variable in ("LD_PRELOAD", "DISK_BELOW", "DISK_RECORD"):
            del os.environ[variable]
    try:
        yield recording, lambda what: power.note(fd, what)
    finally:
        server.kill()
        if far:
            far.noting = None
        os.close(fd)
    recording.read()
    if not KEEP:
        os.unlink(path)


def run(load, stopping, failed):
    try:
        load.run(stopping)
    except Exception as why:  # the load's own mistake: nothing it noted is worth anything then
        failed.append(f"{type(load).__name__}: {why!r}")


def record(server, far, stuck):
    """The server under load, from its start on."""
    with recorded(server, "record", far) as (recording, note):
        accounts = [Tree(server, number, random.Random(f"{SEED} {number}"), note) for number in range(ACCOUNTS)]
        loads = [*accounts, Names(server, random.Random(f"{SEED} names"), note, [each.account for each in accounts]),
                 Orders(server, random.Random(f"{SEED} orders"), note, stuck),
                 Out(server, random.Random(f"{SEED} out"), note, far)]
        failed, stopping = [], threading.Event()
        threads = [threading.Thread(target=run, args=(load, stopping, failed)) for load in loads]
        for thread in threads:
            thread.start()
        time.sleep(LOAD_S)
        stopping.set()
        for thread in threads:
            thread.join()
        for each in accounts:
            each.end()
    if failed:
        raise Failed("; ".join(failed))
    return recording


# --- what is there after a cut --------------------------------------------------------------------------------------------


class Expected:
    """Of each account the states that it may be in, the oldest first, and the UIDs that were ever given by UIDVALIDITY;
    what was taken elsewhere before; how many answers must have been kept."""

    def __init__(self, recording, cut):
        notes = [(at, what) for at, what in recording.notes if at < cut]
        since, self.unsynced_s = recording.unsynced(cut, "journal/") if DURABILITY == "relaxed" else (cut, 0)
        self.states, self.given, self.taken, self.kept = {}, {}, set(), 0
        for at, what in notes:
            if "taken" in what:
                self.taken.add(what["taken"])
                continue
            account, last = what["account"], what.get("is")
            states = self.states.setdefault(account, [{}])
            if last is None or at > since:
                states.append(what["begins"] if last is None else last)
            else:
                states[:] = [last]
                self.kept += 1
            if account.startswith("test") and last and what.get("sure", True):
                for validity, messages in last.values():
                    self.given.setdefault(account, {}).setdefault(validity, set()).update(map(int, messages))


def new_uid(server, account, given):
    """A message that comes now gets a UID that no other had."""
    with smtplib.SMTP(server.host, server.ports["smtp"], timeout=60) as smtp:
        smtp.sendmail(SENDER, [server.address(account)], make_message("after"))
    with imaplib.IMAP4(server.host, server.ports["imap"], timeout=60) as imap:
        imap.login(server.address(account), PASSWORD)
        uids = b""
        while not uids:  # it is durable before it is seen
            done(imap.select("INBOX", readonly=True))
            uids = done(imap.uid("SEARCH", "HEADER", "X-Tag", "after"))[0]
        return int(uids) not in given.get(int(imap.response("UIDVALIDITY")[1][0]), ())


def check(server, expected, far, stuck):
    """What is wrong with what the server makes of the store as it is now: [(text, tally)]."""
    wrong = []
    far.forget()
    server.start()
    for account, allowed in sorted(expected.states.items()):
        if account.startswith("test"):
            wrong += tree_missing(server, account, allowed)
            if not new_uid(server, account, expected.given.get(account, {})):
                wrong.append((f"{account}: a UID was given twice", collections.Counter(uid_changes=1)))
    wrong += names_missing(server, expected.states.get("names", [{}]), random.Random(SEED))
    wrong += orders_missing(server, expected.states.get("orders", [{}]), stuck)
    wrong += out_missing(server, expected.states.get("out", [{}]), far, stuck, expected.taken)
    wrong += [(line, LOST) for line in amiss(server)]
    server.kill()
    return wrong


def amiss(server):
    """What `postern fsck` finds wrong; what was being made when the power failed may be left over."""
    try:
        server.command("fsck", "--all")
        return []
    except Failed as why:
        return [f"fsck: {line}" for line in str(why).splitlines()[1:-1] if "is left over" not in line]


def owned_by(directory, like):
    owner = os.stat(like)
    for path in [directory, *(os.path.join(directory, name) for name in power.below(directory))]:
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
        os.chmod(path, 0o700 if os.path.isdir(path) else 0o600)


def leave(server, recording, cut, chance, share=None):
    """What this cut left is the store now."""
    directory = tempfile.mkdtemp(prefix="left-", dir=server.folder)
    how = recording.leave(cut, chance, directory, share)
    owned_by(directory, server.store)
    os.chmod(directory, 0o755)
    shutil.rmtree(server.store)
    os.rename(directory, server.store)
    return how


def cut_again(server, far, chance, taken, kept):
    """The power fails once more while the server mends what a cut left, or soon after."""
    with recorded(server, "again", far) as (again, _):
        time.sleep(chance.choice((0, 0, 0.3)))
    cut = again.choose(chance)
    how = leave(server, again, cut, chance)
    kept.add("again")
    taken.update(what["taken"] for at, what in again.notes if at < cut)
    return f"then at {cut} of {again.count}, {how}"


class Kept:
    """With KEEP: what a cut left that something is wrong after, and what the server made of it."""

    def __init__(self, server, cut):
        self.server, self.folder, self.log_at = server, server.path(f"wrong-{cut}"), len(server.log()) if KEEP else 0

    def add(self, name):
        if KEEP:
            shutil.copytree(self.server.store, os.path.join(self.folder, name), ignore=shutil.ignore_patterns("control"))

    def end(self, wrong):
        if not wrong:
            shutil.rmtree(self.folder, ignore_errors=True)
        elif KEEP:
            self.add("found")
            if os.path.exists(os.path.join(self.folder, "again")):
                shutil.copy(self.server.path("again"), os.path.join(self.folder, "again.record"))
            with open(os.path.join(self.folder, "log"), "w") as file:
                file.write("\n".join(text for text, _ in wrong) + "\n" + self.server.log()[self.log_at:])


def cut_once(server, recording, cut, chance, far, stuck):
    """A server on what this cut left; what is wrong then, and what was expected."""
    expected = Expected(recording, cut)
    kept = Kept(server, cut)
    how = leave(server, recording, cut, chance)
    kept.add("left")
    try:
        if chance.randrange(AGAIN) == 0:
            how += f", {cut_again(server, far, chance, expected.taken, kept)}"
        wrong = check(server, expected, far, stuck)
    except ERRORS as why:
        server.kill()
        wrong = [(f"{why!r}; the end of its log:\n{server.tail()}", LOST)]
    kept.end(wrong)
    return [(f"cut at record {cut} of {recording.count}, {how}: {text}", tally) for text, tally in wrong], expected


def round_of_cuts(cuts, number, far, stuck):
    chance = random.Random(f"{SEED} round {number}")
    with Server(users=ACCOUNTS + 1, workers=2, set=[*SETTINGS, *far.settings(), *stuck.settings()]) as server:
        server.stop()
        recording = record(server, far, stuck)
        first = next(at for at, what in recording.notes if "is" in what)
        wrong, kept, unsynced_s = [], 0, 0
        for n in range(cuts):
            found, expected = cut_once(server, recording, recording.choose(chance, first), chance, far, stuck)
            wrong, kept, unsynced_s = wrong + found, kept + expected.kept, max(unsynced_s, expected.unsynced_s)
            if n % 10 == 9:
                tap.note(f"round {number}: {n + 1} of {cuts} cuts, {len(recording.notes)} notes, {len(wrong)} wrong")
        server.start()
    return wrong, kept, unsynced_s


def main():
    tap.note(f"CUTS={CUTS} SEED={SEED} DURABILITY={DURABILITY}")
    wrong, kept, cuts, number, unsynced_s = [], 0, 0, 0, 0
    far, stuck = Away("far"), Away("stuck").fault("rcpt", "450 4.2.1 later")
    while cuts < CUTS:
        more = min(CUTS_EACH, CUTS - cuts)
        found, answers, oldest_s = round_of_cuts(more, number, far, stuck)
        wrong, kept, cuts, number = wrong + found, kept + answers, cuts + more, number + 1
        unsynced_s = max(unsynced_s, oldest_s)
    far.stop()
    stuck.stop()
    for line, _ in wrong:
        tap.complain(line)
    tap.note(told("cut" if DURABILITY == "full" else DURABILITY, cuts, kept,
                  sum((tally for _, tally in wrong), collections.Counter())))
    if DURABILITY == "relaxed":
        tap.ok(unsynced_s < LOST_S, f"what was told was synced soon: the oldest that was not had {unsynced_s:.3f} s")
    tap.ok(not wrong, "whatever a power cut leaves, all that was acknowledged is there once, as it was")
    tap.done()


if __name__ == "__main__":
    sys.exit(main())
