"""curl.py - curl sends and reads: smtp, imap, pop3, plain and over TLS."""

import subprocess
import tempfile

import tap
from mail import fetch_all, flags_of, texts
from postern import PASSWORD, Server

tap.need("curl")
TEXT = b"From: a@example.test\r\nTo: test0000@example.test\r\nSubject: by curl\r\n\r\nFrom curl,\r\n.with a dot.\r\n"


def curl(*options, body=None):
    run = subprocess.run(["curl", "--silent", "--show-error", "--max-time", "60", *options], input=body,
                         capture_output=True)
    assert run.returncode == 0, run.stderr.decode()
    return run.stdout


with Server(users=1) as server:
    ports, host, to = server.ports, server.host, server.address("test0000")
    login = ["--user", f"{to}:{PASSWORD}"]
    trust = ["--cacert", server.certificate]
    with tap.test("curl sends"):
        curl(f"smtp://{host}:{ports['smtp']}/client.test", "--mail-from", "a@example.test", "--mail-rcpt", to, "-T", "-",
             body=TEXT)
    with tap.test("curl sends over TLS"):
        curl(f"smtps://localhost:{ports['submissions']}/client.test", *trust, *login, "--mail-from", "a@example.test",
             "--mail-rcpt", to, "-T", "-", body=TEXT)
    with tap.test("what it sent is there"):
        got = texts(server, "test0000")
        assert len(got) == 2 and all(text.endswith(TEXT) for text in got), got
    with tap.test("curl appends by IMAP"):
        with tempfile.NamedTemporaryFile() as file:
            file.write(TEXT)
            file.flush()
            curl(f"imap://{host}:{ports['imap']}/INBOX", *login, "-T", file.name)
        assert texts(server, "test0000")[2:] == [TEXT]
    with tap.test("curl lists, searches and fetches by IMAP over TLS"):
        url = f"imaps://localhost:{ports['imaps']}"
        assert b"INBOX" in curl(f"{url}/", *login, *trust)
        assert b"* SEARCH 1 2 3\r\n" in curl(f"{url}/INBOX?ALL", *login, *trust)
        assert curl(f"{url}/INBOX;MAILINDEX=3", *login, *trust) == TEXT
        assert curl(f"{url}/INBOX;UID=2;SECTION=TEXT", *login, *trust) == TEXT.partition(b"\r\n\r\n")[2]
    with tap.test("curl gives commands of its own by IMAP"):
        answer = curl(f"imap://{host}:{ports['imap']}/INBOX", *login, "-X", r"STORE 1 +FLAGS (\Flagged)")
        assert rb"\Flagged" in answer, answer
        assert rb"\Flagged" in flags_of(fetch_all(server, "test0000")[0][1])
    with tap.test("curl lists and takes by POP3, plain and over TLS"):
        assert len(curl(f"pop3://{host}:{ports['pop3']}/", *login).split(b"\r\n")) == 4
        assert curl(f"pop3s://localhost:{ports['pop3s']}/3", *login, *trust) == TEXT
tap.done()
