"""owner.py - a call whose owner dies under it is tried once more, then fails for now, and the message waits; it cannot kill
for ever.

A worker is held (SIGSTOP) so that a message for an account of its own waits in its ring; then it is killed.
"""

import os
import signal
import socket
import time

import tap
from mail import SENDER, texts
from postern import Server, is_gone, wait_until

SHORT_S = 0.3  # an answer that has not come by then waits for the held worker
BACK_S = 60
LIVED_S = 3.5  # a worker that lived so long is followed at once; others wait longer with each death
TRIES = 20  # for a new life to be held before it answers


class Smtp:
    """One session, up to the reply to the end of its message."""

    def __init__(self, server):
        self.socket = socket.create_connection((server.host, server.ports["smtp"]), timeout=BACK_S)
        self.lines = self.socket.makefile("rb")
        self.reply()

    def reply(self):
        while (line := self.lines.readline())[3:4] == b"-":
            pass
        return line.decode()

    def say(self, text):
        self.socket.sendall(text.encode() + b"\r\n")
        return self.reply()

    def waits(self, text):
        """Whether no reply comes to this."""
        self.socket.sendall(text.encode() + b"\r\n")
        self.socket.settimeout(SHORT_S)
        try:
            return not self.socket.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(BACK_S)

    def open(self, address):
        self.say("EHLO client.example.test")
        self.say(f"MAIL FROM:<{SENDER}>")
        return f"RCPT TO:<{address}>"

    def close(self):
        self.lines.close()
        self.socket.close()


class Held:
    """A worker that does nothing while this lasts."""

    def __init__(self, pid):
        self.pid = pid

    def __enter__(self):
        os.kill(self.pid, signal.SIGSTOP)

    def __exit__(self, *_):
        if not is_gone(self.pid):
            os.kill(self.pid, signal.SIGCONT)


def account_of(server, worker):
    """An account that this worker owns: what concerns it waits while the worker is held."""
    for number in range(server.options["users"]):
        with Held(worker):
            smtp = Smtp(server)
            waits = smtp.waits(smtp.open(server.address(f"test{number:04}")))
        smtp.close()
        if waits:
            return f"test{number:04}"
    raise AssertionError("the worker owns no account")


def send_to_held(server, account, worker, name):
    """A session with another worker, whose message waits for this one, which is held from now on."""
    with Held(worker):
        smtp = Smtp(server)  # taken by who is not held
        rcpt = smtp.open(server.address(account))
    assert smtp.say(rcpt).startswith("250")
    assert smtp.say("DATA").startswith("354")
    os.kill(worker, signal.SIGSTOP)
    assert smtp.waits(f"Subject: {name}\r\n\r\ntext\r\n."), "it was answered without its owner"
    return smtp


def kill(server, worker):
    """Kills a worker and answers who follows it, as soon as it is there."""
    others = set(server.workers())
    os.kill(worker, signal.SIGKILL)
    end = time.monotonic() + BACK_S
    while not (new := set(server.workers()) - others):
        assert time.monotonic() < end, "nobody follows a killed worker"
    return new.pop()


def count(server, account, name):
    return sum(text.count(f"Subject: {name}\r\n".encode()) for text in texts(server, account))


def killed_twice(server, account, worker, name):
    """The reply to a message whose owner was killed twice, or once when its next life was too quick."""
    smtp = send_to_held(server, account, worker, name)
    second = kill(server, worker)
    os.kill(second, signal.SIGSTOP)
    third = kill(server, second)
    reply = smtp.reply()
    smtp.close()
    server.wait_ready()
    return reply, third


def main():
    with Server(users=20, workers=2) as server:
        worker = server.workers()[0]
        account = account_of(server, worker)

        with tap.test("a message waiting for an owner that dies is given to its next life, once"):
            smtp = send_to_held(server, account, worker, "once")
            worker = kill(server, worker)
            reply = smtp.reply()
            assert reply.startswith("250"), reply
            smtp.close()
            server.wait_ready()
            assert count(server, account, "once") == 1

        with tap.test("one whose owner dies twice under it waits in the queue until a third lives"):
            for number in range(TRIES):
                time.sleep(LIVED_S)
                reply, worker = killed_twice(server, account, worker, f"twice {number}")
                assert reply.startswith("250"), reply
                wait_until(lambda: count(server, account, f"twice {number}"), BACK_S, "the message")
                assert count(server, account, f"twice {number}") == 1
                if " taken " in reply:
                    break
            else:
                raise AssertionError("no second life was caught before its answer")

        with tap.test("a worker that stands still is ended, and its mail goes on"):
            smtp = send_to_held(server, account, worker, "still")
            wait_until(lambda: is_gone(worker), BACK_S, "the end of a worker that stands still")
            reply = smtp.reply()
            assert reply.startswith("250"), reply
            smtp.close()
            assert count(server, account, "still") == 1
    tap.done()


if __name__ == "__main__":
    main()
