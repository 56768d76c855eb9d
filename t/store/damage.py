"""damage.py - whatever is damaged costs itself: all else is served, what is wrong is told, and nothing is thrown away.

Each kind of damage is done to an account of its own, all of them while the server is stopped; then it must start, serve every
account as far as its files can tell, say in its log what is wrong, and have `postern fsck --repair` mend it. SEED chooses
where it strikes.
"""

import glob
import os
import random
import re
import shutil

import tap
from mail import done, fetch_all, flags_of, imap_session, numbered, send
from postern import Server, wait_until
from seed import seed

MESSAGES = 12
WAIT_S = 120
SEED = seed()


class Victim:
    """An account and its files."""

    def __init__(self, server, number, name):
        self.server = server
        self.name = f"test{number:04}"
        self.address = server.address(self.name)
        self.random = random.Random(f"{SEED} {name}")
        self.folder = os.path.dirname(server.mailbox_file(self.name))
        self.mbox = server.mailbox_file(self.name)
        self.state = server.mailbox_file(self.name, kind="state")
        self.settings = os.path.join(self.folder, "account.settings")
        self.labels = os.path.join(self.folder, "account.mailboxes")
        self.lost = set()  # UIDs of messages that it may cost
        self.needs_fsck = self.fails_once = False
        self.shard = None

    def contents(self):
        return {uid: (flags_of(about), text) for uid, about, text in fetch_all(self.server, self.name)}

    def index(self):
        return self.server.path("store", "index", self.shard, "leveldb")

    def forget_index(self):
        shutil.rmtree(self.index())

    def places(self):
        """{UID: (where its postmark is, where the next one's)}"""
        with open(self.mbox, "rb") as file:
            text = file.read()
        starts = [(found.start(), int(found[1])) for found in re.finditer(rb"^From [^\n]*\n(?:X-IMAPbase[^\n]*\n)?X-UID: (\d+)\n",
                                                                          text, re.MULTILINE)]
        ends = [start for start, _ in starts[1:]] + [len(text)]
        return {uid: (start, end) for (start, uid), end in zip(starts, ends)}

    def middle(self):
        return self.random.randrange(3, MESSAGES - 1)


def write_at(path, at, data):
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(data)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def noise(victim, length):
    """Bytes without any line end, so that they are one thing."""
    return bytes(victim.random.choice(range(128, 256)) for _ in range(length))


def flip(victim, path, count=8):
    text = bytearray(read(path))
    for _ in range(count):
        text[victim.random.randrange(len(text))] ^= 1 << victim.random.randrange(8)
    write_at(path, 0, bytes(text))


def index_files(victim, pattern):
    found = sorted(glob.glob(os.path.join(victim.index(), pattern)))
    assert found, f"no {pattern} in {os.listdir(victim.index())}"
    return found


# --- mailboxes: UIDs, flags and text of all but those in victim.lost stay; what is returned must be in the log


def postmark(victim):
    uid = victim.middle()
    write_at(victim.mbox, victim.places()[uid][0], b"X")
    victim.forget_index()
    victim.lost |= {uid, uid - 1}  # it is the end of the one before


def postmark_indexed(victim):
    """The index knows where the message is, and believes it until somebody reads there, or fsck looks."""
    victim.needs_fsck = True
    uid = victim.middle()
    write_at(victim.mbox, victim.places()[uid][0], b"X")
    victim.lost |= {uid, uid - 1}


def uid_indexed(victim):
    victim.needs_fsck = True
    uid = victim.middle()
    start, end = victim.places()[uid]
    write_at(victim.mbox, read(victim.mbox).index(b"X-UID: ", start, end) + 7, b"x")
    victim.lost |= {uid}


def postmark_read(victim):
    """The same: whoever reads there learns of it, and the next one finds the mailbox read again."""
    uid = victim.middle()
    write_at(victim.mbox, victim.places()[uid][0], b"X")
    victim.lost |= {uid, uid - 1}
    victim.fails_once = True
    return f"uid={uid - 1} "


def uid_read(victim):
    uid = victim.middle()
    start, end = victim.places()[uid]
    write_at(victim.mbox, read(victim.mbox).index(b"X-UID: ", start, end) + 7, b"x")
    victim.lost |= {uid}
    victim.fails_once = True
    return f"uid={uid} "


def first_postmark(victim):
    write_at(victim.mbox, 0, b"X")
    victim.forget_index()
    victim.lost |= {1}
    return "no message's"


def uid_field(victim):
    uid = victim.middle()
    start, end = victim.places()[uid]
    write_at(victim.mbox, read(victim.mbox).index(b"X-UID", start, end), b"Y")
    victim.forget_index()
    victim.lost |= {uid}
    return f"uid={uid} "


def uid_too_high(victim):
    uid = victim.middle()
    start, end = victim.places()[uid]
    text = read(victim.mbox)
    at = text.index(b"X-UID: ", start, end) + 7
    write_at(victim.mbox, at, b"9" * (text.index(b"\n", at) - at))
    victim.forget_index()
    if uid < 9:
        victim.lost |= {uid}
        return f"uid={uid} "


def page_of_zeros(victim):
    first, last = 3, 5
    places = victim.places()
    write_at(victim.mbox, places[first][0], b"\0" * (places[last][1] - places[first][0]))
    victim.forget_index()
    victim.lost |= set(range(first, last + 1))
    return "no message's"


def body(victim):
    uid = victim.middle()
    write_at(victim.mbox, victim.places()[uid][1] - 4, b"\xff")
    victim.lost |= {uid}


def torn(victim):
    start, end = victim.places()[MESSAGES]
    os.truncate(victim.mbox, victim.random.randrange(start + 40, end - 2))
    victim.lost |= {MESSAGES}
    return "shorter than the index knew"


def cut_in_half(victim):
    uid = victim.middle()
    os.truncate(victim.mbox, victim.places()[uid][0])
    victim.lost |= set(range(uid, MESSAGES + 1))
    return f"uid={uid} "


def mbox_empty(victim):
    os.truncate(victim.mbox, 0)
    victim.lost |= set(range(1, MESSAGES + 1))
    return "no longer in its mbox"


def mbox_gone(victim):
    os.unlink(victim.mbox)
    victim.lost |= set(range(1, MESSAGES + 1))
    return "no longer in its mbox"


def state_line(victim):
    text = read(victim.state)
    at = text.index(b"flags 4 ")
    write_at(victim.state, at, b"f\xffags")
    victim.forget_index()
    victim.lost |= {4}
    return "line of the state file"


def state_head(victim):
    write_at(victim.state, 0, b"P")
    victim.forget_index()
    return "line of the state file"


def state_noise(victim):
    with open(victim.state, "ab") as file:
        file.write(noise(victim, 300) + b"\n" + noise(victim, 50))
    return "line of the state file"


def state_empty(victim):
    os.truncate(victim.state, 0)
    victim.lost |= {4, 5}  # their flags were there alone
    return "shorter than the index knew"


def state_gone(victim):
    os.unlink(victim.state)
    victim.lost |= {4, 5}
    return "shorter than the index knew"


def state_zeros(victim):
    text = read(victim.state)
    at = text.index(b"flags 4 ")
    write_at(victim.state, at, b"\0" * (text.index(b"\n", at) + 1 - at))
    victim.forget_index()
    victim.lost |= {4}


# --- the index: all stays


def index_gone(victim):
    victim.forget_index()


def current_gone(victim):
    os.unlink(os.path.join(victim.index(), "CURRENT"))


def current_empty(victim):
    os.truncate(os.path.join(victim.index(), "CURRENT"), 0)


def current_noise(victim):
    write_at(os.path.join(victim.index(), "CURRENT"), 0, noise(victim, 16))


def manifest_gone(victim):
    for path in index_files(victim, "MANIFEST-*"):
        os.unlink(path)


def manifest_empty(victim):
    for path in index_files(victim, "MANIFEST-*"):
        os.truncate(path, 0)


def manifest_flipped(victim):
    for path in index_files(victim, "MANIFEST-*"):
        flip(victim, path)


def tables_flipped(victim):
    for path in index_files(victim, "*.l[do][bg]"):
        if os.path.getsize(path):
            flip(victim, path)


def tables_empty(victim):
    for path in index_files(victim, "*.l[do][bg]"):
        os.truncate(path, 0)


def all_empty(victim):
    for path in index_files(victim, "*"):
        os.truncate(path, 0)


def index_is_a_file(victim):
    victim.forget_index()
    with open(victim.index(), "wb") as file:
        file.write(noise(victim, 100))


KINDS = [
    ("a postmark", postmark),
    ("a postmark that the index knows", postmark_indexed),
    ("an X-UID that the index knows", uid_indexed),
    ("a postmark that is read", postmark_read),
    ("an X-UID that is read", uid_read),
    ("the first postmark", first_postmark),
    ("the name of an X-UID", uid_field),
    ("the number of an X-UID", uid_too_high),
    ("a page of zeros in an mbox", page_of_zeros),
    ("a byte of a body", body),
    ("an mbox torn in its last message", torn),
    ("an mbox cut in half", cut_in_half),
    ("an empty mbox", mbox_empty),
    ("an mbox that is gone", mbox_gone),
    ("a line of a state file", state_line),
    ("the first line of a state file", state_head),
    ("noise at the end of a state file", state_noise),
    ("an empty state file", state_empty),
    ("a state file that is gone", state_gone),
    ("zeros in a state file", state_zeros),
    ("an index that is gone", index_gone),
    ("an index without CURRENT", current_gone),
    ("an empty CURRENT", current_empty),
    ("noise in CURRENT", current_noise),
    ("an index without its manifest", manifest_gone),
    ("an empty manifest", manifest_empty),
    ("bits of a manifest", manifest_flipped),
    ("bits of tables and logs", tables_flipped),
    ("empty tables and logs", tables_empty),
    ("every file of an index empty", all_empty),
    ("a file where an index should be", index_is_a_file),
]


def shards(server):
    return set(os.listdir(server.path("store", "index")))


def fill(server):
    """A victim for each kind, with mail, flags, and a shard that is its alone."""
    victims, number = [], 0
    for name, damage in KINDS:
        while True:
            victim = Victim(server, number, name)
            number += 1
            before = shards(server) if victims else set()
            send(server, [victim.name], numbered(range(1, MESSAGES + 1)))
            with imap_session(server, victim.name) as imap:
                done(imap.uid("STORE", "4", "+FLAGS", r"(\Flagged work)"))
                done(imap.uid("STORE", "5", "+FLAGS", r"(\Answered)"))
            if new := shards(server) - before:
                break
        victim.shard, = new
        victim.damage = damage
        victim.before = victim.contents()
        victims.append(victim)
    return victims


def can_be_read(victim):
    try:
        return victim.contents()
    except AssertionError:
        return False


def check(victim):
    if victim.needs_fsck:
        said = victim.server.command("fsck", "--repair", victim.address)
        assert any(f"UID {uid} " in said for uid in victim.lost), said
    if victim.fails_once:
        try:
            victim.contents()
            raise RuntimeError("nobody noticed")
        except AssertionError:
            wait_until(lambda: can_be_read(victim), WAIT_S, "the mailbox that is read again")
    now = victim.contents()
    log = victim.server.log()
    for uid, was in victim.before.items():
        if uid in victim.lost:
            continue
        assert uid in now, f"UID {uid} is gone: {sorted(now)}"
        assert now[uid] == was, f"UID {uid} was {was} and is {now[uid]}"
    new = set(now) - set(victim.before)
    assert not new or min(new) > MESSAGES, f"UIDs given twice: {new}"
    if victim.told:
        lines = [line for line in log.splitlines() if victim.told in line]
        assert any(victim.address in line or victim.name in line for line in lines), f"not told: {victim.told}"
    return now


def go_on(victim):
    """Mail comes, and no UID is given a second time."""
    send(victim.server, [victim.name], numbered([99]))
    newest = max(victim.contents())
    assert newest > MESSAGES, newest


def main():
    with Server(users=80, workers=2, set=["store.shards 512"]) as server:
        victims = fill(server)
        server.stop()
        for victim in victims:
            victim.told = victim.damage(victim)
        server.start()
        for (name, _), victim in zip(KINDS, victims):
            with tap.test(f"{name} costs itself, and is told"):
                check(victim)
                go_on(victim)
        with tap.test("fsck tells and mends what is left, without costing anything"):
            was = [victim.contents() for victim in victims]
            left = server.command("fsck", "--all", "--repair")
            assert "nothing is wrong" in server.command("fsck", "--all") or " 0 left" in left, left
            for (name, _), victim, before in zip(KINDS, victims, was):
                now = victim.contents()
                lost = {uid for uid in before if now.get(uid) != before[uid]}
                assert lost <= victim.lost and set(now) >= set(before) - victim.lost, f"{name}: {lost}"
        with tap.test("and all of it is so after another start, without an index"):
            was = [victim.contents() for victim in victims]
            server.stop()
            shutil.rmtree(server.path("store", "index"))
            server.start()
            for (name, _), victim, before in zip(KINDS, victims, was):
                assert victim.contents() == before, name
    tap.done()


if __name__ == "__main__":
    main()
