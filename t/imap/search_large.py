"""search_large.py - SEARCH through the text of a large mailbox: others are served meanwhile, in the same worker, and what
they change under it does not disturb its numbers (RFC 3501, 5.5 and 7.4.1)."""

import os
import socket

import tap
from mail import append, done, imap_session
from postern import PASSWORD, Server

DOUBLINGS = 9
TEXT = b"\r\n".join(b"some words of line %d, and no more of them than that" % line for line in range(200)) + b"\r\n"
MESSAGES = [b"Subject: number %d\r\n\r\n" % number + TEXT for number in range(16)]
COUNT = len(MESSAGES) << DOUBLINGS
ANSWER_S = 120


class Wire:
    """A session that sends without waiting for answers."""

    def __init__(self, server):
        self.socket = socket.create_connection((server.host, server.ports["imap"]), timeout=ANSWER_S)
        self.lines = self.socket.makefile("rb")
        self.lines.readline()
        self.send(f"l LOGIN test0000 {PASSWORD}", "s SELECT INBOX")
        self.until(b"s OK")

    def send(self, *commands):
        self.socket.sendall("".join(command + "\r\n" for command in commands).encode())

    def until(self, begin):
        """The lines before the one that begins so, and that."""
        found = []
        while not found or not found[-1].startswith(begin):
            found.append(self.lines.readline())
            assert found[-1], f"the end came before {begin}"
        return found

    def has(self, word):
        """Whether that has come by now."""
        self.socket.setblocking(False)
        try:
            return word in self.socket.recv(1 << 16, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        finally:
            self.socket.settimeout(ANSWER_S)


def found_in(lines):
    return [set(map(int, line.split()[2:])) for line in lines if line.startswith(b"* SEARCH")]


with Server(users=1, workers=1) as server:
    append(server, "test0000", MESSAGES)
    with imap_session(server, "test0000") as imap:
        for _ in range(DOUBLINGS):
            done(imap.copy("1:*", "INBOX"))
            done(imap.noop())
        with tap.test(f"{COUNT} messages, and a header is found in each that has it"):
            assert done(imap.search(None, "SUBJECT", '"number 7"'))[0].split() == [
                b"%d" % number for number in range(8, COUNT + 1, len(MESSAGES))]
            assert done(imap.search(None, "NOT", "BODY", '"line 199"')) == [b""]

        with tap.test("also when nothing of it is in memory"):
            with open(server.mailbox_file("test0000"), "rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            assert done(imap.search(None, "TEXT", '"number 11"'))[0].split() == [
                b"%d" % number for number in range(12, COUNT + 1, len(MESSAGES))]

        searching = Wire(server)
        with tap.test("others are served while it goes on"):
            searching.send("a SEARCH BODY nowhere")
            served = 0
            while not searching.has(b"a OK"):
                done(imap.noop())
                served += 1
            assert served >= 2, served
            assert found_in(searching.until(b"a OK")) == [set()]

        with tap.test("what is expunged meanwhile is found or not, and the numbers are those from before"):
            gone = set(range(1, COUNT, 3))
            stay = set(range(1, COUNT + 1)) - gone
            done(imap.store(",".join(map(str, sorted(gone))), "+FLAGS.SILENT", r"(\Deleted)"))
            searching.send('b SEARCH BODY words', 'c SEARCH UNDELETED BODY "line 7"', 'd UID SEARCH TEXT words',
                           'e SEARCH BODY words')
            done(imap.expunge())
            before = searching.until(b"c OK")
            assert not any(b"EXPUNGE" in line for line in before), "EXPUNGE came before its time"
            first, second = found_in(before)
            assert stay <= first <= stay | gone and second == stay
            uids = searching.until(b"d OK")
            assert stay <= found_in(uids)[0] <= stay | gone
            searching.send("f NOOP", "g SEARCH ALL")
            left = list(range(1, COUNT + 1))
            for line in uids + searching.until(b"e OK") + searching.until(b"f OK"):
                if b"EXPUNGE" in line:
                    del left[int(line.split()[1]) - 1]
            assert set(left) == stay
            assert found_in(searching.until(b"g OK"))[0] == set(range(1, len(stay) + 1))
tap.done()
