"""dns.py - which hosts and addresses are tried for a domain, in which order, and what is said when there are none (RFC 5321,
5.1; RFC 7505)."""

import re
import socket

import tap
from dns_server import DnsServer
from postern import Server
from sending import logged, submit, text
from smtp_sink import Sink

ZONE = """
    good.test.     300 MX 10 mx.good.test.
    mx.good.test.  300 A 127.0.0.2
    order.test.    300 MX 20 mx2.order.test.
    order.test.    300 MX 10 mx1.order.test.
    mx1.order.test. 300 A 127.0.0.3
    mx2.order.test. 300 A 127.0.0.2
    busy.test.     300 MX 10 mx1.busy.test.
    busy.test.     300 MX 20 mx2.busy.test.
    mx1.busy.test. 300 A 127.0.0.4
    mx2.busy.test. 300 A 127.0.0.2
    two.test.      300 MX 10 mx.two.test.
    mx.two.test.   300 A 127.0.0.3
    mx.two.test.   300 A 127.0.0.2
    implicit.test. 300 A 127.0.0.2
    null.test.     300 MX 0 .
    nowhere.test.  300 MX 10 mx.gone.test.
    half.test.     300 MX 10 mx.gone.test.
    half.test.     300 MX 20 mx.good.test.
    only-txt.test. 300 TXT "no mail"
    broken.test.   300 MX 10 mx.good.test.
    lame.test.     300 MX 10 mx.lame.test.
    mx.lame.test.  300 A 127.0.0.2
    ours.test.     300 MX 10 here.example.test.
    backup.test.   300 MX 20 here.example.test.
    backup.test.   300 MX 10 mx1.order.test.
    backup.test.   300 MX 30 mx.good.test.
    self.test.     300 MX 10 self.self.test.
    self.self.test. 300 A 127.0.0.1
    self.test.     300 MX 20 mx.good.test.
    refused.test.  300 MX 10 mx1.order.test.
    both.test.     300 AAAA ::1
    both.test.     300 A 127.0.0.2
"""


def said(server, domain):
    """Of a destination that nobody reached: (kind or status, words)."""
    return logged(server, rf"not ready destination={re.escape(domain)} .*status=(\S*) reply=\"(.*)\"$")[-1]


def refused(server, domain):
    return logged(server, rf"refused to=<a@{re.escape(domain)}>.*status=(\S*) reply=\"(.*)\"$")[0]


def free_port():
    """One that is free at every address that hosts have here."""
    with socket.socket() as probe:
        probe.bind(("0.0.0.0", 0))
        return probe.getsockname()[1]


def main():
    with DnsServer(ZONE) as dns:
        dns.fault("broken.test", "servfail")
        dns.fault("mx.lame.test", "servfail")
        port = free_port()
        with Sink("127.0.0.2", port) as good, Sink("127.0.0.4", port) as busy, Sink("127.0.0.1", port) as here, \
                Server(users=1, dns=dns.address, set=[f"smtp_client.port {port}", "smtp.hostname here.example.test",
                                                      "route.local.to smtp:[localhost]:" + str(port),
                                                      'route.local.recipients {"*@localhost.test"}',
                                                      "route.gone.to smtp:[no.such.host.test]:25",
                                                      'route.gone.recipients {"*@gone-host.test"}',
                                                      ]) as server:
            busy.fault("greeting", "554 5.3.2 no mail here")

            def send(domain):
                submit(server, [f"a@{domain}"], text(domain))

            def arrives(sink, domain):
                sink.wait_for(lambda: any(f"a@{domain}" in each.taken for each in sink.transactions), what=domain)

            for domain, name in (("good.test", "the host of an MX record"),
                                 ("order.test", "nobody listens at the best host: the next is taken"),
                                 ("busy.test", "a greeting of 5yz: the next host is tried"),
                                 ("two.test", "one of two addresses does not answer"),
                                 ("implicit.test", "without MX records the domain is its own host"),
                                 ("half.test", "a host without an address is passed over"),
                                 ("both.test", "IPv6 or IPv4, whoever answers"),
                                 ("[127.0.0.2]", "an address literal")):
                with tap.test(name):
                    send(domain)
                    arrives(good, domain)
            with tap.test("localhost is found without the DNS"):
                send("localhost.test")
                arrives(here, "localhost.test")
            for domain, status, words, name in (
                    ("null.test", "5.1.10", "no mail is taken for null.test", "a null MX is a refusal (RFC 7505)"),
                    ("no-such-domain.test", "5.1.2", "there is no domain", "a domain that is not there"),
                    ("only-txt.test", "5.1.2", "neither host nor address", "a domain without host or address"),
                    ("nowhere.test", "5.4.4", "no address of mx.gone.test", "hosts that do not exist"),
                    ("ours.test", "5.4.6", "ourselves", "the best host has our name: mail would go in circles"),
                    ):
                with tap.test(name):
                    send(domain)
                    got = refused(server, domain)
                    assert got[0] == status and words in got[1], got
            for domain, status, words, name in (
                    ("broken.test", "4.4.3", "no host of broken.test", "name servers fail: later"),
                    ("lame.test", "4.4.3", "no address of mx.lame.test", "also for a host's address"),
                    ("gone-host.test", "4.4.3", "no address of no.such.host.test",
                     "a smart host that does not exist is our mistake, and bounces nothing"),
                    ("backup.test", "4.4.1", "Connection refused", "worse hosts than ourselves are not tried"),
                    ("refused.test", "4.4.1", "Connection refused", "nobody listens"),
                    ):
                with tap.test(name):
                    send(domain)
                    got = said(server, "no.such.host.test" if domain == "gone-host.test" else domain)
                    assert got[0] == status and words in got[1], got
            assert not any("a@backup.test" in each.taken for each in good.transactions)
    with DnsServer(ZONE) as dns, tap.test("an address and port on which we listen are ourselves"), \
            Server(users=1, dns=dns.address) as server:
        own = server.ports["smtp"]
        with open(server.conf) as file:
            conf = file.read()
        with open(server.conf, "w") as file:
            file.write(conf + f"\nsmtp_client {{ port = {own} }}\n")
        server.command("reload")
        submit(server, ["a@self.test"], text("self"))
        got = refused(server, "self.test")
        assert got[0] == "5.4.6", got


main()
tap.done()
