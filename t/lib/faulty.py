"""faulty.py - a disk that fails, stalls, or ends who uses it, as a test says: the rules that t/crash/disk.c reads.

    with Server(...) as server:
        faulty = start_on(server)         # the server is started anew on such a disk
        faulty.set([rule([power.SYNC], errno.EIO, every=3, path="journal/")])
        ...
        faulty.hits()
        faulty.set([])
"""

import mmap
import os
import struct

import power
from ledger import disk

RULE = struct.Struct("=IiIIIIIII100sII")
HOLD = struct.Struct("=II")  # at the end of a rule
RULES = 16
OPEN, READ = 11, 12  # kinds besides those of power.py
BEFORE, AFTER = 1, 2
MAKING = (power.WRITE, power.CREATE, power.DIRECTORY, power.GROW)
CHANGING = (*MAKING, power.CUT, power.RENAME, power.LINK, power.UNLINK, power.SYNC, power.SYNC_ALL)


def rule(kinds, number=0, every=1, slow_ms=0, short_by=0, die=0, once=False, path="", hold=False):
    """One call in `every`, of these kinds, on a path that holds this one, fails with this errno, or ends its process BEFORE
    or AFTER it is made, or does not begin until Disk.let_go."""
    return RULE.pack(sum(1 << kind for kind in kinds), number, every, slow_ms, short_by, once, die, 0, 0, path.encode(),
                     hold, 0)


class Disk:
    def __init__(self, path):
        with open(path, "wb") as file:
            file.write(bytes(RULE.size * RULES))
        os.chmod(path, 0o666)
        self.file = open(path, "r+b")
        self.map = mmap.mmap(self.file.fileno(), 0)

    def set(self, rules):
        self.map[:] = b"".join(rules).ljust(RULE.size * RULES, b"\0")

    def counts(self, place=0):
        """(calls, hits) of one rule."""
        return RULE.unpack_from(self.map, place * RULE.size)[7:9]

    def held(self, place=0):
        """Calls that one rule holds now."""
        return HOLD.unpack_from(self.map, (place + 1) * RULE.size - HOLD.size)[1]

    def let_go(self, place=0):
        self.map[(place + 1) * RULE.size - HOLD.size:(place + 1) * RULE.size - HOLD.size + 4] = bytes(4)

    def hits(self):
        return sum(self.counts(place)[1] for place in range(RULES))


def environment(server):
    return {"LD_PRELOAD": disk(), "DISK_BELOW": server.store, "DISK_FAULTS": server.path("faults")}


def start(server):
    """A server that does not run is started on such a disk."""
    faulty = environment(server)
    os.environ.update(faulty)
    try:
        server.start()
    finally:
        for name in faulty:
            del os.environ[name]


def start_on(server):
    server.stop()
    faulty = Disk(server.path("faults"))
    start(server)
    return faulty
