"""measure.py - what a server's processes cost: processor time and memory, read from /proc; and what its files take.

A server is its leader (a process id) and everything that descends from it. Processor time counts children that have
ended, too: who waits for them takes over their time. Memory is PSS: a page that many processes map counts once.
"""

import os
import time

from unpacked import family, stat_fields

TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(leaders):
    """Processor time of the servers so far, user and system, with that of children that have ended."""
    ticks = 0
    for leader in leaders:
        for pid in family(leader):
            if fields := stat_fields(pid):
                ticks += sum(int(field) for field in fields[11:15])  # utime, stime, cutime, cstime
    return ticks / TICK


def pss_kib(leaders):
    """Proportional set size of all the servers' processes."""
    total = 0
    for leader in leaders:
        for pid in family(leader):
            try:
                with open(f"/proc/{pid}/smaps_rollup") as rollup:
                    total += sum(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended, or is ending
    return total


def settle(leaders, quiet_s=2, limit_s=90):
    """Waits until the servers have done what they had put off: until they take hardly any time for a while."""
    end = time.monotonic() + limit_s
    before, quiet = cpu_seconds(leaders), 0
    while quiet < quiet_s and time.monotonic() < end:
        time.sleep(0.5)
        now = cpu_seconds(leaders)
        quiet = quiet + 0.5 if now - before <= 0.02 else 0
        before = now


def disk_bytes(folders):
    """What files and folders take of the disk."""
    return sum(os.lstat(os.path.join(at, name)).st_blocks * 512
               for folder in folders for at, below, files in os.walk(folder) for name in files + below)
