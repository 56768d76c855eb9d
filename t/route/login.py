"""login.py - who logs in by an alias, or by another name of his domain, is the account: in every protocol, by every
mechanism; forwarders, groups and catch-alls are nobody's login."""

import re

import tap
from auth import Auth
from postern import PASSWORD, Server
from scram_client import Scram

ROLES = ("submission", "imap", "pop3")
SETTINGS = ['domain.example.test.aliases {"example.org", "b\u00fccher.test"}',
            "domain.example.test.unknown test0001@example.test"]
NAMES = {
    "an alias": "al@example.test",
    "an alias in other letters, with a detail": "AL+x@Example.Test",
    "another name of the domain": "test0000@example.org",
    "an alias in another name of the domain": "al@example.org",
    "a domain beyond ASCII": "test0000@b\u00fccher.test",
    "its A-labels": "test0000@xn--bcher-kva.test",
}
NOBODIES = {
    "a forwarder": "away@example.test",
    "a group": "team@example.test",
    "who is only caught": "anybody@example.test",
}


def plain(auth, name, password, authorize=""):
    return auth.begin("PLAIN", f"{authorize}\0{name}\0{password}".encode())


def scram(auth, name, password):
    client = Scram(name, password)
    answer = auth.say(client.last(auth.begin("SCRAM-SHA-256", client.first().encode()).decode()).encode())
    if not isinstance(answer, bytes):
        return answer
    assert client.is_right(answer.decode())
    return auth.say(b"")


def login(auth, name, password):
    assert auth.begin("LOGIN") == b"Username:"
    auth.say(name.encode())
    return auth.say(password.encode())


with Server(users=2, set=SETTINGS) as server:
    server.command("alias", "add", "al@example.test", "test0000@example.test")
    server.command("forwarder", "add", "away@example.test", "test0000@example.test")
    server.command("group", "add", "team@example.test", "test0000@example.test")
    for role in ROLES:
        for how in (plain, login, scram):
            for what, name in NAMES.items():
                with tap.test(f"{role}, {how.__name__}: {what}"), Auth(server, role) as auth:
                    assert not (outcome := how(auth, name, "wrong")), outcome
                    assert how(auth, name, PASSWORD)
            for what, name in NOBODIES.items():
                with tap.test(f"{role}, {how.__name__}: {what} is nobody's login"), Auth(server, role) as auth:
                    assert not (outcome := how(auth, name, PASSWORD)), outcome
        with tap.test(f"{role}: whoever comes by an alias may name himself as himself"), Auth(server, role) as auth:
            assert plain(auth, "al@example.test", PASSWORD, "test0000@example.org")
        with tap.test(f"{role}: and nobody else"), Auth(server, role) as auth:
            assert not plain(auth, "al@example.test", PASSWORD, "test0001@example.test")
    with tap.test("the log tells the account, whatever its name was"):
        right = re.findall(r" login account=(\S+)", server.log())
        assert right and set(right) <= {"test0000@example.test", "postmaster@example.test"}, set(right)
tap.done()
