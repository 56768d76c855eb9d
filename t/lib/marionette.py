"""marionette.py - drives Thunderbird from inside, by the remote control that it has for tests.

Marionette is a TCP port; what goes over it is JSON behind its length and a colon: [0, id, command, parameters] and
[1, id, error, result].
"""

import json
import os
import signal
import socket
import subprocess

from postern import wait_until

START_S = 200  # a first start on a busy machine


class Thunderbird:
    """One Thunderbird without a window. `library` is JavaScript that every script begins with."""

    def __init__(self, folder, settings, library):
        self.library = library
        self.number = 0
        profile = os.path.join(folder, "profile")
        os.mkdir(profile)
        with open(f"{profile}/user.js", "w") as file:
            file.writelines(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
                            for name, value in {**settings, "marionette.port": 0}.items())
        with open(f"{folder}/log", "wb") as log:
            self.process = subprocess.Popen(["thunderbird", "--headless", "--marionette", "--remote-allow-system-access",
                                             "--no-remote", "--profile", profile], start_new_session=True, stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL, env={**os.environ, "HOME": folder})
        try:
            self.connect(f"{profile}/MarionetteActivePort", f"{folder}/log")
        except BaseException:
            self.end()
            raise

    def connect(self, port_file, log):
        wait_until(lambda: os.path.exists(port_file) or self.process.poll() is not None, START_S, "Thunderbird's start")
        if self.process.poll() is not None:
            with open(log, errors="replace") as file:
                raise AssertionError(f"Thunderbird ended with status {self.process.returncode}:\n{file.read()[-2000:]}")
        with open(port_file) as file:
            self.socket = socket.create_connection(("127.0.0.1", int(file.read())), timeout=START_S)
        self.stream = self.socket.makefile("rb")
        self.receive()  # what it says first
        self.command("WebDriver:NewSession", capabilities={"alwaysMatch": {"unhandledPromptBehavior": "ignore"}})
        self.command("Marionette:SetContext", value="chrome")
        self.command("WebDriver:SetTimeouts", script=100_000)

    def receive(self):
        length = b""
        while not length.endswith(b":"):
            byte = self.stream.read(1)
            assert byte, "Thunderbird has gone"
            length += byte
        return json.loads(self.stream.read(int(length[:-1])))

    def command(self, name, **parameters):
        self.number += 1
        text = json.dumps([0, self.number, name, parameters]).encode()
        self.socket.sendall(b"%d:%s" % (len(text), text))
        _, _, error, result = self.receive()
        assert not error, f"{error['message']}\n{error.get('stacktrace', '')}"
        return result

    def run(self, script, *args):
        """Runs the body of an async function; `args` is there as arguments. Answers what it returns."""
        whole = f"return (async (...args) => {{ {self.library}\n{script} }})(...arguments)"
        return self.command("WebDriver:ExecuteScript", script=whole, args=list(args), newSandbox=True)["value"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
