"""destinations.py - many destinations at a time, each with its own habits: what becomes of mail to them.

    play([Case("one that refuses", "refused 5.7.1", faults=[("mail", "550 5.7.1 no")])])

Each case is a host that a route leads to, and messages for a@ and b@ there; `a` and `b` are what becomes of the last of
them as the log has it: "kind status words"; "unreachable" for both if no session was ready.
"""

import re

import tap
from postern import Server
from sending import logged, submit, text
from smtp_sink import Sink

LONG = "".join(f".{n} a line that begins with a dot, one of many\r\n" for n in range(6000))
EIGHT = "Gr\u00fc\u00dfe\r\n"


class Case:
    """A host that a route leads to, a message for two people there, and the outcomes for these."""

    def __init__(self, name, a, b=None, faults=(), body="text\r\n", to="smtp", wants=None, route=(), count=1, **sink):
        self.name, self.a, self.b, self.body, self.to, self.wants, self.count = name, a, b or a, body, to, wants, count
        self.sink = Sink(lmtp=to == "lmtp", **sink)
        self.route = route
        for step, what, *more in faults:
            self.sink.fault(step, what, *more)


def outcome(server, address, count, port, wanted):
    if wanted.startswith("unreachable"):
        kind, status, reply = logged(server, rf"(not ready) destination=\S+ port={port} .*status=(\S*) reply=\"(.*)\"$")[-1]
        logged(server, rf"left alone destination=\S+:{port}[ ;/]")
        return "unreachable", "", status, reply
    return logged(server, r"(delivered|relayed|passed|deferred|refused) to=<" + re.escape(address) +
                  r">.* remote=\"(.*?)\" .*status=(\S*) reply=\"(.*)\"$", count)[count - 1]


def fits(got, wanted):
    kind, _, status, reply = got
    words = wanted.split(" ", 2)
    return words[0] == kind and (len(words) < 2 or words[1] == status) and (len(words) < 3 or words[2] in reply)


def play(cases, ca=None, **settings):
    """All at the same time, since most of it is waiting."""
    given = [f"smtp_client.{name} {value}" for name, value in settings.items()]
    if ca:
        given.append(f"tls.ca {ca}")
    for place, case in enumerate(cases):
        case.sink.start()
        given += [f"route.r{place}.to {case.to}:[127.0.0.1]:{case.sink.port}",
                  f'route.r{place}.recipients {{"*@r{place}.test"}}',
                  *(f"route.r{place}.{each}" for each in case.route)]
    with Server(users=1, set=given) as server:
        for place, case in enumerate(cases):
            for n in range(case.count):
                body = case.body.encode() if isinstance(case.body, str) else case.body
                submit(server, [f"a@r{place}.test", f"b@r{place}.test"],
                       text(f"message {n}", "").replace(b"Subject", b"MIME-Version: 1.0\r\nContent-Type: text/plain; "
                                                        b"charset=utf-8\r\nSubject") + body)
        for place, case in enumerate(cases):
            with tap.test(case.name):
                for who, wanted in (("a", case.a), ("b", case.b)):
                    got = outcome(server, f"{who}@r{place}.test", case.count, case.sink.port, wanted)
                    assert fits(got, wanted), f"{who}: {got}, not {wanted}; {case.sink.commands}"
                if case.wants:
                    case.wants(case.sink)
                case.sink.close()
        lines = [line for line in server.log().splitlines() if " error " in line]
        tap.ok(not lines, f"nothing of that is an error of ours {lines[:3]}")


def commands(sink):
    return [line.split()[0] for _, line in sink.commands]


def says(*words):
    def wants(sink):
        assert commands(sink)[:len(words)] == list(words), sink.commands
    return wants


def content(body):
    def wants(sink):
        for message in sink.wait(1):
            assert message.content.endswith(b"\r\n\r\n" + body.encode()), message.content[-2000:]
    return wants


def both(*checks):
    return lambda sink: [check(sink) for check in checks]


def secure(sink):
    assert all(message.tls for message in sink.messages) and sink.messages


def in_clear(sink):
    assert not any(message.tls for message in sink.messages) and sink.messages


def one_connection(sink):
    assert len(sink.sessions) == 1, sink.commands


OLD = ("PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "CHUNKING", "BINARYMIME", "DSN", "ENHANCEDSTATUSCODES")
PLAIN = ("CHUNKING", "BINARYMIME")
SEPARATE = (*PLAIN, "PIPELINING")
