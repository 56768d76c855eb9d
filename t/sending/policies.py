"""policies.py - other schedules for some destinations (the sections `destination`): of the recipient's domain, else of the
host, else of the sender's domain; of sessions, and of mail without a sender (expire_null)."""

import datetime
import re
import smtplib

import tap
from postern import Server
from sending import Far, logged, reports, submit, text, until

BUSY = "450 4.2.1 come again"


def put(server, sender, recipient, message):
    with smtplib.SMTP(server.host, server.ports["smtp"], timeout=60) as smtp:
        smtp.sendmail(sender, [recipient], message)


def waits_s(server, address):
    """Seconds from the first vain try to the next, as the log tells them; a line's own time may be a little late."""
    when, next_s = logged(server, rf"^(\S+) .* deferred to=<{re.escape(address)}> .*next_s=(\d+)")[0]
    return int(next_s) - datetime.datetime.fromisoformat(when.replace("Z", "+00:00")).timestamp()


def first_tries(server, far, by_host):
    with tap.test("when it is tried again: as the recipient's domain wants it, else the host, else the sender, else all"):
        own, elsewhere = server.address("test0000"), "somebody@away.test"
        for sender, recipient, minutes in ((own, far.address("one"), 7), (elsewhere, by_host.address("two"), 11),
                                           (own, by_host.address("three"), 11), (own, "four@plain.test", 13),
                                           (elsewhere, "five@plain.test", 17), ("", "six@plain.test", 17)):
            put(server, sender, recipient, text("tries"))
            seconds = waits_s(server, recipient)
            assert abs(seconds - 60 * minutes) < 55, (sender, recipient, minutes, seconds)


def gone(server, address):
    return re.search(rf" expired .*to=<{re.escape(address)}>", server.log())


def ends(server, far):
    with tap.test("expire_null: mail without a sender is given up after the destination's time, other mail is not"):
        put(server, "", far.address("null"), text("null"))
        submit(server, [far.address("whole")], text("whole"))
        for name in "null", "whole":
            waits_s(server, far.address(name))
        server.clock("+15m")
        logged(server, rf" deferred to=<{far.address('null')}>", 2)
        assert not gone(server, far.address("null"))
        server.clock("+10m")
        logged(server, rf" expired .*to=<{re.escape(far.address('null'))}>")
        assert not gone(server, far.address("whole")) and not gone(server, "six@plain.test")
        assert far.address("null") not in server.command("queue", "list")
    with tap.test("expire of the destination: then the other, and its sender hears; no others' mail"):
        until(server, lambda: gone(server, far.address("whole")), "the end", "+1h")
        report = next(each for each in reports(server, count=2) if far.address("whole") in each.actions)
        assert report.actions == {far.address("whole"): "failed"}, report.actions
        assert not gone(server, "four@plain.test") and not gone(server, "five@plain.test")


def main():
    far, by_host, plain = Far("far"), Far("byhost"), Far("plain")
    settings = [setting for each in (far, by_host, plain) for setting in each.settings()]
    settings += ["sending.retry 17m", f"destination.{by_host.host}.retry 11m", "destination.example.test.retry 13m", "destination.far.test.retry 7m", "destination.far.test.expire_null 20m",
                 "destination.far.test.expire 3h", "destination.far.test.warn never"]
    for each in far, by_host, plain:
        each.fault("rcpt", BUSY)
    with Server(users=1, set=[*settings, 'relay.networks {"127.0.0.0/8"}']) as server:
        first_tries(server, far, by_host)
        ends(server, far)
    for each in (far, by_host, plain):
        with tap.test(f"nothing was done that no client may do to {each.title}"):
            each.close()
    tap.done()


main()
