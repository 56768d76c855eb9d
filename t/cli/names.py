"""names.py - aliases, forwarders and groups: made, changed, shown, listed and deleted, while a server runs and while none
does."""

import tap
from postern import Server, wait_until

PATIENCE_S = 60


def orders(server, running):
    """The same orders do the same, whether a server runs or not."""
    how = "by the server" if running else "while no server runs"
    domain = "online.test" if running else "offline.test"

    def name(local):
        return f"{local}@{domain}"

    def lists(kind, *locals_):
        """Lists are of the files, which workers write soon after they answered."""
        wait_until(lambda: server.command(kind, "list", domain).split() == [name(local) for local in locals_], PATIENCE_S,
                   f"the {kind}s of {domain} are {locals_}")

    server.command("domain", "add", domain)
    server.command("account", "add", name("alice"), "--password", "secret")
    with tap.test(f"an alias is made and shown {how}"):
        server.command("alias", "add", name("Al"), name("alice"))
        assert server.command("alias", "show", name("al")) == f"kind = alias\nto = {name('alice')}\n"
        assert "something of this name" in server.command("alias", "add", name("al"), name("alice"), fails=True)
        assert "something of this name" in server.command("alias", "add", name("alice"), name("al"), fails=True)
    with tap.test(f"an alias stands for one account of a domain kept here {how}"):
        assert "is not kept here" in server.command("alias", "add", name("x"), "a@far.test", fails=True)
        assert "no more addresses" in server.command("alias", "add", name("x"), name("alice"), name("bob"), fails=True)
        assert "stand for itself" in server.command("alias", "add", name("x"), name("x"), fails=True)
        assert "wants an address" in server.command("alias", "add", name("x"), fails=True)
        assert "not kept here" in server.command("alias", "add", "x@far.test", name("alice"), fails=True)
    with tap.test(f"a forwarder is made and shown {how}"):
        server.command("forwarder", "add", name("away"), "a@far.test", "B@Far.Test")
        assert server.command("forwarder", "show", name("away")) == "kind = forwarder\nto = a@far.test\nto = B@far.test\n"
        assert "not USER@DOMAIN" in server.command("forwarder", "add", name("x"), "nonsense", fails=True)
    with tap.test(f"both are set to stand for others {how}"):
        server.command("account", "add", name("carol"), "--password", "secret")
        server.command("alias", "set", name("al"), name("carol"))
        assert server.command("alias", "show", name("al")) == f"kind = alias\nto = {name('carol')}\n"
        server.command("alias", "set", name("al"), name("alice"))
        server.command("account", "delete", name("carol"))
        server.command("forwarder", "set", name("away"), "c@far.test")
        assert server.command("forwarder", "show", name("away")) == "kind = forwarder\nto = c@far.test\n"
        assert "no such name" in server.command("forwarder", "set", name("al"), "c@far.test", fails=True)
    with tap.test(f"a group is made, gets members and loses them {how}"):
        server.command("group", "add", name("team"), "--owner", name("alice"), "--members-only", name("alice"))
        server.command("group", "member-add", name("team"), "bob@far.test", name("ALICE"), "carol@far.test")
        server.command("group", "member-delete", name("team"), "BOB@far.test")
        assert server.command("group", "show", name("team")) == (
            f"kind = group\nowner = {name('alice')}\nmembers_only = true\nto = {name('alice')}\nto = carol@far.test\n")
        assert "not in it" in server.command("group", "member-delete", name("team"), "bob@far.test", fails=True)
        assert "no such name" in server.command("group", "member-add", name("none"), "bob@far.test", fails=True)
    with tap.test(f"a group is given other rules {how}"):
        server.command("group", "set", name("team"), "--skip-author")
        assert server.command("group", "show", name("team")) == (
            f"kind = group\nskip_author = true\nto = {name('alice')}\nto = carol@far.test\n")
    with tap.test(f"many members come by standard input {how}"):
        server.command("group", "add", name("all"), "--stdin", input="".join(f"m{i}@far.test\n" for i in range(1200)))
        shown = server.command("group", "show", name("all")).splitlines()
        assert len(shown) == 1201 and shown[-1] == "to = m1199@far.test", shown[-1]
    with tap.test(f"each is listed among its like {how}"):
        lists("alias", "al")
        lists("forwarder", "away")
        lists("group", "all", "team")
        lists("account", "alice")
        assert name("team") in server.command("group", "list").split()
        assert "no such domain" in server.command("group", "list", "far.test", fails=True)
    with tap.test(f"what is an alias is no account and no group {how}"):
        assert "no such account" in server.command("account", "passwd", name("al"), "--password", "x", fails=True)
        assert "no such account" in server.command("account", "delete", name("al"), fails=True)
        assert "no such name" in server.command("group", "show", name("al"), fails=True)
        assert "no such name" in server.command("group", "delete", name("al"), fails=True)
        assert "is there already" in server.command("account", "add", name("al"), "--password", "x", fails=True)
    with tap.test(f"each is deleted, once {how}"):
        server.command("forwarder", "delete", name("away"))
        assert "no such name" in server.command("forwarder", "delete", name("away"), fails=True)
        server.command("group", "delete", name("all"))
        lists("group", "team")
        assert "other names" in server.command("domain", "delete", domain, fails=True)
    with tap.test(f"who deletes an account is told what still points to it {how}"):
        other = f"other.{domain}"
        server.command("domain", "add", other)
        server.command("account", "add", name("dora"), "--password", "secret")
        server.command("alias", "add", f"dora@{other}", name("Dora"))
        server.command("forwarder", "add", name("f"), "a@far.test", f"DORA+lists@{domain.upper()}")
        server.command("group", "add", name("by"), "--owner", name("dora"), "a@far.test")
        server.command("group", "add", name("in"), name("alice"), name("dora"))
        server.command("group", "add", name("not"), f"dora@far.test", name("dora2"))
        wait_until(lambda: name("not") in server.command("group", "list", domain), PATIENCE_S, "all are made")
        assert sorted(server.command("account", "delete", name("Dora")).splitlines()) == sorted(
            f"{each} still points to {name('Dora')}"
            for each in (f"dora@{other}", name("by"), name("f"), name("in")))
        server.command("account", "add", name("dora"), "--password", "secret")
        assert server.command("account", "delete", name("dora"), "--quick") == ""
        server.command("account", "add", name("erik"), "--password", "secret")
        assert server.command("account", "delete", name("erik")) == ""
    with tap.test(f"wrong usage is told {how}"):
        assert "wants what to do" in server.command("group", "love", name("team"), fails=True)
        assert "option" in server.command("alias", "add", name("x"), "--owner", fails=True)


def by_other_name(server, how):
    with tap.test(f"so it is where the domain's other name was meant {how}"):
        server.command("account", "add", "zoe@example.test", "--password", "secret")
        server.command("forwarder", "add", "old@example.test", "zoe@also.test")
        wait_until(lambda: "old@" in server.command("forwarder", "list"), PATIENCE_S, "it is made")
        assert server.command("account", "delete", "zoe@example.test") == "old@example.test still points to zoe@example.test\n"
        server.command("forwarder", "delete", "old@example.test")


with Server(users=1, set=['domain.example.test.aliases {"also.test"}']) as server:
    orders(server, running=True)
    by_other_name(server, "by the server")
    server.stop()
    orders(server, running=False)
    by_other_name(server, "while no server runs")
    server.start()
    with tap.test("what was made while no server ran is there when one does, and the other way round"):
        for domain in ("online.test", "offline.test"):
            assert server.command("alias", "show", f"al@{domain}") == f"kind = alias\nto = alice@{domain}\n"
            assert len(server.command("group", "show", f"team@{domain}").splitlines()) == 4
tap.done()
