"""backup.py - who may have mail sent on: listed networks anywhere, anybody to domains that we back up, if the recipient is
on the list of those who are there, and in no other way."""

import os

import queue_files
import tap
from postern import Server, wait_until
from smtp_client import Client

LISTED = b"<user@backup.test>", b"<USER+detail@Backup.test>", b"<any.one@all.test>", b"<any@deep.below.test>"
PAST_US = (b"<user%far.test@backup.test>", b"<far.test!user@backup.test>", b'<"user@far.test"@backup.test>',
           b"<@backup.test:user@far.test>", b"<any%far.test@all.test>", b'<"any@far.test"@deep.below.test>')
LIST = """# who is there
user@backup.test
@all.test   # all of them
  Second@Backup.Test
@deep.below.test
"""


def rcpt(client, path):
    code = client.ask(b"RCPT TO:" + path)
    return code, client.line.split(b" ")[1]


def transaction(server, **how):
    client = Client(server, **how)
    assert client.ask(b"MAIL FROM:<x@elsewhere.test>") == 250
    return client


def write(path, text):
    with open(path + ".new", "w") as file:
        file.write(text)
    os.chmod(path + ".new", 0o644)
    os.rename(path + ".new", path)


with Server(users=1) as server:
    path = server.path("recipients")
    server.options["set"] = ["relay.hold true", f"relay.recipients {path}", "smtp.errors_max 1000",
                             'domain.example.test.masquerade {".host.test"}',
                             'relay.networks {"127.0.0.2", "127.0.3.0/24"}',
                             'relay.domains {"backup.test", "all.test", ".below.test"}']
    server.stop()
    server.start()
    with tap.test("without the list nobody can be asked for, for now"):
        assert rcpt(transaction(server), LISTED[0]) == (451, b"4.4.0")
    write(path, LIST)
    server.clock("+6s")
    with tap.test("who is on the list of a domain that we back up gets mail of anybody"):
        client = transaction(server)
        for one in LISTED:
            assert rcpt(client, one) == (250, b"2.1.5"), (one, client.line)
        assert rcpt(client, b"<second@backup.test>") == (250, b"2.1.5")
    with tap.test("who is not on it does not, so that nothing comes back later"):
        client = transaction(server)
        assert rcpt(client, b"<nobody@backup.test>") == (550, b"5.1.1")
        assert rcpt(client, b"<use@backup.test>") == (550, b"5.1.1")
        assert rcpt(client, b"<users@backup.test>") == (550, b"5.1.1")
        assert rcpt(client, b"<user@other.below.test>") == (550, b"5.1.1")
        assert rcpt(client, b"<user@sub.all.test>") == (550, b"5.7.1")
        assert rcpt(client, b"<user@below.test>") == (550, b"5.7.1")
        assert client.ask(b"DATA") == 503
    with tap.test("nobody gets past it by its trust in us"):
        client = transaction(server)
        for one in PAST_US:
            assert rcpt(client, one) == (550, b"5.7.1"), (one, client.line)
    with tap.test("what is taken for it goes into the queue as it came"):
        watch = queue_files.Watch(server)
        assert Client(server).send(b"<x@elsewhere.test>", [b"<user@backup.test>"]) == 250
        entry, = watch.new()
        assert entry.envelope["sender"] == "x@elsewhere.test" and "account" not in entry.envelope, entry
        assert entry.recipients[0]["address"] == "user@backup.test", entry
    with tap.test("a list that changes is read again"):
        write(path, "nobody@backup.test\n")
        server.clock("+6s")
        wait_until(lambda: rcpt(transaction(server), b"<nobody@backup.test>")[0] == 250, 60, "the new list")
        assert rcpt(transaction(server), LISTED[0]) == (550, b"5.1.1")
    for source in "127.0.0.2", "127.0.3.77":
        with tap.test(f"a client of a listed network sends anywhere: {source}"):
            client = transaction(server, source=source)
            for one in (b"<a@far.test>", b"<a%b@far.test>", b"<use@backup.test>", b"<a@[192.0.2.1]>"):
                assert rcpt(client, one) == (250, b"2.1.5"), (one, client.line)
            assert rcpt(client, b"<nobody.here@example.test>") == (550, b"5.1.1")
    for source in "127.0.0.1", "127.0.0.3", "127.0.2.255":
        with tap.test(f"its neighbour does not: {source}"):
            assert rcpt(transaction(server, source=source), b"<a@far.test>") == (550, b"5.7.1")
    with tap.test("hosts of a listed network write as the domain they belong to, and nothing else is changed"):
        watch = queue_files.Watch(server)
        text = (b"From: Root <root@a.host.test>\r\nTo: root@far.test\r\nBcc: c@far.test\r\nSubject: a@a.host.test\r\n\r\n"
                b"a@a.host.test\r\n")
        assert Client(server, source="127.0.0.2").send(b"<root@a.host.test>", [b"<a@far.test>"], text) == 250
        entry, = watch.new()
        assert entry.envelope["sender"] == "root@example.test", entry
        want = text.replace(b"\r\n", b"\n").replace(b"root@a.host.test", b"root@example.test", 1)
        assert entry.message.endswith(b"\n" + want), entry.message
        assert entry.fields() == ["Received", "From", "To", "Bcc", "Subject"], entry.fields()
    with tap.test("what waits for a domain that we back up is tried at once for those who may ask, now and then (RFC 1985)"):
        client = Client(server, source="127.0.0.2")
        assert client.ask(b"ETRN backup.test") == 250
        assert client.ask(b"ETRN Backup.test") == 458
        assert client.ask(b"ETRN @all.test") == 250
        assert client.ask(b"ETRN deep.below.test") == 250
        assert client.ask(b"ETRN far.test") == 459
        assert client.ask(b"ETRN example.test") == 459
        assert Client(server).ask(b"ETRN deep.below.test") == 459
        server.clock("+60s")
        assert client.ask(b"ETRN backup.test") == 250
    with tap.test("names below a domain are not counted one by one, clients are"):
        server.clock("+60s")
        assert client.ask(b"ETRN one.below.test") == 250
        for name in b"two.below.test", b"one.two.below.test", b"@three.below.test":
            assert client.ask(b"ETRN " + name) == 458, name
            assert Client(server, source="127.0.0.2").ask(b"ETRN " + name) == 458, "another session is no other client"
        assert client.ask(b"ETRN backup.test") == 250
        other = Client(server, source="127.0.3.77")
        assert other.ask(b"ETRN two.below.test") == 250 and other.ask(b"ETRN one.below.test") == 458
        user = Client(server, "submission", "test0000")
        assert user.ask(b"ETRN two.below.test") == 250 and user.ask(b"ETRN three.below.test") == 458
        user = Client(server, "submission", "test0000", source="127.0.0.2")
        assert user.ask(b"ETRN four.below.test") == 458, "nor is another address"
    with tap.test("by LMTP the same holds"):
        assert rcpt(transaction(server, role="lmtp", source="127.0.0.2"), b"<a@far.test>") == (250, b"2.1.5")
        assert rcpt(transaction(server, role="lmtp"), b"<a@far.test>") == (550, b"5.7.1")
tap.done()
