"""names.py - mail to names that are no accounts: aliases, forwarders, groups, and those of aliases(5) files; where it goes,
by which sender, and how bounces of what was forwarded find home."""

import email
import imaplib
import os
import re
import shutil
import smtplib
import tempfile

import tap
from postern import Server, wait_until
from smtp_client import Client
from smtp_sink import Sink

PATIENCE_S = 60
STRANGER = "x@elsewhere.test"


def message(sender, subject):
    return (f"From: A Name <{sender}>\r\nTo: all@example.test\r\nSubject: {subject}\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n"
            "Message-ID: <1@example.test>\r\n\r\nwords\r\n")


def send(server, sender, recipient, subject, login=None):
    """By port 25 as a stranger, or by submission as somebody of ours. The refusal, or None."""
    with smtplib.SMTP(server.host, server.ports["submission" if login else "smtp"]) as smtp:
        if login:
            smtp.login(server.address(login), "secret")
        try:
            smtp.sendmail(sender, [recipient], message(sender, subject))
            return None
        except smtplib.SMTPRecipientsRefused as refused:
            code, words = refused.recipients[recipient]
            return f"{code} {words.decode()}"


def inbox(server, account):
    imap = imaplib.IMAP4(server.host, server.ports["imap"])
    imap.login(server.address(account), "secret")
    imap.select(readonly=True)
    bodies = [imap.fetch(number, "BODY[]")[1][0][1] for number in imap.search(None, "ALL")[1][0].split()]
    imap.logout()
    return [email.message_from_bytes(body) for body in bodies]


def subjects(server, account):
    return [m["Subject"] for m in inbox(server, account)]


def stored(server, sink):
    server.command("alias", "add", "al@example.test", "test0000@example.test")
    server.command("forwarder", "add", "away@example.test", "Bob@far.test", "test0001@example.test")
    server.command("group", "add", "team@example.test", "--owner", "test0001@example.test", "--members-only",
                   "--skip-author", "test0000@example.test", "test0001@example.test", "carol@far.test")
    with tap.test("an alias gets the mail of its account, with any detail"):
        assert send(server, STRANGER, "AL+x@example.test", "alias") is None
        assert subjects(server, "test0000") == ["alias"]
    with tap.test("and logs in as it"):
        imap = imaplib.IMAP4(server.host, server.ports["imap"])
        imap.login("al@example.test", "secret")
        assert imap.select()[1] == [b"1"]
        imap.logout()
    with tap.test("a forwarder's mail goes on, here as it came, elsewhere by a sender of ours (SRS)"):
        assert send(server, STRANGER, "away@example.test", "forward") is None
        assert subjects(server, "test0001") == ["forward"]
        sent = sink.wait(1)[0]
        assert sent.recipients == ["Bob@far.test"], sent
        assert re.fullmatch(r"SRS0=\w{6}=\w\w=elsewhere\.test=x@example\.test", sent.sender), sent
    with tap.test("what bounces there finds its way home"):
        assert send(server, "", sent.sender, "bounce") is None
        back = sink.wait(2)[1]
        assert back.sender == "" and back.recipients == [STRANGER], back
    with tap.test("but nobody else can make such an address"):
        forged = re.sub(r"=\w{6}=", "=aaaaaa=", sent.sender)
        assert send(server, "", forged, "forged").startswith("550 5."), forged
        assert send(server, "", sent.sender.replace("=x@", "=y@"), "forged").startswith("550 5.")
    with tap.test("nor is one good for ever"):
        server.command("clock", "+30d")
        assert send(server, "", sent.sender, "late").startswith("550 5.")
    with tap.test("a group is written to by its members alone"):
        assert send(server, STRANGER, "team@example.test", "no").startswith("550 5.7.")
        assert send(server, "test0000@example.test", "team@example.test", "group", login="test0000") is None
        assert subjects(server, "test0001") == ["forward", "group"]
    with tap.test("who only says that he is one is no member, but to clients of relay.networks"):
        for claimed in "test0000@example.test", "test0001@example.test", "carol@far.test":
            assert send(server, claimed, "team@example.test", "claimed").startswith("550 5.7.1"), claimed
        for source, code in ("127.0.0.1", 550), ("127.0.0.9", 250):
            client = Client(server, source=source)
            assert client.ask(b"MAIL FROM:<carol@far.test>") == 250
            assert client.ask(b"RCPT TO:<team@example.test>") == code, client.line
        assert client.ask(b"RSET") == 250 and client.ask(b"MAIL FROM:<eve@far.test>") == 250
        assert client.ask(b"RCPT TO:<team@example.test>") == 550, client.line
    with tap.test("who writes gets no copy, and bounces go to the owner"):
        assert subjects(server, "test0000") == ["alias"]
        sent = sink.wait(3)[2]
        assert sent.sender == "test0001@example.test" and sent.recipients == ["carol@far.test"], sent
    with tap.test("a name that is gone is unknown"):
        server.command("forwarder", "delete", "away@example.test")
        assert send(server, STRANGER, "away@example.test", "gone").startswith("550 5.1.1")


def files(server, sink, folder):
    def write(name, text):
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)

    with tap.test("a name of an aliases file, which is another name there"):
        assert send(server, STRANGER, "Root@example.test", "file") is None
        assert subjects(server, "test0000") == ["alias", "file"]
    with tap.test("one that stands for itself and for another"):
        assert send(server, STRANGER, "test0002@example.test", "both") is None
        assert subjects(server, "test0002") == ["both"]
        assert sink.wait(4)[3].recipients == ["me@away.test"]
    with tap.test("a list with an owner, and members of another file"):
        assert send(server, STRANGER, "list@example.test", "list") is None
        sent = sink.wait(5)[4]
        assert sent.sender == "owner-list@example.test" and sent.recipients == ["m1@far.test"], sent
        assert "list" in subjects(server, "test0000")
    with tap.test("programs and files get nothing, refusals are told"):
        assert send(server, STRANGER, "prog@example.test", "x").startswith("550 5.3.0")
        assert send(server, STRANGER, "old@example.test", "x") == "550 5.1.6 He moved"
        assert send(server, STRANGER, "part@example.test", "part") is None
        assert "part" in subjects(server, "test0000")
    with tap.test("wrong lines are in the log, with their numbers"):
        assert f"{folder}/aliases:9: " in server.log()
    with tap.test("a change is taken up without a word"):
        write("list", "m2@far.test\n")

        def listed():
            server.command("clock", "+5s")
            return "m2@far.test" in server.command("route", "list@example.test")
        wait_until(listed, PATIENCE_S, "the new member")
    with tap.test("a list whose file is missing is nobody's loss: it is tried again"):
        assert send(server, STRANGER, "lost@example.test", "x").startswith("451 4.")


def masquerades(server, sink):
    with tap.test("a host's users leave as its domain's, in the envelope and in the header"):
        count = len(sink.messages)
        assert send(server, "test0000@host.example.test", "bob@far.test", "mask", login="test0000") is None
        sent = sink.wait(count + 1)[count]
        assert sent.sender == "test0000@example.test", sent
        assert b"\r\nFrom: A Name <test0000@example.test>\r\n" in b"\r\n" + sent.content, sent.content


folder = tempfile.mkdtemp(prefix="postern-aliases-")
try:
    os.chmod(folder, 0o755)
    with open(os.path.join(folder, "aliases"), "w") as aliases:
        aliases.write(f"# of all kinds\nRoot: admin\nadmin:\n  test0000\ntest0002: \\test0002, me@away.test\n"
                      f"list: :include:{folder}/list\nowner-list: test0001\nprog: \"|/bin/true\"\nnonsense\n"
                      f"old: error:550 5.1.6 He moved\npart: |/bin/true, test0000\nlost: :include:{folder}/none\n")
    with open(os.path.join(folder, "list"), "w") as members:
        members.write("# members\nm1@far.test\ntest0000\n")
    with Sink() as sink:
        with Server(users=3, smarthost=sink.place, set=[
                f'domain.example.test.aliases_files {{"{folder}/aliases"}}',
                'domain.example.test.masquerade {".example.test"}', 'relay.networks {"127.0.0.9"}']) as server:
            stored(server, sink)
            files(server, sink, folder)
            masquerades(server, sink)
finally:
    shutil.rmtree(folder)
tap.done()
