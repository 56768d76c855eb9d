"""thunderbird.py - Thunderbird, remote-controlled, reads and files by IMAP, hears of news, answers, takes by POP3."""

import os
import tempfile

import tap
from mail import PARTS, append, done, fetch_all, flags_of, folders, imap_session, numbered, send, texts
from marionette import Thunderbird
from postern import PASSWORD, Server, wait_until

tap.need("thunderbird")
PLAIN = numbered(range(5))
TLS = 3  # encrypted from the first byte on
NORMAL_PASSWORD = 3  # as opposed to CRAM-MD5 and the like
ACCOUNTS = {
    "mail.accountmanager.accounts": "account1,account2,account3",
    "mail.accountmanager.defaultaccount": "account1",
    "mail.accountmanager.localfoldersserver": "server2",
    "mail.account.account1.identities": "id1",
    "mail.account.account1.server": "server1",
    "mail.account.account2.server": "server2",
    "mail.account.account3.server": "server3",
    "mail.identity.id1.fcc": True,
    "mail.identity.id1.fullName": "Test",
    "mail.identity.id1.smtpServer": "smtp1",
    "mail.identity.id1.valid": True,
    "mail.server.server1.type": "imap",
    "mail.server.server2.type": "none",
    "mail.server.server2.hostname": "Local Folders",
    "mail.server.server2.userName": "nobody",
    "mail.server.server3.type": "pop3",
    "mail.server.server3.leave_on_server": False,
    "mail.smtpservers": "smtp1",
    "mail.smtp.defaultserver": "smtp1",
}
QUIET = {
    # Nothing but this server is talked to: what goes by HTTP goes to a proxy that is not there.
    "network.proxy.type": 1, "network.proxy.http": "127.0.0.1", "network.proxy.http_port": 1,
    "network.proxy.ssl": "127.0.0.1", "network.proxy.ssl_port": 1,
    "app.update.enabled": False, "datareporting.policy.dataSubmissionEnabled": False, "mail.rights.version": 1,
    "mail.provider.suppress_dialog_on_startup": True, "mail.shell.checkDefaultClient": False,
    "mail.spotlight.firstRunDone": True, "mailnews.start_page.enabled": False, "toolkit.telemetry.enabled": False,
}


def settings(server):
    found = {**ACCOUNTS, **QUIET, "mail.identity.id1.useremail": server.address("test0000"),
             "mail.identity.id1.fcc_folder": "imap://test0000%40example.test@localhost/Sent"}
    for name, role, account in (("server.server1", "imaps", "test0000"), ("server.server3", "pop3s", "test0001"),
                                ("smtpserver.smtp1", "submissions", "test0000")):
        found |= {f"mail.{name}.hostname": "localhost", f"mail.{name}.port": server.ports[role],
                  f"mail.{name}.authMethod": NORMAL_PASSWORD, f"mail.{name}.login_at_startup": False,
                  f"mail.{name}.try_ssl" if role == "submissions" else f"mail.{name}.socketType": TLS,
                  f"mail.{name}.username" if role == "submissions" else f"mail.{name}.userName": server.address(account)}
    return found


def set_up(bird):
    with open(server.certificate) as file:
        certificate = "".join(line.strip() for line in file if not line.startswith("-----"))
    bird.run("await setUp(...args)", certificate, [server.ports[role] for role in ("imaps", "submissions", "pop3s")],
             [("imap", server.address("test0000")), ("smtp", server.address("test0000")),
              ("mailbox", server.address("test0001"))], PASSWORD)


def inbox():
    return [(text, flags_of(about)) for _, about, text in fetch_all(server, "test0000")]


with open(os.path.splitext(os.path.abspath(__file__))[0] + ".js") as file:
    LIBRARY = file.read()
with Server(users=2) as server, tempfile.TemporaryDirectory() as folder:
    append(server, "test0000", [PARTS, *PLAIN])
    with imap_session(server, "test0000") as imap:
        for name, use in (("Ablage", "Archive"), ("Entw&APw-rfe", "Drafts")):
            done(imap._simple_command("CREATE", name, f"(USE (\\{use}))"))
            done(imap.subscribe(name))
    with Thunderbird(folder, settings(server), LIBRARY) as bird:
        set_up(bird)
        with tap.test("Thunderbird opens INBOX"):
            found = bird.run("return openInbox()")
            assert found == ["Gr\u00fc\u00dfe und Bild", *(f"number {n}" for n in range(5))], found
        with tap.test("it knows the folders by their uses"):
            found = bird.run("return ['Archive', 'Drafts'].map(use => withUse(use).name)")
            assert found == ["Ablage", "Entw\u00fcrfe"], found
        with tap.test("it reads a message, its parts and the message inside"):
            found = bird.run("return read(inbox(), 'Gr\u00fc\u00dfe und Bild')")
            assert found["author"] == "Anna <test0001@example.test>", found
            assert "Sch\u00f6ne Gr\u00fc\u00dfe" in found["text"] and "The inner one." in found["text"], found
            assert found["attachments"] == [["bild.png", "image/png", 8]], found
            want = [(PARTS, (rb"\Seen",)), *((text, ()) for text in PLAIN)]
            wait_until(lambda: inbox() == want, 60, "what was read is seen")
        with tap.test("it answers, and keeps a copy"):
            bird.run("await answer(message(inbox(), 'Gr\u00fc\u00dfe und Bild'), 'Sch\u00f6nen Dank\\n')")
            wait_until(lambda: "Sent" in folders(server, "test0000") and texts(server, "test0000", "Sent"), 60, "a copy")
            (sent,), (kept,) = texts(server, "test0001"), texts(server, "test0000", "Sent")
            for text in (sent, kept):
                assert b"References: <parts@x.test>" in text and "Sch\u00f6nen Dank".encode() in text, text
            wait_until(lambda: inbox()[0][1] == (rb"\Answered", rb"\Seen"), 60, "what was answered is marked")
        with tap.test("it hears of new mail at once"):
            send(server, ["test0000"], [PLAIN[0].replace(b"number 0", b"just in")])
            bird.run("await until('new mail', () => message(inbox(), 'just in'))")
        with tap.test("it makes folders, copies, moves, flags, deletes and expunges"):
            bird.run("""
                const work = await makeFolder(root, "Work"), inner = await makeFolder(work, "Gr\u00fc\u00dfe");
                inbox().markMessagesFlagged([message(inbox(), "number 0")], true);
                await copy(inbox(), message(inbox(), "number 0"), inner, false);
                await copy(inbox(), message(inbox(), "number 1"), inner, true);
                await remove(message(inbox(), "number 2"), false);
                await remove(message(inbox(), "number 3"), true);
                await listened(listener => inbox().compact(listener, null));
                """)
            assert texts(server, "test0000", "Work/Gr\u00fc\u00dfe") == [PLAIN[0], PLAIN[1]]
            assert texts(server, "test0000", "Trash") == [PLAIN[2]]
            left = inbox()
            assert [text for text, _ in left[:-1]] == [PARTS, PLAIN[0], PLAIN[4]] and b"just in" in left[-1][0], left
            assert left[1][1] == (rb"\Flagged",), left
        with tap.test("it takes mail by POP3 and deletes it at the server"):
            found = bird.run("return takeByPop3()")
            assert found == ["Gr\u00fc\u00dfe und Bild"] and texts(server, "test0001") == [], found
tap.done()
