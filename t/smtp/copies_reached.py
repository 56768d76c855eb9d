"""copies_reached.py - copies of mail are of whom it reaches, however he is named; and may go elsewhere."""

import smtplib

import tap
from mail import texts
from postern import Server, wait_until
from sending import WAIT_S, Far, text

ARCHIVE = "archive"
NAMES = [
    ("test0001@example.test", "his address"),
    ("test0001+x@example.test", "what stands behind a + (RFC 5233)"),
    ("test0001@example.org", "another name of his domain"),
    ("info@example.test", "an alias"),
    ("team@example.test", "a group"),
    ("whoever@catch.test", "a catch-all"),
]


def send(server, *recipients, subject):
    with smtplib.SMTP(server.host, server.ports["smtp"], timeout=WAIT_S) as smtp:
        smtp.ehlo("client.test")
        assert not smtp.sendmail("x@elsewhere.test", list(recipients), text(subject, sender="x@elsewhere.test"))


def subjects(server, account):
    return [line for each in texts(server, account) for line in each.splitlines() if line.startswith(b"Subject: ")]


def main():
    outside = Far("outside")
    settings = ['copy.in.recipients {"test0001@example.test"}', 'copy.in.to {"test0002@example.test"}',
                'copy.out.recipients {"test0003@example.test"}', f'copy.out.to {{"{outside.address(ARCHIVE)}"}}',
                'domain.example.test.aliases {"example.org"}', "domain.catch.test.unknown test0001@example.test"]
    with Server(users=4, set=[*settings, *outside.settings()]) as server:
        server.command("alias", "add", "info@example.test", "test0001@example.test")
        server.command("group", "add", "team@example.test", "test0000@example.test", "test0001@example.test")
        for count, (address, what) in enumerate(NAMES, 1):
            with tap.test(f"who is reached by {what} has his mail copied"):
                send(server, address, subject=f"copy {count}")
                wait_until(lambda: len(subjects(server, "test0002")) >= count, WAIT_S, "the copy")
                assert subjects(server, "test0002")[-1] == f"Subject: copy {count}".encode()
        with tap.test("one of both gets one, however often he is named; others' mail is not copied"):
            send(server, "test0000@example.test", subject="none")
            send(server, "test0001@example.test", "info@example.test", subject="once")
            send(server, "test0001+a@example.test", "test0002+b@example.test", subject="his own")
            wait_until(lambda: b"Subject: his own" in subjects(server, "test0002"), WAIT_S, "the last")
            assert subjects(server, "test0002")[len(NAMES):] == [b"Subject: once", b"Subject: his own"]
        with tap.test("a copy goes to an address elsewhere, from the message's own sender"):
            send(server, "test0003+x@example.test", subject="away")
            message, = outside.wait(1)
            assert message.recipients == [outside.address(ARCHIVE)] and message.sender == "x@elsewhere.test"
            assert b"Subject: away" in message.content
    outside.close()
    tap.done()


if __name__ == "__main__":
    main()
