"""msmtp.py - msmtp sends real mail: plain, over TLS, by STARTTLS, logged in by each mechanism, and by LMTP."""

import email
import os
import re
import subprocess
import tempfile

import tap
from mail import texts
from postern import PASSWORD, Server
from real_mail import came_back, distinct_messages

tap.need("msmtp")
AS_IT_IS = ["--set-date-header=off", "--set-from-header=off", "--set-msgid-header=off", "--undisclosed-recipients=off",
            "--remove-bcc-headers=off"]


def auth(mechanism):
    return [f"--auth={mechanism}", f"--user={server.address('test0000')}", f"--passwordeval=echo {PASSWORD}"]


def msmtp(role, recipients, text, *options, status=0):
    run = subprocess.run(["msmtp", "--host=localhost", f"--port={server.ports[role]}", f"--from={server.address('test0000')}",
                          "--domain=client.test", *AS_IT_IS, *options, "--", *map(server.address, recipients)],
                         input=text, capture_output=True, timeout=120, env={**os.environ, "HOME": home})
    assert run.returncode == status, (run.returncode, run.stdout, run.stderr)
    return run


def is_whole(text):
    """Whether a submission server leaves it as it is (RFC 6409, 8)."""
    header = email.message_from_bytes(text.partition(b"\r\n\r\n")[0])
    return "Date" in header and "Message-ID" in header and "Bcc" not in header and "Return-Path" not in header


with Server(users=2) as server, tempfile.TemporaryDirectory() as home:
    trust = f"--tls-trust-file={server.certificate}"
    starttls = ["--tls=on", "--tls-starttls=on", trust]
    tls = ["--tls=on", "--tls-starttls=off", trust]
    mail = (text for text in distinct_messages() if is_whole(text))
    sent = []
    for how, role, options in (
            ("plain, with DSN parameters", "smtp", ["--tls=off", "--dsn-notify=failure", "--dsn-return=headers"]),
            ("by STARTTLS", "smtp", starttls),
            ("by STARTTLS, logged in by PLAIN", "submission", [*starttls, *auth("plain")]),
            ("by STARTTLS, logged in by LOGIN", "submission", [*starttls, *auth("login")]),
            ("by STARTTLS, logged in by SCRAM", "submission", [*starttls, *auth("scram-sha-256")]),
            ("over TLS, logged in as it sees fit", "submissions", [*tls, *auth("on")]),
            ("by LMTP", "lmtp", ["--protocol=lmtp", "--tls=off"])):
        with tap.test(f"msmtp sends {how}"):
            for text, _ in zip(mail, range(5)):
                msmtp(role, ["test0000", "test0001"], text, *options)
                sent.append(text)
            for account in ("test0000", "test0001"):
                got = texts(server, account)
                assert len(got) == len(sent) and all(map(came_back, sent, got)), (len(got), len(sent))
    with tap.test("each mechanism was used"):
        used = set(re.findall(r" smtp .* login .*mechanism=(\S+)", server.log()))
        assert used == {"PLAIN", "LOGIN", "SCRAM-SHA-256"}, used
    with tap.test("a recipient who is not there stops it, and nothing is delivered"):
        run = msmtp("smtp", ["test0000", "nobody.here"], next(mail), "--tls=off", status=65)  # EX_DATAERR
        assert b"550 5.1.1" in run.stderr, run.stderr
        assert len(texts(server, "test0000")) == len(sent)
    with tap.test("nothing is sent without a login on a port that wants one, nor with a wrong password"):
        msmtp("submission", ["test0000"], next(mail), *starttls, status=65)
        wrong = ["--passwordeval=echo wrong"]
        run = msmtp("submissions", ["test0000"], next(mail), *tls, *auth("plain"), *wrong, status=77)
        assert b"535 5.7.8" in run.stderr, run.stderr
        assert len(texts(server, "test0000")) == len(sent)
    with tap.test("a text of 5 MB goes through"):
        text = b"Subject: much\r\n\r\n" + 80_000 * b"a line of sixty-two characters, as many as the next one has\r\n\r\n"
        msmtp("submissions", ["test0000"], text, *tls, *auth("plain"))
        assert texts(server, "test0000")[-1].endswith(text)
tap.done()
