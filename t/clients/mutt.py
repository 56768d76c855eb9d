"""mutt.py - mutt, driven by keys at a terminal, reads, flags, copies and deletes over IMAP, reads by POP3, and sends."""

import os
import subprocess
import tempfile

import tap
from mail import fetch_all, flags_of, send, texts
from postern import PASSWORD, Server

tap.need("mutt", "script")
TEXTS = [f"From: a@example.test\r\nSubject: number {n}\r\nMessage-ID: <{n}@x.test>\r\n\r\n{n}: text\r\n".encode()
         for n in range(6)]


def mutt(server, url, keys, *options):
    """Opens url, types keys, and leaves."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {"ssl_starttls": "no", "ssl_force_tls": "no", "imap_user": server.address("test0000"),
                    "imap_pass": PASSWORD, "pop_user": server.address("test0000"), "pop_pass": PASSWORD,
                    "certificate_file": server.certificate, "ssl_verify_host": "no", "delete": "yes", "quit": "yes",
                    "confirmcreate": "no", "confirmappend": "no", "pop_delete": "no", "move": "no", "mark_old": "no",
                    "pop_checkinterval": "0", "wait_key": "no", "tmpdir": folder}
        with open(f"{folder}/muttrc", "w") as file:
            file.writelines(f'set {name}="{value}"\n' for name, value in settings.items())
            file.write(f'push "{keys}"\n')
        words = ["mutt", "-n", "-F", f"{folder}/muttrc", "-f", url, *options]
        subprocess.run(["script", "-qec", " ".join(f"'{word}'" for word in words), f"{folder}/screen"], check=True,
                       timeout=60, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       env={**os.environ, "TERM": "xterm", "HOME": folder, "LANG": "C.UTF-8"})
        with open(f"{folder}/screen", errors="replace") as screen:
            return screen.read()


def flags(server):
    return [flags_of(about) for _, about, _ in fetch_all(server, "test0000")]


with Server(users=2) as server:
    imap = f"imap://{server.host}:{server.ports['imap']}/INBOX"
    imaps = f"imaps://localhost:{server.ports['imaps']}/INBOX"
    send(server, ["test0000"], TEXTS)
    with tap.test("mutt shows mailbox and message over IMAP, which is seen then"):
        screen = mutt(server, imap, "<first-entry><display-message><exit><exit>")
        assert "number 0" in screen and "0: text" in screen
        assert flags(server) == [(rb"\Seen",)] + [()] * 5, flags(server)
    with tap.test("mutt flags, copies and deletes over IMAP with TLS"):
        screen = mutt(server, imaps, "2<enter><flag-message>3<enter><copy-message>=Kept<enter>4<enter><delete-message><exit>")
        assert flags(server)[1] == (rb"\Flagged",) and len(flags(server)) == 5, flags(server)
    with tap.test("mutt reads by POP3"):
        screen = mutt(server, f"pop://{server.host}:{server.ports['pop3']}/", "<last-entry><display-message><exit><exit>")
        assert "number 5" in screen and "5: text" in screen
        assert len(texts(server, "test0000")) == 5
    with tap.test("mutt sends"), tempfile.TemporaryDirectory() as home:
        subprocess.run(["mutt", "-n", "-F", "/dev/null", "-e", f"set smtp_url=smtp://{server.host}:{server.ports['smtp']}/ "
                        "ssl_starttls=no copy=no from=a@example.test", "-s", "By mutt: gr\u00fc\u00dfe", "--",
                        server.address("test0001")], input="Hello.\n", text=True, check=True, timeout=60,
                       capture_output=True, env={**os.environ, "HOME": home, "LANG": "C.UTF-8"})
        got = texts(server, "test0001")
        assert len(got) == 1 and got[0].endswith(b"\r\n\r\nHello.\r\n"), got
tap.done()
