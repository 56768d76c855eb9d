"""alpine.py - Alpine at a terminal: reads MIME, answers by SMTP, saves, deletes, expunges over IMAP, shows folders."""

import contextlib
import tempfile

import tap
from mail import PARTS, append, create, fetch_all, flags_of, folders, numbered, send, texts
from postern import PASSWORD, Server, wait_until
from terminal import Terminal

tap.need("alpine", "tmux")
PLAIN = numbered(range(5))
PINERC = """
user-domain=example.test
alt-addresses={user}
customized-hdrs=From: {user}
inbox-path={{localhost:{imaps}/ssl/novalidate-cert/user={user}}}INBOX
folder-collections=Mail {{localhost:{imaps}/ssl/novalidate-cert/user={user}}}[]
smtp-server=localhost:{submission}/tls/novalidate-cert/user={user}
default-fcc=Sent
feature-list=quit-without-confirm,expunge-without-confirm,save-will-not-delete
initial-keystroke-list=i
last-version-used=6.26
"""


@contextlib.contextmanager
def alpine():
    """Alpine with INBOX open; left in the end."""
    with open(f"{home}/pinerc", "w") as file:
        file.write(PINERC.format(user=server.address("test0000"), **server.ports))
    with Terminal(["alpine", "-p", f"{home}/pinerc"], {"HOME": home}) as terminal:
        log_in(terminal)
        terminal.see("number 4")
        yield terminal
        terminal.type("q")
        terminal.end()


def log_in(pine):
    pine.see("ENTER PASSWORD")
    pine.type(f"{PASSWORD}\n")
    pine.see("Preserve password")
    pine.type("n")


def inbox():
    return [(text, flags_of(about)) for _, about, text in fetch_all(server, "test0000")]


with Server(users=2) as server, tempfile.TemporaryDirectory() as home:
    append(server, "test0000", [PARTS, *PLAIN])
    create(server, "test0000", "Work/Gr\u00fc\u00dfe")
    with tap.test("Alpine shows a message and its parts"), alpine() as pine:
        pine.see("Gr\u00fc\u00dfe und Bild")
        pine.type("j1\n\n")
        pine.see("Sch\u00f6ne Gr\u00fc\u00dfe", "The inner one.")
        pine.type(">")
        pine.see("ATTACHMENT INDEX", "bild.png")
        assert inbox() == [(PARTS, (rb"\Seen",)), *((text, ()) for text in PLAIN)], inbox()
    with tap.test("it answers by SMTP and keeps a copy in a folder that it makes"), alpine() as pine:
        pine.type("j1\n\n")
        pine.see("Sch\u00f6ne")
        pine.type("r")
        pine.see("Include original message")
        pine.type("y")
        pine.see("COMPOSE MESSAGE REPLY", "> Sch")
        pine.type("An answer.\n\x18")
        pine.see("Send message?")
        pine.type("y")
        pine.see('"Sent" doesn\'t exist')
        pine.type("y")
        pine.wait(lambda: any(text in pine.screen() for text in ("ENTER PASSWORD", "Message sent")), "password or end")
        if "Message sent" not in pine.screen():  # it may also send with the password that it has from INBOX
            log_in(pine)
        pine.see("MESSAGE TEXT")
        (sent,), (kept,) = texts(server, "test0001"), texts(server, "test0000", "Sent")
        for text in (sent, kept):
            assert b"In-Reply-To: <parts@x.test>" in text and b"An answer." in text, text
        assert inbox()[0] == (PARTS, (rb"\Answered", rb"\Seen")), inbox()[0]
    with tap.test("it saves to another folder, deletes and expunges, and hears of new mail"), alpine() as pine:
        pine.type("j2\ns")
        pine.see("to folder [saved-messages]")
        pine.type("\x15Work/Gr\u00fc\u00dfe\n")
        wait_until(lambda: texts(server, "test0000", "Work/Gr\u00fc\u00dfe") == PLAIN[:1], 60, "a saved message")
        pine.type("j4\nd**")
        send(server, ["test0000"], [PLAIN[0].replace(b"number 0", b"just in")])
        pine.type("\x0c")
        pine.see("just in")
        pine.type("x")
        pine.wait(lambda: "number 2" not in pine.screen(), "screen without number 2")
        *old, new = inbox()
        assert [text for text, _ in old] == [PARTS, *PLAIN[:2], *PLAIN[3:]] and b"just in" in new[0], old
        assert old[3][1] == (rb"\Flagged",), old
    with tap.test("it shows the folders, makes one, and goes to another"), alpine() as pine:
        pine.type("l")
        pine.see("INBOX", "Sent", "Work")
        pine.type("a")
        pine.see("Folder name to add")
        pine.type("Plans\n")
        pine.see("Plans[/]")
        assert "Plans" in folders(server, "test0000")
        pine.type("g\x15Work/Gr\u00fc\u00dfe\n")
        pine.see("number 0")
        pine.type("\n")
        pine.see("0: text")
tap.done()
