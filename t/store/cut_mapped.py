"""cut_mapped.py - files that are cut short under a running server cost what is in them, and no worker its life.

Mailboxes, their state files and the index's tables are cut to nothing, or to half, while sessions are open.
"""

import functools
import glob
import imaplib
import os

import tap
from mail import append, create, done, fetch_all, imap_session, numbered, send
from postern import Server, wait_until

WAIT_S = 120
MANY = 400


def tables(server):
    return glob.glob(server.path("store", "index", "*", "leveldb", "*.ldb"))


def lives(server):
    return sorted(server.workers())


def test_tables(server):
    for account in "test0000", "test0001":
        create(server, account, "Many")
        append(server, account, numbered(range(MANY)), "Many")
        send(server, [account], numbered([1]))
    server.restart()
    before = {}
    for account in "test0000", "test0001":
        with imap_session(server, account):  # its database is open, its log has become a table
            pass
        before[account] = MANY
    wait_until(lambda: len(tables(server)) >= 2, WAIT_S, "tables")
    lived = lives(server)
    for path in tables(server):
        os.truncate(path, 0 if "test0000" in path else os.path.getsize(path) // 3)
    with tap.test("an index whose tables are cut under it is made anew, and nobody dies of it"):
        for account, count in before.items():
            assert len(fetch_all(server, account, "Many")) == count
        assert lives(server) == lived, (lived, lives(server))
        assert "index given up" in server.log()


def test_mailboxes(server):
    lived = lives(server)
    for account, length in ("test0002", 0), ("test0003", 3000):
        send(server, [account], numbered(range(20)))
        mbox, state = server.mailbox_file(account), server.mailbox_file(account, kind="state")
        imap = imap_session(server, account)
        with tap.test(f"a session outlives its mailbox, which is cut to {length} bytes"):
            done(imap.uid("STORE", "1:20", "+FLAGS", r"(\Seen)"))
            os.truncate(mbox, length)
            os.truncate(state, 0)

            def is_told(box):
                try:
                    status, _ = box[0].uid("FETCH", "1:*", "(FLAGS BODY.PEEK[])")
                    done(box[0].noop())
                except imaplib.IMAP4.abort:  # its text went when its length was told already: nothing else is left then
                    box[0] = imap_session(server, account)
                    return False
                return status == "OK" and len(fetch_all(server, account)) < 20

            box = [imap]
            wait_until(functools.partial(is_told, box), WAIT_S, "news of what is gone")
            send(server, [account], numbered([99]))
            wait_until(lambda: any(b"number 99" in text for _, _, text in fetch_all(server, account)), WAIT_S, "mail")
            assert max(uid for uid, _, _ in fetch_all(server, account)) == 21
            box[0].logout()
    assert lives(server) == lived, (lived, lives(server))


def main():
    with Server(users=4) as server:
        test_tables(server)
        test_mailboxes(server)
    tap.done()


if __name__ == "__main__":
    main()
