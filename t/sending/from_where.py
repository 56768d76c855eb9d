"""from_where.py - the addresses that mail leaves to and from, and how names are asked for: smtp_client.families,
smtp_client.source, dns.mix_case; changed by a reload."""

import tap
from dns_server import DnsServer
from postern import Server, has_ipv6
from sending import put_off, submit, text, until
from smtp_sink import Sink

LONG = "a-name-of-many-letters-asked-for-in-any-case"
ZONE = f"""
    mail          300 A 127.0.0.11
    mail          300 AAAA ::1
    {LONG}-mixed  300 A 192.0.2.1
    {LONG}-small  300 A 192.0.2.1
""" + "".join(f"{domain} 300 MX 10 mail.example.test\n" for domain in
              ("ipv4", "ipv6", "dead-ipv4", "dead-ipv6", "source", "sixth"))


def sinks():
    """Both addresses of mail.example.test, at one port."""
    for _ in range(20):
        four = Sink("127.0.0.11").start()
        try:
            return four, Sink("::1", four.port).start()
        except OSError:  # somebody has the port there
            four.stop()
    raise OSError("no port")


def change(server, *settings):
    server.options["set"] += settings
    server.write_conf()
    server.command("reload")


def families(server, four, six):
    for family, there, other in (("ipv4", four, six), ("ipv6", six, four)):
        with tap.test(f"families {family}: addresses of the other family are not spoken to, though the host has both"):
            sessions = len(other.sessions)
            change(server, f"smtp_client.families {family}")
            for number in range(3):
                submit(server, [f"{family}{number}@{family}.example.test"], text(f"{family} {number}"))
            there.wait_for(lambda: all(there.counts()[f"{family}{n}@{family}.example.test"] for n in range(3)))
            assert len(other.sessions) == sessions
        with tap.test(f"families {family}: where that address is dead mail waits for it"):
            there.dead()
            domain = f"dead-{family}.example.test"
            submit(server, [f"a@{domain}"], text("dead"))
            put_off(server, domain)
            assert len(other.sessions) == sessions
            there.start()
            until(server, lambda: there.counts()[f"a@{domain}"], "mail for who was dead", "+1h")
            assert len(other.sessions) == sessions


def sources(server, four, six):
    with tap.test("source: connections come from that address"):
        change(server, "smtp_client.families ipv4", 'smtp_client.source {"127.0.0.99", "::1"}')
        submit(server, ["a@source.example.test"], text("source"))
        four.wait_for(lambda: four.counts()["a@source.example.test"])
        assert four.sessions[-1].peer[0] == "127.0.0.99", four.sessions[-1].peer
        assert all(each.peer[0] != "127.0.0.99" for each in four.sessions[:-1])
    with tap.test("of each family its own"):
        change(server, "smtp_client.families ipv6")
        submit(server, ["a@sixth.example.test"], text("sixth"))
        six.wait_for(lambda: six.counts()["a@sixth.example.test"])
        assert six.sessions[-1].peer[0] == "::1", six.sessions[-1].peer
    with tap.test("two addresses of one family are no configuration"):
        server.options["set"].append('smtp_client.source {"127.0.0.99", "127.0.0.98"}')
        server.write_conf()
        assert "at most one address of each family" in server.command("check", fails=True)
        server.options["set"].pop()
        server.write_conf()


def letters(server, dns):
    for mixed in (True, False):
        with tap.test(f"mix_case {'yes: names are asked for in mixed' if mixed else 'no: names are asked for in small'} letters"):
            name = f"{LONG}-{'mixed' if mixed else 'small'}.example.test"
            change(server, f"dns.mix_case {'yes' if mixed else 'no'}")
            server.command("resolve", name, "A")
            asked = [query.name for query in dns.asked(name)]
            assert asked and all((each != each.lower()) == mixed for each in asked), asked


def main():
    four, six = sinks()
    with DnsServer(ZONE) as dns, Server(users=1, workers=1, dns=dns.address, set=[f"smtp_client.port {four.port}"]) as server:
        families(server, four, six)
        sources(server, four, six)
        letters(server, dns)
    for each in four, six:
        with tap.test(f"nothing was done that no client may do to {each.place}"):
            each.close()
    tap.done()


if has_ipv6():
    main()
else:
    print("1..0 # SKIP without IPv6")
