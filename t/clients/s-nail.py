"""s-nail.py - s-nail reads, searches, files, flags and deletes by IMAP, reads and deletes by POP3, and sends."""

import os
import subprocess
import tempfile

import tap
from mail import append, fetch_all, flags_of, numbered, texts
from postern import PASSWORD, Server

tap.need("s-nail")
MAIL = numbered(range(1, 6))


def s_nail(*options, text=""):
    run = subprocess.run(["s-nail", "-#", "-:/", "-Sv15-compat=yes", "-Simap-auth=login", "-Sfrom=test0000@example.test",
                          f"-Stls-ca-file={server.certificate}", "-Stls-verify=strict", *options], input=text, capture_output=True, text=True, timeout=120,
                         env={**os.environ, "HOME": home, "LANG": "C.UTF-8"})
    assert run.returncode == 0 and not run.stderr, run.stdout + run.stderr
    return run.stdout


def read(url, *commands, options=()):
    return s_nail(*options, *(f"-Y{command}" for command in (*commands, "quit")), "-f", url)


def url(role, mailbox="", scheme=""):
    return f"{scheme or role}://test0000%40example.test:{PASSWORD}@localhost:{server.ports[role]}{mailbox}"


with Server(users=2) as server, tempfile.TemporaryDirectory() as home:
    append(server, "test0000", MAIL)
    with tap.test("s-nail reads by IMAP, by STARTTLS; what it read is seen"):
        said = read(url("imap", "/INBOX"), "headers", "type 2", options=["-S", "imap-use-starttls"])
        assert all(f"number {n}" in said for n in range(1, 6)) and "2: text" in said and "3: text" not in said, said
        assert [flags_of(about) for _, about, _ in fetch_all(server, "test0000")] == [(), (rb"\Seen",), (), (), ()]
    with tap.test("it files, flags, finds and deletes by IMAP over TLS"):
        read(url("imaps", "/INBOX"), f"set folder={url('imaps')}", "copy 1 +Filed", "move 2 +Filed",
             """flag '(subject "number 4")'""", "delete 5")
        filed = texts(server, "test0000", "Filed")
        assert [text.strip() for text in filed] == [text.strip() for text in MAIL[:2]], filed
        left = fetch_all(server, "test0000")
        assert [text for _, _, text in left] == [MAIL[0], MAIL[2], MAIL[3]], left
        assert [rb"\Flagged" in flags_of(about) for _, about, _ in left] == [False, False, True], left
    for how, role, *options in (("POP3, by STLS", "pop3", "-S", "pop3-use-starttls"), ("POP3 over TLS", "pop3s")):
        with tap.test(f"it reads and deletes by {how}"):
            said = read(url(role), "type 2", "delete 1", options=options)
            assert ": text" in said
    with tap.test("which leaves the rest"):
        assert texts(server, "test0000") == [MAIL[3]]
    for how, *options in (("plain", f"mta=smtp://localhost:{server.ports['smtp']}", "smtp-auth=none"),
                          ("by STARTTLS, logged in by PLAIN", f"mta={url('submission', scheme='smtp')}",
                           "smtp-use-starttls", "smtp-auth=plain"),
                          ("over TLS, logged in by LOGIN", f"mta={url('submissions', scheme='smtps')}", "smtp-auth=login")):
        with tap.test(f"it sends {how}, with a file, in UTF-8"):
            s_nail(*(f"-S{option}" for option in options), "-S", "ttycharset=utf-8", "-s",
                   "Gr\u00fc\u00dfe", "-a", server.certificate, "test0001@example.test", text="\u00c4pfel\n")
            got = texts(server, "test0001")[-1]
            assert b"Subject: =?utf-8?" in got and b"cert.pem" in got and b"=C3=84pfel" in got, got
tap.done()
