"""dns_server.py - a resolver for tests: answers from a zone of its own, by UDP and TCP, and does wrong on demand.

    with DnsServer('''
            example.test  300 MX 10 mx.example.test
            mx            300 A 192.0.2.1
            ''') as dns:                      # a name without a dot is below example.test
        dns.fault("mx.example.test", "servfail")
        server = Server(dns=dns.address)

It answers as a resolver that asked everybody would: aliases are followed, what is missing is told with an SOA. All that
it was asked is in `queries`. Several listen on loopback addresses beside each other. Faults, each for a name:

    servfail refused notimp         that rcode
    formerr formerr-opt badvers     to questions with EDNS alone: FORMERR without OPT, FORMERR with it, BADVERS
    silence                         no reply;  silence-udp, silence-tcp: by that way
    slow                            no reply until `release` is called
    truncated                       TC by UDP, always
    tcp-close                       TC by UDP, and TCP is closed without a reply
    wrong-id wrong-question         a forged reply first, then the right one
    garbage                         nothing, and octets that are no message, first, then the right reply
    cut                             the reply without its last octets
    trailing                        the reply and more octets
    loop                            the owner of the answer is a pointer to itself
    lower-case                      the question comes back in lower case, by UDP
    bare-alias                      an alias is not followed
    no-soa                          nothing tells how long nothing is there
    referral                        name servers instead of an answer, from one that does not recurse
    many                            the answer has 1,001 records
"""

import contextlib
import ipaddress
import json
import random
import re
import select
import socket
import struct
import subprocess
import threading

from postern import binary

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "NAPTR": 35,
         "OPT": 41, "TLSA": 52}
NUMBERS = {number: name for name, number in TYPES.items()}
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, BADVERS = 0, 1, 2, 3, 4, 5, 16
QR, AA, TC, RD, RA, AD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0020
NEGATIVE_TTL = 600


class Query:
    """What was asked: name in the asker's letters, type's name, number, by "udp" or "tcp", from which port."""

    def __init__(self, message, way, port):
        self.id, flags, count = struct.unpack_from("!3H", message)
        if count != 1 or flags & QR:
            raise ValueError("not a question")
        self.name, at = read_name(message, 12)
        number, _ = struct.unpack_from("!2H", message, at)
        self.type = NUMBERS.get(number, str(number))
        self.question = message[12:at + 4]
        self.way, self.port = way, port
        self.recurse, self.authentic = bool(flags & RD), bool(flags & AD)
        self.edns = None  # the size of replies that it takes
        if len(message) > at + 4:
            _, kind, self.edns, self.extended = struct.unpack_from("!BHHI", message, at + 4)
            assert kind == TYPES["OPT"]

    @property
    def key(self):
        return self.name.lower(), self.type


def read_name(message, at):
    labels = []
    while length := message[at]:
        labels.append(message[at + 1:at + 1 + length].decode("latin-1"))
        at += 1 + length
    return ".".join(labels), at + 1


def write_name(name):
    labels = [label.encode("latin-1") for label in name.strip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def write_strings(text):
    octets = text.encode("latin-1")
    pieces = [octets[i:i + 255] for i in range(0, len(octets), 255)] or [b""]
    return b"".join(bytes([len(piece)]) + piece for piece in pieces)


def write_data(kind, words):
    """A record's data from its text; in TXT and NAPTR a text stands between double quotes."""
    if kind in ("A", "AAAA"):
        return ipaddress.ip_address(words[0]).packed
    if kind in ("CNAME", "PTR", "NS"):
        return write_name(words[0])
    if kind == "MX":
        return struct.pack("!H", int(words[0])) + write_name(words[1])
    if kind == "TXT":
        return b"".join(write_strings(word.strip('"')) for word in words)
    if kind == "SRV":
        return struct.pack("!3H", *map(int, words[:3])) + write_name(words[3])
    if kind == "NAPTR":
        texts = b"".join(write_strings(word.strip('"')) for word in words[2:5])
        return struct.pack("!2H", int(words[0]), int(words[1])) + texts + write_name(words[5])
    if kind == "TLSA":
        return struct.pack("!3B", *map(int, words[:3])) + bytes.fromhex(words[3])
    raise ValueError(kind)


def record(owner, kind, ttl, data):
    return owner + struct.pack("!HHIH", TYPES[kind], 1, ttl, len(data)) + data


def soa(zone, ttl):
    data = write_name("ns." + zone) + write_name("admin." + zone) + struct.pack("!5I", 1, 3600, 600, 86400, ttl)
    return record(write_name(zone), "SOA", ttl, data)


class DnsServer:
    def __init__(self, zone="", host="127.0.0.1", port=0, zone_name="example.test", validates=False):
        self.host, self.port = host, port
        self.zone_name = zone_name
        self.validates = validates
        self.records = {}  # (name, type) -> [(ttl, data)]
        self.faults = {}
        self.queries = []
        self.held = []  # (address, reply) of slow ones
        self.add(zone)
        self.sockets = []
        self.ended, self.wakes = socket.socketpair()

    def full(self, name):
        return name.lower().rstrip(".") if "." in name else f"{name}.{self.zone_name}".lower()

    def add(self, zone):
        """Lines of name, time to live, type, data."""
        for line in zone.splitlines():
            words = re.findall(r'"[^"]*"|\S+', line)
            if words:
                name, ttl, kind, *data = words
                self.records.setdefault((self.full(name), kind), []).append((int(ttl), write_data(kind, data)))

    def remove(self, name, kind):
        del self.records[self.full(name), kind]

    def fault(self, name, what):
        """From now on; None: no more."""
        self.faults[self.full(name)] = what

    def asked(self, name, kind=None):
        return [q for q in self.queries if q.name.lower() == self.full(name) and kind in (None, q.type)]

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    # Answering

    def reply(self, query, rcode=None, flags=QR | RD | RA, answers=(), authority=(), opt=True, question=None):
        extra = []
        if query.edns and opt:
            extra = [b"\0" + struct.pack("!HHIH", TYPES["OPT"], 1232, (rcode or 0) >> 4 << 24, 0)]
        if self.validates and query.authentic:
            flags |= AD
        header = struct.pack("!6H", query.id, flags | (rcode or 0) & 15, 1, len(answers), len(authority), len(extra))
        return header + (question or query.question) + b"".join(answers) + b"".join(authority) + b"".join(extra)

    def found(self, query, follow=True):
        """(rcode, answers, authority) as the zone has it."""
        name, kind = query.key
        owner, answers = b"\xc0\x0c", []
        for _ in range(20):
            if (name, kind) in self.records:
                answers += [record(owner, kind, ttl, data) for ttl, data in self.records[name, kind]]
                return NOERROR, answers, []
            if (name, "CNAME") not in self.records:
                break
            ttl, data = self.records[name, "CNAME"][0]
            answers.append(record(owner, "CNAME", ttl, data))
            name, _ = read_name(data, 0)
            name, owner = name.lower(), data
            if not follow:
                return NOERROR, answers, []
        known = any(there == name or there.endswith("." + name) for there, _ in self.records)
        return NOERROR if known else NXDOMAIN, answers, [soa(name.split(".", 1)[-1] or ".", NEGATIVE_TTL)]

    def replies(self, query):
        """The messages to send, in order."""
        fault = self.faults.get(query.name.lower())
        rcode, answers, authority = self.found(query, fault != "bare-alias")
        edns = query.edns is not None
        errors = {"servfail": SERVFAIL, "refused": REFUSED, "notimp": NOTIMP}
        if fault in errors:
            return [self.reply(query, errors[fault])]
        if fault == "formerr" and edns:
            return [self.reply(query, FORMERR, opt=False)]
        if fault in ("formerr-opt", "badvers") and edns:
            return [self.reply(query, FORMERR if fault == "formerr-opt" else BADVERS)]
        if fault in ("silence", f"silence-{query.way}"):
            return []
        if fault == "referral":
            return [self.reply(query, flags=QR | RD,
                               authority=[record(write_name("test"), "NS", 60, write_name("ns.test"))])]
        if fault == "no-soa":
            authority = []
        if fault == "loop":
            place = 12 + len(query.question)
            answers = [record(struct.pack("!H", 0xc000 | place), "A", 60, b"\1\2\3\4")]
        if fault == "many":
            answers = [record(b"\xc0\x0c", "A", 60, struct.pack("!I", i)) for i in range(1001)]
        reply = self.reply(query, rcode, answers=answers, authority=authority)
        if query.way == "udp" and (fault in ("truncated", "tcp-close") or len(reply) > (query.edns or 512)):
            return [self.reply(query, flags=QR | RD | RA | TC)]
        return self.spoilt(query, fault, reply)

    def spoilt(self, query, fault, reply):
        forged = [record(b"\xc0\x0c", "A", 600, b"\xcb\0\x71\x42")]
        if fault == "wrong-id":
            return [struct.pack("!H", query.id ^ 1) + self.reply(query, answers=forged)[2:], reply]
        if fault == "wrong-question":
            other = write_name("elsewhere.test") + query.question[-4:]
            return [self.reply(query, answers=forged, question=other), reply]
        if fault == "garbage":
            return [b"", b"\0", bytes(range(200)), struct.pack("!H", query.id) + b"\xff" * 30, reply]
        if fault == "cut":
            return [reply[:-3]]
        if fault == "trailing":
            return [reply + b"\0"]
        if fault == "lower-case" and query.way == "udp":
            return [reply.replace(query.question[:-4], query.question[:-4].lower(), 1)]
        if fault == "tcp-close":
            return []
        return [reply]

    def handle(self, message, way, port):
        query = Query(message, way, port)
        self.queries.append(query)
        return query, self.replies(query)

    # Listening

    def serve_udp(self, udp):
        message, address = udp.recvfrom(65535)
        query, replies = self.handle(message, "udp", address[1])
        if self.faults.get(query.name.lower()) == "slow":
            self.held += [(udp, address, reply) for reply in replies]
            return
        for reply in replies:
            udp.sendto(reply, address)

    def release(self):
        """Slow replies go out, to those who still listen."""
        held, self.held = self.held, []
        for udp, address, reply in held:
            udp.sendto(reply, address)

    def serve_tcp(self, listener):
        conn, address = listener.accept()
        threading.Thread(target=self.talk, args=(conn, address[1]), daemon=True).start()

    def talk(self, conn, port):
        with conn, contextlib.suppress(OSError, struct.error):
            conn.settimeout(60)
            file = conn.makefile("rwb")
            while size := file.read(2):
                query, replies = self.handle(file.read(*struct.unpack("!H", size)), "tcp", port)
                fault = self.faults.get(query.name.lower())
                if fault == "tcp-close":
                    return
                for reply in replies:
                    file.write(struct.pack("!H", len(reply)) + reply)
                file.flush()

    def listen(self):
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        for _ in range(100):
            udp, tcp = socket.socket(family, socket.SOCK_DGRAM), socket.socket(family, socket.SOCK_STREAM)
            port = self.port or random.randrange(10000, 31000)
            try:
                tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                udp.bind((self.host, port))
                tcp.bind((self.host, port))
                tcp.listen()
                self.port, self.sockets = port, [udp, tcp]
                return
            except OSError:
                udp.close()
                tcp.close()
                if self.port:
                    raise
        raise OSError("no free port")

    def run(self):
        udp, tcp = self.sockets
        while True:
            ready, _, _ = select.select([udp, tcp, self.ended], [], [])
            if self.ended in ready:
                return
            if udp in ready:
                self.serve_udp(udp)
            if tcp in ready:
                self.serve_tcp(tcp)

    def start(self):
        self.listen()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        return self

    def stop(self):
        """Nobody listens any more; start goes on at the same port."""
        self.wakes.send(b"x")
        self.thread.join()
        self.ended.recv(1)
        for each in self.sockets:
            each.close()

    __enter__ = start

    def __exit__(self, *_):
        self.stop()


def told(server, *words):
    """What `postern resolve WORDS` says of a running server."""
    done = subprocess.run([binary(), "-c", server.conf, "resolve", "--json", *words], capture_output=True, text=True,
                          timeout=120)
    if done.returncode not in (0, 1) or not done.stdout:
        raise AssertionError(f"resolve {' '.join(words)}: {done.stdout}{done.stderr}")
    said = json.loads(done.stdout)
    assert (said["outcome"] == "found") == (done.returncode == 0), done
    return said


class Asking(threading.Thread):
    """The same while the test goes on; `said` waits for it."""

    def __init__(self, server, *words):
        super().__init__(daemon=True)
        self.server, self.words, self.answer = server, words, None
        self.start()

    def run(self):
        self.answer = told(self.server, *self.words)

    @property
    def said(self):
        self.join()
        return self.answer
