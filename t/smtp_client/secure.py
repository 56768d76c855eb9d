"""secure.py - STARTTLS, TLS at once and logins: what is done where they are offered, wanted, or fail (RFC 3207, RFC 4954)."""

import os
import tempfile

import tap
from destinations import Case, both, commands, in_clear, one_connection, play, says, secure
from smtp_sink import server_tls

MUST = ["tls must"]
VERIFY = ["tls verify"]
LOGIN = ["user me", "password secret", "tls never"]
USERS = {"me": "secret"}

with tempfile.TemporaryDirectory() as folder:
    os.chmod(folder, 0o755)
    tls = server_tls(folder, "127.0.0.1")
    other = server_tls(folder, "other.test")

    def failing(what):
        return [("handshake", what)]

    def again(sink):
        assert len({number for number, _ in sink.commands}) == 2, sink.commands
        in_clear(sink)

    def hello_twice(sink):
        says("EHLO", "STARTTLS", "EHLO", "MAIL")(sink)

    def no_mail(sink):
        assert "MAIL" not in commands(sink), sink.commands

    def no_password(sink):
        assert "AUTH" not in commands(sink), sink.commands

    def logged_in(sink):
        assert [message.user for message in sink.messages] == ["me"]

    def scram(name, outcome, proves="334", users=USERS, wants=None, **more):
        route = [*LOGIN[:2], *VERIFY] if "tls" in more else LOGIN
        case = Case(name, outcome, users=users, route=route, mechanisms="PLAIN SCRAM-SHA-256", wants=wants, **more)
        case.sink.scram = proves
        return case

    def by_scram(sink):
        assert [line for _, line in sink.commands if line.startswith("AUTH SCRAM-SHA-256 ")], sink.commands
        assert not any("secret" in line or "AUTH PLAIN" in line for _, line in sink.commands)

    play([
        Case("STARTTLS is used when it is offered", "passed", tls=tls, wants=both(secure, one_connection, hello_twice)),
        Case("whatever the certificate", "passed", tls=other, wants=secure),
        Case("but not where it is not to be", "passed", tls=tls, route=["tls never"], wants=in_clear),
        Case("STARTTLS is refused: in the clear", "passed", tls=tls, faults=[("starttls", "454 4.7.0 not now")],
             wants=both(in_clear, one_connection)),
        Case("the handshake is none: once more, in the clear", "passed", tls=tls, faults=failing("garbage"), wants=again),
        Case("the handshake ends: once more, in the clear", "passed", tls=tls, faults=failing("drop"), wants=again),
        Case("TLS must be, and is not offered", "unreachable 4.7.4", route=MUST, wants=no_mail),
        Case("TLS must be, and is refused", "unreachable 4.7.0", tls=tls, route=MUST,
             faults=[("starttls", "454 4.7.0 not now")], wants=no_mail),
        Case("TLS must be, and fails", "unreachable 4.7.5", tls=tls, route=MUST, faults=failing("drop"), wants=no_mail),
        Case("TLS must be, and is", "passed", tls=other, route=MUST, wants=secure),
        Case("a certificate that is verified", "passed", tls=tls, route=VERIFY, wants=secure),
        Case("one of a stranger", "unreachable 4.7.5", tls=other, route=VERIFY, wants=no_mail),
        Case("more in the clear behind the reply to STARTTLS", "unreachable 4.7.5 TLS failed: more was said", tls=tls, route=MUST,
             faults=[("starttls", "220 go\r\n250 injected")], wants=no_mail),
        Case("TLS before the greeting", "passed", to="smtps", tls=tls, tls_at_once=True, wants=secure),
        Case("the same, verified", "passed", to="smtps", tls=tls, tls_at_once=True, route=VERIFY, wants=secure),
        Case("the same, of a stranger", "unreachable 4.7.5", to="smtps", tls=other, tls_at_once=True, route=VERIFY),
        Case("TLS before the greeting with one that does not", "unreachable 4.7.5", to="smtps",
             wants=lambda sink: sink.complaints.clear()),
        Case("a login on this machine", "passed", users=USERS, route=LOGIN, wants=logged_in),
        Case("a login under TLS", "passed", users=USERS, tls=tls, route=[*LOGIN[:2], *VERIFY], wants=both(logged_in, secure)),
        scram("SCRAM-SHA-256 is preferred, also in clear text (RFC 7677)", "passed", wants=both(logged_in, by_scram)),
        scram("the other side proves itself with 235 as well", "passed", "235", wants=both(logged_in, by_scram)),
        scram("under TLS", "passed", tls=tls, wants=both(logged_in, by_scram, secure)),
        scram("an other side that does not know the password", "unreachable 4.7.8", "wrong", wants=both(no_mail, by_scram)),
        scram("one that does not prove that it does", "unreachable 4.7.8", "never", wants=both(no_mail, by_scram)),
        scram("a wrong password, by SCRAM", "unreachable 4.7.8 535 5.7.8", users={"me": "another"}, wants=both(no_mail, by_scram)),
        scram("no such user there", "unreachable 4.7.8 535 5.7.8", users={"you": "secret"}, wants=no_mail),
        Case("a wrong password", "unreachable 4.7.8 535 5.7.8", users={"me": "another"}, route=LOGIN, wants=no_mail),
        Case("no login offered", "unreachable 4.7.0", route=LOGIN, wants=both(no_mail, no_password)),
        Case("a login that ends the connection", "unreachable 4.4.2", users=USERS, route=LOGIN, faults=[("auth", "drop")]),
        Case("a login that is asked on and on", "unreachable 4.7.8", users=USERS, route=LOGIN, faults=[("auth", "334 eA==")]),
    ], ca=tls.certificate)
tap.done()
