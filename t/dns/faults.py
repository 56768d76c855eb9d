"""faults.py - name servers that fail, lie or are silent: what is told, who is asked next, and when."""

import os
import random
import tempfile

import tap
from dns_server import Asking, DnsServer, told
from postern import Server, wait_until

TIMEOUT = ["dns.timeout 8s", "dns.tries 2"]  # so long that a busy machine does not reach it; tests move the clock
PATIENCE_S = 60
# As resolv.conf has it there is no port beside an address; whoever may not listen there uses ours, "127.0.53.1:5353".
PORT = 53 if os.geteuid() == 0 else 0
NAME_SERVERS = [f"127.53.{random.randrange(256)}.{n}" for n in random.sample(range(1, 255), 2)]
ZONE = "".join(f"{name} 60 A 192.0.2.7\n" for name in (
    "servfail", "refused", "notimp", "formerr", "formerr-opt", "badvers", "truncated", "tcp-close", "wrong-id",
    "wrong-question", "garbage", "cut", "trailing", "loop", "lower-case", "referral", "many", "silence", "silence-udp",
    "silence-tcp", "slow", "fine", "first", "second", "back"))
LARGE = "".join(f'large 60 TXT "{n:03} {"x" * 200}"\n' for n in range(100))


def named(name):
    return f"{name}.example.test"


def resolver(dns):
    return dns.host if dns.port == 53 else dns.address


def outcome(server, name):
    return told(server, named(name), "A")["outcome"]


def ways(dns, name):
    """How a name was asked for: by udp or tcp, with EDNS or without."""
    return [(q.way, q.edns is not None) for q in dns.asked(named(name))]


def counted(server, counter):
    return int(server.command("stats").split(counter + " ")[1].split()[0])


def waits(dns, name, count=1):
    wait_until(lambda: len(dns.asked(named(name))) >= count, PATIENCE_S, f"{name} is asked for")


with DnsServer(ZONE + LARGE) as dns, Server(users=0, workers=1, dns=dns.address, set=TIMEOUT) as server:
    for name, _ in dns.records:
        dns.fault(name, name.split(".")[0])

    with tap.test("SERVFAIL, REFUSED and NOTIMP are a failure, neither silence nor no such name"):
        for name in ("servfail", "refused", "notimp"):
            assert outcome(server, name) == "failed", name
        assert len(ways(dns, "servfail")) == 1

    with tap.test("a failure is not remembered"):
        dns.fault(named("servfail"), None)
        assert outcome(server, "servfail") == "found"

    with tap.test("who does not know EDNS is asked without (RFC 6891, 7), for this question alone"):
        for name in ("formerr", "formerr-opt", "badvers"):
            assert outcome(server, name) == "found", name
            assert ways(dns, name) == [("udp", True), ("udp", False)], ways(dns, name)
        assert outcome(server, "fine") == "found" and ways(dns, "fine") == [("udp", True)]

    with tap.test("a cut reply is asked for by TCP (RFC 7766)"):
        assert outcome(server, "truncated") == "found"
        assert ways(dns, "truncated") == [("udp", True), ("tcp", True)]

    with tap.test("a large reply comes whole"):
        said = told(server, named("large"), "TXT")
        assert sorted(said["records"]) == [f'"{n:03} {"x" * 200}"' for n in range(100)], said
        assert [way for way, _ in ways(dns, "large")] == ["udp", "tcp"]

    with tap.test("replies of more than 512 octets are taken by UDP"):
        dns.add(f'medium 60 TXT "{"y" * 900}"')
        assert told(server, named("medium"), "TXT")["outcome"] == "found" and ways(dns, "medium") == [("udp", True)]

    with tap.test("TCP that is closed without a reply is silence"):
        assert outcome(server, "tcp-close") == "silent"

    with tap.test("forged replies with a wrong number or question, and octets that are no message, are passed over"):
        for name in ("wrong-id", "wrong-question", "garbage"):
            assert told(server, named(name), "A")["records"] == ["192.0.2.7"], name
            assert ways(dns, name) == [("udp", True)], name

    with tap.test("a reply whose letters are not in our case counts by TCP alone"):
        assert outcome(server, "lower-case") == "found"
        assert [way for way, _ in ways(dns, "lower-case")] == ["udp", "tcp"]

    with tap.test("a broken reply is asked for by TCP, and if it is no better, is a failure"):
        for name in ("cut", "trailing", "loop"):
            assert outcome(server, name) == "failed", name
            assert [way for way, _ in ways(dns, name)] == ["udp", "tcp"], name
        assert outcome(server, "many") == "failed"

    with tap.test("a server that does not recurse is of no use"):
        assert outcome(server, "referral") == "failed"

    with tap.test("silence is told when every try was in vain, each waiting twice as long"):
        asking = Asking(server, named("silence"), "A")
        waits(dns, "silence")
        server.clock("+8s")
        waits(dns, "silence", 2)
        server.clock("+9s")
        assert asking.is_alive()
        server.clock("+7s")
        assert asking.said["outcome"] == "silent" and len(ways(dns, "silence")) == 2

    with tap.test("silence by TCP after a cut reply is silence too"):
        dns.fault(named("silence-tcp"), "silence-tcp")
        dns.add('silence-tcp 60 TXT "' + "z" * 2000 + '"')
        asking = Asking(server, named("silence-tcp"), "TXT")
        waits(dns, "silence-tcp", 2)
        server.clock("+8s")
        waits(dns, "silence-tcp", 4)
        server.clock("+16s")
        assert asking.said["outcome"] == "silent"

with DnsServer(ZONE) as one, DnsServer(ZONE, host="127.0.0.2") as two, \
        Server(users=0, workers=1, set=TIMEOUT + [f'dns.servers {{"{one.address}", "{two.address}"}}']) as server:
    with tap.test("the first server is asked first"):
        assert outcome(server, "first") == "found" and len(one.queries) == 1 and not two.queries

    with tap.test("what it cannot tell the next one is asked"):
        one.fault(named("servfail"), "servfail")
        assert outcome(server, "servfail") == "found"
        assert len(ways(one, "servfail")) == len(ways(two, "servfail")) == 1

    with tap.test("if it is not there, the next one is asked; after three times it is asked last"):
        one.stop()
        for name in ("second", "cut", "loop"):
            assert outcome(server, name) == "found", name
        assert f"does not answer server={one.address}" in server.log()
        one.start()
        before = len(one.queries)
        assert outcome(server, "trailing") == "found" and len(one.queries) == before

    with tap.test("after a while it is asked first again"):
        server.clock("+31s")
        assert outcome(server, "back") == "found" and len(ways(one, "back")) == 1
        assert f"answers again server={one.address}" in server.log()

    with tap.test("when nobody is there that is told, soon"):
        one.stop()
        two.stop()
        assert outcome(server, "many") == "silent"
        one.start()
        two.start()

    with tap.test("a reload asks the servers that it finds, and knows nothing of old answers"):
        assert outcome(server, "first") == "found" and len(ways(two, "first")) == 0
        server.options["set"][-1] = f"dns.servers {{\"{two.address}\"}}"
        server.write_conf()
        server.command("reload")
        assert outcome(server, "first") == "found" and len(ways(two, "first")) == 1

def write_resolv_conf(*lines):
    """A new one in the place of the old, as the programs do that write it."""
    with open(RESOLV_CONF + ".new", "w") as file:
        file.write("# written by a test\nsearch example.test\noptions edns0\n" + "".join(f"{line}\n" for line in lines))
    os.rename(RESOLV_CONF + ".new", RESOLV_CONF)


RESOLV_CONF = os.path.join(tempfile.mkdtemp(prefix="postern-"), "resolv.conf")
os.chmod(os.path.dirname(RESOLV_CONF), 0o755)
with DnsServer(ZONE, host=NAME_SERVERS[0], port=PORT) as one, DnsServer(ZONE, host=NAME_SERVERS[1], port=PORT) as two:
    write_resolv_conf(f"nameserver {resolver(one)}", f"nameserver\t{resolver(two)}")
    with Server(users=0, workers=1, set=TIMEOUT + ["dns.servers {}", f"dns.resolv_conf {RESOLV_CONF}"]) as server:
        with tap.test("without dns.servers those of resolv.conf are asked, in their order (resolv.conf(5))"):
            assert outcome(server, "first") == "found" and len(one.queries) == 1 and not two.queries

        with tap.test("the next one where the first is not there"):
            one.stop()
            assert outcome(server, "second") == "found" and len(ways(two, "second")) == 1
            one.start()

        with tap.test("its search list is not for mail"):
            assert told(server, "fine", "A")["outcome"] != "found"

        with tap.test("a reload reads it again"):
            write_resolv_conf(f"nameserver {resolver(two)}")
            assert outcome(server, "back") == "found" and len(ways(one, "back")) == 1
            server.command("reload")
            assert outcome(server, "back") == "found" and len(ways(two, "back")) == 1 == len(ways(one, "back"))

        with tap.test("without any such file this machine is asked"):
            os.unlink(RESOLV_CONF)
            server.command("reload")
            wait_until(lambda: "cannot read file=" + RESOLV_CONF in server.log(), PATIENCE_S, "the log")
            assert outcome(server, "many") != "found" and not ways(two, "many")
os.rmdir(os.path.dirname(RESOLV_CONF))

with DnsServer(ZONE) as dns, Server(users=0, workers=1, dns=dns.address, set=["dns.timeout 30s"]) as server:
    dns.fault(named("slow"), "slow")
    with tap.test("a slow answer is waited for; who asks the same meanwhile shares it"):
        asking = [Asking(server, named("slow"), "A") for _ in range(5)]
        waits(dns, "slow")
        wait_until(lambda: counted(server, "dns.joined") == 4, PATIENCE_S, "all five ask")
        dns.release()
        assert [a.said["outcome"] for a in asking] == ["found"] * 5 and len(ways(dns, "slow")) == 1

with DnsServer(ZONE, validates=True) as dns:
    with Server(users=0, workers=1, dns=dns.address) as server:
        with tap.test("AD of a resolver is not believed unless the administrator says so"):
            assert told(server, named("fine"), "A")["secure"] is False
    with Server(users=0, workers=1, dns=dns.address, set=["dns.trust_ad yes"]) as server:
        with tap.test("AD of a trusted one is (RFC 6840, 5.8)"):
            assert told(server, named("fine"), "A")["secure"] is True
            assert told(server, named("fine"))["secure"] is True  # what mail asks: MX, A and AAAA
        with tap.test("without AD nothing is secure, whoever answers"):
            dns.validates = False
            assert told(server, named("first"), "A")["secure"] is False
        with tap.test("only servers that are listed and on this machine can be trusted"):
            for servers in ('{"192.0.2.1"}', '{"127.0.0.1", "192.0.2.1:53"}', "{}"):
                server.options["set"] = ["dns.trust_ad yes", f"dns.servers {servers}"]
                server.write_conf()
                assert "dns.trust_ad" in server.command("check", server.conf, fails=True), servers

if os.path.exists("/proc/net/if_inet6"):
    with DnsServer("v6 60 AAAA 2001:db8::5", host="::1") as dns, \
            Server(users=0, workers=1, set=[f'dns.servers {{"[::1]:{dns.port}"}}']) as server:
        with tap.test("a server is reached by IPv6"):
            assert told(server, named("v6"), "AAAA")["records"] == ["2001:db8::5"]

tap.done()
