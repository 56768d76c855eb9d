"""command.py - postern route: what an address means, step by step, and where its mail goes next."""

import json

import tap
from postern import Server

SETTINGS = [
    'domain.example.test.aliases {"example.org"}', "domain.example.test.unknown *@old.far.test",
    "rewrite.sales.from sales-*@example.test", "rewrite.sales.to *@crm.test",
    "route.isp.to smtp:[mail.isp.test]:587", 'route.isp.senders {"test0000@example.test"}',
    "route.isp.user us", "route.isp.password s3cret", "route.isp.tls verify",
    "route.no.to reject:550 5.1.2 no mail for them", 'route.no.recipients {"*@.closed.test"}',
]


def routed(server, *words, fails=False):
    return server.command("route", *words, fails=fails).splitlines()


with Server(users=2, set=SETTINGS) as server:
    server.command("alias", "add", "al@example.test", "test0000@example.test")
    server.command("group", "add", "team@example.test", "--owner", "boss@example.test", "test0000@example.test",
                   "al@example.test", "bob@far.test")
    with tap.test("an account, by an alias and another name of its domain"):
        assert routed(server, "Al@Example.ORG") == [
            "# example.org is another name of example.test", "# al@example.test is an alias",
            "# test0000@example.test is an account here", "local test0000@example.test forwarded"]
    with tap.test("an account with a detail"):
        assert routed(server, "test0001+x@example.test")[-1] == "local test0001@example.test detail=x"
    with tap.test("a group, each member once"):
        said = routed(server, "team@example.test")
        assert said[-2:] == [
            "local test0000@example.test sender=boss@example.test forwarded",
            "remote bob@far.test next_hop=smtp:far.test sender=boss@example.test forwarded"], said
        assert "# team@example.test is a group of 3" in said and "# test0000@example.test was met already" in said, said
    with tap.test("the table, and the rule for who is not there"):
        assert routed(server, "sales-eu@example.org")[-1] == "remote eu@crm.test next_hop=smtp:crm.test forwarded"
        assert routed(server, "gone@example.test")[-1] == "remote gone@old.far.test next_hop=smtp:old.far.test forwarded"
    with tap.test("a next hop by the sender; no password is shown"):
        said = routed(server, "--from", "test0000@example.test", "bob@far.test")
        assert said[-1] == ('remote bob@far.test next_hop=smtp:[mail.isp.test]:587/us;tls=verify route="isp" relay'), said
        assert "s3cret" not in "".join(said)
    with tap.test("a refusal, and the exit status tells"):
        assert routed(server, "a@x.closed.test", fails=True)[-1] == \
            'reject a@x.closed.test relay text="550 5.1.2 no mail for them"'
        assert routed(server, "nonsense", fails=True)[-1].startswith("reject nonsense text=\"553 5.1.3 ")
    with tap.test("as a login name"):
        assert routed(server, "--login", "al@example.org")[-1] == "local test0000@example.test forwarded"
        assert routed(server, "--login", "team@example.test", fails=True)[-1].startswith("reject ")
    with tap.test("as JSON"):
        said = json.loads(server.command("route", "--json", "bob@far.test"))
        assert said["steps"] and said["leaves"] == [
            {"kind": "remote", "address": "bob@far.test", "detail": "", "text": "", "sender": "", "forwarded": False,
             "relay": True, "backup": False, "next_hop": "smtp:far.test", "route": ""}], said
    with tap.test("a changed configuration holds at once after a reload"):
        server.options["set"].append("route.isp.to smtp:[other.isp.test]:587")
        server.write_conf()
        server.command("reload")
        said = routed(server, "--from", "test0000@example.test", "bob@far.test")
        assert "other.isp.test" in said[-1], said
    with tap.test("wrong usage is told"):
        assert "wants an address" in server.command("route", fails=True)
        assert "wants an address" in server.command("route", "a@b.test", "c@d.test", fails=True)
        assert "wants an address" in server.command("route", "--from", fails=True)
        assert "wants an address" in server.command("route", "--what", "a@b.test", fails=True)
tap.done()
