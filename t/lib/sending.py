"""sending.py - for tests of mail that leaves: submitting it, waiting for what comes of it, reading reports."""

import email
import email.policy
import re
import smtplib
import time

from mail import texts
from postern import PASSWORD, wait_until
from smtp_sink import Sink

WAIT_S = 120  # a busy machine is slow


def text(subject, body="text\r\n", sender="test0000@example.test", to="a@far.test"):
    """A message whole enough that a submission server adds nothing."""
    return (f"From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n"
            f"Message-ID: <{subject.replace(' ', '-')}@example.test>\r\n\r\n{body}").encode()


class Far(Sink):
    """A destination with a domain, NAME.test, and an address of its own, and how a server's configuration finds it."""

    made = 0

    def __init__(self, name, way="", route=(), **options):
        Far.made += 1
        super().__init__(host=f"127.0.{1 + Far.made // 250}.{1 + Far.made % 250}", **options)
        self.start()
        self.way = way or ("lmtp" if self.lmtp else "smtp")
        self.route, self.title, self.domain = route, name, f"{name}.test"

    def settings(self):
        return [f"route.{self.title}.to {self.way}:[{self.host}]:{self.port}",
                f'route.{self.title}.recipients {{"*@{self.domain}"}}',
                *(f"route.{self.title}.{setting}" for setting in self.route)]

    def address(self, local):
        return f"{local}@{self.domain}"


def submission(server, account="test0000"):
    """A session on the submission port, logged in."""
    smtp = smtplib.SMTP(server.host, server.ports["submission"], timeout=WAIT_S)
    smtp.ehlo("client.test")
    smtp.login(server.address(account), PASSWORD)
    return smtp


def submit(server, recipients, message, account="test0000", mail=(), rcpt=()):
    """As an account's program sends it; mail and rcpt are parameters of the commands."""
    with submission(server, account) as smtp:
        refused = smtp.sendmail(server.address(account), recipients, message, list(mail), list(rcpt))
        assert not refused, refused


def inbox(server, account="test0000", count=1):
    """The messages of an INBOX once they are so many, as Python's email reads them."""
    found = []

    def enough():
        found[:] = texts(server, account)
        return len(found) >= count or time.sleep(0.1)

    wait_until(enough, WAIT_S, f"{count} messages for {account}")
    return [email.message_from_bytes(each, policy=email.policy.default) for each in found]


def body_of(content):
    return content.partition(b"\r\n\r\n")[2]


class Report:
    """A multipart/report (RFC 6522) that tells of mail (RFC 3464); AssertionError if it is none."""

    def __init__(self, message):
        assert message.get_content_type() == "multipart/report", message.get_content_type()
        assert message.get_param("report-type") == "delivery-status"
        assert all(message[name] for name in ("Auto-Submitted", "From", "To", "Date", "Message-ID")), message.items()
        assert not message.defects, message.defects
        parts = list(message.iter_parts())
        assert 2 <= len(parts) <= 3, [part.get_content_type() for part in parts]
        self.message, self.words = message, parts[0].get_content()
        assert parts[0].get_content_type() == "text/plain"
        assert parts[1].get_content_type() in ("message/delivery-status", "message/global-delivery-status")
        _, self.about, *self.recipients = [email.message_from_bytes(block, policy=email.policy.default) for block
                                           in re.split(rb"\r?\n\r?\n", parts[1].as_bytes().rstrip())]
        assert "Reporting-MTA" in self.about and self.recipients
        self.original = parts[2].as_bytes(policy=email.policy.SMTP) if len(parts) == 3 else b""

    @property
    def actions(self):
        """{final recipient: action}"""
        return {fields["Final-Recipient"].partition(";")[2].strip(): fields["Action"].strip()
                for fields in self.recipients}

    def of(self, address):
        """The fields for one recipient."""
        return next(fields for fields in self.recipients
                    if fields["Final-Recipient"].partition(";")[2].strip() == address)


def reports(server, account="test0000", count=1):
    """The reports in an INBOX once they are so many."""
    return [Report(message) for message in inbox(server, account, count)]


def logged(server, pattern, count=1):
    """The matches in the server's log once they are so many."""
    found = []

    def enough():
        found[:] = re.findall(pattern, server.log(), re.M)
        return len(found) >= count or time.sleep(0.05)

    wait_until(enough, WAIT_S, f"{count} times {pattern} in the log")
    return found


def is_put_off(server, where, local="[^@]*"):
    """Whether mail for a Far, or a domain of the DNS, was tried in vain: a recipient was put off, or nobody could be
    spoken to."""
    domain = getattr(where, "domain", where)
    place = re.escape(where) if where == domain else rf"\[{re.escape(where.host)}\]:{where.port}"
    return re.search(rf"( deferred .*to=<{local}@{domain}>| left alone destination=\w+:{place})", server.log())


def put_off(server, where, local="[^@]*"):
    wait_until(lambda: is_put_off(server, where, local) or time.sleep(0.05), WAIT_S, f"{where} is put off")


def until(server, condition, what, by="+5m", moves=60):
    """Moves the clock on until a condition holds: what waits is due at some time."""
    for _ in range(moves):
        for _ in range(20):
            if condition():
                return
            time.sleep(0.05)
        server.clock(by)
    wait_until(condition, WAIT_S, what)
