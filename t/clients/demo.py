"""demo.py - the commands that make run prints work when they are pasted."""

import os
import re
import shlex
import signal
import subprocess
import tempfile

import tap
import terminal
from postern import TOP, Server, free_base_port

tap.need("swaks", "curl", "mutt", "tmux")


def commands(text):
    """The printed commands: what is indented, lines that end in a backslash joined with the next."""
    return re.findall(r"^  (\S+ .*)$", text.replace("\\\n", ""), re.MULTILINE)


def paste(command):
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, cwd=TOP,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


with tempfile.TemporaryDirectory() as top:
    os.chmod(top, 0o755)
    demo = subprocess.Popen([f"{TOP}/t/demo", f"{top}/demo", str(free_base_port())], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True, start_new_session=True, cwd=TOP)
    try:
        said = ""
        while not said.endswith("Stop: Ctrl-C\n"):
            line = demo.stdout.readline()
            assert line, f"it ended, having said {said}"
            said += line
        swaks, smtp, imap, pop3, mutt, status = commands(said)
        with tap.test("both ways to send"):
            paste(swaks)
            paste(smtp)
        with tap.test("both ways to read"):
            assert "It runs." in paste(imap) and "It runs." in paste(pop3)
        with tap.test("mutt"):
            words = shlex.split(mutt)
            terminal.drive([*words[:1], "-e", "set folder=/ quit=yes", *words[1:]], {"HOME": top},
                           [("Hello", "\n"), ("It runs.", "qq")])
        with tap.test("status"):
            assert "serving" in paste(status)
        with tap.test("Ctrl-C ends it"):
            os.killpg(demo.pid, signal.SIGINT)
            assert demo.wait(60) == 0, demo.returncode
    finally:
        Server(f"{top}/demo").kill()
        demo.kill()
        demo.wait()
tap.done()
