"""curl.py - curl sends and reads: smtp, imap, pop3, plain, over TLS, by STARTTLS and STLS, by each mechanism."""

import subprocess
import tempfile

import tap
from mail import fetch_all, flags_of, texts
from postern import PASSWORD, Server

tap.need("curl")
TEXT = (b"From: test0000@example.test\r\nTo: test0000@example.test\r\nDate: Mon, 23 Nov 2026 12:00:00 +0000\r\n"
        b"Message-ID: <curl@example.test>\r\nSubject: by curl\r\n\r\nFrom curl,\r\n.with a dot.\r\n")


def curl(*options, body=None, status=0):
    run = subprocess.run(["curl", "--silent", "--show-error", "--max-time", "60", *options], input=body,
                         capture_output=True)
    assert run.returncode == status, (run.returncode, run.stderr.decode())
    return run.stdout


with Server(users=1) as server:
    ports, host, to = server.ports, server.host, server.address("test0000")
    login = ["--user", f"{to}:{PASSWORD}"]
    trust = ["--cacert", server.certificate]
    with tap.test("curl sends"):
        curl(f"smtp://{host}:{ports['smtp']}/client.test", "--mail-from", to, "--mail-rcpt", to, "-T", "-",
             body=TEXT)
    with tap.test("curl sends over TLS"):
        curl(f"smtps://localhost:{ports['submissions']}/client.test", *trust, *login, "--mail-from", to,
             "--mail-rcpt", to, "-T", "-", body=TEXT)
    for mechanism in ("PLAIN", "LOGIN"):
        with tap.test(f"curl sends by STARTTLS, logged in by {mechanism}"):
            curl(f"smtp://localhost:{ports['submission']}/client.test", *trust, *login, "--ssl-reqd", "--login-options",
                 f"AUTH={mechanism}", "--mail-from", to, "--mail-rcpt", to, "-T", "-", body=TEXT)
    with tap.test("what it sent is there"):
        got = texts(server, "test0000")
        assert len(got) == 4 and all(text.endswith(TEXT) for text in got), got
        curl(f"imap://{host}:{ports['imap']}/INBOX", *login, "-X", r"STORE 1:2 +FLAGS (\Deleted)")
        curl(f"imap://{host}:{ports['imap']}/INBOX", *login, "-X", "EXPUNGE")
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
        assert curl(f"{url}/INBOX;UID=5;SECTION=TEXT", *login, *trust) == TEXT.partition(b"\r\n\r\n")[2]
    with tap.test("curl gives commands of its own by IMAP"):
        answer = curl(f"imap://{host}:{ports['imap']}/INBOX", *login, "-X", r"STORE 1 +FLAGS (\Flagged)")
        assert rb"\Flagged" in answer, answer
        assert rb"\Flagged" in flags_of(fetch_all(server, "test0000")[0][1])
    for mechanism in ("PLAIN", "LOGIN"):
        with tap.test(f"curl reads by STARTTLS and STLS, logged in by {mechanism}"):
            options = [*login, *trust, "--ssl-reqd", "--login-options", f"AUTH={mechanism}"]
            assert curl(f"imap://localhost:{ports['imap']}/INBOX;MAILINDEX=3", *options) == TEXT
            assert curl(f"pop3://localhost:{ports['pop3']}/3", *options) == TEXT
    with tap.test("curl takes the head alone, and a list of unique names, by POP3"):
        pop3 = f"pop3://{host}:{ports['pop3']}/"
        assert curl(pop3, *login, "-X", "TOP 3 0") == TEXT.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        assert len(set(curl(pop3, *login, "-X", "UIDL").split(b"\r\n"))) == 4
    with tap.test("curl makes, renames and deletes a mailbox, copies and moves by IMAP"):
        imap = f"imap://{host}:{ports['imap']}"
        for command in ("CREATE Made", "RENAME Made Renamed"):
            curl(f"{imap}/", *login, "-X", command)
        curl(f"{imap}/INBOX", *login, "-X", "COPY 3 Renamed")
        curl(f"{imap}/INBOX", *login, "-X", "MOVE 3 Renamed")
        assert texts(server, "test0000", "Renamed") == [TEXT, TEXT] and len(texts(server, "test0000")) == 2
        curl(f"{imap}/Renamed", *login, "-X", "MOVE 1:2 INBOX")
        curl(f"{imap}/", *login, "-X", "DELETE Renamed")
        assert b"Renamed" not in curl(f"{imap}/", *login)
    with tap.test("a wrong password is told as such"):
        for role in ("imaps", "pop3s"):
            curl(f"{role}://localhost:{ports[role]}/", *trust, "--user", f"{to}:wrong", status=67)
    with tap.test("curl lists and takes by POP3, plain and over TLS"):
        assert len(curl(f"pop3://{host}:{ports['pop3']}/", *login).split(b"\r\n")) == 5
        assert curl(f"pop3s://localhost:{ports['pop3s']}/3", *login, *trust) == TEXT
tap.done()
