"""damage_store.py - damage to what is not a mailbox: settings, labels, journal, queue, secret; to what is set aside for later;
and to the index and views of a server that runs. The rest is served, what is wrong is told, and what cannot be
understood is kept under a name that says so.
"""

import glob
import os
import random
import re
import shutil
import smtplib
import struct
import time

import tap
from damage import Victim, flip, noise, read, write_at
from mail import done, fetch_all, imap_session, numbered, send
from postern import PASSWORD, Server, wait_until
from seed import seed

WAIT_S = 120
SEED = seed()


def uids(server, account, mailbox="INBOX"):
    return [uid for uid, _, _ in fetch_all(server, account, mailbox)]


def keep_owner(path, like):
    owner = os.stat(like)
    os.chown(path, owner.st_uid, owner.st_gid)


def lets_in(server, account):
    try:
        imap_session(server, account).logout()
        return True
    except Exception:  # imaplib has no better one
        return False


def settings(server):
    """Each of these accounts rests; all others do not, and what was in the file stays."""
    kinds = {"test0000": lambda victim: flip(victim, victim.settings, 40),
             "test0001": lambda victim: os.truncate(victim.settings, 0),
             "test0002": lambda victim: write_at(victim.settings, 0, noise(victim, os.path.getsize(victim.settings))),
             "test0003": lambda victim: os.truncate(victim.settings, 7)}
    victims = [Victim(server, number, name) for number, name in enumerate(kinds)]
    server.stop()
    kept = {}
    for victim in victims:
        kept[victim.settings] = read(victim.settings)
        kinds[victim.name](victim)
    damaged = {path: read(path) for path in kept}
    server.start()
    assert uids(server, "test0004") == [1, 2, 3]
    for victim in victims[1:]:
        assert not lets_in(server, victim.name), victim.name
        assert f"account={victim.address}" in server.log(), victim.name
        assert any(victim.address in line and "settings" in line
                   for line in server.command("fsck", victim.address, fails=True).splitlines())
    with smtplib.SMTP(server.host, server.ports["smtp"], timeout=60) as smtp:  # mail for it waits, or is put off
        smtp.ehlo("client.test")
        smtp.mail("a@far.test")
        assert smtp.rcpt(victims[1].address)[0] < 500
    assert all(read(path) == text for path, text in damaged.items())
    server.stop()
    for path, text in kept.items():
        with open(path, "wb") as file:
            file.write(text)
    server.start()
    assert all(uids(server, victim.name) == [1, 2, 3] for victim in victims)


def labels(server):
    victim = Victim(server, 5, "labels")
    with imap_session(server, victim.name) as imap:
        for name in ("one", "two", "three"):
            done(imap.subscribe(name))
    server.stop()
    strange = b"subscribed \xff\xfe\nnonsense " + noise(victim, 20) + b"\n"
    with open(victim.labels, "ab") as file:
        file.write(strange)
    server.start()
    with imap_session(server, victim.name) as imap:
        assert len(done(imap.lsub())) == 3
        done(imap.subscribe("four"))
    assert read(victim.labels).endswith(strange) and b"subscribed four" in read(victim.labels)
    assert re.search(r"lines are not understood.*test0005", server.log())


def batches(path):
    """(offset, length of the entries) of what looks like a batch."""
    text = read(path)
    return [(at, struct.unpack_from("<I", text, at + 44)[0], struct.unpack_from("<Q", text, at + 16)[0])
            for at in range(0, len(text), 4096) if text[at:at + 4] == b"PSJN"]


def fetch_healed(server, account):
    """The index may know the message that the journal has lost: who asks for it first is told that it cannot be read, nobody else."""
    try:
        return fetch_all(server, account)
    except AssertionError as why:
        assert "[UNAVAILABLE]" in str(why), why
        return fetch_all(server, account)


def journal_batch(server):
    """The second of four deliveries is lost in the journal, and none of them is in the mbox."""
    victim = Victim(server, 6, "journal")
    server.restart()
    length = os.path.getsize(victim.mbox)
    for number in range(4):
        send(server, [victim.name], numbered([100 + number]))
    server.kill()
    os.truncate(victim.mbox, length)
    (segment, at), = [(path, at) for path in glob.glob(server.path("store", "journal", "*", "segment.????????"))
                      for at, size, _ in batches(path) if b"Subject: number 101" in read(path)[at:at + 52 + size]]
    text = read(segment)
    place = text.index(b"number 101", at)
    write_at(segment, place, b"X")
    log = len(server.log())
    server.start()
    assert "damaged: entries are lost" in server.log()[log:], server.log()[log:]
    found = {re.search(rb"number (\d+)", text)[1]: uid for uid, _, text in fetch_healed(server, victim.name)}
    assert {b"100", b"102", b"103"} <= set(found) and b"101" not in found, found
    send(server, [victim.name], numbered([104]))
    assert max(uids(server, victim.name)) > found[b"103"]


def journal_base(server):
    """One base heals the other; without both the journal is set aside, and no UID is given twice."""
    victim = Victim(server, 7, "base")
    folder = server.path("store", "journal", "0")
    for name in ("base", "base.copy"):
        send(server, [victim.name], numbered([7]))
        server.kill()
        write_at(os.path.join(folder, name), 9, noise(victim, 4))
        before = len(server.log())
        server.start()
        told = "a base is damaged" in server.log()[before:]
        assert told == (name == "base"), server.log()[before:]
        assert not glob.glob(os.path.join(folder, "*.damaged.*"))
    was = uids(server, victim.name)
    time.sleep(2.5)  # what is skipped after an earlier damage is told by the second
    server.kill()
    for name in ("base", "base.copy"):
        os.truncate(os.path.join(folder, name), 5)
    server.start()
    assert "THE JOURNAL IS SET ASIDE" in server.log()
    assert glob.glob(os.path.join(folder, "segment.*.damaged.*"))
    assert set(uids(server, victim.name)) >= set(was)
    send(server, [victim.name], numbered([8]))
    assert max(uids(server, victim.name)) > max(was) + 1000
    said = server.command("fsck", "--all", "--json")
    assert "set aside" in said, said


def secret(server):
    server.stop()
    path = server.path("store", "login.secret")
    assert os.path.exists(path), os.listdir(server.path("store"))
    os.truncate(path, 3)
    server.start()
    assert glob.glob(path + ".damaged.*") and os.path.getsize(path) > 3
    assert uids(server, "test0004") == [1, 2, 3]


def strange_things(server):
    """What is not ours stays and harms nothing."""
    server.stop()
    places = ("journal/what", "journal/0/what", "queue/what", "queue/0/what", "queue/spool/what", "queue/spool/.what", "index/what",
              "run/what", "domains/what", "deleted/what", "what")
    for place in places:
        path = server.path("store", place)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(random.Random(SEED).randbytes(5000))
        keep_owner(path, server.store)
    os.makedirs(server.path("store", "deleted", "a", "b", "c"), exist_ok=True)
    shutil.chown(server.path("store", "deleted"), "nobody" if os.geteuid() == 0 else None)
    server.start()
    assert uids(server, "test0004") == [1, 2, 3]
    for place in places:
        assert os.path.exists(server.path("store", place)) or place.startswith("deleted/"), place


def queue(server):
    """Two messages wait; one is damaged: the other waits on, and the file stays."""
    with smtplib.SMTP(server.host, server.ports["submission"], timeout=60) as smtp:
        smtp.login(server.address("test0004"), PASSWORD)
        for number in (1, 2, 3):
            smtp.sendmail(server.address("test0004"), [f"far{number}@far.test"], numbered([number])[0])
    server.stop()
    victim = Victim(server, 4, "queue")
    mbox, = (path for path in glob.glob(server.path("store", "queue", "?", "*.mbox")) if b"number 2" in read(path))
    text = read(mbox)
    at = text.index(b"far2@far.test")
    write_at(mbox, at, noise(victim, 4))
    with open(mbox.removesuffix("mbox") + "state", "ab") as file:
        file.write(noise(victim, 60) + b"\n" + noise(victim, 10))
    damaged = read(mbox)
    log = len(server.log())
    server.start()
    listed = lambda: server.command("queue", "list", "--json")
    wait_until(lambda: "far1@" in listed() and "far3@" in listed(), WAIT_S, "the others")
    assert re.search(r"damaged, left out path=\S* offset=\d+", server.log()[log:]), server.log()[log:]
    assert "far2@" not in listed() and damaged in read(mbox)
    said = server.command("fsck", "--all", fails=True)
    assert re.search(rf"{os.path.basename(mbox)} at \d+: a message that waits is damaged", said), said
    assert re.search(r"queue/\d/\w+.state.*: a line of the state file is not understood", said), said


# --- while it runs


def running(server, number, name, damage):
    victim = Victim(server, number, name)
    send(server, [victim.name], numbered(range(1, 30)))
    was = victim.contents()
    damage(victim)
    assert victim.contents() == was
    send(server, [victim.name], numbered([99]))
    with imap_session(server, victim.name) as imap:
        done(imap.uid("STORE", "2", "+FLAGS", r"(\Flagged)"))
    server.command("index", "rebuild", victim.address)
    now = victim.contents()
    assert {uid: one for uid, one in now.items() if uid != 2 and uid in was} == {
        uid: one for uid, one in was.items() if uid != 2}
    assert len(now) == len(was) + 1 and b"\\Flagged" in now[2][0]
    server.kill()
    server.start()
    assert victim.contents() == now
    server.command("fsck", victim.address)


def below_index(victim, pattern):
    return glob.glob(victim.server.path("store", "index", "[0-9]*", pattern))


def all_flipped(victim):
    for path in below_index(victim, "leveldb/*"):
        if os.path.getsize(path):
            flip(victim, path, 16)


def all_gone(victim):
    for path in below_index(victim, ""):
        shutil.rmtree(path)


def tables_gone(victim):
    for path in below_index(victim, "leveldb/[0-9]*"):
        os.unlink(path)


def views_gone(victim):
    for path in below_index(victim, "views/*"):
        os.unlink(path)


RUNNING = [("every file of an index is damaged", all_flipped), ("every index is gone", all_gone),
           ("tables and logs of indexes are gone", tables_gone), ("views are gone", views_gone)]


def main():
    with Server(users=30, workers=2, smarthost="127.0.0.1:1", set=["store.shards 512"]) as server:
        send(server, [f"test{number:04}" for number in range(10)], numbered(range(3)))
        for name, what in (("settings that are damaged: their account rests", settings),
                           ("labels: a line costs itself and stays", labels),
                           ("a batch of the journal costs its entries", journal_batch),
                           ("the base of a journal", journal_base),
                           ("the store's secret", secret),
                           ("things that are not ours", strange_things),
                           ("a message of the queue, and its state file", queue)):
            with tap.test(name):
                what(server)
        for number, (name, damage) in enumerate(RUNNING, 10):
            with tap.test(f"while the server runs {name}"):
                running(server, number, name, damage)
    tap.done()


if __name__ == "__main__":
    main()
