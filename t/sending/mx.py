"""mx.py - where mail goes by the DNS (RFC 5321, 5.1): hosts in the order of their preference, all their addresses, the
next one where one does not answer, or puts somebody off; none at all (RFC 7505); names that are not there, or not
now."""

import contextlib

import tap
from dns_server import DnsServer
from postern import Server
from sending import is_put_off, logged, put_off, reports, submit, text, until
from smtp_sink import Sink

ZONE = """
    two         300 MX 10 first.example.test
    two         300 MX 20 second.example.test
    many        300 MX 20 second.example.test
    many        300 MX 10 several.example.test
    implicit    300 A 127.0.0.12
    alias       300 CNAME two.example.test
    nobody      300 MX 0 .
    nowhere     300 MX 10 missing.example.test
    later       300 MX 10 second.example.test
    circle      300 MX 10 first.example.test
    circle      300 MX 20 mail.example.test
    circle      300 MX 30 second.example.test
    mail        300 A 127.0.0.1
    third       300 A 127.0.0.15
    first       300 A 127.0.0.11
    second      300 A 127.0.0.12
    several     300 A 127.0.0.13
    several     300 A 127.0.0.12
    several     300 A 127.0.0.14
"""


# A domain for each fault: nothing stays open from the one before.
FAULTS = (("greeting", "421 4.3.2 busy"), ("greeting", "554 5.3.2 closed"), ("greeting", "drop"), ("ehlo", "drop"),
          ("rcpt", "550 5.1.1 nobody"))
ZONE += "".join(f"next{n} 300 MX 10 first.example.test\nnext{n} 300 MX 20 second.example.test\n" for n in range(6))
ZONE += "".join(f"backup{n} 300 MX 10 first.example.test\nbackup{n} 300 MX 20 second.example.test\n"
                f"backup{n} 300 MX 30 third.example.test\n" for n in range(19))
LATER = "450 4.2.0 greylisted"


def sinks():
    """127.0.0.11 and 127.0.0.12 at one port, the others closed."""
    for _ in range(20):
        first = Sink("127.0.0.11").start()
        try:
            return first, Sink("127.0.0.12", first.port).start()
        except OSError:  # somebody has the port there
            first.stop()
    raise OSError("no port")


def to(domain):
    return f"a@{domain}.example.test"


def hosts(server, first, second):
    with tap.test("the preferred one gets it"):
        submit(server, [to("two")], text("preferred"))
        assert first.wait(1)[0].taken == [to("two")] and not second.sessions
    with tap.test("an address literal is no name"):
        submit(server, ["a@[127.0.0.12]"], text("literal"))
        assert second.wait(1)[0].taken == ["a@[127.0.0.12]"]
    with tap.test("a domain without MX is its own host"):
        submit(server, [to("implicit")], text("implicit"))
        assert second.wait(2)[1].taken == [to("implicit")]
    with tap.test("addresses that do not answer are passed over"):
        submit(server, [to("many")], text("many"))
        assert second.wait(3)[2].taken == [to("many")]
    with tap.test("a domain that is another's alias"):
        submit(server, [to("alias")], text("alias"))
        first.wait(2)
    count = 3
    for number, (step, what) in enumerate(FAULTS[:-1]):
        with tap.test(f"the next host is tried where one says {what} at {step}"):
            first.fault(step, what)
            submit(server, [to(f"next{number}")], text("next"))
            count += 1
            until(server, lambda: len(second.messages) >= count, "the second host", "+1m")
            first.mend()
            assert second.messages[-1].taken == [to(f"next{number}")]
    with tap.test("where one is dead"):
        first.dead()
        submit(server, [to("next5")], text("dead"))
        count += 1
        until(server, lambda: len(second.messages) >= count, "the second host", "+1m")
    with tap.test("we are not tried, nor who comes after us"):
        submit(server, [to("circle")], text("circle"))
        put_off(server, "circle.example.test")
        assert not any(to("circle") in t.recipients for t in second.transactions)
        first.start()
        until(server, lambda: any(to("circle") in t.taken for t in first.transactions), "the first host")
    with tap.test("what one refuses for good no other is asked"):
        first.fault(*FAULTS[-1])
        submit(server, [to("next4")], text("refused"), "test0001")
        report, = reports(server, "test0001")
        assert report.actions == {to("next4"): "failed"} and len(second.messages) == count
        first.mend()


def at(domain, *locals_):
    return [f"{local}@{domain}.example.test" for local in locals_]


def fate(server, address):
    return logged(server, rf" (passed|deferred|refused) to=<{address}> .*remote=\"(\S+) .* status=(\S+) ")[-1]


def backups(server, first, second):
    domains = iter(f"backup{n}" for n in range(19))
    first.forget()
    second.forget()
    for step, what in (("mail", "451 4.7.1 greylisted"), ("rcpt", LATER), ("mail", "421 4.7.0 busy"), ("rcpt", "421 4.7.0 busy"),
                       ("mail", "drop")):
        with tap.test(f"whom the first puts off by {what} to {step.upper()} the next takes, in the same try (RFC 5321, 5.1)"):
            a, b = at(next(domains), "a", "b")
            first.fault(step, what)
            submit(server, [a, b], text("backup"))
            message, = second.wait_messages("Subject: backup")
            assert message.recipients == [a, b] and not first.messages, (message, first.messages)
            assert fate(server, a)[0] == "passed" and fate(server, a)[1].startswith("second"), fate(server, a)
            first.mend()
            second.forget()
    with tap.test("DATA put off asks the next, too"):
        a, = at(next(domains), "a")
        first.without.add("CHUNKING")
        first.fault("data", "451 4.3.1 full")
        submit(server, [a], text("data"))
        second.wait_messages("Subject: data")
        first.without.clear()
        first.mend()
    with tap.test("who was taken by the first gets it there, the others by the next: each once"):
        a, b, c = at(next(domains), "a", "b", "c")
        first.fault("rcpt", LATER, b)
        first.fault("rcpt", "550 5.1.1 nobody", c)
        submit(server, [a, b, c], text("parts"), "test0001")
        one, = first.wait_messages("Subject: parts")
        two, = second.wait_messages("Subject: parts")
        assert (one.recipients, two.recipients) == ([a], [b]), (one, two)
        assert fate(server, c)[0] == "refused" and not any(c in line for _, line in second.commands)
        first.mend()
    with tap.test("what is put off with its content is asked nowhere else"):
        a, = at(next(domains), "a")
        first.fault("dot", "451 4.3.0 later")
        submit(server, [a], text("content"))
        logged(server, rf" deferred to=<{a}>")
        assert not any(a in line for _, line in second.commands)
        first.mend()
    with tap.test("if no host takes it the last words count; more than hosts_per_try are not asked"):
        a, = at(next(domains), "a")
        first.fault("rcpt", LATER)
        second.fault("rcpt", "452 4.2.2 full")
        submit(server, [a], text("nobody"))
        assert fate(server, a) == ("deferred", "second.example.test", "4.2.2"), fate(server, a)
        assert "127.0.0.15" not in server.log()
        second.mend()
    with tap.test("the next refuses for good: that is its answer"):
        a, = at(next(domains), "a")
        second.fault("rcpt", "550 5.1.1 nobody")
        submit(server, [a], text("refused"), "test0001")
        assert fate(server, a) == ("refused", "second.example.test", "5.1.1"), fate(server, a)
        second.mend()
    with tap.test("what the next cannot take is put off, not refused: the first may take it yet"):
        a, = at(next(domains), "a")
        second.size = 10
        submit(server, [a], text("large"))
        assert fate(server, a) == ("deferred", "first.example.test", "4.2.0"), fate(server, a)
        second.size = 50_000_000
    with tap.test("nor is anybody refused because the next is not there"):
        a, = at(next(domains), "a")
        second.dead()
        submit(server, [a], text("absent"))
        assert fate(server, a) == ("deferred", "first.example.test", "4.2.0"), fate(server, a)
        second.start()
    with tap.test("a session that went elsewhere is not kept: the next message asks the first again"):
        a, b = at(next(domains), "a", "b")
        submit(server, [a], text("one"))
        second.wait_messages("Subject: one")
        first.mend()
        submit(server, [b], text("two"))
        first.wait_messages("Subject: two")
    with tap.test("where one host per try is wanted no other is asked"):
        a, = at(next(domains), "a")
        server.options["set"].append("smtp_client.hosts_per_try 1")
        server.write_conf()
        server.command("reload")
        first.fault("rcpt", LATER)
        submit(server, [a], text("alone"))
        assert fate(server, a) == ("deferred", "first.example.test", "4.2.0"), fate(server, a)
        first.mend()


def none(server, dns, second):
    for place, (domain, status) in enumerate((("nobody", "5.1.10"), ("absent", "5.1.2"), ("nowhere", "5.4.4"))):
        with tap.test(f"{domain}: it comes back with {status}"):
            submit(server, [to(domain)], text(domain), f"test{place + 2:04}")
            report, = reports(server, f"test{place + 2:04}")
            assert report.of(to(domain))["Status"] == status, report.of(to(domain))
    for fault in ("servfail", "refused", "silence"):
        with tap.test(f"a name server that says {fault}: it waits"):
            name = f"{fault}.later.example.test"
            dns.add(f"{name} 300 MX 10 second.example.test")
            dns.fault(name, fault)
            submit(server, [f"a@{name}"], text(fault))
            until(server, lambda: is_put_off(server, name), "a try", "+10s")
            dns.fault(name, None)
            until(server, lambda: any(f"a@{name}" in t.taken for t in second.transactions), "mail after all", "+2m")


def main():
    first, second = sinks()
    with contextlib.ExitStack() as stack:
        dns = stack.enter_context(DnsServer(ZONE))
        settings = [f"smtp_client.port {first.port}", "smtp.hostname mail.example.test"]
        server = stack.enter_context(Server(domain="ours.test", dns=dns.address, set=settings))
        hosts(server, first, second)
        none(server, dns, second)
        backups(server, first, second)
    for each in (first, second):
        with tap.test(f"nothing was done that no client may do to {each.host}"):
            each.close()
    tap.done()


main()
