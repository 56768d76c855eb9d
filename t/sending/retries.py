"""retries.py - mail that cannot leave yet: tried again at growing distances, its sender told of the delay and of the
end; through restarts and kill -9; and whatever one destination does, mail for the others leaves at once."""

import re
import smtplib

import tap
from postern import Server
from sending import Far, inbox, logged, put_off, reports, submit, text, until

BUSY = "450 4.2.1 come again"


def tries(far, address):
    return sum(f"RCPT TO:<{address}>" in line for _, line in far.commands)


def distances(server, address):
    """Seconds from each vain try to the next, as the log tells them."""
    found = re.findall(rf"^(\S+) .* deferred .*to=<{address}>.* delay_s=(\d+) next_s=(\d+)", server.log(), re.M)
    return [int(later[1]) - int(sooner[1]) for sooner, later in zip(found, found[1:])]


def delays(server, late):
    address = late.address("late")
    wishes = {"late": [], "quiet": ["NOTIFY=NEVER"], "failure": ["NOTIFY=FAILURE"], "delay": ["NOTIFY=DELAY"]}
    late.fault("rcpt", BUSY)
    for place, (name, rcpt) in enumerate(wishes.items()):
        submit(server, [late.address(name)], text(name, to=late.address(name)), f"test{place:04}", rcpt=rcpt)
    with tap.test("it is tried again, at growing distances"):
        logged(server, rf" deferred .*to=<{address}>")
        until(server, lambda: tries(late, address) >= 5, "five tries", "+5m")
        logged(server, rf" deferred .*to=<{address}>", 5)
        between = distances(server, address)
        assert between == sorted(between) and between[0] < between[-1], between
    with tap.test("a sender who wants to know hears of the delay, once"):
        until(server, lambda: tries(late, address) >= 9, "nine tries", "+1h")
        report, = reports(server, "test0000")
        fields = report.of(address)
        assert report.actions == {address: "delayed"} and fields["Will-Retry-Until"], report.actions
        assert BUSY.split(" ", 2)[2] in fields["Diagnostic-Code"] and fields["Status"].startswith("4."), fields
        reports(server, "test0003")
    with tap.test("after its time it is given up, and comes back"):
        until(server, lambda: logged(server, rf" expired .*to=<{address}>") if "expired" in server.log() else False,
              "an end", "+12h")
        delayed, failed = reports(server, "test0000", 2)
        fields = failed.of(address)
        assert delayed.actions == {address: "delayed"} and failed.actions == {address: "failed"}, failed.actions
        assert BUSY.split(" ", 2)[2] in failed.words and b"Subject: late\r\n" in failed.original, failed.message
        assert fields["Status"] in ("4.4.7", "5.4.7") or fields["Status"] == "4.2.1", fields["Status"]
    with tap.test("who does not want to know does not hear"):
        logged(server, r" expired .*to=<", 4)
        assert [r.actions for r in reports(server, "test0002")] == [{late.address("failure"): "failed"}]
        assert [r.actions for r in reports(server, "test0003")] == [{late.address("delay"): "delayed"}]
        assert not inbox(server, "test0001", 0)
    with tap.test("nothing waits any more"):
        asked = len(late.commands)
        server.clock("+1d")
        assert late.address("late") not in server.command("queue", "list")
        assert len(late.commands) == asked


def without_sender(server, late):
    with tap.test("mail from nobody ends without a word, and sooner"):
        late.mend()
        late.fault("rcpt", BUSY)
        with smtplib.SMTP(server.host, server.ports["smtp"], timeout=60) as smtp:
            smtp.sendmail("", [late.address("null")], text("null"))
        put_off(server, late, "null")
        before = len(re.findall(r" report action=", server.log()))
        until(server, lambda: re.search(rf" expired .*to=<{late.address('null')}>", server.log()), "an end", "+4h", 10)
        assert len(re.findall(r" report action=", server.log())) == before
        late.mend()
    with tap.test("a bounce that is refused ends there"):
        late.fault("rcpt", "550 5.1.1 nobody")
        with smtplib.SMTP(server.host, server.ports["smtp"], timeout=60) as smtp:
            smtp.sendmail(late.address("writer"), [late.address("reader")], text("to and fro"))
        logged(server, rf" refused .*to=<{late.address('reader')}>")
        logged(server, rf" refused .*to=<{late.address('writer')}>")
        server.clock("+1d")
        assert late.domain not in server.command("queue", "list")
        late.mend()


def restarts(server, late):
    late.dead()
    names = [late.address(f"k{n}") for n in range(10)]
    for name in names:
        submit(server, [name], text("kept"))
    put_off(server, late)
    for how in (server.stop, server.kill):
        with tap.test(f"what waits is there after {'a stop' if how == server.stop else 'kill -9'}, and held by nobody"):
            how()
            server.start()
            until(server, lambda: all(name in server.command("queue", "list") for name in names), "the queue", "+1s")
    with tap.test("and arrives, once"):
        late.start()
        until(server, lambda: all(late.counts()[name] for name in names), "what was kept")
        assert {late.counts()[name] for name in names} == {1}, late.counts()


def beside(server, good, bad):
    with tap.test("destinations that are dead, silent or slow to the death: mail for others leaves meanwhile"):
        bad[0].dead()
        bad[1].fill()
        bad[2].fault("greeting", "silence")
        bad[3].fault("rcpt", "silence")
        bad[4].tarpit_s = 5
        bad[4].fault("greeting", "tarpit")
        for number in range(12):
            for far in (*bad, *good):
                submit(server, [far.address(f"m{number}")], text(f"number {number}"))
        for far in good:
            far.wait_for(lambda: all(far.counts()[far.address(f"m{n}")] for n in range(12)))
        assert not any(far.messages for far in bad)
    with tap.test("with recipients at both in one message"):
        submit(server, [far.address("both") for far in (*bad, *good)], text("both"))
        for far in good:
            far.wait_for(lambda: far.counts()[far.address("both")])
    with tap.test("and when they are well again theirs arrives, once"):
        for far in bad:
            far.stop()
            far.mend()
            far.start()
        until(server, lambda: all(far.counts()[far.address(f"m{n}")] and far.counts()[far.address("both")]
                                  for far in bad for n in range(12)), "mail for those that were dead")
        for far in (*good, *bad):
            assert {far.counts()[far.address(f"m{n}")] for n in range(12)} == {1}, far.counts()


def main():
    far = [Far(name) for name in ("late", "well", "fine", "dead", "full", "silent", "mute", "tarpit")]
    settings = [setting for each in far for setting in each.settings()]
    with Server(set=[*settings, 'relay.networks {"127.0.0.0/8"}']) as server:
        late, well, fine, *bad = far
        restarts(server, late)  # first: at a start the clock is as it was
        beside(server, (well, fine), bad)
        delays(server, late)
        without_sender(server, late)
    for each in far:
        with tap.test(f"nothing was done that no client may do to {each.title}"):
            each.close()
    tap.done()


main()
