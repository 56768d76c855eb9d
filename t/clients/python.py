"""python.py - smtplib, imaplib and poplib do their basic work: plain, over TLS, by STARTTLS and STLS."""

import email.message
import email.policy
import imaplib
import poplib
import smtplib

import tap
from mail import SENDER, done, fetch_all, texts, tls
from postern import PASSWORD, Server


def message(number):
    return (f"From: {SENDER}\r\nTo: test0000@example.test\r\nSubject: number {number}\r\nMessage-ID: <{number}@x.test>"
            f"\r\n\r\nFrom here on: text {number}.\r\n.\r\n..\r\n").encode()


def smtplib_sends(server):
    to = [server.address("test0000")]
    with smtplib.SMTP(server.host, server.ports["smtp"]) as smtp:
        smtp.ehlo()
        assert smtp.has_extn("pipelining") and smtp.has_extn("8bitmime") and smtp.has_extn("size")
        assert smtp.sendmail(SENDER, to, message(1)) == {}
        assert smtp.noop()[0] == 250 and smtp.rset()[0] == 250
        assert list(smtp.sendmail(SENDER, to + ["nobody.here@example.test"], message(2))) == ["nobody.here@example.test"]


def smtplib_sends_over_tls(server):
    with smtplib.SMTP_SSL("localhost", server.ports["submissions"], context=tls(server)) as smtp:
        smtp.login(server.address("test0000"), PASSWORD)
        assert smtp.sendmail(server.address("test0000"), [server.address("test0000")], message(3)) == {}


def smtplib_sends_utf8(server):
    text = email.message.EmailMessage(policy=email.policy.SMTPUTF8)
    text["From"], text["To"], text["Subject"] = "J\u00fcrgen <j\u00fcrgen@example.test>", "test0001@example.test", "\u0394"
    text.set_content("\u03b5\n")
    with smtplib.SMTP(server.host, server.ports["smtp"]) as smtp:
        assert smtp.send_message(text) == {}
    (got,) = texts(server, "test0001")
    assert "From: J\u00fcrgen <j\u00fcrgen@example.test>\r\n".encode() in got, got


def lmtp_delivers(server):
    with smtplib.LMTP(server.host, server.ports["lmtp"]) as lmtp:
        assert lmtp.sendmail(SENDER, [server.address("test0000")], message(4)) == {}


def imaplib_reads_and_files(server):
    with imaplib.IMAP4_SSL("localhost", server.ports["imaps"], ssl_context=tls(server)) as imap:
        imap.authenticate("PLAIN", lambda _: f"\0{server.address('test0000')}\0{PASSWORD}".encode())
        assert done(imap.select()) == [b"4"]
        assert done(imap.search(None, "UNSEEN")) == [b"1 2 3 4"]
        done(imap.create("Work/2026"))
        assert any(b"Work/2026" in line for line in done(imap.list()))
        done(imap.copy("2:3", "Work/2026"))
        done(imap.store("2:3", "+FLAGS", r"(\Deleted)"))
        assert len(done(imap.expunge())) == 2
        done(imap.append("Work/2026", r"(\Seen $Done)", '"17-Jul-1996 02:44:25 -0700"', message(5)))
        assert done(imap.select("Work/2026", readonly=True)) == [b"3"]
        assert done(imap.search(None, "SEEN", "KEYWORD", "$Done")) == [b"3"]
        assert b'"17-Jul-1996 ' in done(imap.fetch("3", "(INTERNALDATE)"))[0]
    assert [uid for uid, _, _ in fetch_all(server, "test0000")] == [1, 4]


def poplib_takes_and_deletes(server):
    pop = poplib.POP3_SSL("localhost", server.ports["pop3s"], context=tls(server))
    pop.user(server.address("test0000"))
    pop.pass_(PASSWORD)
    assert "UIDL" in pop.capa() and pop.stat()[0] == 2
    unique = [line.split()[1] for line in pop.uidl()[1]]
    assert len(set(unique)) == 2
    assert b"\r\n".join(pop.retr(1)[1] + [b""]).endswith(message(1))
    assert pop.top(2, 1)[1][-2:] == [b"", b"From here on: text 4."]
    pop.dele(1)
    pop.quit()
    pop = poplib.POP3(server.host, server.ports["pop3"])
    pop.user(server.address("test0000"))
    pop.pass_(PASSWORD)
    assert [line.split()[1] for line in pop.uidl()[1]] == unique[1:]
    pop.quit()


def tls_begins_in_the_middle(server):
    user = server.address("test0000")
    for mechanism in ("plain", "login"):
        with smtplib.SMTP("localhost", server.ports["submission"]) as smtp:
            assert smtp.starttls(context=tls(server))[0] == 220
            smtp.ehlo()
            smtp.user, smtp.password = user, PASSWORD
            assert smtp.auth(mechanism.upper(), getattr(smtp, f"auth_{mechanism}"))[0] == 235
            assert smtp.sendmail(user, [user], message(6)) == {}
    with imaplib.IMAP4("localhost", server.ports["imap"]) as imap:
        done(imap.starttls(tls(server)))
        done(imap.login(user, PASSWORD))
        assert done(imap.select())[0] != b"0"
    pop = poplib.POP3("localhost", server.ports["pop3"])
    assert pop.stls(tls(server)).startswith(b"+OK")
    pop.user(user)
    pop.pass_(PASSWORD)
    assert len(pop.list()[1]) > 0
    pop.quit()


def wrong_password(server):
    for open_session in (lambda: imaplib.IMAP4(server.host, server.ports["imap"]).login("test0000", "wrong"),
                         lambda: poplib.POP3(server.host, server.ports["pop3"]).apop("test0000", "wrong"),
                         lambda: login_pop(server, "wrong")):
        try:
            open_session()
        except (imaplib.IMAP4.error, poplib.error_proto):
            continue
        raise AssertionError("a wrong password was taken")


def login_pop(server, password):
    pop = poplib.POP3(server.host, server.ports["pop3"])
    pop.user(server.address("test0000"))
    pop.pass_(password)


with Server(users=2) as server:
    for name, body in (("smtplib sends; an unknown recipient is refused alone", smtplib_sends),
                       ("smtplib sends over TLS", smtplib_sends_over_tls),
                       ("smtplib sends addresses and headers in UTF-8", smtplib_sends_utf8),
                       ("smtplib delivers by LMTP", lmtp_delivers),
                       ("imaplib reads, files, expunges and appends over TLS", imaplib_reads_and_files),
                       ("poplib takes and deletes over TLS; UIDL stays", poplib_takes_and_deletes),
                       ("all of them begin TLS in the middle", tls_begins_in_the_middle),
                       ("a wrong password is refused", wrong_password)):
        with tap.test(name):
            body(server)
tap.done()
