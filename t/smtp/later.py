"""later.py - what is not delivered at once though it is for an account here: mail whose sender wants to hear of it (RFC
3461), mail that is held for a while (RFC 4865), mail for an account that could not take it; and what administrators are told
of an address (RFC 5321, 3.5)."""

import os
import re

import tap
from mail import texts
from postern import Server, wait_until
from smtp_client import MESSAGE, Client

WAIT_S = 120


def sent(number):
    return MESSAGE.replace(b"Subject: s", b"Subject: message %d" % number)


def has(server, account, words):
    return any(words in text for text in texts(server, account))


def wait_for(server, account, words):
    wait_until(lambda: has(server, account, words), WAIT_S, f"{words} for {account}")


with Server(users=4, workers=2) as server:
    server.command("alias", "add", "other@example.test", "test0001@example.test")
    server.command("group", "add", "team@example.test", "test0001@example.test", "one@far.test")
    client = Client(server, "submission", "test0000")
    with tap.test("who asks for it is told of a delivery, with his own words for message and recipient"):
        assert client.send(b"<test0000@example.test> ENVID=ee1 RET=HDRS",
                           [b"<other@example.test> NOTIFY=SUCCESS ORCPT=rfc822;oo+2Bo@example.test",
                            b"<test0002@example.test>"], sent(1)) == 250
        wait_for(server, "test0001", b"Subject: message 1\r\n")
        assert has(server, "test0002", b"Subject: message 1\r\n")
        wait_for(server, "test0000", b"Action: delivered")
        report = next(text for text in texts(server, "test0000") if b"Action: delivered" in text)
        assert b"Original-Envelope-Id: ee1\r\n" in report, report
        assert b"Original-Recipient: rfc822; oo+o@example.test\r\n" in report, report
        assert b"test0002" not in report, report
    with tap.test("of a name that stands for several he is told that it did, of a list that it has it (5.2.7)"):
        server.command("group", "add", "owned@example.test", "--owner", "test0003@example.test", "test0002@example.test")
        for name, action in ("team", b"expanded"), ("owned", b"delivered"):
            to = f"<{name}@example.test> NOTIFY=SUCCESS ORCPT=rfc822;{name}".encode()
            assert client.send(b"<test0000@example.test> ENVID=" + name.encode(), [to], sent(5)) == 250
            wait_for(server, "test0000", b"Original-Envelope-Id: " + name.encode())
            report = next(text for text in texts(server, "test0000") if b"Envelope-Id: " + name.encode() in text)
            assert b"Action: " + action in report and b"Final-Recipient: rfc822; " + name.encode() in report, report
            assert b"Original-Recipient: rfc822; " + name.encode() in report and b"test0002" not in report, report
        wait_for(server, "test0002", b"Subject: message 5\r\n")
        assert sum(b"Action: " in text for text in texts(server, "test0000")) == 3
    with tap.test("what is held for its author comes when it is time, and not before"):
        assert client.send(b"<test0000@example.test> HOLDFOR=3600", [b"<test0001@example.test>"], sent(2)) == 250
        server.clock("+3000s")
        assert client.ask(b"NOOP") in (250, 421)
        client = Client(server, "submission", "test0000")
        assert client.send(b"<test0000@example.test>", [b"<test0001@example.test>"], sent(3)) == 250
        wait_for(server, "test0001", b"Subject: message 3\r\n")
        assert not has(server, "test0001", b"Subject: message 2\r\n")
        server.clock("+700s")
        wait_for(server, "test0001", b"Subject: message 2\r\n")
    with tap.test("an account that could not take it gets it when it can"):
        inbox = f"{server.store}/domains/example.test/test0003/INBOX.mbox"
        os.mkdir(inbox)
        assert Client(server).send(b"<test0000@example.test>", [b"<test0003@example.test>"], sent(4)) == 250
        os.rmdir(inbox)
        server.clock("+3600s")
        wait_for(server, "test0003", b"Subject: message 4\r\n")
    for role, replies in ("smtp", [250]), ("lmtp", [550, 250]):
        with tap.test(f"who is gone when the message comes is told of by {'a report' if role == 'smtp' else 'a reply'}"):
            name = f"short-lived-{role}@example.test"
            server.command("account", "add", name, "--password", "secret")
            client = Client(server, role)
            assert client.ask(b"MAIL FROM:<test0000@example.test>") == 250
            for one in name, server.address("test0002"):
                assert client.ask(f"RCPT TO:<{one}>".encode()) == 250
            server.command("account", "delete", name)
            assert client.ask(b"DATA") == 354
            client.socket.sendall(sent(6) + b".\r\n")
            assert [client.reply() for _ in replies] == replies, client.line
            if role == "smtp":
                wait_for(server, "test0000", f"Final-Recipient: rfc822; {name}\r\nAction: failed".encode())
    with tap.test("to one alone it is refused"):
        server.command("account", "add", "short@example.test", "--password", "secret")
        client = Client(server)
        assert client.ask(b"MAIL FROM:<test0000@example.test>") == client.ask(b"RCPT TO:<short@example.test>") == 250
        server.command("account", "delete", "short@example.test")
        assert client.ask(b"DATA") == 354
        client.socket.sendall(sent(7) + b".\r\n")
        assert client.reply() == 550, client.line
    with tap.test("an administrator is told what an address means, others are not"):
        admin = Client(server, "submission", "postmaster")
        assert admin.ask(b"VRFY other") == 250 and b"<test0001@example.test>" in admin.line, admin.line
        assert admin.ask(b"VRFY Somebody <test0002@example.test>") == 250 and b"<test0002@" in admin.line, admin.line
        assert admin.ask(b"VRFY nobody.here@example.test") == 550
        assert admin.ask(b"VRFY two@at@example.test") == 501
        assert admin.ask(b"EXPN team@example.test") == 250 and b"2.1.5 <one@far.test>" in admin.line, admin.line
        client = Client(server, "submission", "test0000")
        assert client.ask(b"VRFY other") == client.ask(b"EXPN team@example.test") == 252
    with tap.test("the log ties a transaction to what it left in the queue and in mailboxes"):
        assert re.search(r" queued from=<test0000@example\.test> to=<other@example\.test> "
                         r"account=<test0001@example\.test> queue=q\d+-[0-9a-f]+ size=\d+ peer=127\.0\.0\.1 "
                         r"envid=ee1 orcpt=rfc822;oo\+2Bo@example\.test", server.log())
        assert re.search(r" delivered from=<test0000@example\.test> to=<test0002@example\.test> uid=1 size=", server.log())
with Server(users=1, workers=1, set=["relay.hold true", "queue.messages 1"]) as server:
    with tap.test("a queue that was full takes mail again when it has room"):
        client = Client(server, "submission", "test0000")
        assert client.send(b"<>", [b"<one@far.test>"]) == 250
        assert client.ask(b"MAIL FROM:<>") == 250 and client.ask(b"RCPT TO:<two@far.test>") == 452
        server.command("queue", "delete", "--all")
        wait_until(lambda: client.ask(b"RCPT TO:<two@far.test>") == 250, WAIT_S, "room")
tap.done()
