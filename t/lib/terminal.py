"""terminal.py - drives a program that wants a terminal."""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time

ROWS, COLUMNS = 40, 120


def drive(words, env, steps, seconds=60):
    """Runs a program; for each (text, keys) waits until it shows the text, then types the keys; then waits for its end.
    A program that does not get that far in time is killed; AssertionError tells how far it got."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(words[0], words, {**os.environ, "TERM": "xterm", "LANG": "C.UTF-8", **env})
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    shown, since, waiting, end = b"", 0, list(steps), time.monotonic() + seconds
    ended = False
    while not ended and select.select([terminal], [], [], max(0, end - time.monotonic()))[0]:
        try:
            shown += os.read(terminal, 65536)
        except OSError:  # the other side is closed
            ended = True
        while waiting and waiting[0][0].encode() in shown[since:]:
            since = len(shown)
            os.write(terminal, waiting.pop(0)[1].encode())
    if not ended:
        os.kill(pid, signal.SIGKILL)
    os.close(terminal)
    os.waitpid(pid, 0)
    text = shown.decode(errors="replace")
    assert ended and not waiting, f"it {'ended' if ended else 'hung'} before {waiting[:1]}, having shown at last {text[-500:]!r}"
