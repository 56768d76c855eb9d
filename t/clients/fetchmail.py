"""fetchmail.py - fetchmail takes mail by POP3 and IMAP and hands it on by SMTP: all of it, what is new, what comes."""

import os
import subprocess
import tempfile

import tap
from mail import numbered, send, texts
from postern import PASSWORD, Server, wait_until

tap.need("fetchmail")
TEXTS = numbered(range(6))
NONE = 1  # its exit status when there is no mail


class Fetchmail:
    """One poll entry, with what fetchmail remembers for it."""

    def __init__(self, protocol, role, options):
        self.folder = tempfile.TemporaryDirectory()
        self.rc = os.path.join(self.folder.name, "fetchmailrc")
        with open(self.rc, "w") as file:
            file.write(f'poll localhost port {server.ports[role]} protocol {protocol} timeout 60\n '
                       f'user "{server.address("test0000")}" password "{PASSWORD}" {options} '
                       f'smtphost "localhost/{server.ports["smtp"]}" smtpname "{server.address("test0001")}"\n')
        os.chmod(self.rc, 0o600)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def start(self):
        home = self.folder.name
        return subprocess.Popen(["fetchmail", "--fetchmailrc", self.rc, "--pidfile", f"{home}/pid", "--invisible",
                                 "--nosyslog"], env={**os.environ, "HOME": home, "FETCHMAILHOME": home},
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(self, status=0):
        running = self.start()
        try:
            said, _ = running.communicate(timeout=120)
        finally:
            running.kill()
        assert running.returncode == status, (running.returncode, said)


def taken():
    """What arrived at the other account, without the trace."""
    return [text.partition(b"\r\n\r\n")[2] for text in texts(server, "test0001")]


def bodies(sent):
    return [text.partition(b"\r\n\r\n")[2] for text in sent]


def takes_all(how, *entry):
    with tap.test(f"fetchmail takes everything {how}"), Fetchmail(*entry) as fetchmail:
        before = len(taken())
        send(server, ["test0000"], TEXTS)
        fetchmail.run()
        assert taken()[before:] == bodies(TEXTS) and texts(server, "test0000") == []
        fetchmail.run(NONE)


def keeps(how, *entry):
    with tap.test(f"it keeps all at the server and takes what is new {how}"), Fetchmail(*entry) as fetchmail:
        before = len(taken())
        send(server, ["test0000"], TEXTS[:4])
        fetchmail.run()
        fetchmail.run(NONE)
        send(server, ["test0000"], TEXTS[4:])
        fetchmail.run()
        assert taken()[before:] == bodies(TEXTS) and len(texts(server, "test0000")) == len(TEXTS)
    with tap.test("then takes the kept ones, too"), Fetchmail(*entry[:2], f"fetchall {tls}") as fetchmail:
        fetchmail.run()
        assert len(taken()) == before + 2 * len(TEXTS) and texts(server, "test0000") == []


with Server(users=2) as server:
    clear = "sslproto ''"
    trust = f"sslcertck sslcertfile {server.certificate}"
    tls, starttls = f"ssl {trust}", f"sslproto 'auto' {trust}"
    takes_all("by POP3", "pop3", "pop3", clear)
    takes_all("by POP3 over TLS", "pop3", "pop3s", tls)
    takes_all("by POP3 and STLS", "pop3", "pop3", starttls)
    takes_all("by IMAP", "imap", "imap", clear)
    takes_all("by IMAP over TLS", "imap", "imaps", tls)
    takes_all("by IMAP and STARTTLS", "imap", "imap", starttls)
    keeps("by POP3 and unique ids", "pop3 uidl", "pop3s", f"keep {tls}")
    keeps("by IMAP", "imap", "imaps", f"keep {tls}")
    with tap.test("it waits by IDLE and takes what comes"), Fetchmail("imap", "imap", f"idle {starttls}") as fetchmail:
        before = len(taken())
        send(server, ["test0000"], TEXTS[:1])
        running = fetchmail.start()
        try:
            for number in range(1, 4):
                wait_until(lambda: taken()[before:] == bodies(TEXTS[:number]), 60, f"{number} messages")
                send(server, ["test0000"], TEXTS[number:number + 1])
            wait_until(lambda: taken()[before:] == bodies(TEXTS[:4]), 60, "the last")
        finally:
            running.terminate()
            running.communicate(timeout=60)
tap.done()
