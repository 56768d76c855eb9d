"""terminal.py - drives a program that wants a terminal, in tmux, and sees its screen as a person would.

    with Terminal(["mutt", ...], {"HOME": folder}) as terminal:
        terminal.see("Inbox")
        terminal.type("q")
"""

import os
import subprocess
import tempfile
import time

ROWS, COLUMNS = 40, 120
LOOK_S = 0.05


class Terminal:
    """One program on a screen of its own."""

    def __init__(self, words, env, seconds=60):
        self.seconds = seconds
        self.folder = tempfile.TemporaryDirectory(prefix="terminal-")
        env = {"LANG": "C.UTF-8", "TERM": "screen", **env}
        settings = [word for name, value in env.items() for word in ("-e", f"{name}={value}")]
        self.tmux("-f", "/dev/null", "start-server", ";", "set", "-g", "remain-on-exit", "on", ";", "new-session", "-d",
                  "-x", str(COLUMNS), "-y", str(ROWS), *settings, "--", *words)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tmux("kill-server")
        self.folder.cleanup()

    def tmux(self, *words):
        # A variable of a tmux or terminal that we are in ourselves means nothing here.
        env = {name: value for name, value in os.environ.items() if name not in ("TMUX", "TMUX_PANE")}
        return subprocess.run(["tmux", "-S", f"{self.folder.name}/socket", *words], check=True, capture_output=True,
                              text=True, timeout=60, env={**env, "LANG": "C.UTF-8"}).stdout

    def screen(self):
        return self.tmux("capture-pane", "-p")

    def wait(self, good, what):
        end = time.monotonic() + self.seconds
        while not good():
            assert time.monotonic() < end and not self.ended(), f"no {what} on this screen:\n{self.screen()}"
            time.sleep(LOOK_S)

    def see(self, *texts):
        """Waits until the screen shows all of these texts."""
        for text in texts:
            self.wait(lambda: text in self.screen(), repr(text))

    def type(self, keys):
        keys = keys.replace("\n", "\r")
        self.tmux("send-keys", "-l", "--", keys[:-1] + r"\;" if keys.endswith(";") else keys)

    def ended(self):
        return self.tmux("display", "-p", "#{pane_dead}").strip() == "1"

    def end(self):
        """Waits for the program's end."""
        end = time.monotonic() + self.seconds
        while not self.ended():
            assert time.monotonic() < end, f"it does not end, with this screen:\n{self.screen()}"
            time.sleep(LOOK_S)


def drive(words, env, steps, seconds=60):
    """Runs a program; for each (text, keys) waits until the screen shows the text, then types the keys; then waits for
    its end. AssertionError tells how far it got."""
    with Terminal(words, env, seconds) as terminal:
        for text, keys in steps:
            terminal.see(text)
            terminal.type(keys)
        terminal.end()
