"""mutt.py - mutt, driven by keys at a terminal, reads, flags, copies and deletes over IMAP, reads by POP3, and sends."""

import os
import subprocess
import tempfile

import tap
import terminal
from mail import fetch_all, flags_of, numbered, send, texts
from postern import PASSWORD, Server

tap.need("mutt", "tmux")
TEXTS = numbered(range(6))


def mutt(server, url, *steps):
    """Opens url; waits for each text and types the keys that go with it."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {"ssl_starttls": "no", "ssl_force_tls": "no", "imap_user": server.address("test0000"),
                    "imap_pass": PASSWORD, "pop_user": server.address("test0000"), "pop_pass": PASSWORD,
                    "certificate_file": server.certificate, "ssl_verify_host": "no", "delete": "yes", "quit": "yes",
                    "confirmcreate": "no", "confirmappend": "no", "pop_delete": "no", "move": "no", "mark_old": "no",
                    "pop_checkinterval": "0", "wait_key": "no", "tmpdir": folder, "folder": folder}
        with open(f"{folder}/muttrc", "w") as file:
            file.writelines(f'set {name}="{value}"\n' for name, value in settings.items())
        terminal.drive(["mutt", "-n", "-F", f"{folder}/muttrc", "-f", url], {"HOME": folder}, steps)


def flags(server):
    return [flags_of(about) for _, about, _ in fetch_all(server, "test0000")]


with Server(users=2) as server:
    imap = f"imap://{server.host}:{server.ports['imap']}/INBOX"
    imaps = f"imaps://localhost:{server.ports['imaps']}/INBOX"
    send(server, ["test0000"], TEXTS)
    with tap.test("mutt shows mailbox and message over IMAP, which is seen then"):
        mutt(server, imap, ("number 5", "1\n\n"), ("0: text", "qq"))
        assert flags(server) == [(rb"\Seen",)] + [()] * 5, flags(server)
    with tap.test("mutt flags, copies and deletes over IMAP with TLS"):
        mutt(server, imaps, ("number 5", f"2\nF3\nC{imaps.replace('INBOX', 'Kept')}\n4\nd$q"))
        assert flags(server)[1] == (rb"\Flagged",) and len(flags(server)) == 5, flags(server)
        assert len(texts(server, "test0000", "Kept")) == 1
    with tap.test("mutt reads by POP3"):
        mutt(server, f"pop://{server.host}:{server.ports['pop3']}/", ("number 5", "*\n"), ("5: text", "qq"))
        assert len(texts(server, "test0000")) == 5
    with tap.test("mutt sends by STARTTLS, logged in as it likes best"), tempfile.TemporaryDirectory() as home:
        settings = (f"set smtp_url=smtp://test0000%40example.test@localhost:{server.ports['submission']}/ "
                    f"smtp_pass={PASSWORD} ssl_force_tls=yes certificate_file={server.certificate} ssl_verify_host=no "
                    "copy=no from=test0000@example.test")
        subprocess.run(["mutt", "-n", "-F", "/dev/null", "-e", settings, "-s", "By mutt: gr\u00fc\u00dfe", "--",
                        server.address("test0001")], input="Hello.\n", text=True, check=True, timeout=60,
                       capture_output=True, env={**os.environ, "HOME": home, "LANG": "C.UTF-8"})
        got = texts(server, "test0001")
        assert len(got) == 1 and got[0].endswith(b"\r\n\r\nHello.\r\n"), got
tap.done()
