"""promises.py - what an acknowledgement means: each sentence of the README's section of that name, at its hardest.

No checkpoint comes while this runs. After each answer the power fails, and of all that was not synced nothing reached the
disk, neither bytes nor names. A server started on what is left has what it acknowledged.
"""

import contextlib
import imaplib
import poplib
import random
import smtplib

import tap
from cut import leave, recorded
from cut_loads import Away, waiting
from mail import SENDER, done, quoted, texts
from postern import PASSWORD, Server
from sending import submission

SETTINGS = ["journal.checkpoint 10m", "journal.segment 1M", "store.compact_share 90"]


def message(subject):
    return f"From: {SENDER}\r\nSubject: {subject}\r\n\r\ntext\r\n".encode()


def has(server, subject, mailbox="INBOX", account="test0000"):
    return sum(f"Subject: {subject}\r\n".encode() in text for text in texts(server, account, mailbox))


@contextlib.contextmanager
def imap_of(server, account="test0000", password=PASSWORD, mailbox=None):
    with imaplib.IMAP4(server.host, server.ports["imap"], timeout=60) as imap:
        imap.login(server.address(account), password)
        if mailbox:
            done(imap.select(quoted(mailbox)))
        yield imap


def imap(server, *words, mailbox=None):
    with imap_of(server, mailbox=mailbox) as session:
        return done(getattr(session, words[0])(*words[1:]))


def names(server, subscribed=False):
    with imap_of(server) as session:
        return {line.decode().rpartition(' "/" ')[2].strip('"')
                for line in done(session.lsub() if subscribed else session.list()) if line}


def lets_in(server, account, password):
    try:
        with imap_of(server, account, password):
            return True
    except imaplib.IMAP4.error:
        return False


def append(server, subject, mailbox="INBOX", flags=""):
    with imap_of(server) as session:
        done(session.append(quoted(mailbox), flags, None, message(subject)))


def uid_of(session, subject):
    return done(session.uid("SEARCH", "HEADER", "SUBJECT", subject))[0].split()[-1].decode()


def on_message(server, subject, word, *words):
    with imap_of(server, mailbox="INBOX") as session:
        done(session.uid(word, uid_of(session, subject), *words))


def convert(server, mailbox, form):
    server.command("mailbox", "convert", server.address("test0000"), mailbox, form)


def flags(server, subject):
    with imap_of(server, mailbox="INBOX") as session:
        return done(session.uid("FETCH", uid_of(session, subject), "FLAGS"))[0].decode()


def take(server, protocol, port):
    with protocol(server.host, server.ports[port], timeout=60) as session:
        session.sendmail(SENDER, [server.address("test0000")], message(port))


def leaves(server, stuck, name):
    with submission(server, "test0001") as session:
        session.sendmail(server.address("test0001"), [stuck.address(name)], message(name))


def order(server, stuck, word, name, wanted):
    while waiting(server, stuck).get(name) != wanted:  # one that is being tried is left alone
        server.command("queue", word, "--to", stuck.address(name))


def remove_by_pop(server, subject):
    session = poplib.POP3(server.host, server.ports["pop3"], timeout=60)
    session.user(server.address("test0000"))
    session.pass_(PASSWORD)
    count = session.stat()[0]
    place, = (n for n in range(1, count + 1) if f"Subject: {subject}".encode() in session.top(n, 0)[1])
    session.dele(place)
    session.quit()


def command_lists(server, what, address):
    return address in server.command(what, "list", *([] if what == "domain" else [server.domain])).split()


def promises(server, stuck):
    """What is acknowledged, how it is asked for, and what must be there then. One builds upon the other."""
    def box(subject, mailbox="INBOX"):
        return lambda: has(server, subject, mailbox) == 1

    def not_in(subject, mailbox="INBOX"):
        return lambda: has(server, subject, mailbox) == 0

    new, alias = server.address("new"), server.address("other")
    return [
        ("SMTP's 250 for a mailbox here", lambda: take(server, smtplib.SMTP, "smtp"), box("smtp")),
        ("LMTP's 250", lambda: take(server, smtplib.LMTP, "lmtp"), box("lmtp")),
        ("SMTP's 250 for mail that leaves", lambda: leaves(server, stuck, "away"),
         lambda: waiting(server, stuck).get("away") == "waits"),
        ("IMAP's OK to APPEND", lambda: append(server, "appended", "INBOX", r"(\Flagged)"), box("appended")),
        ("to STORE", lambda: on_message(server, "smtp", "STORE", "+FLAGS", r"(\Answered work)"),
         lambda: r"\Answered work" in flags(server, "smtp")),
        ("to CREATE", lambda: imap(server, "create", quoted("one/two")), lambda: "one/two" in names(server)),
        ("to COPY", lambda: on_message(server, "smtp", "COPY", quoted("one/two")), box("smtp", "one/two")),
        ("to APPEND to a mailbox in another", lambda: append(server, "deep", "one/two"), box("deep", "one/two")),
        ("to RENAME, with what is in it", lambda: imap(server, "rename", quoted("one"), quoted("four")),
         lambda: has(server, "deep", "four/two") == 1 and "one/two" not in names(server)),
        ("to MOVE", lambda: on_message(server, "lmtp", "MOVE", quoted("four/two")),
         lambda: has(server, "lmtp", "four/two") == 1 and has(server, "lmtp") == 0),
        ("to EXPUNGE", lambda: (on_message(server, "appended", "STORE", "+FLAGS", r"(\Deleted)"),
                                imap(server, "expunge", mailbox="INBOX")), not_in("appended")),
        ("of a mailbox written anew", lambda: server.command("settle", server.address("test0000")),
         lambda: has(server, "deep", "four/two") == 1 and r"\Answered work" in flags(server, "smtp")),
        ("to RENAME of one written anew", lambda: imap(server, "rename", quoted("four/two"), quoted("five/six")),
         box("deep", "five/six")),
        ("of a mailbox made an mdir", lambda: convert(server, "five/six", "mdir"), box("deep", "five/six")),
        ("to APPEND to an mdir", lambda: append(server, "deeper", "five/six"), box("deeper", "five/six")),
        ("to RENAME of an mdir", lambda: imap(server, "rename", quoted("five/six"), quoted("five/seven")),
         lambda: has(server, "deep", "five/seven") == 1 and has(server, "deeper", "five/seven") == 1),
        ("of an mdir made an mbox", lambda: (imap(server, "rename", quoted("five/seven"), quoted("five/six")),
                                             convert(server, "five/six", "mbox")), box("deeper", "five/six")),
        ("to SUBSCRIBE", lambda: imap(server, "subscribe", quoted("five/six")),
         lambda: "five/six" in names(server, subscribed=True)),
        ("to UNSUBSCRIBE", lambda: imap(server, "unsubscribe", quoted("five/six")),
         lambda: "five/six" not in names(server, subscribed=True)),
        ("to DELETE", lambda: imap(server, "delete", quoted("five/six")), lambda: "five/six" not in names(server)),
        ("to RENAME of INBOX", lambda: imap(server, "rename", "INBOX", quoted("old")),
         lambda: has(server, "smtp", "old") == 1 and has(server, "smtp") == 0),
        ("POP3's +OK to QUIT", lambda: (take(server, smtplib.SMTP, "smtp"), remove_by_pop(server, "smtp")),
         not_in("smtp")),
        ("a new account", lambda: server.command("account", "add", new, "--password", "first"),
         lambda: lets_in(server, "new", "first")),
        ("a new password", lambda: server.command("account", "passwd", new, "--password", "second"),
         lambda: lets_in(server, "new", "second") and not lets_in(server, "new", "first")),
        ("a new alias", lambda: server.command("alias", "add", alias, new),
         lambda: command_lists(server, "alias", alias)),
        ("an alias that is deleted", lambda: server.command("alias", "delete", alias),
         lambda: not command_lists(server, "alias", alias)),
        ("an account that is deleted", lambda: server.command("account", "delete", new),
         lambda: not command_lists(server, "account", new)),
        ("a new domain", lambda: server.command("domain", "add", "second.test"),
         lambda: command_lists(server, "domain", "second.test")),
        ("a domain that is deleted", lambda: server.command("domain", "delete", "second.test"),
         lambda: not command_lists(server, "domain", "second.test")),
        ("an order to hold", lambda: order(server, stuck, "hold", "away", "held"),
         lambda: waiting(server, stuck).get("away") == "held"),
        ("an order to release", lambda: order(server, stuck, "release", "away", "waits"),
         lambda: waiting(server, stuck).get("away") == "waits"),
        ("an order to delete", lambda: order(server, stuck, "delete", "away", None),
         lambda: waiting(server, stuck) == {}),
    ]


def main():
    stuck = Away("stuck").fault("rcpt", "450 4.2.1 later")
    with Server(users=2, workers=2, set=[*SETTINGS, *stuck.settings()]) as server:
        server.stop()
        with recorded(server, "record") as (recording, note):
            for place, (_, ask, _) in enumerate(promises(server, stuck)):
                ask()
                note({"acknowledged": place})
        for at, what in recording.notes:
            name, _, is_kept = promises(server, stuck)[what["acknowledged"]]
            with tap.test(f"after a power cut there is what was acknowledged: {name}"):
                leave(server, recording, at, random.Random(name), share=0)
                server.start()
                try:
                    assert is_kept(), server.tail()
                finally:
                    server.kill()
        server.start()
    stuck.stop()
    tap.done()


if __name__ == "__main__":
    main()
