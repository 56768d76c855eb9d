"""remember.py - a password that was right is known again for a while without its dear hash, and no other ever is: not a
wrong one, not the old one once it was changed, not that of an account that is gone."""

import contextlib
import json
import poplib

import tap
from postern import PASSWORD, Server


def logs_in(server, password, account="test0000"):
    with contextlib.closing(poplib.POP3(server.host, server.ports["pop3"])) as pop3:
        pop3.user(server.address(account))
        try:
            pop3.pass_(password)
        except poplib.error_proto:
            return False
        pop3.quit()
        return True


def remembered(server):
    return json.loads(server.command("stats", "--json")).get("login.remembered", 0)


with Server(users=2, set=["login.remember 5m"]) as server:
    with tap.test("the second login within five minutes is remembered, the first is not"):
        assert logs_in(server, PASSWORD) and remembered(server) == 0
        assert logs_in(server, PASSWORD) and remembered(server) == 1
    with tap.test("a wrong password is wrong, before and after"):
        assert not logs_in(server, "wrong") and not logs_in(server, "wrong")
        assert logs_in(server, PASSWORD) and remembered(server) == 2
    with tap.test("nobody else's password is known by it"):
        assert logs_in(server, PASSWORD, "test0001") and remembered(server) == 2
    with tap.test("five minutes later it is looked at anew, and then remembered"):
        server.clock("+301s")
        assert logs_in(server, PASSWORD) and remembered(server) == 2
        assert logs_in(server, PASSWORD) and remembered(server) == 3
    with tap.test("once the password is changed the old one is wrong at once, and the new one right"):
        server.command("account", "passwd", server.address("test0000"), "--password", "other")
        assert not logs_in(server, PASSWORD)
        assert logs_in(server, "other") and remembered(server) == 3
        assert logs_in(server, "other") and remembered(server) == 4
    with tap.test("an account that is gone knows nobody, nor does another of its name know the old password"):
        server.command("account", "delete", server.address("test0000"))
        assert not logs_in(server, "other")
        server.command("account", "add", server.address("test0000"), "--password", "third")
        assert not logs_in(server, "other") and logs_in(server, "third") and remembered(server) == 4

with Server(users=1, set=["login.remember 0s"]) as server:
    with tap.test("nothing is remembered where the configuration says so"):
        assert logs_in(server, PASSWORD) and logs_in(server, PASSWORD) and remembered(server) == 0
tap.done()
