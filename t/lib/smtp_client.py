"""smtp_client.py - a client of SMTP and LMTP that says what a test wants, reply by reply.

    client = Client(server, "submission", "test0000")
    assert client.send(b"<test0000@example.test>", [b"<b@far.test> NOTIFY=NEVER"]) == 250
"""

import base64
import re
import socket

from postern import PASSWORD

MESSAGE = b"From: a@example.test\r\nDate: now\r\nMessage-ID: <1@x.test>\r\nSubject: s\r\n\r\ntext\r\n"


class Client:
    """A connection, reply by reply."""

    def __init__(self, server, role="smtp", account=None, source="127.0.0.1"):
        self.socket = socket.create_connection((server.host, server.ports[role]), 60, (source, 0))
        self.lines = self.socket.makefile("rb")
        self.reply()
        assert self.ask(b"LHLO client.test" if role == "lmtp" else b"EHLO client.test") == 250
        if account:
            login = base64.b64encode(f"\0{server.address(account)}\0{PASSWORD}".encode())
            assert self.ask(b"AUTH PLAIN " + login) == 235

    def reply(self):
        while True:
            self.line = self.lines.readline()
            assert re.match(rb"\d{3}[ -]", self.line), self.line
            if self.line[3:4] == b" ":
                return int(self.line[:3])

    def ask(self, command):
        self.socket.sendall(command + b"\r\n")
        return self.reply()

    def send(self, sender, recipients, text=MESSAGE):
        """sender and recipients with their parameters; answers the reply to the message."""
        for command in [b"MAIL FROM:" + sender] + [b"RCPT TO:" + each for each in recipients] + [b"DATA"]:
            assert self.ask(command) in (250, 354), (command, self.line)
        self.socket.sendall(text + b".\r\n")
        return self.reply()
