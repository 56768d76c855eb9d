"""tap.py - what a test in Python needs to speak TAP, the words that prove reads.

    with tap.test("a message comes back as it went in"):
        assert fetched == sent, tap.difference(sent, fetched)

A test whose body raises has failed; done() tells the plan and ends the program.
"""

import contextlib
import os
import shutil
import sys
import traceback

count = failed = 0


def ok(good, name):
    """One test told as a condition."""
    global count, failed
    count += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {count} - {name}", flush=True)
    if not good:
        complain(f"not ok {count} - {name}")
    return good


def note(text):
    for line in str(text).splitlines() or [""]:
        print(f"# {line}", flush=True)


def complain(text):
    """What prove shows of a failed test without being asked."""
    print("".join(f"# {line}\n" for line in str(text).splitlines()), end="", file=sys.stderr, flush=True)


@contextlib.contextmanager
def test(name):
    """One test told as a body."""
    try:
        yield
    except Exception:  # whatever it is, it is this test's failure, and the next one's turn
        ok(False, name)
        complain(traceback.format_exc())
    else:
        ok(True, name)


def done():
    print(f"1..{count}", flush=True)
    sys.exit(1 if failed else 0)


def need(*programs):
    """Programs without which nothing here can be tested; make check installs them."""
    if missing := [program for program in programs if not shutil.which(program)]:
        print(f"1..0 # SKIP without {', '.join(missing)}")
        sys.exit(0)


def difference(want, got, around=60):
    """Where two byte strings part, in words."""
    at = len(os.path.commonprefix([want, got]))
    start = max(0, at - around // 2)
    return (f"differ at byte {at} of {len(want)} and {len(got)}: want {want[start:at + around]!r}, "
            f"got {got[start:at + around]!r}")
