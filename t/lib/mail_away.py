"""mail_away.py - mail that leaves while its server is killed: who sends it, where it goes, and a ledger per recipient.

    far = [Wavering("far0", chance), ...]       # their settings() are the server's
    sender = Sender(server, number, far, chance)    # a thread; submits for test<number> until it is stopped
    lost, twice, why = audit(server, [sender], far, kills)    # when nothing waits any more, and all has stopped

Each recipient of an acknowledged message was sent it, or its sender has it back: one or the other, never both. It was sent
twice only if the answer to the first was never read: the destination's kernel saw the connection reset, as Linux does when a
process ends with input that it did not read (Session.was_read of smtp_sink.py). The server takes an answer off its socket
only after it has noted it (storage/queue/answers.h), so this has no exception.
"""

import collections
import re
import smtplib
import threading

from mail import fetch_all
from sending import Far, submission

ID = re.compile(rb"X-Load-Id: (\S+)\r\n")
REFUSED = "550 5.1.1 nobody"


def make_message(name, chance):
    filling = "x" * 70 + "\r\n"
    return (f"From: test0000@example.test\r\nTo: a@far.test\r\nSubject: load\r\nX-Load-Id: {name}\r\n\r\n"
            + filling * chance.choice((1, 10, 100, 500))).encode()


class Sender(threading.Thread):
    """Submits for ever, whatever happens to the server; its account gets what comes back."""

    def __init__(self, server, number, far, chance, pause_s=0.02):
        super().__init__(daemon=True)
        self.server, self.account, self.far, self.chance = server, f"test{number:04}", far, chance
        self.pause_s = pause_s  # between messages, at most
        self.stopping = threading.Event()
        self.tried = {}  # id -> recipients
        self.acknowledged = set()  # (id, recipient)

    def run(self):
        while not self.stopping.is_set():
            try:
                with submission(self.server, self.account) as smtp:
                    while not self.stopping.is_set():
                        self.send(smtp)
            except (OSError, EOFError, smtplib.SMTPException):
                self.stopping.wait(0.02)

    def send(self, smtp):
        name = f"{self.account}-{len(self.tried)}"
        places = self.chance.sample(self.far, min(self.chance.choice((1, 1, 2, 4)), len(self.far)))
        recipients = [far.address(f"{local}{name}") for far in places
                      for local in self.chance.sample(("a", "b", "gone"), self.chance.choice((1, 1, 2)))]
        self.tried[name] = recipients
        refused = smtp.sendmail(self.server.address(self.account), recipients, make_message(name, self.chance))
        self.acknowledged.update((name, address) for address in recipients if address not in refused)
        self.stopping.wait(self.chance.uniform(0, self.pause_s))


class Wavering(Far):
    """A destination that goes wrong now and then, and refuses those who are gone for good."""

    def __init__(self, name, chance):
        super().__init__(name, without=chance.choice(((), ("CHUNKING",), ("PIPELINING",))))
        self.chance, self.calm = chance, False

    def chosen(self, step, whom):
        if step == "rcpt" and whom[0].startswith("gone"):
            return REFUSED
        if self.calm or self.chance.random() > 0.03:
            return None
        return {"rcpt": "450 4.2.1 later", "mail": "421 4.3.2 closing", "body": "reset", "data": "drop",
                "dot": self.chance.choice(("451 4.3.0 no room", "take", "drop"))}.get(step)


def taken_of(far):
    """{(id, recipient): [transaction]}"""
    taken = collections.defaultdict(list)
    for each in far:
        for t in each.messages:
            for address in t.taken:
                taken[ID.search(t.content)[1].decode(), address].append(t)
    return taken


def returned_to(server, sender):
    """{(id, recipient): how often} of the reports in a sender's INBOX."""
    returned = collections.Counter()
    for _, _, text in fetch_all(server, sender.account):
        name = ID.search(text)[1].decode()
        failed = re.findall(rb"Final-Recipient: *[^;]*; *(\S+)\r\n(?:(?!\r\n).*\r\n)*?Action: *failed", text)
        returned.update((name, address.decode()) for address in failed)
    return returned


def audit(server, senders, far, kills):
    """What is lost, what is there too often, and how many came twice for which reason."""
    taken, lost, wrong, twice = taken_of(far), [], [], collections.Counter()
    for sender in senders:
        returned = returned_to(server, sender)
        for name, address in ((name, address) for name in sender.tried for address in sender.tried[name]):
            sent, back = taken[name, address], returned[name, address]
            if (name, address) in sender.acknowledged and not sent and not back:
                lost.append(f"{name} to {address} is lost")
            if sent and back:
                wrong.append(f"{name} to {address} was sent and came back, too")
            if back > 1:
                wrong.append(f"{name} to {address} came back {back} times")
            for first in sent[:-1]:
                twice["read" if first.read else "answer not read" if first.replies else "never answered"] += 1
                if first.read:
                    wrong.append(f"{name} to {address} was sent {len(sent)} times, though its answer was read; kills "
                                 f"came {[round(at - first.at, 2) for at in kills if abs(at - first.at) < 5]} s later")
    return lost, wrong, twice
