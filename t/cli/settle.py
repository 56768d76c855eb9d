"""settle.py - `postern settle`: an account's mailboxes are written anew, while a session has one selected."""

import tap
from mail import append, done, fetch_all, imap_session
from postern import Server

KEPT, GONE = b"Subject: kept\r\n\r\nkept text\r\n", b"Subject: gone\r\n\r\ngone text\r\n"


def mbox(server):
    with open(server.mailbox_file("test0000"), "rb") as file:
        return file.read()


with Server(users=1) as server:
    address = server.address("test0000")
    with imap_session(server, "test0000") as imap:
        append(server, "test0000", (GONE, KEPT))
        done(imap.noop())
        done(imap.store("1", "+FLAGS.SILENT", r"(\Deleted)"))
        done(imap.store("2", "+FLAGS.SILENT", r"(\Flagged)"))
        done(imap.expunge())
        with tap.test("what was expunged is in the file until then"):
            assert b"gone text" in mbox(server)
            server.command("settle", address)
            assert b"gone text" not in mbox(server) and b"X-Status: F" in mbox(server), mbox(server)
        with tap.test("messages keep UIDs and flags, and the session goes on"):
            (uid, about, text), = fetch_all(server, "test0000")
            assert uid == 2 and rb"\Flagged" in about and text == KEPT
            done(imap.store("1", "-FLAGS.SILENT", r"(\Flagged)"))
    with tap.test("what cannot be settled is said"):
        assert "there is no such account" in server.command("settle", server.address("nobody"), fails=True)
        assert "asked wrongly" in server.command("settle", "test0000", fails=True)
        assert "wants one account" in server.command("settle", fails=True)
        server.stop()
        assert "no server runs" in server.command("settle", address, fails=True)
        server.start()
tap.done()
