"""dsn.py - what a sender wants to hear (RFC 3461) of mail that leaves by a forwarder or a group: said on to hosts that
know of it, told by us for those that do not."""

import tap
from postern import Server
from sending import Far, logged, reports, submit, text

MAIL = ["RET=FULL", "ENVID=id+2B7"]


def asked(far, subject):
    return far.wait_messages(f"Subject: {subject}\r\n")[0]


def forwarders(server, knows, bare):
    orcpt = "ORCPT=rfc822;first+2Bname@example.test"
    with tap.test("by a forwarder to a host with DSN: all of it goes on, ORCPT as it was said (5.2.7.2)"):
        submit(server, ["away@example.test"], text("one"), mail=MAIL, rcpt=["NOTIFY=SUCCESS,FAILURE", orcpt])
        sent = asked(knows, "one")
        assert sent.taken == [knows.address("new")], sent
        assert sent.parameters.items() >= {"RET": "FULL", "ENVID": "id+2B7"}.items(), sent.parameters
        said = sent.recipient_parameters[knows.address("new")]
        assert set(said["NOTIFY"].split(",")) == {"SUCCESS", "FAILURE"}, said
        assert said["ORCPT"] == "rfc822;first+2Bname@example.test", said
        logged(server, rf" passed to=<{knows.address('new')}>")
    with tap.test("without ORCPT it is the address that the sender wrote"):
        submit(server, ["away@example.test"], text("two"), "test0001", rcpt=["NOTIFY=SUCCESS"])
        said = asked(knows, "two").recipient_parameters[knows.address("new")]
        assert said == {"NOTIFY": "SUCCESS", "ORCPT": "rfc822;away@example.test"}, said
    with tap.test("to a host without DSN: nothing of it goes there, and we tell that it was relayed, with his words"):
        submit(server, ["gone@example.test"], text("three"), "test0002", mail=MAIL, rcpt=["NOTIFY=SUCCESS", orcpt])
        sent = asked(bare, "three")
        assert not {"RET", "ENVID"} & set(sent.parameters) and not sent.recipient_parameters[bare.address("new")], sent
        report, = reports(server, "test0002")
        assert report.actions == {bare.address("new"): "relayed"}, report.actions
        assert report.about["Original-Envelope-Id"] == "id+7", report.about.items()
        fields = report.of(bare.address("new"))
        assert fields["Original-Recipient"].replace(" ", "") == "rfc822;first+name@example.test", fields.items()
        assert fields["Status"].startswith("2."), fields["Status"]
    with tap.test("who wants to hear of nothing hears nothing, and the host with DSN is told so"):
        submit(server, ["away@example.test", "gone@example.test"], text("four"), "test0003", rcpt=["NOTIFY=NEVER"])
        assert asked(knows, "four").recipient_parameters[knows.address("new")]["NOTIFY"] == "NEVER"
        asked(bare, "four")
    with tap.test("what is refused there comes back by RET: the whole, or the header alone"):
        bare.fault("rcpt", "550 5.1.1 nobody")
        for account, ret in (("test0004", "FULL"), ("test0005", "HDRS")):
            submit(server, ["gone@example.test"], text("five"), account, mail=[f"RET={ret}"], rcpt=["NOTIFY=FAILURE", orcpt])
            report, = reports(server, account)
            assert report.actions == {bare.address("new"): "failed"}, report.actions
            assert (b"\r\ntext\r\n" in report.original) == (ret == "FULL"), report.original
            assert report.of(bare.address("new"))["Original-Recipient"].replace(" ", "") == \
                "rfc822;first+name@example.test"
        bare.mend()


def groups(server, knows, bare):
    members = {knows: knows.address("m"), bare: bare.address("m")}
    with tap.test("by a group: the sender hears once that it was expanded, and no member's host speaks of success (5.2.7.3)"):
        submit(server, ["team@example.test"], text("six"), "test0006", mail=MAIL,
               rcpt=["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;team"])
        for far, address in members.items():
            sent = asked(far, "six")
            assert sent.taken == [address] and sent.sender == server.address("test0006"), sent
            assert "SUCCESS" not in sent.recipient_parameters[address].get("NOTIFY", ""), sent.recipient_parameters
        assert asked(knows, "six").parameters["ENVID"] == "id+2B7", asked(knows, "six").parameters
        logged(server, rf" (?:passed|relayed) to=<({members[knows]}|{members[bare]})>", 2)
        report, = reports(server, "test0006")
        assert report.actions == {"team@example.test": "expanded"}, report.actions
        assert report.about["Original-Envelope-Id"] == "id+7"
        assert report.of("team@example.test")["Original-Recipient"].replace(" ", "") == "rfc822;team"
    with tap.test("a group with an owner has it, and that is all that its sender hears (5.2.7.4)"):
        submit(server, ["list@example.test"], text("seven"), "test0007", mail=MAIL, rcpt=["NOTIFY=SUCCESS"])
        for far, address in members.items():
            sent = asked(far, "seven")
            assert sent.sender == server.address("owner"), sent
            assert "ENVID" not in sent.parameters, sent.parameters
            assert "SUCCESS" not in sent.recipient_parameters[address].get("NOTIFY", ""), sent.recipient_parameters
        report, = reports(server, "test0007")
        assert report.actions == {"list@example.test": "delivered"}, report.actions


def main():
    knows, bare = Far("knows"), Far("bare", without=("DSN",))
    with Server(users=8, accounts=["owner"], set=[*knows.settings(), *bare.settings()]) as server:
        server.command("forwarder", "add", "away@example.test", knows.address("new"))
        server.command("forwarder", "add", "gone@example.test", bare.address("new"))
        for name, more in (("team", ()), ("list", ("--owner", "owner@example.test"))):
            server.command("group", "add", f"{name}@example.test", *more, knows.address("m"), bare.address("m"))
        forwarders(server, knows, bare)
        groups(server, knows, bare)
        with tap.test("nobody else heard anything"):
            for account, count in {"test0000": 0, "test0001": 0, "test0003": 0, "test0006": 1, "test0007": 1, "owner": 0}.items():
                assert len(reports(server, account, count)) == count, account
    for each in (knows, bare):
        with tap.test(f"nothing was done that no client may do to {each.title}"):
            each.close()
    tap.done()


main()
