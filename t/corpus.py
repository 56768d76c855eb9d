"""corpus.py - real mail goes in by SMTP, in chunks and by APPEND and comes out by FETCH and RETR, byte for byte; and after the
index is lost, after kill -9, and after both, every mailbox is what it was. Other programs read its mbox files."""

import email
import hashlib
import imaplib
import mailbox
import os
import re
import shutil
import smtplib
import tempfile

import real_mail
import tap
import terminal
from mail import append, done, fetch_all, flags_of, imap_session, retrieve_all, send, send_chunks, texts
from postern import Server

SENT, APPENDED, IN_CHUNKS, BINARY = "test0000", "test0001", "test0002", "test0003"  # whose INBOX is filled which way
ARCHIVE = "Archive/2026"
MESSAGES = real_mail.messages()


def check_in_and_out(server):
    with tap.test(f"{len(MESSAGES)} messages go in by SMTP"):
        send(server, [SENT], [text for _, text in MESSAGES])
    with tap.test("and by APPEND"):
        append(server, APPENDED, [text for _, text in MESSAGES])
    with tap.test("and in chunks"):
        send_chunks(server, IN_CHUNKS, [text for _, text in MESSAGES])
    for account, how in ((SENT, "SMTP"), (APPENDED, "APPEND"), (IN_CHUNKS, "BDAT")):
        for fetched_by, fetch in (("FETCH", texts), ("RETR", retrieve_all)):
            with tap.test(f"what went in by {how} comes back by {fetched_by}"):
                got = fetch(server, account)
                assert len(got) == len(MESSAGES), len(got)
                for (name, sent), text in zip(MESSAGES, got):
                    same = text == sent if how == "APPEND" else text != sent and real_mail.came_back(sent, text)
                    assert same, f"{name}: {tap.difference(sent, text[max(0, len(text) - len(sent)):])}"
    with tap.test("RFC822.SIZE is the size"):
        for _, about, text in fetch_all(server, SENT) + fetch_all(server, APPENDED):
            assert b"RFC822.SIZE %d" % len(text) in about, about


def contents(text):
    """The content of every part, decoded, as Python finds it."""
    return [(part.get_content_type(), part.get_payload(decode=True))
            for part in email.message_from_bytes(text).walk() if not part.is_multipart()]


def check_binary(server):
    with tap.test("what is sent as BINARYMIME means the same, whatever it is kept as (RFC 3030)"):
        send_chunks(server, BINARY, [text for _, text in MESSAGES], body="BINARYMIME")
        got = texts(server, BINARY)
        assert len(got) == len(MESSAGES), len(got)
        for (name, sent), text in zip(MESSAGES, got):
            called = re.search(rb"(?im)^content-transfer-encoding:\s*binary", sent)
            assert contents(text) == contents(sent), name
            assert real_mail.came_back(sent, text) != bool(called), name


def check_nul(server):
    name, text = real_mail.message_with_nul()
    with tap.test("a message with a NUL is refused by SMTP (RFC 5321, 4.5.2) and leaves nothing"):
        try:
            send(server, [SENT], [text])
            raise AssertionError("it was taken")
        except smtplib.SMTPDataError as answer:
            assert 500 <= answer.smtp_code < 600, answer
        assert len(texts(server, SENT)) == len(MESSAGES)
    with tap.test("and by APPEND (RFC 3501, 4.3)"):
        try:
            status, _ = imap_session(server, APPENDED).append("INBOX", None, None, text)
        except imaplib.IMAP4.error:
            status = "BAD"
        assert status in ("NO", "BAD"), status
        assert len(texts(server, APPENDED)) == len(MESSAGES)


# Other programs read the files -------------------------------------------------------------------------------------


def stored(text):
    """A message as an mbox holds it: LF, mboxrd quoting."""
    return re.sub(rb"(?m)^(>*From )", rb">\1", text.replace(b"\r\n", b"\n"))


def differing(want, got):
    if want == got:
        return None
    first = next((pair for pair in zip(want, got) if pair[0] != pair[1]), None)
    return f"{len(want)} and {len(got)} messages; {tap.difference(*first) if first else 'the first are the same'}"


def check_mailbox_module(server, account):
    with tap.test(f"Python's mailbox module reads the mbox of {account}"):
        box = mailbox.mbox(server.mailbox_file(account), create=False)
        got = [real_mail.without_state(box.get_bytes(key), b"\n") for key in box.keys()]
        wrong = differing([stored(text) for text in texts(server, account)], got)
        assert not wrong, wrong


def body_of(text):
    return text.partition(b"\n\n")[2].strip(b"\n")


def has_header(text):
    """Whether everybody agrees where the header ends."""
    return re.match(rb"(?:[!-9;-~]+:.*\n(?:[ \t].*\n)*)+\n", text)


def check_mutt(server, account):
    """mutt copies every message to a Maildir; it rewrites headers when it does, so bodies are compared."""
    with tap.test(f"mutt reads the mbox of {account}"), tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out")
        settings = f"set folder={folder} mbox_type=Maildir confirmcreate=no confirmappend=no quit=yes"
        terminal.drive(["mutt", "-n", "-F", "/dev/null", "-R", "-e", settings, "-f", server.mailbox_file(account)],
                       {"HOME": folder}, [("Msgs:", f"T~A\n;C{out}\nq")])
        got = []
        for entry in [*os.scandir(f"{out}/cur"), *os.scandir(f"{out}/new")]:
            with open(entry.path, "rb") as file:
                got.append(body_of(file.read()))
        want = [stored(text) for text in texts(server, account)]
        assert len(got) == len(want), f"{len(want)} and {len(got)} messages"
        missing = [text for text in want if has_header(text) and body_of(text) not in got]
        assert not missing, f"{len(missing)} bodies differ, the first of: {missing[0][:300]}"


# Loss and death ----------------------------------------------------------------------------------------------------


def snapshot(server):
    """All that must survive: per mailbox UIDVALIDITY, next UID, and per message UID, flags, date, size, content."""
    found = {}
    for account, name in ((SENT, "INBOX"), (SENT, ARCHIVE), (APPENDED, "INBOX")):
        with imap_session(server, account) as imap:
            status = done(imap.status(f'"{name}"', "(MESSAGES UIDNEXT UIDVALIDITY UNSEEN)"))[0]
        listed = [(uid, flags_of(about), re.search(rb'INTERNALDATE "([^"]*)"', about)[1], len(text),
                   hashlib.sha256(text).hexdigest()) for uid, about, text in fetch_all(server, account, name)]
        found[account, name] = (sorted(re.findall(rb"([A-Z]+) (\d+)", status.rpartition(b"(")[2])), listed)
    return found


def change_some(server, at):
    """Flags, keywords, copies and expunges, other ones each time."""
    with imap_session(server, SENT) as imap:
        done(imap.store(f"{1 + at}:{20 + at}", "+FLAGS.SILENT", r"(\Seen)"))
        done(imap.store(f"{10 + at}:{30 + at}", "FLAGS.SILENT", r"(\Flagged $Forwarded work)"))
        done(imap.store(f"{12 + at},{17 + at}", "-FLAGS.SILENT", r"(\Flagged)"))
        if at == 0:
            done(imap.create(f'"{ARCHIVE}"'))
        done(imap.copy(f"{5 + at}:{15 + at}", f'"{ARCHIVE}"'))
        done(imap.store(f"{40 + at}:{42 + at}", "+FLAGS.SILENT", r"(\Deleted \Answered)"))
        done(imap.expunge())


def lose_index(server):
    shutil.rmtree(os.path.join(server.store, "index"))


def check_same(server, name, before):
    with tap.test(name):
        after = snapshot(server)
        for place, (status, listed) in before.items():
            changes = [pair for pair in zip(listed, after[place][1]) if pair[0] != pair[1]]
            assert listed == after[place][1], f"{place}: {len(listed)} to {len(after[place][1])}: {changes[:3]}"
            assert status == after[place][0], f"{place}: {status} became {after[place][0]}"


def check_kept(server):
    for at, (name, end, lose) in enumerate((
            ("all mailboxes are the same after a restart", server.stop, False),
            ("after the loss of the index", server.stop, True),
            ("after kill -9", server.kill, False),
            ("after kill -9 and the loss of the index", server.kill, True))):
        with tap.test(f"flags, copies and expunges before the next: {name}"):
            change_some(server, 3 * at)
        before = snapshot(server)
        end()
        if lose:
            lose_index(server)
        server.start()
        check_same(server, name, before)


def main():
    tap.need("mutt")
    with Server(users=4) as server:
        check_in_and_out(server)
        check_binary(server)
        check_nul(server)
        for account in (SENT, APPENDED):
            check_mailbox_module(server, account)
            check_mutt(server, account)
        check_kept(server)
    tap.done()


if __name__ == "__main__":
    main()
