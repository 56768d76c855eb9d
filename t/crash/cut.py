"""cut.py - power cuts: whatever a cut may leave of the store, the server starts on it and has all that it acknowledged.

A preloaded library (disk.c) writes down each change that the server makes to its files, and each sync. Clients change mail
meanwhile, each alone in an account of its own, and note in the same record what they begin and what is answered. Then,
for places chosen by chance, the store is made anew as a cut there may leave it (t/lib/power.py), a server is started on
it, and every account is read:

    - it is what its client was told last, or what the one change under way then would have made of it
    - each message is whole and has its UID, flags and mailbox; UIDVALIDITY is as it was
    - a message that comes now gets a UID never seen before

CUTS says how many (12 in make check, N by make crash N=1000), SEED repeats them.
"""

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
from ledger import Client, difference, disk, fits, found, make_message
from mail import SENDER, done
from postern import PASSWORD, Failed, Server

CUTS = int(os.environ.get("CUTS") or os.environ.get("KILLS") or "12")
SEED = os.environ.get("SEED") or str(random.randrange(1 << 30))
LOAD_S = 6  # of changes for each recording
CUTS_EACH = 100  # of one recording
ACCOUNTS = 3


# --- recording ---------------------------------------------------------------------------------------------------------


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
    os.environ.update(LD_PRELOAD=disk(), DISK_BELOW=server.store, DISK_RECORD=path)
    try:
        server.start()
    finally:
        for name in ("LD_PRELOAD", "DISK_BELOW", "DISK_RECORD"):
            del os.environ[name]
    fd = os.open(path, os.O_WRONLY | os.O_APPEND)
    clients = [Client(server, number, random.Random(f"{SEED} {number}"), lambda what: power.note(fd, what))
               for number in range(ACCOUNTS)]
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
        state = found(server, account)
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
