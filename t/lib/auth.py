"""auth.py - AUTH in SMTP and POP3 and AUTHENTICATE in IMAP, message by message, over a socket or openssl's s_client.

    with Auth(server, "imaps") as auth:
        challenge = auth.begin("PLAIN")             # bytes; with initial=bytes, what comes after it
        outcome = auth.say(b"\\0alice\\0secret")      # bytes while the server asks on, in the end an Outcome

With exporter=True the channel binding tls-exporter is in auth.binding, which Python's ssl cannot tell.
"""

import base64
import contextlib
import re
import socket
import subprocess

from mail import tls

PATIENCE_S = 60
DIALECTS = {
    "smtp": (r"334 (.*)", r"235 ", b"AUTH %b", r"[245]\d\d .*"),
    "imap": (r"\+ (.*)", r"a OK ", b"a AUTHENTICATE %b", r"a (OK|NO|BAD) .*"),
    "pop3": (r"\+ (.*)", r"\+OK ", b"AUTH %b", r"(\+OK|-ERR) .*"),
}


class Outcome(str):
    """The server's last word on an exchange; true if that is a welcome."""

    def __new__(cls, line, good):
        self = super().__new__(cls, line)
        self.good = good
        return self

    def __bool__(self):
        return self.good


class Auth:
    def __init__(self, server, role, exporter=False, certificate=None):
        self.dialect = "smtp" if role.startswith("submission") else role.rstrip("s") if role != "smtps" else "smtp"
        self.process = None
        if exporter:
            self.open_s_client(server, role)
        else:
            sock = socket.create_connection(("localhost", server.ports[role]), timeout=PATIENCE_S)
            if role.endswith("s"):
                context = tls(server)
                if certificate:
                    context.load_cert_chain(*certificate)
                sock = context.wrap_socket(sock, server_hostname="localhost")
            self.input = self.output = sock.makefile("rwb")
            self.socket = sock
        self.wait({"smtp": r"220 ", "imap": r"\* OK", "pop3": r"\+OK"}[self.dialect])
        self.offers = self.capabilities()

    def open_s_client(self, server, role):
        self.process = subprocess.Popen(
            ["openssl", "s_client", "-connect", f"localhost:{server.ports[role]}", "-CAfile", server.certificate,
             "-ign_eof", "-keymatexport", "EXPORTER-Channel-Binding", "-keymatexportlen", "32"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.input, self.output = self.process.stdout, self.process.stdin
        self.binding = bytes.fromhex(self.wait(r"    Keying material: ([0-9A-F]+)")[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.kill()
            self.process.communicate()
        else:
            with contextlib.suppress(OSError, ValueError):
                self.leave()
            self.input.close()
            self.socket.close()

    def leave(self):
        """A maildrop is the session's until that has ended, which the server learns a moment after a close."""
        if self.dialect == "pop3":
            self.send(b"QUIT")
            while self.input.readline():
                pass

    def send(self, line):
        self.output.write(line + b"\r\n")
        self.output.flush()

    def wait(self, pattern):
        """The match of the next line that has one; s_client puts words of its own between."""
        while line := self.input.readline():
            if found := re.match(pattern, line.decode(errors="replace").rstrip("\r\n")):
                return found
        raise EOFError(f"the server closed before it said {pattern}")

    def capabilities(self):
        self.send({"smtp": b"EHLO client.test", "imap": b"z CAPABILITY", "pop3": b"CAPA"}[self.dialect])
        said = []
        while not re.match({"smtp": "250 ", "imap": "z OK", "pop3": r"\.$"}[self.dialect], said[-1] if said else ""):
            said.append(self.wait(r".*")[0])
        words = {"smtp": r"250-AUTH (.*)", "imap": r"\* CAPABILITY (.*)", "pop3": r"SASL (.*)"}[self.dialect]
        found = next((match for line in said if (match := re.match(words, line))), None)
        return [word.removeprefix("AUTH=") for word in found[1].split()] if found else []

    def reply(self):
        challenge, good, _, outcome = DIALECTS[self.dialect]
        found = self.wait(f"{challenge}$|{outcome}")
        if asked := re.fullmatch(challenge, found[0]):
            return base64.b64decode(asked[1], validate=True)
        return Outcome(found[0], bool(re.match(good, found[0])))

    def begin(self, mechanism, initial=None):
        line = DIALECTS[self.dialect][2] % mechanism.encode()
        self.send(line if initial is None else line + b" " + (base64.b64encode(initial) or b"="))
        return self.reply()

    def say(self, message):
        self.send(base64.b64encode(message))
        return self.reply()

    def cancel(self):
        self.send(b"*")
        return self.reply()
