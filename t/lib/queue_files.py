"""queue_files.py - what a scratch server's queue holds, read from its files as anybody could (storage/queue/queue.h).

    entry, = queue_files.Watch(server).new(1)
    entry.envelope["sender"], entry.recipients[0]["address"], entry.message
"""

import glob
import re
import urllib.parse

from postern import wait_until

WAIT_S = 60
HEAD = re.compile(rb"From [^\n]*\nX-Postern-Queue: 1 (\S+) bytes=(\d+) stored=(\d+) [^\n]*\n")


def words(line):
    return {key: urllib.parse.unquote_to_bytes(value).decode("utf-8", "surrogateescape")
            for key, _, value in (word.partition("=") for word in line.decode("utf-8", "surrogateescape").split(" "))}


class Entry:
    """A message with its envelope, as it was put; what became of it since is not looked at."""

    def __init__(self, id_, envelope, message):
        self.id, self.message = id_, message
        lines = envelope.split(b"\n")
        assert lines.pop() == b"" and all(re.match(rb"X-Postern-(Envelope|To): ", line) for line in lines), envelope
        self.envelope = {}
        self.recipients = []
        for line in lines:
            name, _, value = line.partition(b": ")
            if name == b"X-Postern-Envelope":
                self.envelope.update(words(value))
            else:
                self.recipients.append(words(value))

    def __repr__(self):
        return f"<{self.id} {self.envelope} to {self.recipients}>"

    @property
    def header(self):
        return self.message.partition(b"\n\n")[0] + b"\n"

    def fields(self):
        """Names of the header's fields in their order."""
        return [line.partition(b":")[0].decode() for line in self.header.split(b"\n")[:-1] if line[:1] not in b" \t"]


def entries(server):
    """All messages that were put, the segments' in their order; what is not yet in the files is not among them."""
    found = []
    for path in sorted(glob.glob(f"{server.store}/queue/*/*.mbox")):
        with open(path, "rb") as file:
            data = file.read()
        at = 0
        while head := HEAD.match(data, at):
            envelope = head.end() + int(head[2])
            end = envelope + int(head[3])
            if len(data) < end:
                break
            found.append(Entry(head[1].decode(), data[head.end():envelope], data[envelope:end]))
            at = end + 1
    return found


class Watch:
    """Tells what was put since it told last: what came from outside, or what the server wrote itself (reports)."""

    def __init__(self, server, reports=False):
        self.server, self.reports, self.seen = server, reports, {entry.id for entry in entries(server)}

    def found(self):
        return [entry for entry in entries(self.server)
                if entry.id not in self.seen and ("peer" in entry.envelope) != self.reports]

    def new(self, count=1):
        """So many new ones; more are an error."""
        wait_until(lambda: len(self.found()) >= count, WAIT_S, f"{count} messages in the queue")
        put = self.found()
        assert len(put) == count, f"{len(put)} messages were put, not {count}; the last are {put[-3:]}"
        self.seen.update(entry.id for entry in put)
        return put
