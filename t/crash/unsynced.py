"""unsynced.py - a sync that fails is never taken for a success: power cuts on a disk whose syncs fail now and then.

What such a sync concerned stays unsynced for ever (t/lib/power.py), as with a kernel that marks pages clean which it could
not write: unless the server writes it again elsewhere, a power cut takes it away. Clients alone in their accounts change
mail meanwhile; some of that is refused. After each cut:

    - each account is what its client was told last, or what the one change under way then would have made of it; what was
      refused was not made

CUTS says how many (12 in make check; half of its cuts by make crash), SEED repeats the load and the cuts.
"""

import collections
import errno
import os
import random
import threading
import time

import power
import tap
from cut import leave, recorded
from faulty import Disk, rule
from ledger import ERRORS, MAIL_S, Client, Wrong, difference, fits_but_new, found, tally, told
from postern import Server, wait_until
from seed import seed

CUTS = int(os.environ.get("CUTS") or int(os.environ.get("KILLS", "24")) // 2)
SEED = seed()
LOAD_S = 6  # of changes for each recording
CUTS_EACH = 50  # of one recording
ACCOUNTS = 3
SETTINGS = ["journal.segment 1M", "journal.size 8M", "journal.checkpoint 300ms", "store.shards 4", "store.compact_share 10",
            'sending.retry {"1s"}']
FAULTS = [rule([power.SYNC], errno.EIO, every=17, path="journal/"), rule([power.SYNC], errno.EIO, every=3, path="domains/"),
          rule([power.SYNC], errno.EIO, every=3, path="leveldb/"), rule([power.SYNC_ALL], errno.EIO, every=2)]


def change_until(client, stopping, wrong):
    try:
        client.change_until(stopping)
    except Exception as why:  # told when the recording is over
        wrong.append(why)


def record(server):
    """A recording of the server under load, and how often a sync failed."""
    faulty, wrong, stopping = Disk(server.path("faults")), [], threading.Event()
    os.environ["DISK_FAULTS"] = server.path("faults")
    with recorded(server, "record") as (recording, note):
        del os.environ["DISK_FAULTS"]
        clients = [Client(server, number, random.Random(f"{SEED} {number}"), note) for number in range(ACCOUNTS)]
        faulty.set(FAULTS)
        threads = [threading.Thread(target=change_until, args=(client, stopping, wrong)) for client in clients]
        for thread in threads:
            thread.start()
        time.sleep(LOAD_S)
        stopping.set()
        for thread in threads:
            thread.join()
    if wrong:
        raise wrong[0]
    tap.note(f"{sum(c.changes for c in clients)} changes made, {sum(c.refusals for c in clients)} refused; "
             f"{faulty.hits()} syncs failed, {faulty.counts(3)} of all; {len(recording.doomed)} writes")
    return recording, faulty.hits()


def expected(recording, cut):
    """account -> the states that it may be in, each with the UIDs from which on it guesses; how many answers that is."""
    states, answers = {}, 0
    for at, what in recording.notes:
        if at < cut:
            account, last = what["account"], what.get("is")
            states[account] = [] if last is not None else states.get(account, [({}, {})])[:1]
            states[account].append((last if last is not None else what["begins"], what["next"]))
            answers += last is not None
    return states, answers


def look(server, states):
    """What is wrong with what the server makes of the store as it is now."""
    server.start()
    wait_until(lambda: "the queue is empty" in server.command("queue", "list"), MAIL_S, "an empty queue")
    for account, allowed in sorted(states.items()):
        state = found(server, account)
        if not any(fits_but_new(state, wanted, uidnext) for wanted, uidnext in allowed):
            raise Wrong(f"{account}: {'; '.join(difference(state, allowed[0][0]))}", tally(state, allowed[0][0]))
    server.kill()


def cut_once(server, recording, chance, tallied):
    """What is wrong after one cut, and how many answers there were before it."""
    cut = recording.choose(chance, next(at for at, what in recording.notes if "is" in what))
    states, answers = expected(recording, cut)
    how = leave(server, recording, cut, chance)
    try:
        look(server, states)
    except (Wrong, *ERRORS) as why:
        server.kill()
        tallied.update(why.tally if isinstance(why, Wrong) else {"lost": 1})
        return [f"cut at record {cut} of {recording.count}, {how}: {why!r}"], answers
    return [], answers


def main():
    tap.note(f"CUTS={CUTS} SEED={SEED}")
    chance, tallied, wrong, kept, failed = random.Random(SEED), collections.Counter(), [], 0, 0
    for start in range(0, CUTS, CUTS_EACH):
        with Server(users=ACCOUNTS, workers=1, set=SETTINGS) as server:
            server.stop()
            recording, hits = record(server)
            failed += hits
            for _ in range(min(CUTS_EACH, CUTS - start)):
                more, answers = cut_once(server, recording, chance, tallied)
                wrong, kept = wrong + more, kept + answers
    for line in wrong:
        tap.complain(line)
    tap.ok(failed > 0, f"{failed} syncs failed")
    tap.ok(not wrong, "whatever a power cut leaves, all that was acknowledged is there once, and nothing that was refused")
    tap.note(told("unsynced", CUTS, kept, tallied))
    tap.done()


if __name__ == "__main__":
    main()
