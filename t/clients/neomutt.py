"""neomutt.py - NeoMutt at a terminal: reads MIME, answers by SMTP, files, deletes over IMAP, shows folders."""

import contextlib
import tempfile

import tap
from mail import PARTS, append, create, fetch_all, flags_of, numbered, send, texts
from postern import PASSWORD, Server
from terminal import Terminal

tap.need("neomutt", "tmux")
PLAIN = numbered(range(5))


SETTINGS = """
set imap_user={user} imap_pass={password} imap_authenticators=plain imap_idle=yes
set folder=imaps://localhost:{imaps} spoolfile=+INBOX record=+Sent
set smtp_url=smtp://{login}@localhost:{submission}/ smtp_pass={password}
set certificate_file={certificate} ssl_verify_host=no ssl_verify_dates=no ssl_force_tls=yes
set from={user} editor="sh {home}/editor" tmpdir={home} mail_check=1 timeout=1 sleep_time=0
set include=yes fast_reply=yes delete=yes quit=yes confirmcreate=no confirmappend=no move=no mark_old=no wait_key=no
"""


@contextlib.contextmanager
def neomutt():
    """NeoMutt with INBOX open."""
    with open(f"{home}/editor", "w") as file:
        file.write('echo "An answer." >>"$1"\n')
    with open(f"{home}/muttrc", "w") as file:
        user = server.address("test0000")
        file.write(SETTINGS.format(user=user, login=user.replace("@", "%40"), password=PASSWORD, home=home,
                                   certificate=server.certificate, **server.ports))
    with Terminal(["neomutt", "-n", "-F", f"{home}/muttrc"], {"HOME": home}) as terminal:
        terminal.see("number 4")
        yield terminal


def inbox():
    return [(text, flags_of(about)) for _, about, text in fetch_all(server, "test0000")]


with Server(users=2) as server, tempfile.TemporaryDirectory() as home:
    append(server, "test0000", [PARTS, *PLAIN])
    for name in ("Sent", "Work/Gr\u00fc\u00dfe"):
        create(server, "test0000", name)
    with tap.test("NeoMutt shows a message, its parts and the message inside"), neomutt() as mutt:
        mutt.see("Gr\u00fc\u00dfe und Bild")
        mutt.type("1\n\n")
        mutt.see("Sch\u00f6ne Gr\u00fc\u00dfe", "bild.png", "The inner one.")
        mutt.type("v")
        mutt.see("image/png", "message/rfc822", "inside")
        mutt.type("q")
        mutt.see("Sch\u00f6ne")
        mutt.type("qq")
        mutt.end()
        assert inbox() == [(PARTS, (rb"\Seen",)), *((text, ()) for text in PLAIN)]
    with tap.test("it answers by SMTP and keeps a copy"), neomutt() as mutt:
        mutt.type("1\nr")
        mutt.see("y:Send")
        mutt.type("y")
        mutt.wait(lambda: "y:Send" not in mutt.screen(), "end of sending")
        mutt.type("q")
        mutt.end()
        (sent,), (kept,) = texts(server, "test0001"), texts(server, "test0000", "Sent")
        for text in (sent, kept):
            assert b"In-Reply-To: <parts@x.test>" in text and b"An answer." in text, text
        assert inbox()[0] == (PARTS, (rb"\Answered", rb"\Seen")), inbox()[0]
    with tap.test("it saves to another folder, tags and deletes, and hears of new mail"), neomutt() as mutt:
        mutt.type("2\ns=Work/Gr\u00fc\u00dfe\n3\nF4\nt5\nt;d")
        mutt.see("number 0")
        send(server, ["test0000"], [PLAIN[0].replace(b"number 0", b"just in")])
        mutt.see("just in")
        mutt.type("$")
        mutt.wait(lambda: "number 2" not in mutt.screen(), "screen without number 2")
        mutt.type("q")
        mutt.end()
        assert texts(server, "test0000", "Work/Gr\u00fc\u00dfe") == PLAIN[:1]
        *old, new = inbox()
        assert [text for text, _ in old] == [PARTS, PLAIN[1], PLAIN[4]] and b"just in" in new[0], old
        assert old[1][1] == (rb"\Flagged",), old
    with tap.test("it shows the folders and goes to one"), neomutt() as mutt:
        mutt.type("c?\t")
        mutt.see("Sent", "Work")
        mutt.type("q")
        mutt.see("number 4")
        mutt.type("c=Work/Gr\u00fc\u00dfe\n")
        mutt.see("number 0")
        mutt.type("\n")
        mutt.see("0: text")
        mutt.type("qq")
        mutt.end()
tap.done()
