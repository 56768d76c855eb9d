"""smtp_sink.py - a destination for mail: takes it by SMTP or LMTP, remembers all, and does wrong on demand.

    with Sink() as sink:                       # 127.0.0.1 and a free port; Sink("127.0.0.7", port) for another
        server = Server(smarthost=sink.place)  # "127.0.0.1:10025"
        sink.fault("rcpt", "450 4.2.1 not now", who="b@far.test", times=1)
        ...
        message, = sink.wait(1)                # transactions whose content it took
        assert message.sender == "test0000@example.test" and message.recipients == ["a@far.test"]
        sink.close()                           # AssertionError if the client did what no client may

It offers what Postern can use (OFFERED) less `without`, what stands in `also`, STARTTLS with a context, AUTH with users
by `mechanisms`. It is a strict
reader: whatever a client does that RFC 5321 or what was offered forbids stands in `complaints`. With lax=True content
ends as well at what careless servers take for an end (a bare LF or CR around the dot), so what was smuggled shows as
one more transaction.

A fault is of a step: connect greeting ehlo helo starttls handshake auth mail rcpt data body dot bdat rset quit.
`body` is the midst of content, `dot` the end of it (BDAT LAST, too), with LMTP once for each recipient; `who` is the
address it is for (at dot and body: a recipient of it), `times` how often it happens. What happens:

    "450 4.2.1 busy"    that reply; after 421 the connection is closed
    drop reset          the connection is closed without a reply, by FIN or RST
    take                at dot: the message is taken, the connection closed without a reply
    silence             nothing is said, nothing read, until the client goes away
    slow tarpit         the usual reply after slow_s; a byte of it every tarpit_s
    half                half of the usual reply, then the end
    garbage             what is no reply;  long: a line of 100,000 bytes;  endless: lines of one reply without end

`fill` lets the port answer nobody, `stop` closes it, `start` opens it again.
"""

import base64
import collections
import contextlib
import fcntl
import re
import select
import socket
import ssl
import struct
import subprocess
import termios
import threading
import time

from scram_server import ScramServer, spoilt

OFFERED = ("PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "CHUNKING", "BINARYMIME", "DSN", "ENHANCEDSTATUSCODES")
COMMAND_MAX, COMMAND_MORE = 512, 1500  # bytes of a line (RFC 5321, 4.5.3.1.4) and what parameters may add in all
CONTENT_LINE_MAX = 1000  # bytes of a line of content with its CRLF (4.5.3.1.6)
WAIT_S = 60  # for what is to come; a busy machine is slow
GONE_S = 600  # for a client that is silent, or that is to go away
BODY_AT = 1000  # bytes into the content at which `body` happens
NEEDS = {"SIZE": "SIZE", "BODY": "8BITMIME", "SMTPUTF8": "SMTPUTF8", "RET": "DSN", "ENVID": "DSN", "NOTIFY": "DSN",
         "ORCPT": "DSN", "AUTH": "AUTH", "BY": "DELIVERBY", "MT-PRIORITY": "MT-PRIORITY"}
# Of TCP's states as Linux numbers them: neither side has said its end; the other one did, and nothing was wrong until then.
ESTABLISHED, CLOSE_WAIT = 1, 8
STRICT_END = re.compile(rb"\r\n\.\r\n")
LAX_END = re.compile(rb"(?:\r\n|\r|\n)\.(?:\r\n|\r|\n)")


class Gone(Exception):
    """The connection is over, by either side."""


class Transaction:
    """One message as it came, or as far as it came. `taken`: the recipients that were answered 250 for its content, or
    would have been; `read`: the client's process took that answer off its socket (Session.was_read); `replies`: what was
    said at the end."""

    def __init__(self, session, sender, parameters):
        self.connection, self.tls, self.user = session.number, session.tls, session.user
        self.sender, self.parameters = sender, parameters
        self.recipients, self.recipient_parameters = [], {}
        self.content, self.chunks = b"", 0  # chunks: by BDAT, so many
        self.taken, self.replies, self.read = [], [], False
        self.began, self.at = time.monotonic(), 0.0  # at MAIL, and at the end of the content

    def __repr__(self):
        return (f"<{self.sender} {self.parameters} to {self.recipients} took {self.taken}, {len(self.content)} bytes "
                f"in connection {self.connection}, said {self.replies}>")


class Fault:
    def __init__(self, step, what, who, times):
        self.step, self.what, self.who, self.times = step, what, who, times

    def fits(self, step, whom):
        return self.step == step and self.times != 0 and (self.who is None or self.who in whom)


class Sink:
    def __init__(self, host="127.0.0.1", port=0, lmtp=False, name="sink.test", without=(), tls=None, tls_at_once=False,
                 users=None, messages_max=0, lax=False, size=50_000_000, also=(), mechanisms="PLAIN LOGIN", eager=False):
        self.host, self.port, self.lmtp, self.name, self.lax = host, port, lmtp, name, lax
        self.without, self.tls, self.tls_at_once, self.users = set(without), tls, tls_at_once, users or {}
        self.size = size  # that it says it takes
        self.also, self.mechanisms = also, mechanisms  # mechanisms: how one may log in
        self.scram = "334"  # how it proves that it knows the password: by 334, by 235, "wrong" or "never"
        self.eager, self.empty = eager, 0  # DATA is answered 354 though nobody is there to take it; what was ended so
        self.messages_max = messages_max  # in one connection; the next MAIL is answered 421
        self.slow_s, self.tarpit_s = 0.2, 1.0
        self.faults, self.transactions, self.complaints, self.sessions = [], [], [], []
        self.commands = []  # (connection, line) as they came
        self.pipelined = 0  # commands behind which more was there already
        self.most = 0  # connections open at both ends at a time
        self.changed = threading.Condition()
        self.listener = self.held = self.thread = None

    @property
    def place(self):
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    # What a test says and asks

    def fault(self, step, what, who=None, times=-1):
        with self.changed:
            self.faults.append(Fault(step, what, who, times))
        return self

    def mend(self):
        """No more faults."""
        with self.changed:
            self.faults.clear()

    def forget(self):
        """What was taken and noted until now."""
        with self.changed:
            for noted in (self.transactions, self.commands, self.complaints):
                noted.clear()

    def chosen(self, step, whom):
        with self.changed:
            for fault in self.faults:
                if fault.fits(step, whom):
                    fault.times -= fault.times > 0
                    return fault.what
        return None

    @property
    def messages(self):
        with self.changed:
            return [t for t in self.transactions if t.taken]

    def wait(self, count=1, seconds=WAIT_S):
        """The messages once they are so many."""
        self.wait_for(lambda: sum(bool(t.taken) for t in self.transactions) >= count, seconds, f"{count} messages")
        return self.messages

    def wait_messages(self, header, count=1, seconds=WAIT_S):
        """The messages with this in their content once they are so many."""
        def found():
            return [t for t in self.transactions if t.taken and header.encode() in t.content]
        self.wait_for(lambda: len(found()) >= count, seconds, f"{count} with {header}")
        return found()

    def wait_for(self, condition, seconds=WAIT_S, what="what is waited for"):
        """A condition on what is noted here, looked at whenever that changes."""
        with self.changed:
            if not self.changed.wait_for(condition, seconds):
                raise AssertionError(f"{what}: not within {seconds} s; there are {self.transactions}; the last "
                                     f"commands were {self.commands[-10:]}")

    def wait_commands(self, start, count=1, seconds=WAIT_S):
        """Commands that begin so, once they are so many."""
        def found():
            return [line for _, line in self.commands if line.upper().startswith(start.upper())]
        self.wait_for(lambda: len(found()) >= count, seconds, f"{count} of {start}")
        return found()

    def counts(self):
        """{recipient: how often its message was taken}"""
        return collections.Counter(address for t in self.messages for address in t.taken)

    def complain(self, about):
        with self.changed:
            self.complaints.append(about)

    def check(self):
        assert not self.complaints, f"{len(self.complaints)} complaints of {self.place}: {self.complaints[:5]}"

    def note(self, list_, entry):
        with self.changed:
            list_.append(entry)
            self.changed.notify_all()

    # Listening

    def bind(self):
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self.host, self.port))
        self.port = listener.getsockname()[1]
        return listener

    def start(self):
        self.listener = self.bind()
        self.listener.listen(128)
        self.thread = threading.Thread(target=self.run, args=(self.listener,), daemon=True)
        self.thread.start()
        return self

    def run(self, listener):
        while True:
            try:
                sock, peer = listener.accept()
            except OSError:
                return
            session = Session(self, sock, len(self.sessions))
            session.peer = peer
            self.most = max(self.most, 1 + sum(each.is_open() for each in self.sessions))
            session.thread = threading.Thread(target=session.run, daemon=True)
            self.note(self.sessions, session)  # before it says anything: whoever was answered finds it here
            session.thread.start()

    def stop(self):
        """Nobody listens, and open connections are broken; start goes on at the same port."""
        if self.listener:
            with contextlib.suppress(OSError):
                self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.thread.join()
            self.listener = None
        for each in self.held or ():
            each.close()
        self.held = None
        for session in self.sessions:
            session.break_off()
            session.thread.join()

    def dead(self):
        """The port is taken and closed: connections are refused. start opens it."""
        self.stop()
        self.held = [self.bind()]
        return self

    def fill(self):
        """The port answers nobody any more: its queue is full, and the system drops what comes. stop ends that."""
        self.stop()
        listener = self.bind()
        listener.listen(0)
        self.held = [listener]
        for _ in range(4):
            each = socket.socket(listener.family)
            each.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                each.connect((self.host, self.port))
            self.held.append(each)
        return self

    def close(self):
        self.stop()
        self.check()

    __enter__ = start

    def __exit__(self, kind, *_):
        self.stop()
        if kind is None:
            self.check()


class Session:
    """One connection: what is offered, said and read in it."""

    def __init__(self, sink, sock, number):
        self.sink, self.sock, self.number = sink, sock, number
        self.input = b""
        self.tls = self.greeted = False
        self.user = None
        self.offers = {}
        self.transaction = self.answered = None  # answered: its last reply may be unread
        self.taken = 0
        self.steps = {"EHLO": self.ehlo, "HELO": self.helo, "LHLO": self.ehlo, "STARTTLS": self.starttls,
                      "AUTH": self.auth, "MAIL": self.mail, "RCPT": self.rcpt, "DATA": self.data, "BDAT": self.bdat,
                      "RSET": self.rset, "NOOP": self.noop, "QUIT": self.quit}

    def run(self):
        try:
            self.sock.settimeout(GONE_S)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.talk()
        except (Gone, OSError, ssl.SSLError):
            pass
        finally:
            self.sock.close()

    def is_open(self):
        """Neither end has closed it."""
        try:
            return self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == ESTABLISHED
        except OSError:
            return False

    def talk(self):
        if self.sink.tls_at_once:
            self.shake_hands()
        self.act("connect", None)
        self.act("greeting", f"220 {self.sink.name} {'LMTP' if self.sink.lmtp else 'ESMTP'} sink")
        while True:
            self.command(self.line())

    def break_off(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    # Reading

    def more(self):
        piece = self.sock.recv(65536)
        if self.answered:
            self.answered.read = bool(piece) or self.was_read()
            self.answered = None
        if not piece:
            raise Gone
        self.input += piece

    def was_read(self):
        """At the client's end: whether all that was said had been read before. It is what the kernel knows, so it holds for
        a client that was killed, too: Linux resets a connection that is closed with input unread (RFC 2525, 2.17), and
        one to which input comes after that. An end without reset, and nothing unacknowledged, is the end of a client that
        had read all. Of a reset recv tells by itself (ConnectionResetError)."""
        while self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == CLOSE_WAIT:
            if not struct.unpack("i", fcntl.ioctl(self.sock, termios.TIOCOUTQ, b"\0\0\0\0"))[0]:
                return True
            time.sleep(0.001)
        return False

    def take(self, count):
        taken, self.input = self.input[:count], self.input[count:]
        return taken

    def line(self):
        while (end := self.input.find(b"\n")) < 0:
            if len(self.input) > COMMAND_MAX + COMMAND_MORE:
                self.complain(f"a command without end: {self.input[:100]}")
                raise Gone
            self.more()
        line = self.take(end + 1)
        if not line.endswith(b"\r\n") or b"\r" in line[:-2] or b"\0" in line:
            self.complain(f"a line that is none: {line}")
        return line.rstrip(b"\r\n").decode("utf-8", "surrogateescape")

    def complain(self, about):
        self.sink.complain(f"connection {self.number}: {about}")

    # Speaking

    def say(self, reply, pause_s=0.0):
        data = reply.encode("utf-8", "surrogateescape") + b"\r\n"
        if not pause_s:
            self.sock.sendall(data)
            return
        for at in range(len(data)):
            self.sock.sendall(data[at:at + 1])
            self.pause(pause_s)

    def pause(self, seconds):
        """Ends early when the client does."""
        if isinstance(self.sock, ssl.SSLSocket):
            time.sleep(seconds)
        elif select.select([self.sock], [], [], seconds)[0] and not self.sock.recv(1, socket.MSG_PEEK):
            raise Gone

    def act(self, step, reply, whom=()):
        """The reply of a step, or what is to happen instead. True if it was a good one."""
        what = self.sink.chosen(step, whom)
        if what is None or what == "slow" or what == "tarpit":
            if what == "slow":
                self.pause(self.sink.slow_s)
            if reply:
                self.say(reply, self.sink.tarpit_s if what == "tarpit" else 0)
            return True
        self.misbehave(what, reply)
        return what[0] in "23"

    def misbehave(self, what, reply):
        if what[0].isdigit():
            self.say(what)
            if what.startswith("421"):
                raise Gone
        elif what == "silence":
            self.silence()
        elif what == "garbage":
            self.sock.sendall(b"\xff\0\1 what is no reply\r\n\r\n250\r")
            self.silence()
        elif what == "long":
            self.sock.sendall(b"250 " + b"x" * 100_000 + b"\r\n")
        elif what == "endless":
            while True:
                self.sock.sendall(b"250-and so on\r\n" * 1000)
        else:
            if what == "half" and reply:
                self.sock.sendall(reply.encode()[:len(reply) // 2])
            elif what == "reset":
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif what not in ("drop", "take"):
                raise ValueError(what)
            raise Gone

    def silence(self):
        """Until the client goes away: what it sends is not read, but its end is seen."""
        poll = select.poll()
        poll.register(self.sock, select.POLLRDHUP)
        poll.poll(GONE_S * 1000)
        raise Gone

    # Commands

    def command(self, line):
        self.sink.note(self.sink.commands, (self.number, line))
        word = line.split(" ", 1)[0].upper()
        limit = COMMAND_MAX - 2 + (COMMAND_MORE if word in ("MAIL", "RCPT", "AUTH") else 0)
        if len(line.encode("utf-8", "surrogateescape")) > limit:
            self.complain(f"a long command: {line[:100]}")
        if word not in self.steps:
            self.complain(f"an unknown command: {line[:100]}")
            self.say("500 5.5.2 what is that?")
            return
        self.sink.pipelined += bool(self.input)
        last_of_group = word not in ("MAIL", "RCPT", "RSET", "BDAT")
        if self.input and (last_of_group or "PIPELINING" not in self.offers) and word != "BDAT":
            self.complain(f"it did not wait for the answer to {line[:60]}: {self.input[:60]}")
        if word in ("MAIL", "RCPT", "DATA", "BDAT") and not self.greeted:
            self.complain(f"no greeting before {line[:60]}")
        self.steps[word](line)

    def ehlo(self, line):
        if (line[:4].upper() == "LHLO") != self.sink.lmtp:
            self.complain(f"{line[:60]} to {'LMTP' if self.sink.lmtp else 'SMTP'}")
        if not re.fullmatch(r"\S+ ([A-Za-z0-9.-]+|\[[A-Za-z0-9.:]+\])", line):
            self.complain(f"no name in {line[:60]}")
        words = [f"SIZE {self.sink.size}" if each == "SIZE" else each
                 for each in OFFERED if each not in self.sink.without]
        if self.sink.tls and not self.tls:
            words.append("STARTTLS")
        if self.sink.users:
            words.append(f"AUTH {self.sink.mechanisms}")
        words += self.sink.also
        *lines, last = [self.sink.name, *words]
        text = "".join(f"250-{each}\r\n" for each in lines) + f"250 {last}"
        if self.act("ehlo", text):
            self.offers = {each.split()[0]: each for each in words}
            self.greeted, self.transaction = True, None

    def helo(self, line):
        if self.act("helo", f"250 {self.sink.name}"):
            self.offers, self.greeted, self.transaction = {}, True, None

    def starttls(self, line):
        if "STARTTLS" not in self.offers:
            self.complain("STARTTLS was not offered")
            self.say("502 5.5.1 it was not offered")
            return
        if not self.act("starttls", "220 2.0.0 go ahead"):
            return
        what = self.sink.chosen("handshake", ())
        if what == "garbage":
            self.sock.sendall(b"this is no handshake\r\n" * 10)
            self.silence()
        elif what:
            self.misbehave(what, None)
        self.shake_hands()
        self.offers, self.greeted, self.transaction = {}, False, None

    def shake_hands(self):
        self.sock = self.sink.tls.wrap_socket(self.sock, server_side=True)
        self.tls = True

    def auth(self, line):
        words = line.split()
        if "AUTH" not in self.offers or self.user or self.transaction:
            self.complain(f"{words[:2]} now")
        what = self.sink.chosen("auth", ())
        if what:
            self.misbehave(what, None)
            return
        if words[1].upper() not in self.offers.get("AUTH", "").split():
            self.complain(f"{words[:2]} was not offered")
        if words[1].upper() == "SCRAM-SHA-256":
            self.prove(words[2])
            return
        if words[1].upper() == "PLAIN":
            _, user, password = self.decoded(words[2] if len(words) > 2 else self.asked("")).split("\0")
        else:
            user = self.decoded(words[2] if len(words) > 2 else self.asked("Username:"))
            password = self.decoded(self.asked("Password:"))
        if self.sink.users.get(user) == password:
            self.user = user
            self.say("235 2.7.0 welcome")
        else:
            self.say("535 5.7.8 no")

    def prove(self, first):
        scram = ScramServer(self.sink.users)
        verifier = scram.final(self.decoded(self.asked(scram.first(self.decoded(first)))))
        if not verifier:
            self.say("535 5.7.8 no")
            return
        self.user = scram.user
        shown = base64.b64encode((spoilt(verifier) if self.sink.scram == "wrong" else verifier).encode()).decode()
        if self.sink.scram in ("334", "wrong") and self.asked(shown, False):
            self.complain("words after the proof")
        self.say(f"235 2.7.0 {shown}" if self.sink.scram == "235" else "235 2.7.0 welcome")

    def asked(self, text, encode=True):
        self.say("334 " + (base64.b64encode(text.encode()).decode() if encode else text))
        return self.line()

    @staticmethod
    def decoded(text):
        return base64.b64decode(text).decode()

    def path(self, line, command):
        """(address, {parameter: value}) of MAIL or RCPT."""
        found = re.fullmatch(command + r':<([^<>\r\n]*|"(?:[^"\\]|\\.)*"@[^<>]*)>((?: [^ =]+(?:=[^ ]+)?)*)', line, re.I)
        if not found:
            self.complain(f"not {command}: {line[:200]}")
            return "", {}
        given = [word.partition("=") for word in found[2].split()]
        parameters = {name.upper(): value for name, _, value in given}
        for name in parameters:
            if NEEDS.get(name, name) not in self.offers:
                self.complain(f"{name} was not offered: {line[:200]}")
        if not found[1].isascii() and not (self.transaction or parameters.get("SMTPUTF8") is not None):
            self.complain(f"an address beyond ASCII: {line[:200]}")
        return found[1], parameters

    def mail(self, line):
        if self.transaction:
            self.complain("MAIL within a transaction")
        if self.sink.messages_max and self.taken >= self.sink.messages_max:
            self.say("421 4.7.0 enough for now")
            raise Gone
        sender, parameters = self.path(line, "MAIL FROM")
        if not self.act("mail", "250 2.1.0 sender taken", (sender,)):
            return
        self.transaction = Transaction(self, sender, parameters)
        self.sink.note(self.sink.transactions, self.transaction)

    def rcpt(self, line):
        address, parameters = self.path(line, "RCPT TO")
        t = self.transaction
        if not t:
            self.say("503 5.5.1 MAIL first")  # what was sent along before its refusal was known
        elif not address.isascii() and "SMTPUTF8" not in t.parameters:
            self.complain(f"a recipient beyond ASCII: {line[:200]}")
            self.say("553 5.6.7 without SMTPUTF8")
        elif self.act("rcpt", "250 2.1.5 recipient taken", (address,)):
            t.recipients.append(address)
            t.recipient_parameters[address] = parameters

    def refuse_content(self):
        """Whether there is nobody to send content to."""
        if self.transaction and self.transaction.recipients:
            return False
        self.say("503 5.5.1 no recipients")
        return True

    def data(self, line):
        if self.sink.eager and self.transaction and not self.transaction.recipients:
            self.say("354 go on")
            if (ended := self.line()) != ".":
                self.complain(f"content for nobody: {ended[:60]}")
            self.sink.empty += 1
            self.say("554 5.5.1 no recipients")
            return
        if self.refuse_content() or not self.act("data", "354 go on", self.transaction.recipients):
            return
        if self.transaction.chunks or self.transaction.parameters.get("BODY", "").upper() == "BINARYMIME":
            self.complain("DATA where BDAT must be")
        end = LAX_END if self.sink.lax else STRICT_END
        content, searched = b"\r\n", 0  # an end at the very begin is one, too
        while True:
            content += self.take(len(self.input))
            self.midst(len(content))
            if found := end.search(content, max(0, searched - 5)):
                break
            searched = len(content)
            self.more()
        self.input = content[found.end():]
        content = content[2:found.start() + 2]
        self.transaction.content = re.sub(rb"(?m)^\.", b"", content)
        if self.input and "PIPELINING" not in self.offers:
            self.complain(f"behind the content there is more: {self.input[:60]}")
        self.finish()

    def midst(self, have):
        if have > BODY_AT and (what := self.sink.chosen("body", self.transaction.recipients)):
            self.misbehave(what, None)
            if what[0].isdigit():
                raise Gone

    def bdat(self, line):
        if "CHUNKING" not in self.offers:
            self.complain("BDAT was not offered")
        found = re.fullmatch(r"BDAT (\d+)( LAST)?", line, re.I)
        if not found:
            self.complain(f"not BDAT: {line[:60]}")
            raise Gone
        chunk = b""
        while len(chunk) < int(found[1]):
            if not self.input:
                self.more()
            chunk += self.take(int(found[1]) - len(chunk))
            if self.transaction:
                self.midst(len(self.transaction.content) + len(chunk))
        if self.refuse_content():
            return
        self.transaction.content += chunk
        self.transaction.chunks += 1
        if found[2]:
            self.finish()
        else:
            self.act("bdat", f"250 2.0.0 {len(chunk)} bytes", self.transaction.recipients)

    def check_content(self):
        t = self.transaction
        body = t.parameters.get("BODY", "7BIT").upper()
        if body == "BINARYMIME":
            return
        bare = re.search(rb"(?<!\r)\n|\r(?!\n)|\0", t.content)
        if bare:
            self.complain(f"content with a bare CR, LF or NUL: {t.content[max(0, bare.start() - 30):bare.end() + 30]}")
        if t.content and not t.content.endswith(b"\r\n"):
            self.complain(f"content that ends within a line: {t.content[-30:]}")
        if max(map(len, t.content.split(b"\n"))) + 1 > CONTENT_LINE_MAX:
            self.complain("a line of content is too long")
        header, _, rest = t.content.partition(b"\r\n\r\n")
        if not rest.isascii() and body == "7BIT":
            at = re.search(b"[\x80-\xff]", rest).start()
            self.complain(f"8 bits without BODY=8BITMIME: {rest[max(0, at - 30):at + 30]}")
        if not header.isascii() and "SMTPUTF8" not in t.parameters:  # BODY says nothing of it (RFC 6531, 3.6)
            self.complain("a header beyond ASCII without SMTPUTF8")

    def finish(self):
        """The content is whole: one reply, or with LMTP one for each recipient."""
        self.check_content()
        t, self.transaction = self.transaction, None
        for address in t.recipients if self.sink.lmtp else [None]:
            self.answer(t, [address] if address else list(t.recipients))
        self.taken += bool(t.taken)

    def answer(self, t, whom):
        reply = "250 2.0.0 taken" if not self.sink.lmtp else f"250 2.1.5 <{whom[0]}> taken"
        what = self.sink.chosen("dot", whom)
        if what in (None, "slow", "tarpit", "take", "half", "long"):
            with self.sink.changed:  # noted before it is said: whoever has read it finds it here
                t.taken += whom
                t.at = time.monotonic()
                if what != "take":
                    t.replies.append(reply)
                    self.answered = t
                self.sink.changed.notify_all()
        else:
            self.sink.note(t.replies, what)
        if what in ("slow", "tarpit"):
            self.pause(self.sink.slow_s if what == "slow" else 0)
            self.say(reply, self.sink.tarpit_s if what == "tarpit" else 0)
        elif what:
            self.misbehave(what, reply)
        else:
            self.say(reply)

    def rset(self, line):
        self.transaction = None
        self.act("rset", "250 2.0.0 forgotten")

    def noop(self, line):
        self.say("250 2.0.0 yes")

    def quit(self, line):
        self.act("quit", "221 2.0.0 good bye")
        raise Gone


def server_tls(folder, name="localhost"):
    """A context for Sink(tls=) with a certificate of its own for a name, made in a folder; .certificate is its file."""
    certificate, key = f"{folder}/{name}.pem", f"{folder}/{name}.key"
    kind = "IP" if re.fullmatch(r"[0-9.]+", name) else "DNS"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "3650", "-subj", f"/CN={name}", "-addext", f"subjectAltName={kind}:{name}", "-keyout", key,
                    "-out", certificate], check=True, stderr=subprocess.DEVNULL)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.certificate = certificate
    return context
