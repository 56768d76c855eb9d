"""power.py - what a power cut may leave of a directory, made from what t/crash/disk.c wrote down.

    record = Record(path, before)          # before: the directory's content when the recording began
    for at in ...: record.leave(at, chance, directory)

A cut is a place between two records. What was synced before is there: by a sync of its file, of its directory (names), or
of all. Of the rest anything may be missing: `leave` chooses by chance how much was written, from nothing to everything,
in which pages of a write, and whether names follow the order in which they were changed. A page that was not written
is what it was, or zeros where the file grew. What a sync that failed should have made durable no later sync does: the
kernel holds it for clean from then on.
"""

import bisect
import collections
import json
import os
import struct
import time

from same_store import claim

HEAD = struct.Struct("=IIQQQQIII4x")
MAGIC = 0x50434552
(WRITE, CUT, CREATE, DIRECTORY, RENAME, LINK, UNLINK, SYNC, SYNC_ALL, SYNCED, GROW, _, _, NOTE, FAILED) = range(15)
NAMES = (CREATE, DIRECTORY, RENAME, LINK, UNLINK)
PAGE = 4096
SYNCED_ALONE = ("journal/", "index/", "queue/spool/")  # files below these are, one by one
SECTOR = 512  # a page may be torn there
Change = collections.namedtuple("Change", "at kind file length path other offset bytes process")


def note(fd, what):
    """Puts a note of the test's own into the record, in its place among what the server did."""
    text = json.dumps(what).encode()
    os.write(fd, HEAD.pack(MAGIC, NOTE, 0, 0, len(text), time.monotonic_ns(), 0, 0, 0) + text)


def number_of(path):
    status = os.lstat(path)
    return (status.st_dev << 48 & (1 << 64) - 1) ^ status.st_ino


def below(directory):
    """Every path below it, relative, parents first."""
    for where, folders, files in os.walk(directory):
        folders.sort()
        for name in folders + sorted(files):
            yield os.path.relpath(os.path.join(where, name), directory)


class Record:
    def __init__(self, path, directory):
        """directory: as it is before the first record; read now."""
        self.folder = object()  # what a name of a directory stands for
        self.names, self.content = {"": self.folder}, {}
        self.lives = {}  # number -> which file of that number it is now
        for name in below(directory):
            full = os.path.join(directory, name)
            if os.path.isdir(full):
                self.names[name] = self.folder
            elif os.path.isfile(full):
                file = (number_of(full), 0)
                self.lives[file[0]] = 0
                self.names[name] = file
                with open(full, "rb") as opened:
                    self.content[file] = opened.read()
        self.path, self.changes, self.notes = path, [], []
        self.sync_all, self.sync_file, self.sync_folder = [], collections.defaultdict(list), collections.defaultdict(list)
        self.places = []  # of changes of names and of LevelDB's files, and of syncs: where a cut is most likely to be felt
        self.doomed = {}  # place of a write -> where the sync failed that should have made it durable
        self.moved = {}  # place of a rename or link -> the file it concerned; None: a directory
        self.times = []  # in nanoseconds, of each record
        self.count = 0

    def read(self):
        begun, names = {}, dict(self.names)
        with open(self.path, "rb") as file:
            while head := file.read(HEAD.size):
                magic, kind, number, offset, length, ns, path, other, process = HEAD.unpack(head)
                assert magic == MAGIC, f"no record at {file.tell() - HEAD.size}"
                path, other = file.read(path).decode(), file.read(other).decode()
                data = file.read(length) if kind in (WRITE, NOTE) else b""
                at, self.count = self.count, self.count + 1
                self.times.append(ns)
                if kind in (*NAMES, CUT, SYNCED) or path.startswith("index/"):
                    self.places.append(at)
                if kind == NOTE:
                    self.notes.append((at, json.loads(data)))
                elif kind in (SYNC, SYNC_ALL):
                    begun[offset] = (at, kind, self.file_of(number), path, process)
                elif kind == SYNCED:
                    self.note_sync(at, *begun.pop(offset))
                elif kind == FAILED:
                    self.note_failure(at, *begun.pop(offset))
                elif " (deleted)" not in path:
                    if kind == CREATE:
                        self.lives[number] = self.lives.get(number, -1) + 1
                    self.changes.append(
                        Change(at, kind, self.file_of(number), length, path, other, offset, data, process))
                    self.follow(names, self.changes[-1])
        return self

    def file_of(self, number):
        return (number, self.lives.setdefault(number, 0))

    def note_sync(self, ended, at, kind, file, path, _):
        """Lists of (ended, begun), both growing: the last sync that ended before a cut is the one that counts."""
        where = self.sync_all if kind == SYNC_ALL else self.sync_file[file]
        where.append((ended, max(at, where[-1][1] if where else 0)))
        if kind == SYNC:
            where = self.sync_folder[path]
            where.append((ended, max(at, where[-1][1] if where else 0)))

    def note_failure(self, ended, at, kind, file, _, process):
        """That of a sync of all is told to every process once, and again to whoever syncs one of the files."""
        for c in self.changes:
            hit = c.process == process and not c.path.startswith(SYNCED_ALONE) if kind == SYNC_ALL else c.file == file
            if hit and c.at < at and c.kind not in NAMES and not self.is_durable(c, ended):
                self.doomed.setdefault(c.at, ended)

    @staticmethod
    def durable(syncs, cut):
        """Everything before this place is, by these syncs, when the power fails at `cut`."""
        place = bisect.bisect_left(syncs, (cut, 0))
        return syncs[place - 1][1] if place else 0

    def follow(self, names, c):
        """What a change does to the names that are there; remembers what it moves."""
        if c.kind == CREATE:
            names[c.path] = c.file
        elif c.kind == DIRECTORY:
            names[c.path] = self.folder
        elif c.kind == UNLINK:
            names.pop(c.path, None)
        elif c.kind in (RENAME, LINK) and c.path in names:
            what = self.moved.setdefault(c.at, names[c.path])
            if what is self.folder:
                for name in [name for name in names if name == c.path or name.startswith(c.path + "/")]:
                    names[c.other + name[len(c.path):]] = names.pop(name)
            else:
                names[c.other] = what
                if c.kind == RENAME and c.other != c.path:
                    del names[c.path]

    # What is left

    def is_durable(self, c, cut):
        cut = min(cut, self.doomed.get(c.at, cut))
        if c.at < self.durable(self.sync_all, cut):
            return True
        if c.kind not in NAMES:
            return c.at < self.durable(self.sync_file[c.file], cut)
        folders = {os.path.dirname(path) for path in (c.path, c.other) if path}
        return all(c.at < self.durable(self.sync_folder.get(folder, []), cut) for folder in folders)

    def unsynced(self, cut, below):
        """The place of the oldest write below a directory that no sync made durable before the cut, and how many seconds old
        it is then; the cut itself and 0: there is none."""
        for c in self.changes[:bisect.bisect_left(self.changes, cut, key=lambda c: c.at)]:
            if c.kind == WRITE and c.path.startswith(below) and not self.is_durable(c, cut):
                return c.at, (self.times[min(cut, self.count - 1)] - self.times[c.at]) / 1e9
        return cut, 0

    def leave(self, cut, chance, directory, share=None):
        """Writes into an empty directory what a cut before the record `cut` may leave. share, if it is given: of what was not
        synced; 0: what is left then is all that can be relied on. Answers how it was chosen."""
        shares = (0, 0, 0.1, 0.5, 0.9, 1)  # of what was not synced
        each, in_order = (chance.random() < 0.5 and share is None for _ in range(2))
        share = chance.choice(shares) if share is None else share
        of_file = collections.defaultdict(lambda: chance.choice(shares) if each else share)
        names, written = dict(self.names), collections.defaultdict(list)
        done = self.changes[:bisect.bisect_left(self.changes, cut, key=lambda c: c.at)]
        open_names = [c.at for c in done if c.kind in NAMES and not self.is_durable(c, cut)]
        last = chance.choice(open_names) if open_names and share < 1 else cut  # names in order: up to this one
        for c in done:
            durable = self.is_durable(c, cut)
            if c.kind not in NAMES:
                if c.kind == WRITE and not durable and of_file[c.file] < 1:
                    written[c.file] += self.torn(c, of_file[c.file], chance)
                elif durable or chance.random() < of_file[c.file]:
                    written[c.file].append(c)
            elif durable or (c.at <= last if in_order else chance.random() < share):
                self.apply(names, c)
        self.build(names, written, directory)
        claim(directory)
        return f"share={'of each file' if each else share} {'in order' if in_order else 'any order'}"

    def choose(self, chance, first=0):
        """A place for a cut: anywhere, or right behind what changes names or LevelDB's files, or a sync."""
        near = self.places[bisect.bisect_left(self.places, first):]
        if near and chance.random() < 0.5:
            return min(chance.choice(near) + chance.randrange(3), self.count)
        return chance.randint(first, self.count)

    def apply(self, names, c):
        """What a change that is on the disk does there. Nothing was put into a directory that is not there: what was to be
        moved to it is at its old place."""
        what, parent = self.moved.get(c.at), os.path.dirname(c.other or c.path)
        if c.kind != UNLINK and parent and names.get(parent) is not self.folder:
            return
        if c.kind in (RENAME, LINK) and what not in (None, self.folder):
            if c.kind == RENAME and names.get(c.path) == what:
                del names[c.path]
            names[c.other] = what
        elif c.kind == UNLINK and names.get(c.path) is self.folder and any(n.startswith(c.path + "/") for n in names):
            return  # what is in it was not removed
        else:
            self.follow(names, c)

    @staticmethod
    def torn(c, share, chance):
        """Those pages of a write that reached the disk."""
        at, end, kept = c.offset, c.offset + len(c.bytes), []
        whole = len(c.bytes) > 64 * PAGE
        while at < end:
            until = end if whole and chance.random() < 0.9 else min(end, (at // PAGE + 1) * PAGE)
            if chance.random() < share:
                whole_until = until if chance.random() < 0.95 else max(at, until // SECTOR * SECTOR - SECTOR)
                kept.append(c._replace(offset=at, bytes=c.bytes[at - c.offset:whole_until - c.offset]))
            elif chance.random() < 0.3:  # its place in the file is there, its bytes are not
                kept.append(c._replace(kind=GROW, offset=until, bytes=b""))
            at = until
        return kept

    def build(self, names, written, directory):
        paths = {}
        for name in sorted(names, key=lambda name: (name.count("/"), name)):
            parent = os.path.dirname(name)
            if name and parent and names.get(parent) is not self.folder:
                continue  # nobody can get there
            full = os.path.join(directory, name)
            what = names[name]
            if name and parent and not os.path.isdir(os.path.dirname(full)):
                continue
            if what is self.folder:
                os.makedirs(full, exist_ok=True)
            elif what in paths:
                os.link(paths[what], full)
            else:
                with open(full, "wb") as file:
                    self.fill(file, self.content.get(what, b""), written[what])
                paths[what] = full

    @staticmethod
    def fill(file, content, changes):
        file.write(content)
        for c in changes:
            if c.kind == WRITE:
                file.seek(c.offset)
                file.write(c.bytes)
            elif c.kind == CUT:
                file.truncate(c.offset)
            elif file.seek(0, os.SEEK_END) < c.offset:
                file.truncate(c.offset)
