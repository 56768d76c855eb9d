"""queue.py - what SMTP puts into the queue: whom for, in whose name, with which wishes; and that nobody can put anything
else there by what he says of himself, of the sender or of recipients."""

import itertools
import os
import re

import queue_files
import tap
from mail import texts
from postern import Server, wait_until
from smtp_client import MESSAGE, Client


def check_relayed(server, watch):
    client = Client(server, "submission", "test0000")
    text = b"Return-Path: <evil@example.test>\r\n" + MESSAGE
    first = b"<b@far.test> NOTIFY=FAILURE,DELAY ORCPT=rfc822;B+2Bx@far.test"
    assert client.send(b"<test0000@example.test> RET=HDRS ENVID=QQ+2B1 MT-PRIORITY=-3 BY=3600;NT",
                       [first, b"<c@[192.0.2.1]>"], text) == 250
    entry, = watch.new()
    envelope = entry.envelope
    assert envelope["sender"] == envelope["account"] == "test0000@example.test", entry
    assert envelope["peer"] == "127.0.0.1", entry
    assert envelope["envid"] == "QQ+2B1" and envelope["ret"] == "hdrs" and envelope["priority"] == "-3", entry
    assert [r["address"] for r in entry.recipients] == ["b@far.test", "c@[192.0.2.1]"], entry
    assert entry.recipients[0]["orcpt"] == "rfc822;B+2Bx@far.test", entry
    assert entry.fields() == ["Received", "From", "Date", "Message-ID", "Subject"], entry.fields()
    assert f"with ESMTPA (account test0000@example.test) id {envelope['id']};" in entry.header.decode(), entry.header
    assert f" {envelope['id']} queued from=<test0000@example.test> to=<b@far.test> queue={entry.id} " in server.log()


def check_forwards(server, watch):
    client = Client(server)
    assert client.send(b"<x@elsewhere.test> ENVID=e1", [b"<away@example.test> ORCPT=rfc822;away NOTIFY=FAILURE"]) == 250
    entry, = watch.new()
    assert re.fullmatch(r"SRS0=.*=elsewhere\.test=x@example\.test", entry.envelope["sender"]), entry
    assert entry.envelope["envid"] == "e1" and entry.recipients[0]["orcpt"] == "rfc822;away", entry
    assert entry.recipients[0]["address"] == "me@far.test" and entry.recipients[0]["original"] == "away@example.test"
    assert entry.header.startswith(b"Delivered-To: away@example.test\nReceived: "), entry.header
    again = b"Delivered-To: away@example.test\r\n" + MESSAGE
    assert client.send(b"<x@elsewhere.test>", [b"<away@example.test>"], again) == 554
    assert b"5.4.6" in client.line


def check_group(server, watch):
    """A list answers for its mail: its sender is the owner, whose wishes count from there on (RFC 3461, 5.2.7.3)."""
    client = Client(server)
    assert client.send(b"<x@elsewhere.test> ENVID=e2 RET=FULL", [b"<team@example.test> NOTIFY=FAILURE ORCPT=rfc822;t",
                                                               b"<test0001@example.test>"]) == 250
    entries = watch.new(2)  # who is here is no business of an operator who releases what is held
    for entry in entries:
        assert entry.envelope["sender"] == "test0002@example.test" and "envid" not in entry.envelope, entry
        assert not {"notify", "orcpt"} & set(entry.recipients[0]), entry
    assert sorted(r["address"] for e in entries for r in e.recipients) == ["gone@example.test", "one@far.test"], entries


def envelope_bytes():
    """What might end a line, a word or a field, or be taken for something else."""
    for byte in [*range(0x21), 0x7f, 0x80, 0x85, 0xa0, 0xff, *b"%=;:<>\"\\(),"]:
        yield bytes([byte])
    yield from (b"\r\n", b"\n.\n", b"\r\nX-Evil: 1", b"\nX-Postern-To: 0 address=evil@far.test", b"%0AX-Evil: 1",
                b"%0D%0A", b"+0D+0AX-Evil:+201", b" evil=1", b"\xc2\x85", b"\xe2\x80\xa8", b"=0A", b"\\\r\n ", b"\\\n")


PLACES = {
    "EHLO": (b"EHLO client%s.test",),
    "MAIL": (b"MAIL FROM:<test%s0000@example.test>", b'MAIL FROM:<"test%s"@example.test>', b"MAIL FROM:<>%s",
             b"MAIL FROM:<a@example%s.test>", b"MAIL FROM:<> ENVID=a%sb", b"MAIL FROM:<> AUTH=a%sb",
             b"MAIL FROM:<> SMTPUTF8 ENVID=a%sb",
             b"MAIL FROM:<test%s0000@example.test> SMTPUTF8", b"MAIL FROM:<> BY=10;N%s", b"MAIL FROM:<> RET=FULL%s"),
    "RCPT": (b"RCPT TO:<b%sc@far.test>", b'RCPT TO:<"b%sc"@far.test>', b"RCPT TO:<b@far%s.test>",
             b"RCPT TO:<b@[192.0.2.1%s]>", b"RCPT TO:<b@far.test> ORCPT=rfc822;b%sc",
             b"RCPT TO:<b@far.test> ORCPT=utf-8;b%sc", b"RCPT TO:<b@far.test> NOTIFY=NEVER%s",
             b"RCPT TO:<@a%s.test:b@far.test>", b"RCPT TO:<test0001+%s@example.test> NOTIFY=SUCCESS"),
}
DEFAULTS = {"EHLO": b"EHLO client.test", "MAIL": b"MAIL FROM:<test0000@example.test>", "RCPT": b"RCPT TO:<b@far.test>"}


def inject(client, place, command):
    """A transaction with one line made otherwise. True: it was taken, all of it."""
    for word, usual in DEFAULTS.items():
        client.socket.sendall((command if word == place else usual) + b"\r\nNOOP\r\n")
        codes = [client.reply()]
        while client.line[:11] != b"250 2.0.0 h":  # what was made several lines has several replies
            codes.append(client.reply())
        if codes[0] != 250 or len(codes) > 2:
            assert client.ask(b"RSET") == 250
            return False
    assert client.ask(b"DATA") == 354
    client.socket.sendall(MESSAGE + b".\r\n")
    return client.reply() == 250


def check_injection(server, watch):
    client = Client(server, "submission", "test0000")
    reports = queue_files.Watch(server, reports=True)
    taken = 0
    for place, forms in PLACES.items():
        for form, evil in itertools.product(forms, envelope_bytes()):
            taken += inject(client, place, form.replace(b"%s", evil))
    tap.note(f"{taken} were taken")
    assert taken
    for entry in watch.new(taken):
        assert entry.fields() == ["Received", "From", "Date", "Message-ID", "Subject"], entry.message
        assert len(entry.recipients) == 1 and "evil" not in {*entry.envelope, *entry.recipients[0]}, entry
        for text in [*entry.envelope.values(), *entry.recipients[0].values()]:
            assert not re.search(r"[\x00-\x1f\x7f]", text), entry
        for line in entry.header.split(b"\n")[:-1]:
            assert not re.search(rb"[\x00-\x08\x0a-\x1f\x7f]", line), entry.header
    wait_until(reports.found, 60, "reports of those who were delivered to")
    for entry in reports.found():
        assert entry.fields() == reports.found()[0].fields(), entry.header
        assert not re.search(rb"^(X-)?[Ee]vil|[\x00-\x08\x0b-\x1f\x7f]", entry.message, re.M), entry.message


with Server(users=4, workers=2, set=["relay.hold true", "smtp.errors_max 1000"]) as server:
    server.command("forwarder", "add", "away@example.test", "me@far.test")
    server.command("group", "add", "team@example.test", "--owner", "test0002@example.test", "test0001@example.test",
                   "one@far.test", "gone@example.test")
    watch = queue_files.Watch(server)
    with tap.test("mail of somebody who logged in goes into the queue, with all that was said of it"):
        check_relayed(server, watch)
    with tap.test("a forwarder's leaves with a sender of ours, and is known when it comes back"):
        check_forwards(server, watch)
    with tap.test("a group's is its owner's; a member who is not there is the queue's to tell of"):
        check_group(server, watch)
        wait_until(lambda: len(texts(server, "test0001")) == 1, 60, "the member's copy")
    with tap.test("a recipient who is named twice is there once"):
        client = Client(server, "submission", "test0000")
        assert client.send(b"<>", [b"<b@far.test>", b"<B@far.test>", b"<b@far.test> NOTIFY=NEVER"]) == 250
        entry, = watch.new()
        assert sorted(r["address"] for r in entry.recipients) == ["B@far.test", "b@far.test"], entry
    with tap.test("nothing from outside is more than it is, in an envelope or in a header"):
        check_injection(server, watch)
    with tap.test("an account whose mailbox cannot be written now does not keep the others from theirs"):
        inbox = f"{server.store}/domains/example.test/test0003/INBOX.mbox"
        os.mkdir(inbox)
        for role in ("smtp", "lmtp"):
            client = Client(server, role)
            assert client.send(b"<x@elsewhere.test>", [b"<test0003@example.test>", b"<test0002@example.test>"]) == 250
            assert role == "smtp" or client.reply() == 250
            entry, = watch.new()
            assert [r["address"] for r in entry.recipients] == ["test0003@example.test"], entry
            assert "local" in entry.recipients[0], entry
        assert sum(b"Subject: s\r\n" in text for text in texts(server, "test0002")) >= 2
        os.rmdir(inbox)
tap.done()
