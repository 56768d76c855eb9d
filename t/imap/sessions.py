"""sessions.py - several sessions over one, two and four workers change one mailbox at random, each with a model of it.

In each step every session gets a command, all of them at the same time. What a session is told must fit what it was
told before: sequence numbers, UIDs, flags, and whose bytes FETCH gives. The mailbox is renamed under them. Between, a
worker is killed, the clock is moved so that the mailbox is written anew under its sessions, or it is deleted and made
again. Or all are quiet for so long that they let go of what they know of the mailbox but for what their clients were
told, and some go on with that while the others sleep. After each step or few all sessions must agree:

    - a message vanishes only if somebody gave it \\Deleted or moved it; one whose APPEND was answered never vanishes
      otherwise
    - what was copied or moved is in the other mailbox, with the UID that was told
    - a session that was told of every change knows the flags that are there, without asking

SECONDS says how long each number of workers is played (5), SEED repeats the order of commands.
"""

import os
import random
import re
import select
import signal
import socket
import time

import tap
from postern import PASSWORD, Server, is_gone, wait_until

SECONDS = float(os.environ.get("SECONDS", "5"))
SEED = os.environ.get("SEED") or str(random.randrange(1 << 30))
SESSIONS = 6
MESSAGES_MAX = 60  # when there are more, all but one are expunged
AGREE_S = 20  # for all to know the same
ANSWER_S = 60
FLAGS = (r"\Answered", r"\Deleted", r"\Flagged", r"\Seen", "red", "blue")
FIELD = b"X-Load-Id: "
FETCHED = re.compile(rb"\* (\d+) FETCH \(")
KEEPS_NUMBERS = {"FETCH", "STORE", "SEARCH"}  # no EXPUNGE may come in answer to these (RFC 3501, 7.4.1)


class Truth:
    """What is known of the mailbox apart from any session."""

    def __init__(self):
        self.mailbox = "INBOX"
        self.count = self.renames = 0
        self.uidvalidity = 0
        self.others = {}  # UID in the other mailbox -> id
        self.begin()

    def begin(self):
        """A mailbox that was made just now."""
        self.names = {}  # UID -> id
        self.doomed = set()  # UIDs that were or may have been given \Deleted, or moved
        self.missing = set()  # UIDs that were told to be gone

    def copied(self, code):
        """[COPYUID <uidvalidity> <from> <to>]"""
        taken, given = (uids_of(uids) for uids in code.split()[2:4])
        assert len(taken) == len(given), code
        for uid, other in zip(taken, given, strict=True):
            assert other not in self.others, f"UID {other} is given twice"
            self.others[other] = self.names.get(uid)

    def name(self, uid, name):
        before = self.names.setdefault(uid, name)
        assert before == name, f"UID {uid} was {before} and is {name}"


def uids_of(text):
    """1,3:5 -> [1, 3, 4, 5]"""
    ends = [(uids.split(b":") * 2)[:2] for uids in text.rstrip(b"]").split(b",")]
    return [uid for first, last in ends for uid in range(int(first), int(last) + 1)]


class Session:
    """model: [[UID, flags]] in the order of sequence numbers; what it was never told is None."""

    def __init__(self, server, truth, number):
        self.truth, self.number = truth, number
        self.tags = 0
        self.command = self.tag = None
        self.waits = b""  # sent once the server asks for it
        self.model = []
        self.nos = 0
        self.socket = socket.create_connection((server.host, server.ports["imap"]), timeout=ANSWER_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.lines = self.socket.makefile("rb")
        self.line()
        self.run(f"LOGIN {server.address('test0000')} {PASSWORD}")
        self.select()

    def select(self):
        """The mailbox, whatever it is called by now: who renamed it may have died before he knew."""
        self.model, self.mailboxes = [], []
        end = time.monotonic() + AGREE_S
        while self.run('LIST "" Play*') != b"OK" or self.mailboxes and self.run(f"SELECT {self.mailboxes[-1]}") != b"OK":
            assert time.monotonic() < end, "SELECT"
        if self.mailboxes:
            self.truth.mailbox = self.mailboxes[-1]
        else:
            assert self.run(f"SELECT {self.truth.mailbox}") == b"OK", "SELECT"
        self.run("FETCH 1:* (UID FLAGS)" if self.model else "NOOP")

    def close(self):
        self.lines.close()
        self.socket.close()

    # The wire

    def line(self):
        """A response with its literals: [text, literal, text ...]."""
        found = []
        while True:
            text = self.lines.readline()
            if not text.endswith(b"\r\n"):
                raise ConnectionError("the connection ended")
            found.append(text[:-2])
            size = re.search(rb"\{(\d+)\}$", found[-1])
            if not size:
                return found
            found.append(self.lines.read(int(size[1])))

    def start(self, command, waits=b""):
        self.tags += 1
        self.tag = f"{self.number}.{self.tags}".encode()
        self.command, self.waits = command, waits
        self.socket.sendall(self.tag + b" " + command.encode() + b"\r\n")

    def finish(self):
        """Takes in all up to the tagged reply; answers its OK, NO or BAD, and the reply."""
        while True:
            parts = self.line()
            text = parts[0]
            if text.startswith(b"+"):
                if self.waits:
                    self.socket.sendall(self.waits)
            elif text.startswith(self.tag + b" "):
                self.nos += text.split()[1] == b"NO"
                assert text.split()[1] != b"BAD", f"{self.command}: {text}"
                self.reply = text
                return text.split()[1]
            else:
                self.told(parts)

    def run(self, command):
        self.start(command)
        return self.finish()

    # The model

    def told(self, parts):
        text = parts[0]
        if match := re.fullmatch(rb"\* (\d+) EXISTS", text):
            assert int(match[1]) >= len(self.model), f"{text} with {len(self.model)} there"
            self.model += [[None, None] for _ in range(int(match[1]) - len(self.model))]
        elif match := re.fullmatch(rb"\* (\d+) EXPUNGE", text):
            self.gone(int(match[1]))
        elif match := FETCHED.match(text):
            self.fetched(int(match[1]), parts)
        elif match := re.match(rb'\* LIST .* "(Play\d*)"', text):
            self.mailboxes.append(match[1].decode())
        elif text.startswith(b"* OK [COPYUID "):
            self.truth.copied(text[6:])
        elif match := re.match(rb"\* OK \[UIDVALIDITY (\d+)", text):
            assert self.truth.uidvalidity in (0, int(match[1])), f"UIDVALIDITY was {self.truth.uidvalidity}: {text}"
            self.truth.uidvalidity = int(match[1])
        else:
            assert not text.startswith(b"* BYE"), text

    def gone(self, place):
        assert 1 <= place <= len(self.model), f"EXPUNGE {place} of {len(self.model)}"
        assert self.command.split()[0] not in KEEPS_NUMBERS, f"EXPUNGE in answer to {self.command}"
        uid = self.model.pop(place - 1)[0]
        if uid:
            self.truth.missing.add(uid)
            assert uid in self.truth.doomed, f"UID {uid} is gone and was never \\Deleted"

    def fetched(self, place, parts):
        assert 1 <= place <= len(self.model), f"FETCH {place} of {len(self.model)}"
        known, text = self.model[place - 1], b" ".join(parts[::2])
        if match := re.search(rb"UID (\d+)", text):
            uid = int(match[1])
            assert known[0] in (None, uid), f"message {place} was UID {known[0]} and is {uid}"
            known[0] = uid
            uids = [uid for uid, _ in self.model if uid]
            assert uids == sorted(set(uids)), f"UIDs do not grow: {uids}"
        if match := re.search(rb"FLAGS \(([^)]*)\)", text):
            known[1] = frozenset(match[1].decode().split()) - {r"\Recent"}
        if len(parts) > 1 and parts[1]:
            name = re.match(FIELD + rb"(\S+)\r\n", parts[1])[1].decode()
            assert parts[1] == make_message(name), f"message {place} is not what was appended"
            assert known[0], "FETCH said no UID"
            self.truth.name(known[0], name)


def make_message(name):
    return FIELD + name.encode() + b"\r\n\r\n" + name.encode() * random.Random(name).choice((1, 10, 1000, 10000)) + b"\r\n"


def some_places(chance, count):
    places = sorted(chance.sample(range(1, count + 1), chance.randint(1, min(count, 5))))
    return places, ",".join(map(str, places))


def append_some(session, chance):
    """One message or several."""
    truth, names = session.truth, []
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        truth.count += 1
        names.append(f"m{truth.count}")
    texts = [make_message(name) for name in names]
    more = texts[0] + b"".join(b" (blue) {%d+}\r\n" % len(text) + text for text in texts[1:]) + b"\r\n"
    session.start(f"APPEND {truth.mailbox} (red) {{{len(texts[0])}}}", more)

    def appended():
        uids = uids_of(session.reply.split()[4])
        assert len(uids) == len(names), session.reply
        for uid, name in zip(uids, names, strict=True):
            truth.name(uid, name)
    return appended


def copied_to(session, truth):
    def copied():
        if b"[COPYUID " in session.reply:
            truth.copied(session.reply.split(b" ", 2)[2])
    return copied


def start_something(session, chance):
    """One command at random; answers what is to be done with its success."""
    model, truth = session.model, session.truth
    kinds = ["append", "append", "noop", "idle"]
    if not all(uid for uid, _ in model):
        kinds = ["learn"]
    elif len(model) > MESSAGES_MAX:
        kinds = ["doom", "expunge"]
    elif model:
        kinds += ["fetch", "store", "store", "store", "expunge", "uid expunge", "copy", "move", "uid move"]
        kinds += ["rename"] if chance.random() < 0.2 else []
    kind = chance.choice(kinds)
    if kind == "append":
        return append_some(session, chance)
    if kind == "rename":
        truth.renames += 1
        name = f"Play{truth.renames}"
        session.start(f"RENAME {truth.mailbox} {name}")

        def renamed():
            truth.mailbox = name
        return renamed
    if kind in ("store", "doom"):
        places, told = range(1, len(model)), f"1:{len(model) - 1}"
        how, flags = "+FLAGS", [r"\Deleted"]
        if kind == "store":
            places, told = some_places(chance, len(model))
            how, flags = chance.choice(("+FLAGS", "-FLAGS", "FLAGS")), chance.sample(FLAGS, chance.randint(1, 3))
        silent = chance.random() < 0.3
        if how[0] != "-" and r"\Deleted" in flags:
            truth.doomed |= {model[place - 1][0] for place in places}
        session.start(f"STORE {told} {how}{'.SILENT' if silent else ''} ({' '.join(flags)})")
        if silent:  # others may change them at the same time: what they are is open
            for place in places:
                model[place - 1][1] = None
        return None
    if kind == "idle":
        session.start("IDLE", b"")
        time.sleep(chance.uniform(0, 0.005))
        session.socket.sendall(b"DONE\r\n")
        return None
    if kind in ("fetch", "copy", "move", "uid move", "uid expunge"):
        places, told = some_places(chance, len(model))
        uids = ",".join(str(model[place - 1][0]) for place in places)
        if "move" in kind:
            truth.doomed |= {model[place - 1][0] for place in places}
        session.start({"fetch": f"FETCH {told} (UID FLAGS BODY.PEEK[])", "copy": f"UID COPY {uids} Other",
                       "move": f"MOVE {told} Other", "uid move": f"UID MOVE {uids} Other",
                       "uid expunge": f"UID EXPUNGE {uids}"}[kind])
        return copied_to(session, truth) if kind == "copy" else None
    session.start({"learn": "UID FETCH 1:* (FLAGS)", "noop": "NOOP", "expunge": "EXPUNGE"}[kind])
    return None


def agree(sessions, truth):
    """All come to know the same, which is what the mailbox holds."""
    end = time.monotonic() + AGREE_S
    while True:
        views = []
        for session in sessions:
            session.run("NOOP")
            had = [list(message) for message in session.model]
            session.run("UID FETCH 1:* (FLAGS)")
            views.append(session.model)
            wrong = [(old, new) for old, new in zip(had, session.model, strict=False)
                     if old[0] and old[0] == new[0] and old[1] is not None and old[1] != new[1]]
            assert not wrong or time.monotonic() < end, f"flags changed and were not told: {wrong[:5]}"
        if all(view == views[0] for view in views) and not wrong:
            break
        assert time.monotonic() < end, f"sessions do not agree: {[len(view) for view in views]}"
        time.sleep(0.02)
    there = {uid for uid, _ in views[0]}
    lost = truth.names.keys() - there - truth.doomed
    assert not lost, f"UIDs {sorted(lost)} are lost"
    back = there & truth.missing
    assert not back, f"UIDs {sorted(back)} are back"


def step(server, truth, sessions, chance):
    begun = []
    for place, session in enumerate(sessions):
        try:
            begun.append((session, start_something(session, chance)))
        except OSError:
            sessions[place] = None
    for session, after in begun:
        try:
            if session.finish() == b"OK" and after:
                after()
        except OSError:
            sessions[sessions.index(session)] = None
    for place, session in enumerate(sessions):
        if session is None:
            sessions[place] = Session(server, truth, place)


def kill_worker(server, chance):
    victim = chance.choice(server.workers())
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: is_gone(victim), ANSWER_S, "a killed worker's end")


def delete_anew(sessions, truth):
    """The mailbox goes under its sessions, which hear that all its messages did; another takes its name."""
    active, old = sessions[0], truth.uidvalidity
    truth.doomed |= {uid for session in sessions for uid, _ in session.model}
    while active.run(f"DELETE {truth.mailbox}") != b"OK":
        assert b"[UNAVAILABLE]" in active.reply, active.reply
    end = time.monotonic() + AGREE_S
    while any(session.model for session in sessions):
        assert time.monotonic() < end, "sessions are not told that the mailbox is gone"
        for session in sessions:
            session.run("NOOP")
    while active.run(f"CREATE {truth.mailbox}") != b"OK":
        assert b"[UNAVAILABLE]" in active.reply, active.reply
    truth.begin()
    truth.uidvalidity = 0
    for session in sessions:
        session.select()
    assert truth.uidvalidity > old, f"UIDVALIDITY was {old} and is {truth.uidvalidity}"


def check_other(session, truth):
    """What was copied or moved is in the other mailbox."""
    found = {}
    truth.uidvalidity, session.model = 0, []
    assert session.run("EXAMINE Other") == b"OK", session.reply
    session.start("UID FETCH 1:* BODY.PEEK[HEADER]")
    while not (parts := session.line())[0].startswith(session.tag):
        if match := re.search(rb"UID (\d+)", b" ".join(parts[::2])):
            found[int(match[1])] = re.match(FIELD + rb"(\S+)\r\n", parts[1])[1].decode()
    wrong = [uid for uid, name in truth.others.items() if uid not in found or name not in (None, found[uid])]
    assert not wrong, f"UIDs {wrong[:9]} of the other mailbox are not what was told"
    return len(found)


def play(workers):
    chance = random.Random(f"{SEED} {workers}")
    truth = Truth()
    with Server(users=1, workers=workers, set=["imap.quiet_time 1m"]) as server:
        first = Session(server, truth, SESSIONS)
        first.run("CREATE Other")
        first.run("CREATE Play")
        first.close()
        truth.uidvalidity = 0
        sessions = [Session(server, truth, number) for number in range(SESSIONS)]
        end = time.monotonic() + SECONDS
        steps = kills = deletes = naps = 0
        with tap.test(f"{workers} workers: each session is told what it can believe, and all agree"):
            while time.monotonic() < end:
                for _ in range(chance.randint(1, 8)):
                    step(server, truth, sessions, chance)
                    steps += 1
                what = chance.random()
                if what < 0.06:
                    kill_worker(server, chance)
                    kills += 1
                    step(server, truth, sessions, chance)
                    server.wait_ready()
                elif what > 0.8:
                    nap(server, truth, sessions, chance)
                    naps += 1
                elif what < 0.12:
                    server.clock("+301s")  # the mailbox is written anew if it has come to be worth it
                    step(server, truth, sessions, chance)
                agree_or_connect(server, truth, sessions)
                if 0.12 <= what < 0.16:
                    delete_anew(sessions, truth)
                    deletes += 1
        with tap.test("what was copied or moved is where it was said to be"):
            copies = check_other(sessions[0], truth)
            tap.note(f"{copies} copied or moved, {len(truth.others)} by UIDs that were told")
        anew = server.log().count("written anew account")
        tap.note(f"{steps} steps, {truth.count} appended, {len(truth.missing)} expunged, {kills} workers killed, "
                 f"{truth.renames} renames, {deletes} times deleted, {naps} naps, written anew {anew} times, {sum(session.nos for session in sessions)} times NO")
        for session in sessions:
            session.close()
    return anew


def quieted(server):
    return int(re.search(r"^imap\.quieted\s+(\d+)", server.command("stats"), re.M)[1])


def nap(server, truth, sessions, chance):
    """All fall asleep, then some change what the others know while these sleep on."""
    before = quieted(server)
    server.clock("+61s")
    wait_until(lambda: quieted(server) >= before + len(sessions), ANSWER_S, "all sessions to be quiet")
    awake = chance.randrange(len(sessions))
    for _ in range(chance.randint(0, 4)):
        one = sessions[awake:awake + 1]
        step(server, truth, one, chance)
        sessions[awake:awake + 1] = one
    what = chance.random()
    if what < 0.2:
        kill_worker(server, chance)
        step(server, truth, sessions, chance)
        server.wait_ready()
    elif what < 0.4:
        server.clock("+301s")
    step(server, truth, sessions, chance)


def agree_or_connect(server, truth, sessions):
    while True:
        try:
            return agree(sessions, truth)
        except OSError:
            for place, session in enumerate(sessions):
                ready, _, _ = select.select([session.socket], [], [], 0)
                if ready:
                    sessions[place] = Session(server, truth, place)


def idlers_are_told():
    """What one session does, those that idle learn, whatever their worker and whoever owns the mailbox."""
    truth = Truth()
    with Server(users=1, workers=4) as server:
        sessions = [Session(server, truth, number) for number in range(2 * SESSIONS)]
        active, idlers = sessions[0], sessions[1:]
        for idler in idlers:
            idler.start("IDLE")
            assert idler.line()[0].startswith(b"+")
        for command, waits, model in (
            ("APPEND INBOX {1}", b"x\r\n", [frozenset()]),
            ("APPEND INBOX {2}", b"xy\r\n", [frozenset()] * 2),
            (r"STORE 1 FLAGS (\Deleted red)", b"", [frozenset((r"\Deleted", "red")), frozenset()]),
            ("EXPUNGE", b"", [frozenset()]),
        ):
            truth.doomed = {1}
            with tap.test(f"those that idle are told of {command.split()[0]}"):
                active.start(command, waits)
                assert active.finish() == b"OK", active.reply
                for idler in idlers:
                    while not told_all(idler, model):
                        idler.told(idler.line())
        for session in sessions:
            session.close()


def told_all(session, model):
    return len(session.model) == len(model) and all(
        have in (None, want) and (have or not want) for (_, have), want in zip(session.model, model, strict=True))


def main():
    tap.note(f"SEED={SEED}")
    idlers_are_told()
    anew = [play(workers) for workers in (1, 2, 4)]
    tap.ok(any(anew), "the mailbox was written anew meanwhile")
    tap.done()


if __name__ == "__main__":
    main()
