"""loops.py - mail that would go round and round ends: groups of groups, rewritten addresses, routes that lead back to us,
what a group's member sends back. Its sender hears of it, and once."""

import re
import smtplib

import tap
from postern import PORTS, Server, free_base_port, wait_until
from sending import Far, inbox, logged, put_off, reports, submit, text

HOPS = 6  # smtp.hops_max


def put(server, recipient, message, sender="writer@away.test"):
    """As another server gives it; the code of its answer."""
    with smtplib.SMTP(server.host, server.ports["smtp"], timeout=60) as smtp:
        smtp.ehlo("away.test")
        smtp.mail(sender)
        code, _ = smtp.rcpt(recipient)
        return smtp.data(message)[0] if code == 250 else code


def groups(server, far):
    with tap.test("groups within each other: each member gets one, and it ends"):
        server.command("group", "add", "in@example.test", "out@example.test", "test0002@example.test", far.address("m"))
        server.command("group", "add", "out@example.test", "in@example.test", "test0003@example.test")
        assert put(server, "out@example.test", text("groups")) == 250
        sent, = far.wait_messages("Subject: groups")
        assert sent.taken == [far.address("m")], sent
        submit(server, ["test0002@example.test", "test0003@example.test"], text("behind"))
        for account in "test0002", "test0003":
            assert [each["Subject"] for each in inbox(server, account, 2)] == ["groups", "behind"]
    with tap.test("those that have each other alone are nobody"):
        server.command("group", "add", "one@example.test", "other@example.test")
        server.command("group", "add", "other@example.test", "one@example.test")
        assert put(server, "one@example.test", text("nobody")) >= 500
    with tap.test("what a member elsewhere sends back to the group is refused"):
        code = put(server, "out@example.test", sent.content, sent.sender)
        assert code in (550, 554), code
        assert len(inbox(server, "test0002", 2)) == 2


def rewrites(server):
    for name in "here", "there", "same":
        with tap.test(f"addresses that are rewritten to each other, or to themselves, are refused: {name}@"):
            assert put(server, f"{name}@rewritten.test", text("rewritten")) == 550
            logged(server, rf'refused to=<{name}@rewritten\.test> .*reason="550 5\.4\.6 ')


def circle(server):
    with tap.test("a route that leads back to us: after so many hops it is refused, and the sender hears of it once"):
        submit(server, ["a@circle.test"], text("circle"))
        report, = reports(server, "test0000")
        assert report.actions == {"a@circle.test": "failed"} and report.of("a@circle.test")["Status"] == "5.4.6"
        assert "too many servers" in report.words
        assert len(logged(server, r" (?:passed|relayed) to=<a@circle\.test>", HOPS)) == HOPS
        assert "a@circle.test" not in server.command("queue", "list")
    with tap.test("without a sender it ends there"):
        assert put(server, "null@circle.test", text("null circle"), "") == 250
        logged(server, r" refused to=<null@circle\.test>")
        assert "null@circle.test" not in server.command("queue", "list")


def moved(server, far):
    with tap.test("what an operator moves to ourselves goes on from there by its own route, and arrives once"):
        far.dead()
        submit(server, [far.address("moved")], text("moved"), "test0001")
        put_off(server, far)
        server.command("queue", "move", f"[{server.host}]:{server.ports['smtp']}", "--to", far.address("moved"))
        logged(server, rf" (?:passed|relayed) to=<{re.escape(far.address('moved'))}>")
        far.start()
        server.command("queue", "retry", "--all")
        far.wait_messages("Subject: moved")
        wait_until(lambda: far.address("moved") not in server.command("queue", "list"), 30, "it is through")
        assert far.counts()[far.address("moved")] == 1


def main():
    far, base = Far("far"), free_base_port()
    settings = [*far.settings(), f"route.circle.to smtp:[127.0.0.1]:{base + PORTS['smtp']}",
                'route.circle.recipients {"*@circle.test"}', 'relay.networks {"127.0.0.0/8"}', f"smtp.hops_max {HOPS}",
                "rewrite.here.from here@rewritten.test", "rewrite.here.to there@rewritten.test",
                "rewrite.there.from there@rewritten.test", "rewrite.there.to here@rewritten.test",
                "rewrite.same.from same@rewritten.test", "rewrite.same.to same@rewritten.test"]
    with Server(users=4, base_port=base, set=settings) as server:
        for part in (groups, moved):
            part(server, far)
        circle(server)
        rewrites(server)
    with tap.test("nothing was done that no client may do"):
        far.close()
    tap.done()


main()
