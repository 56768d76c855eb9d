"""callout.py - for domains that we back up their own server is asked who is there (RCPT, and no message); what it said is
kept, so that mail for those it knows is taken while it is away, and ETRN brings it when it is back."""

import tap
from postern import Server
from smtp_client import MESSAGE, Client
from smtp_sink import Sink

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
    for step, what in (("greeting", "554 5.3.2 go away"), ("ehlo", "500 what?"), ("mail", "drop"), ("rcpt", "garbage"),
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
tap.done()
