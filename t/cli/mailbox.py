"""mailbox.py - `postern mailbox convert`: a mailbox becomes an mdir and an mbox again while a session has it selected; what it
is asked wrongly; what new mailboxes are (store.format)."""

import os

import tap
from mail import append, create, done, fetch_all, imap_session, numbered
from postern import Server


def kinds(server, mailbox="INBOX"):
    return [kind for kind in ("mbox", "mdir") if os.path.exists(server.mailbox_file("test0000", mailbox, kind))]


def convert(server, *words, **options):
    return server.command("mailbox", "convert", *words, **options)


with Server(users=1) as server:
    address = server.address("test0000")
    append(server, "test0000", numbered(range(3)), flags=r"(\Flagged work)")
    before = fetch_all(server, "test0000")

    with tap.test("help tells of it"):
        said = server.command("mailbox", "--help")
        assert "convert USER@DOMAIN MAILBOX mdir|mbox" in said and "file for each message" in said, said
        assert "mailbox" in server.command("help")

    with tap.test("a mailbox becomes an mdir and an mbox again, and a session goes on in it"):
        with imap_session(server, "test0000") as imap:
            for form in ("mdir", "mbox"):
                assert not convert(server, address, "inbox", form)
                assert kinds(server) == [form]
                assert fetch_all(server, "test0000") == before
                assert done(imap.fetch("2", "BODY.PEEK[]"))[0][1] == before[1][2]

    with tap.test("one that is so already stays as it is"):
        inode = os.stat(server.mailbox_file("test0000")).st_ino
        assert not convert(server, address, "INBOX", "mbox")
        assert os.stat(server.mailbox_file("test0000")).st_ino == inode

    with tap.test("so does one whose name has levels and is not ASCII"):
        create(server, "test0000", "Entwürfe/alt")
        append(server, "test0000", numbered(range(2)), mailbox="Entwürfe/alt")
        convert(server, address, "Entwürfe/alt", "mdir")
        assert kinds(server, "Entwürfe/alt") == ["mdir"]

    with tap.test("an account or a mailbox that is not there"):
        assert "no such account or mailbox" in convert(server, address, "none", "mdir", fails=True)
        assert "no such account or mailbox" in convert(server, address, "Entwürfe", "mdir", fails=True)
        assert "no such account or mailbox" in convert(server, server.address("nobody"), "INBOX", "mdir", fails=True)
        assert "asked wrongly" in convert(server, "test0000", "INBOX", "mdir", fails=True)

    with tap.test("a form that is none, too few words, too many, and another verb"):
        for words in ((address, "INBOX", "maildir"), (address, "INBOX", "MDIR"), (address, "INBOX"), (address,), (),
                      (address, "INBOX", "mdir", "now")):
            assert "wants an account, a mailbox, and mdir or mbox" in convert(server, *words, fails=True), words
        assert "knows convert" in server.command("mailbox", "list", fails=True)
        assert "knows convert" in server.command("mailbox", fails=True)
        assert kinds(server) == ["mbox"]

    with tap.test("without a server nothing is converted"):
        server.stop()
        assert "no server runs" in convert(server, address, "INBOX", "mdir", fails=True)
        assert kinds(server) == ["mbox"]

    with tap.test("a setting says what new mailboxes are; those that are there stay"):
        server.options["set"] = ["store.format mdir"]
        server.write_conf()
        server.start()
        create(server, "test0000", "new")
        append(server, "test0000", numbered(range(1)), mailbox="new")
        assert kinds(server, "new") == ["mdir"] and kinds(server) == ["mbox"]
        assert fetch_all(server, "test0000") == before
tap.done()
