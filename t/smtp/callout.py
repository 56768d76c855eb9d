"""callout.py - for domains that we back up their own server is asked who is there (RCPT, and no message); what it said is
kept, so that mail for those it knows is taken while it is away, and ETRN brings it when it is back."""

import contextlib
import tempfile

import tap
from dns_server import DnsServer
from postern import Server
from smtp_client import MESSAGE, Client
from smtp_sink import Sink, server_tls

STRANGER = b"<x@elsewhere.test>"


def rcpt(server, path):
    client = Client(server)
    assert client.ask(b"MAIL FROM:" + STRANGER) == 250
    code = client.ask(b"RCPT TO:" + path)
    return code, client.line.split(b" ")[1]


def asked(sink):
    return [line for _, line in sink.commands if line.startswith("RCPT")]


with Sink() as sink, Server(users=1, workers=1, set=[
        'relay.domains {"backup.test", "away.test"}', f"route.backup.to smtp:[127.0.0.1]:{sink.port}",
        'route.backup.recipients {"*@backup.test"}', "route.away.to smtp:[127.0.0.1]:1",
        'route.away.recipients {"*@away.test"}']) as server:
    sink.fault("rcpt", "550 5.1.1 nobody of that name", who="nobody@backup.test")
    sink.fault("rcpt", "550 5.7.1 we do not like you", who="policy@backup.test")
    sink.fault("rcpt", "450 4.2.0 perhaps later", who="slow@backup.test")
    with tap.test("who is known to the domain's own server gets mail, others do not"):
        assert rcpt(server, b"<user@backup.test>") == (250, b"2.1.5")
        assert rcpt(server, b"<nobody@backup.test>") == (550, b"5.1.1")
        assert rcpt(server, b"<policy@backup.test>") == (451, b"4.4.0")
        assert rcpt(server, b"<slow@backup.test>") == (451, b"4.4.0")
        sink.wait_commands("QUIT", 4)
        assert not [line for _, line in sink.commands if line.startswith(("DATA", "BDAT"))], sink.commands
        assert {line for _, line in sink.commands if line.startswith("MAIL")} == {"MAIL FROM:<>"}, sink.commands
    with tap.test("an answer is kept, one without use for a moment"):
        before = len(asked(sink))
        for code, name in (250, b"<user@backup.test>"), (550, b"<nobody@backup.test>"), (451, b"<slow@backup.test>"):
            assert rcpt(server, name)[0] == code
        assert len(asked(sink)) == before, asked(sink)
        server.clock("+60s")
        assert rcpt(server, b"<slow@backup.test>")[0] == 451
        assert len(asked(sink)) == before + 1
        sink.mend()
        server.clock("+60s")
        assert rcpt(server, b"<slow@backup.test>")[0] == 250
        assert rcpt(server, b"<nobody@backup.test>")[0] == 550
        server.clock("+3600s")
        assert rcpt(server, b"<nobody@backup.test>")[0] == 250
    with tap.test("many who ask at once have one answer"):
        sink.fault("rcpt", "slow", who="many@backup.test")
        before = len(asked(sink))
        clients = [Client(server) for _ in range(20)]
        for client in clients:
            assert client.ask(b"MAIL FROM:" + STRANGER) == 250
        for client in clients:
            client.socket.sendall(b"RCPT TO:<many@backup.test>\r\n")
        assert {client.reply() for client in clients} == {250}
        assert len(asked(sink)) == before + 1, asked(sink)
    for step, what in (("greeting", "554 5.3.2 go away"), ("ehlo", "421 4.3.2 busy"), ("mail", "drop"), ("rcpt", "garbage"),
                       ("rcpt", "drop"), ("greeting", "endless"), ("mail", "550 5.7.1 no null senders")):
        with tap.test(f"a server that says {what} to {step} tells nothing of anybody"):
            name = f"{step}-{what[:3]}@backup.test"
            sink.fault(step, what)
            assert rcpt(server, f"<{name}>".encode()) == (451, b"4.4.0")
            sink.mend()
    with tap.test("nor does one that is silent, or that is not there"):
        sink.fault("rcpt", "silence", who="silent@backup.test")
        client = Client(server)
        assert client.ask(b"MAIL FROM:" + STRANGER) == 250
        client.socket.sendall(b"RCPT TO:<silent@backup.test>\r\n")
        sink.wait_commands("RCPT TO:<silent@")
        server.clock("+21s")
        assert client.reply() == 451, client.line
        assert rcpt(server, b"<anybody@away.test>") == (451, b"4.4.0")
        sink.mend()
    with tap.test("while it is away mail for those it knew is taken, and comes at ETRN (RFC 1985)"):
        sink.dead()
        messages = len(sink.messages)
        assert Client(server).send(STRANGER, [b"<user@backup.test>"], MESSAGE) == 250
        assert rcpt(server, b"<unheard.of@backup.test>")[0] == 451
        sink.start()
        admin = Client(server, "submission", "postmaster")
        assert admin.ask(b"ETRN backup.test") == 250, admin.line
        message = sink.wait(messages + 1)[-1]
        assert message.sender == "x@elsewhere.test" and message.recipients == ["user@backup.test"], message
        assert message.content.startswith(b"Received: from client.test ") and message.content.endswith(MESSAGE), message
    with tap.test("a client that goes away while somebody is asked leaves nothing behind"):
        sink.fault("rcpt", "silence", who="left@backup.test")
        client = Client(server)
        assert client.ask(b"MAIL FROM:" + STRANGER) == 250
        client.socket.sendall(b"RCPT TO:<left@backup.test>\r\n")
        sink.wait_commands("RCPT TO:<left@")
        server.stop()


def asked_of(sink, name):
    return [line for _, line in sink.commands if line == f"RCPT TO:<{name}>"]


def hosts():
    """Two hosts of a domain, at one port: the first is the better one."""
    for _ in range(20):
        first = Sink("127.0.0.11").start()
        try:
            return first, Sink("127.0.0.12", first.port, without=["SMTPUTF8"]).start()
        except OSError:  # somebody has the port there
            first.stop()
    raise OSError("no port")


first, second = hosts()
with DnsServer("""
        backup      300 MX 10 first.example.test
        backup      300 MX 20 second.example.test
        plain       300 MX 10 second.example.test
        ours        300 MX 10 mail.example.test
        ours        300 MX 20 first.example.test
        mail        300 A 127.0.0.1
        first       300 A 127.0.0.11
        second      300 A 127.0.0.12
        """) as dns, Server(users=1, workers=1, domain="here.test", dns=dns.address, set=[
            'relay.domains {"backup.example.test", "plain.example.test", "ours.example.test"}',
            f"smtp_client.port {first.port}", "smtp.hostname mail.example.test"]) as server:
    for number, (step, what) in enumerate((("greeting", "421 4.3.2 busy"), ("greeting", "554 5.3.2 closed"),
                                           ("ehlo", "drop"), ("mail", "450 4.7.1 not now"), ("rcpt", "450 4.2.0 later"),
                                           ("rcpt", "550 5.7.1 not you"), ("rcpt", "garbage"))):
        with tap.test(f"the next host is asked where the better one says {what} to {step} (RFC 5321, 5.1)"):
            name = f"next{number}@backup.example.test"
            first.fault(step, what)
            assert rcpt(server, f"<{name}>".encode()) == (250, b"2.1.5")
            assert len(asked_of(second, name)) == 1
            first.mend()
    with tap.test("what the better one says for good is not asked again of the next"):
        first.fault("rcpt", "550 5.1.1 nobody")
        assert rcpt(server, b"<none@backup.example.test>") == (550, b"5.1.1")
        assert not asked_of(second, "none@backup.example.test")
        first.mend()
    with tap.test("one that is silent is passed over before the whole time is over"):
        first.fault("rcpt", "silence")
        client = Client(server)
        assert client.ask(b"MAIL FROM:" + STRANGER) == 250
        client.socket.sendall(b"RCPT TO:<silent@backup.example.test>\r\n")
        first.wait_commands("RCPT TO:<silent@")
        server.clock("+9s")
        assert client.reply() == 250, client.line
        first.mend()
    with tap.test("where the next knows nobody of that name he is not known"):
        first.fault("rcpt", "450 4.2.0 later")
        second.fault("rcpt", "550 5.1.1 nobody")
        assert rcpt(server, b"<neither@backup.example.test>") == (550, b"5.1.1")
        second.mend()
    with tap.test("where none can tell it cannot be known now"):
        second.fault("rcpt", "450 4.2.0 later")
        assert rcpt(server, b"<later@backup.example.test>") == (451, b"4.4.0")
        first.mend()
        second.mend()
    with tap.test("a host that does not speak SMTPUTF8 knows nobody of such a name (RFC 6531, 3.2)"):
        client = Client(server)
        assert client.ask(b"MAIL FROM:" + STRANGER + b" SMTPUTF8") == 250
        assert client.ask("RCPT TO:<jürgen@plain.example.test>".encode()) == 550
        assert client.ask("RCPT TO:<jürgen@backup.example.test>".encode()) == 250
    with tap.test("where we are the best host ourselves nobody is asked"):
        assert rcpt(server, b"<user@ours.example.test>") == (451, b"4.4.0")
        assert not asked_of(first, "user@ours.example.test")
    with tap.test("one that is dead is passed over"):
        first.dead()
        assert rcpt(server, b"<dead@backup.example.test>") == (250, b"2.1.5")
for each in (first, second):
    with tap.test(f"nothing was asked of {each.host} that no client may ask"):
        each.close()


with contextlib.ExitStack() as stack:
    tls = server_tls(stack.enter_context(tempfile.TemporaryDirectory()), "127.0.0.1")
    wrong = server_tls(stack.enter_context(tempfile.TemporaryDirectory()), "other.test")
    sink = stack.enter_context(Sink(tls=tls))
    must = stack.enter_context(Sink(tls=wrong))
    clear = stack.enter_context(Sink())
    server = stack.enter_context(Server(users=1, workers=1, set=[
        'relay.domains {"may.test", "verify.test", "clear.test"}', f'tls.ca "{tls.certificate}"',
        f"route.may.to smtp:[127.0.0.1]:{sink.port}", 'route.may.recipients {"*@may.test"}',
        f"route.verify.to smtp:[127.0.0.1]:{must.port}", 'route.verify.recipients {"*@verify.test"}',
        "route.verify.tls verify",
        f"route.clear.to smtp:[127.0.0.1]:{clear.port}", 'route.clear.recipients {"*@clear.test"}',
        "route.clear.tls must"]))
    with tap.test("it is asked under TLS where that is offered (RFC 3207)"):
        assert rcpt(server, b"<user@may.test>") == (250, b"2.1.5")
        assert [session.tls for session in sink.sessions] == [True]
    with tap.test("once more in the clear where TLS fails, as mail would go there"):
        sink.fault("handshake", "garbage", times=1)
        assert rcpt(server, b"<clear@may.test>") == (250, b"2.1.5")
        assert [session.tls for session in sink.sessions] == [True, False, False]
    with tap.test("a route that wants a certificate names nobody to another server"):
        assert rcpt(server, b"<user@verify.test>") == (451, b"4.4.0")
        assert not asked(must)
    with tap.test("nor in the clear, where it wants TLS"):
        assert rcpt(server, b"<user@clear.test>") == (451, b"4.4.0")
        assert not asked(clear)
tap.done()
