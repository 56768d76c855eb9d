"""faults.py - a disk that is full, broken or slow: what cannot be done is refused, nothing else, and all is well afterwards.

A preloaded library (disk.c) makes calls of the server fail as this test wants. Clients change mail all the while, each alone
in an account of its own: by SMTP, IMAP and POP3. A change that is answered was made, one that is refused was not; one that
is cut short was made whole or not at all. When the fault is over each client goes on within a moment, by itself; and after
kill -9 every account is what its client knows.

SECONDS says how long each fault lasts (0.4), FAULTS how many more are made up by chance (2; by make crash a tenth of its
kills), SEED repeats what the clients do.
"""

import collections
import contextlib
import errno
import os
import poplib
import random
import smtplib
import threading
import time

import power
import tap
from faulty import MAKING, OPEN, READ, rule, start_on
from ledger import ERRORS, Client, Wrong, difference, fits, found, is_refusal, tally, told
from mail import imap_session
from postern import Failed, Server, wait_until
from seed import seed

SECONDS = float(os.environ.get("SECONDS", "0.4"))
MORE = int(os.environ.get("FAULTS") or int(os.environ.get("KILLS", "20")) // 10)
SEED = seed()
ACCOUNTS = 3
WARM_S = 2  # of changes before the first: the journals have their segments then
HIT_S = 60  # a fault lasts until it is met, or so long: then it is none
CHANCE_S = 2  # the same of one that is made up: it may never be met
WELL_S = 30  # how long after a fault a change may still be refused

FAULTS = {
    "a full disk": [rule(MAKING, errno.ENOSPC)],
    "a disk that is full now and then": [rule(MAKING, errno.ENOSPC, every=3)],
    "a quota that is used up": [rule(MAKING, errno.EDQUOT)],
    "writes to the journal that fail": [rule([power.WRITE], errno.EIO, every=2, path="journal/")],
    "syncs of the journal that fail": [rule([power.SYNC], errno.EIO, every=3, path="journal/")],
    "a journal that gets no new segments": [rule([power.CREATE, power.GROW], errno.EIO, path="journal/"),
                                            rule([power.SYNC], errno.EIO, every=5, path="journal/")],
    "syncs of all that fail": [rule([power.SYNC_ALL], errno.EIO, every=2)],
    "writes to mailboxes that fail": [rule([power.WRITE], errno.EIO, every=2, path="domains/")],
    "writes to the index that fail": [rule([power.WRITE, power.CREATE], errno.EIO, every=2, path="index/")],
    "views that cannot be made": [rule([power.CREATE, power.GROW], errno.EIO, path="views/")],
    "views that cannot be read": [rule([OPEN], errno.EIO, every=2, path="views/")],
    "names that cannot be changed": [rule([power.RENAME, power.LINK, power.UNLINK], errno.EIO, every=2)],
    "directories that cannot be made": [rule([power.DIRECTORY], errno.EIO, every=2)],
    "writes that are short": [rule([power.WRITE], every=2, short_by=7)],
    "files that cannot be opened": [rule([OPEN, power.CREATE], errno.EMFILE, every=2)],
    "a system that has no files left": [rule([OPEN, power.CREATE], errno.ENFILE, every=2)],
    "reads that fail": [rule([READ], errno.EIO, every=3, path="domains/")],
    "syncs that are slow": [rule([power.SYNC, power.SYNC_ALL], slow_ms=150)],
    "a sync that takes seconds": [rule([power.SYNC], slow_ms=2500, once=True, path="journal/")],
}
KINDS = {"writes": power.WRITE, "syncs": power.SYNC, "syncs of all": power.SYNC_ALL, "opening": OPEN, "reads": READ,
         "making files": power.CREATE, "making directories": power.DIRECTORY, "renames": power.RENAME,
         "links": power.LINK, "unlinks": power.UNLINK, "growing": power.GROW, "cutting": power.CUT}
NUMBERS = (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE)
PATHS = ("", "journal/", "domains/", "index/", "leveldb/", "views/", "queue", ".mbox", ".state")


def made_up(chance):
    """(name, rules) of a fault by chance: any kind of call, error, place and frequency."""
    kinds, number = chance.sample(sorted(KINDS), chance.choice((1, 1, 2))), chance.choice(NUMBERS)
    path, every = chance.choice(PATHS), chance.choice((1, 2, 3, 7))
    name = f"{' and '.join(kinds)} below {path or 'all'!r}: one in {every} says {errno.errorcode[number]}"
    return name, [rule([KINDS[kind] for kind in kinds], number, every=every, path=path)]


def is_for_now(why):
    """Whether a refusal says that it is one for now: RFC 5321, 4.2.3 and RFC 5530, 3."""
    if isinstance(why, smtplib.SMTPRecipientsRefused):
        return all(code in (451, 452) for code, _ in why.recipients.values())
    if isinstance(why, smtplib.SMTPResponseException):
        return why.smtp_code in (421, 451, 452)
    return "[SYS/TEMP]" in str(why) if isinstance(why, poplib.error_proto) else "[UNAVAILABLE]" in str(why)


class Changes(threading.Thread):
    """A client that changes its account until it is told to stop."""

    def __init__(self, client):
        super().__init__()
        self.client, self.stopping = client, threading.Event()
        self.wrong, self.unclear = None, []
        self.start()

    def run(self):
        try:
            while not self.stopping.is_set():
                self.change()
        except Wrong as why:  # told by the test that waits for this thread
            self.wrong = why

    def change(self):
        try:
            self.client.change_something()
        except ERRORS as why:
            if is_refusal(why) and not is_for_now(why):
                self.unclear.append(repr(why))
            self.stopping.wait(0.02)


def is_well(client):
    """Whether a client gets on again, within a while."""
    end = time.monotonic() + WELL_S
    while True:
        try:
            for change in (client.deliver, lambda: client.append("INBOX"), lambda: client.mark("INBOX"), client.look):
                client.do(change)
            return
        except ERRORS:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def counts(clients):
    return [sum(numbers) for numbers in zip(*((c.changes, c.refusals, c.cuts) for c in clients))]


def suffer(clients, faulty, rules, seconds, tallied, hit_s=HIT_S):
    """The fault while the clients work, and until it was met, within hit_s; then all must be well. Answers how often it was."""
    before = counts(clients)
    faulty.set(rules)
    threads = [Changes(client) for client in clients]
    time.sleep(seconds)
    with contextlib.suppress(Failed):  # asked below for those that have a name
        wait_until(lambda: not rules or faulty.hits() or any(thread.wrong for thread in threads), hit_s, "a call that fails")
    hits = faulty.hits()
    faulty.set([])
    for thread in threads:
        thread.stopping.set()
    for thread in threads:
        thread.join()
    done, refused, cut = (now - then for now, then in zip(counts(clients), before))
    tap.note(f"{hits} faults, {done} changes made, {refused} refused, {cut} cut short")
    wrong = [thread.wrong for thread in threads if thread.wrong]
    for why in wrong:
        tallied.update(why.tally)
    assert not wrong, "; ".join(map(str, wrong))
    unclear = [why for thread in threads for why in thread.unclear]
    assert not unclear, f"{len(unclear)} refusals do not say that they are for now: {unclear[:5]}"
    for client in clients:
        is_well(client)
    return hits


def files_cannot_be_written(server, faulty, client):
    """What is durable is not told to have failed when its files cannot be written for minutes: flags and expunges are seen
    without that, a message waits for it."""
    client.do(lambda: client.append("INBOX"))
    faulty.set([rule([power.WRITE], errno.ENOSPC, path="domains/")])
    client.do(lambda: client.mark("INBOX"))
    client.do(lambda: client.expunge("INBOX"))
    wait_until(faulty.hits, WELL_S, "a write of its files, which come after the answers")
    appended = []
    thread = threading.Thread(target=lambda: appended.append(client.do(lambda: client.append("INBOX"))))
    thread.start()
    wait_until(lambda: client.after, WELL_S, "an APPEND")
    time.sleep(1)
    server.command("clock", "+5m")
    thread.join(1)
    early = client.why, list(appended)
    faulty.set([])
    thread.join()
    assert early == (None, []) and appended, (early, client.why)
    client.look()


def messages_cannot_be_read(faulty, client):
    """Whichever read of a message fails, it is not told to be gone."""
    client.do(lambda: client.append("INBOX"))
    refusals = []
    with imap_session(client.server, client.account) as imap:
        for every in range(1, 8):
            faulty.set([rule([READ], errno.EIO, every=every, path=".mbox")])
            for section in ("HEADER", "TEXT", "") * 5:
                status, said = imap.uid("FETCH", "1:*", f"(BODY.PEEK[{section}])")
                refusals += said if status == "NO" else []
    faulty.set([])
    assert refusals and all(b"[UNAVAILABLE]" in said for said in refusals), set(refusals)
    client.look()


def main():
    tap.note(f"SEED={SEED}")
    chance, tallied = random.Random(SEED), collections.Counter()
    faults = [*FAULTS.items(), *(made_up(chance) for _ in range(MORE))]
    with Server(users=ACCOUNTS, workers=2, set=["journal.segment 1M", "journal.size 8M", "journal.checkpoint 300ms",
                                                "store.compact_share 10", 'sending.retry {"1s"}']) as server:
        faulty = start_on(server)
        clients = [Client(server, number, random.Random(f"{SEED} {number}")) for number in range(ACCOUNTS)]
        before = server.workers()
        hits = 0
        suffer(clients, faulty, [], WARM_S, tallied)
        for name, rules in faults:
            with tap.test(name):
                is_named = name in FAULTS
                met = suffer(clients, faulty, rules, SECONDS, tallied, HIT_S if is_named else CHANCE_S)
                assert met or not is_named, f"no call failed within {HIT_S} s"
                hits += met
            if tap.failed:
                break
        tap.note(f"{hits} calls failed")
        with tap.test("flags and expunges are made while files cannot be written, a message comes when they can"):
            files_cannot_be_written(server, faulty, clients[0])
        with tap.test("a message that cannot be read is not told to be gone"):
            messages_cannot_be_read(faulty, clients[0])
        tap.ok(server.workers() == before, "no worker died of it")
        with tap.test("after kill -9 every account is what its client knows"):
            server.kill()
            server.start()
            for client in clients:
                state = found(server, client.account)
                tallied.update(tally(state, client.state))
                assert fits(state, client.state), list(difference(state, client.state))
        tap.note(told("fault", len(faults), counts(clients)[0], tallied))
    tap.done()


if __name__ == "__main__":
    main()
