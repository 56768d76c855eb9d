"""mdir.py - mailboxes that are mdirs: all that a client does with a mailbox, conversion from an mbox and back while it is
in use, other programs' edits, kill -9, an index made anew, fsck, backup and restore.

Everything is done to an mdir and to an mbox at once; what clients see of the two may not differ.
"""

import os
import re
import shutil
import subprocess
import threading

import real_mail
import tap
from mail import append, create, done, fetch_all, flags_of, imap_session, literals, numbered, quoted, retrieve_all, send
from postern import Server, wait_until

LIMIT_S = 120
BIG = b"Subject: big\r\n\r\n" + b"".join(b"line %07d of a message too long for memory\r\n" % n for n in range(20000))
REAL = [text for _, text in real_mail.messages()][:30]


def files(server, account, mailbox="INBOX"):
    """The files of an mdir, by UID."""
    folder = server.mailbox_file(account, mailbox, "mdir")
    return {int(name): os.path.join(folder, name) for name in os.listdir(folder) if name.isdigit()}


def seen(server, account, mailbox="INBOX"):
    """[(UID, flags and keywords, message)] and UIDVALIDITY"""
    with imap_session(server, account, mailbox) as imap:
        validity = imap.response("UIDVALIDITY")[1][0]
        answers = literals(done(imap.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")))
    return validity, [(int(re.search(rb"UID (\d+)", about)[1]), flags_of(about),
                       re.search(rb'INTERNALDATE "[^"]*"', about)[0], text) for about, text in answers]


def convert(server, account, mailbox, form, **options):
    return server.command("mailbox", "convert", server.address(account), mailbox, form, **options)


def form_of(server, account, mailbox="INBOX"):
    return [kind for kind in ("mbox", "mdir") if os.path.exists(server.mailbox_file(account, mailbox, kind))]


def expunge(imap, uids):
    done(imap.uid("STORE", uids, "+FLAGS.SILENT", r"(\Deleted)"))
    done(imap.expunge())


def fsck(server, account, fails=False):
    return server.command("fsck", server.address(account), fails=fails)


def both(server, deed):
    """Does it to the account whose mailboxes are mdirs and to the one whose are not; both say the same."""
    answers = [deed(account) for account in ("test0001", "test0000")]
    assert answers[0] == answers[1], answers
    return answers[0]


with Server(users=4) as server:
    texts = REAL + numbered(range(20)) + [BIG]

    with tap.test("an INBOX becomes an mdir with all that it has"):
        send(server, ["test0000", "test0001"], texts)
        for account in ("test0000", "test0001"):
            with imap_session(server, account) as imap:
                done(imap.store("2,4,6", "+FLAGS", r"(\Seen \Flagged $work)"))
                expunge(imap, "3")
        before = seen(server, "test0001")
        convert(server, "test0001", "INBOX", "mdir")
        assert form_of(server, "test0001") == ["mdir"]
        assert seen(server, "test0001") == before
        assert sorted(files(server, "test0001")) == [uid for uid, *_ in before[1]]
        convert(server, "test0001", "INBOX", "mdir")  # it is one
        assert "nothing is wrong" in fsck(server, "test0001")

    with tap.test("mail is delivered to it and read from it, by IMAP and POP3, in parts and whole"):
        send(server, ["test0000", "test0001"], numbered(range(100, 105)) + [BIG])
        wait_until(lambda: len(files(server, "test0001")) == len(texts) - 1 + 6, LIMIT_S, "the files of what was taken")
        with imap_session(server, "test0001") as imap:
            (_, part), = literals(done(imap.fetch("*", "(BODY.PEEK[TEXT]<100000.50000>)")))
            assert part == BIG.partition(b"\r\n\r\n")[2][100000:150000]
            assert done(imap.search(None, "BODY", '"103: text"'))[0].split()
        whole = both(server, lambda account: [text.partition(b"\r\n\r\n")[2] for text in retrieve_all(server, account)])
        assert len(whole) == len(texts) - 1 + 6

    with tap.test("APPEND, STORE, COPY, MOVE, EXPUNGE: as in an mbox"):
        create(server, "test0000", "other")
        create(server, "test0001", "other")
        convert(server, "test0001", "other", "mdir")

        def deeds(account):
            append(server, account, numbered(range(200, 203)) + [BIG], flags=r"(\Answered keyword)")
            with imap_session(server, account) as imap:
                done(imap.uid("COPY", "1:9", "other"))
                done(imap.uid("COPY", "40:*", "other"))
                done(imap.uid("COPY", "5,7", "INBOX"))
                done(imap._simple_command("MOVE", "1:4", "other"))
                expunge(imap, "8:12")
            with imap_session(server, account, "other") as imap:
                done(imap._simple_command("MOVE", "1", "INBOX"))
            return [[(uid, flags, text.partition(b"\r\n\r\n")[2]) for uid, flags, _, text in seen(server, account, mailbox)[1]]
                    for mailbox in ("INBOX", "other")]
        both(server, deeds)
        assert "nothing is wrong" in fsck(server, "test0001")

    with tap.test("compaction unlinks what is expunged and leaves the other files alone"):
        kept = {uid: os.stat(path).st_ino for uid, path in files(server, "test0001").items()}
        for account in ("test0000", "test0001"):
            with imap_session(server, account) as imap:
                expunge(imap, "20:30")
        before = seen(server, "test0001")
        server.command("settle", server.address("test0001"))
        after = files(server, "test0001")
        assert sorted(after) == [uid for uid, *_ in before[1]], (sorted(after), before[1])
        assert all(os.stat(path).st_ino == kept[uid] for uid, path in after.items())
        assert seen(server, "test0001") == before

    with tap.test("files of a few expunged messages go by themselves, for they may be large"):
        create(server, "test0003", "few")
        convert(server, "test0003", "few", "mdir")
        append(server, "test0003", numbered(range(4)), mailbox="few")
        with imap_session(server, "test0003", "few") as imap:
            expunge(imap, "2:3")
        wait_until(lambda: sorted(files(server, "test0003", "few")) == [1, 4], LIMIT_S, "files of the expunged to go")

    with tap.test("of very many, some at a time; what is left of them does not come back"):
        append(server, "test0002", numbered(range(1100)))
        convert(server, "test0002", "INBOX", "mdir")
        with imap_session(server, "test0002") as imap:
            expunge(imap, "1:1050")
        server.command("settle", server.address("test0002"))
        assert len(files(server, "test0002")) <= 100
        before = seen(server, "test0002")
        server.stop()
        shutil.rmtree(server.path("store", "index"))
        server.start()
        assert seen(server, "test0002") == before

    with tap.test("after kill -9 all is there, by the same UIDs"):
        send(server, ["test0001"], numbered(range(300, 320)) + [BIG])
        with imap_session(server, "test0001") as imap:
            done(imap.uid("STORE", "31:33", "+FLAGS.SILENT", r"(\Flagged other)"))
            expunge(imap, "34")
        before = seen(server, "test0001"), seen(server, "test0001", "other")
        server.kill()
        server.start()
        assert (seen(server, "test0001"), seen(server, "test0001", "other")) == before
        server.restart()
        assert (seen(server, "test0001"), seen(server, "test0001", "other")) == before

    with tap.test("without any index it comes back as it was, and without its state file with its messages and UIDs"):
        server.stop()
        shutil.rmtree(server.path("store", "index"))
        server.start()
        assert (seen(server, "test0001"), seen(server, "test0001", "other")) == before
        server.command("index", "rebuild", server.address("test0001"))
        assert seen(server, "test0001") == before[0]
        server.stop()
        os.unlink(server.mailbox_file("test0001", "other", "state"))
        shutil.rmtree(server.path("store", "index"))
        server.start()
        now = seen(server, "test0001", "other")
        assert [message[0::3] for message in now[1]] == [message[0::3] for message in before[1][1]]
        assert now[0] == before[1][0]

    with tap.test("renamed and deleted it goes with its files"):
        with imap_session(server, "test0001") as imap:
            done(imap.rename("other", "below/it"))
        assert not form_of(server, "test0001", "other") and form_of(server, "test0001", "below/it") == ["mdir"]
        assert seen(server, "test0001", "below/it") == now
        server.kill()
        server.start()
        assert seen(server, "test0001", "below/it") == now
        with imap_session(server, "test0001") as imap:
            done(imap.delete("below/it"))
        wait_until(lambda: not form_of(server, "test0001", "below/it"), LIMIT_S, "the end of its files")
        server.kill()
        server.start()
        assert not form_of(server, "test0001", "below/it")

    with tap.test("other programs take a message away and put one there"):
        with imap_session(server, "test0001") as imap:
            had = files(server, "test0001")
            gone = sorted(had)[4]
            os.unlink(had[gone])
            wait_until(lambda: done(imap.noop()) and
                       gone not in [message[0] for message in seen(server, "test0001")[1]], LIMIT_S, "the end of a message")
            last = max(message[0] for message in seen(server, "test0001")[1])
            new = os.path.join(os.path.dirname(had[gone]), ".new")
            with open(new, "wb") as file:
                file.write(b"From somebody Mon Nov 23 10:00:00 2026\nSubject: put there\n\nby hand\n")
            os.chmod(new, 0o600)
            os.chown(new, os.stat(had[last]).st_uid, -1)
            os.rename(new, new.replace(".new", "new"))
            wait_until(lambda: b"by hand" in seen(server, "test0001")[1][-1][3], LIMIT_S, "the message")
            uid = seen(server, "test0001")[1][-1][0]
            assert uid > last
            send(server, ["test0001"], numbered([400]))
            done(imap.noop())
            assert seen(server, "test0001")[1][-1][0] > uid
        before = seen(server, "test0001")
        server.kill()
        server.start()
        assert seen(server, "test0001") == before

    with tap.test("a file that is no message is set aside, and told of"):
        server.stop()
        had = files(server, "test0001")
        uid = sorted(had)[3]
        with open(had[uid], "r+b") as file:
            file.truncate(3)
        server.start()
        assert uid not in [message[0] for message in seen(server, "test0001")[1]]
        assert os.path.exists(had[uid] + ".damaged")
        assert "set aside" in fsck(server, "test0001")
        os.unlink(had[uid] + ".damaged")
        before = seen(server, "test0001")

    with tap.test("a backup has it, and an account, a mailbox or a message comes back from there"):
        backup = server.path("backup")
        os.mkdir(backup)
        if os.getuid() == 0:
            shutil.chown(backup, "nobody")
        server.command("backup", os.path.join(backup, "one"))
        server.command("restore", "--to", "again", os.path.join(backup, "one"), server.address("test0001"), "INBOX")
        assert form_of(server, "test0001", "again") == ["mdir"]
        assert seen(server, "test0001", "again")[1] == before[1]
        server.command("account", "delete", server.address("test0001"))
        server.command("restore", os.path.join(backup, "one"), server.address("test0001"))
        assert seen(server, "test0001") == before

    with tap.test("it becomes an mbox again, while a session reads, writes and gets mail; and an mdir, and so on"):
        stop = threading.Event()
        failures = []

        def session():
            try:
                with imap_session(server, "test0001") as imap:
                    first = seen(server, "test0001")[1]
                    while not stop.is_set():
                        for uid, _, _, text in first[::7]:
                            (_, got), = literals(done(imap.uid("FETCH", str(uid), "(BODY.PEEK[])")))
                            assert got == text, uid
                        done(imap.uid("STORE", str(first[0][0]), "+FLAGS.SILENT", r"(\Answered)"))
                        done(imap.noop())
            except BaseException as why:
                failures.append(why)

        reader = threading.Thread(target=session)
        reader.start()
        for form in ("mbox", "mdir", "mbox", "mdir", "mbox"):
            convert(server, "test0001", "INBOX", form)
            assert form_of(server, "test0001") == [form]
            send(server, ["test0001"], numbered([500]))
        stop.set()
        reader.join()
        assert not failures, failures
        now = seen(server, "test0001")
        assert now[0] == before[0]
        assert [(uid, text) for uid, _, _, text in now[1]][:len(before[1])] == [(uid, text) for uid, _, _, text in before[1]]
        assert {uid: flags for uid, flags, _, _ in before[1][1:]}.items() <= {uid: flags for uid, flags, _, _ in now[1]}.items()
        server.kill()
        server.start()
        assert seen(server, "test0001") == now
        assert "nothing is wrong" in fsck(server, "test0001")

with Server(users=1, set=["store.format mdir"]) as server:
    with tap.test("a setting makes new mailboxes mdirs, also empty ones that are renamed, copied to and deleted"):
        create(server, "test0000", "one")
        send(server, ["test0000"], numbered(range(3)))
        assert form_of(server, "test0000") == ["mdir"]
        with imap_session(server, "test0000") as imap:
            done(imap.rename("one", "two"))
            done(imap.copy("1:3", "two"))
            assert [message[0] for message in seen(server, "test0000", "two")[1]] == [1, 2, 3]
            done(imap.rename("INBOX", "three"))
            assert [message[0] for message in seen(server, "test0000", "three")[1]] == [1, 2, 3]
            assert not seen(server, "test0000")[1]
        server.kill()
        server.start()
        assert [message[0] for message in seen(server, "test0000", "three")[1]] == [1, 2, 3]

    with tap.test("what cannot be converted is said"):
        assert "wants an account, a mailbox" in server.command("mailbox", "convert", "a", "b", "c", fails=True)
        assert "no such account or mailbox" in convert(server, "test0000", "none", "mbox", fails=True)
        assert "no such account or mailbox" in convert(server, "nobody", "INBOX", "mbox", fails=True)
        assert "knows convert" in server.command("mailbox", "invert", fails=True)
tap.done()
