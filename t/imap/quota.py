"""quota.py - what an account may hold: never more, exactly counted, told when little is left and when none is."""

import concurrent.futures
import imaplib
import os
import re
import shutil
import smtplib

import tap
from mail import done, imap_session
from postern import Server

SENDER = "someone@elsewhere.test"
LIMIT = 60_000


def message(size, subject="x"):
    head = f"From: {SENDER}\r\nSubject: {subject}\r\n\r\n"
    return (head + ("y" * 70 + "\r\n") * (size // 72)).encode()


def reply_to(server, account, data, port="smtp", host=None):
    """What a sender hears: to RCPT, or to the message."""
    with smtplib.SMTP(server.host, server.ports[port], timeout=60) as smtp:
        smtp.ehlo("client.test")
        smtp.docmd(f"MAIL FROM:<{SENDER}> SIZE={len(data)}")
        code, words = smtp.docmd(f"RCPT TO:<{server.address(account)}>")
        if code != 250:
            return "RCPT", code, words.decode()
        code, words = smtp.data(data)
        return "DATA", code, words.decode()


def quota(server, account, *limits):
    """((bytes, of), (messages, of)) by the command line; None: no limit."""
    lines = server.command("account", "quota", server.address(account), *limits)
    found = re.findall(r"^(?:bytes|messages) = (\d+)(?: of (\d+)|, no limit)$", lines, re.M)
    return tuple((int(used), int(of) if of else None) for used, of in found)


def held(server, account):
    """The same, as a client adds it up over all mailboxes."""
    with imaplib.IMAP4(server.host, server.ports["imap"]) as imap:
        imap.login(server.address(account), "secret")
        size = count = 0
        for line in done(imap.list()):
            if done(imap.select(line.decode().rsplit(" ", 1)[1], readonly=True)) != [b"0"]:
                for about in done(imap.fetch("1:*", "(RFC822.SIZE)")):
                    size += int(re.search(rb"RFC822.SIZE (\d+)", about)[1])
                    count += 1
        return size, count


def subjects(server, account):
    with imap_session(server, account) as imap:
        if done(imap.select("INBOX", readonly=True)) == [b"0"]:
            return []
        parts = done(imap.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))
        return [part[1].decode().strip() for part in parts if isinstance(part, tuple)]


def full(server):
    account = "test0000"
    with tap.test("what there is room for is taken, what there is none for is refused at RCPT, where its size is told"):
        assert reply_to(server, account, message(20_000))[:2] == ("DATA", 250)
        assert reply_to(server, account, message(45_000))[:2] == ("RCPT", 552)
        where, code, words = reply_to(server, account, message(45_000))
        assert "5.2.2" in words, words
    with tap.test("and by LMTP"):
        with smtplib.LMTP(server.host, server.ports["lmtp"], timeout=60) as lmtp:
            lmtp.ehlo("client.test")
            lmtp.docmd(f"MAIL FROM:<{SENDER}> SIZE=50000")
            assert lmtp.docmd(f"RCPT TO:<{server.address(account)}>")[0] == 552
    with tap.test("one whose size was not told, or lied about, is refused at the end of its data"):
        with smtplib.SMTP(server.host, server.ports["smtp"], timeout=60) as smtp:
            smtp.ehlo("client.test")
            smtp.docmd(f"MAIL FROM:<{SENDER}>")
            assert smtp.docmd(f"RCPT TO:<{server.address(account)}>")[0] == 250
            code, words = smtp.data(message(45_000))
            assert code == 552 and b"5.2.2" in words, (code, words)
    with tap.test("what it holds is what a client adds up"):
        (size, of), (count, messages_of) = quota(server, account)
        assert (size, count) == held(server, account) and of == LIMIT and messages_of is None
    with tap.test("a login, and mail that the account sends, need no room"):
        fill(server, account)
        assert imap_session(server, account)


def fill(server, account):
    while reply_to(server, account, message(4_000))[1] == 250:
        pass
    while reply_to(server, account, message(200))[1] == 250:
        pass


def clients(server):
    account = "test0001"
    with tap.test("APPEND and COPY over it are refused with OVERQUOTA, and nothing is done (RFC 9208, 4.3)"):
        with imap_session(server, account) as imap:
            done(imap.append("INBOX", None, None, message(40_000)))
            kind, answer = imap.append("INBOX", None, None, message(40_000))
            assert kind == "NO" and b"[OVERQUOTA]" in answer[0], answer
            done(imap.create("Other"))
            done(imap.select("INBOX"))
            kind, answer = imap.copy("1", "Other")
            assert kind == "NO" and b"[OVERQUOTA]" in answer[0], answer
            assert done(imap.status("Other", "(MESSAGES)")) == [b'"Other" (MESSAGES 0)']
    with tap.test("MOVE needs no room"):
        with imap_session(server, account) as imap:
            done(imap.select("INBOX"))
            done(imap.uid("MOVE", "1", "Other"))
            assert quota(server, account)[0][0] == held(server, account)[0]
    with tap.test("GETQUOTAROOT and GETQUOTA tell it in units of 1,024 bytes (RFC 9208, 5.1)"):
        with imap_session(server, account) as imap:
            assert "QUOTA" in imap.capabilities
            roots, quotas = done(imap.getquotaroot("INBOX"))
            assert roots == [b'"INBOX" ""'], roots
            used = -(-quota(server, account)[0][0] // 1024)
            assert quotas == [f'"" (STORAGE {used} {LIMIT // 1024})'.encode()], quotas
            assert done(imap.getquota('""')) == quotas
            assert imap.getquota('"other"')[0] == "NO"
            assert imap.setquota('""', "(STORAGE 10)")[0] == "NO"
    with tap.test("an expunge makes room at once, and so does a mailbox that is deleted"):
        with imap_session(server, account) as imap:
            done(imap.append("INBOX", None, None, message(15_000)))
            done(imap.delete("Other"))
            assert quota(server, account)[0][0] == held(server, account)[0] < 20_000
            done(imap.select("INBOX"))
            done(imap.store("1", "+FLAGS", r"(\Deleted)"))
            done(imap.expunge())
            assert quota(server, account) == ((0, LIMIT), (0, None))


def crowd(server):
    account = "test0002"
    with tap.test("many that come at the same time get no more than there is"):
        server.command("account", "quota", server.address(account), "none", "10")
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            codes = list(pool.map(lambda n: reply_to(server, account, message(1_000))[1], range(40)))
        assert codes.count(250) + 1 >= 9 and set(codes) <= {250, 552}, codes
        assert quota(server, account)[1] == (10, 10) or quota(server, account)[1] == (9, 10)
        assert quota(server, account)[:1] == ((held(server, account)[0], None),)


def warned(server):
    account = "test0003"
    with tap.test("its owner is told once when little is left, and again only after there was room"):
        server.command("account", "quota", server.address(account), "40K", "none")
        for _ in range(9):
            assert reply_to(server, account, message(4_000))[1] == 250
        assert sum("full" in s for s in subjects(server, account)) == 1, subjects(server, account)
        server.kill()
        server.start()
        assert reply_to(server, account, message(200))[1] == 250
        assert sum("full" in s for s in subjects(server, account)) == 1
        with imap_session(server, account) as imap:
            done(imap.select("INBOX"))
            done(imap.store("1:*", "+FLAGS", r"(\Deleted)"))
            done(imap.expunge())
        assert reply_to(server, account, message(20_000))[1] == 250
        assert not any("full" in s for s in subjects(server, account))
        assert reply_to(server, account, message(17_000))[1] == 250
        assert sum("full" in s for s in subjects(server, account)) == 1


def kept(server):
    account = "test0000"
    before = quota(server, account)
    with tap.test("after kill -9 and without an index it is counted again, and is the same"):
        server.kill()
        shutil.rmtree(os.path.join(server.store, "index"))
        server.start()
        assert quota(server, account) == before and before[0][0] == held(server, account)[0]
    with tap.test("a quota of its own is set, and is its domain's again, while a server runs and while none does"):
        assert quota(server, account, "1M", "500")[0][1] == 1 << 20
        server.stop()
        server.command("account", "quota", server.address(account), "2M")
        server.start()
        assert quota(server, account) == ((before[0][0], 2 << 20), (before[1][0], None))
        assert quota(server, account, "domain") == before
        assert "USER@DOMAIN" in server.command("account", "quota", server.address(account), "much", fails=True)


def main():
    with Server(users=4, workers=2, set=[f"domain.example.test.quota {LIMIT}"]) as server:
        full(server)
        clients(server)
        crowd(server)
        warned(server)
        kept(server)
    tap.done()


if __name__ == "__main__":
    main()
