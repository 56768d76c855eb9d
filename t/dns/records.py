"""records.py - what is asked comes back: each type of record, aliases, what is not there, the cache."""

import tap
from dns_server import DnsServer, told
from postern import Server

ZONE = """
example.test 300 MX 20 mx3
example.test 300 MX 10 mx1.example.test
example.test 300 MX 10 mx2.example.test
mx1 60 A 192.0.2.1
mx1 30 A 192.0.2.2
mx1 60 AAAA 2001:db8::1
host 60 A 192.0.2.9
null 60 MX 0 .
odd 60 MX 0 .
odd 60 MX 5 mx1.example.test
text 60 TXT "v=spf1 " "-all"
text 60 TXT "a \\ back"
_sip._tcp.example.test 60 SRV 10 0 5060 backup.example.test
_sip._tcp.example.test 60 SRV 5 60 5061 big.example.test
_sip._tcp.example.test 60 SRV 5 0 5062 small.example.test
phone 60 NAPTR 100 20 "u" "E2U+email" "!^.*$!mailto:a@example.test!" .
phone 60 NAPTR 100 10 "s" "SIP+D2T" "" _sip._tcp.example.test
phone 60 NAPTR 50 90 "a" "x" "" first.example.test
1.2.0.192.in-addr.arpa 60 PTR mx1.example.test
1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa 60 PTR six.example.test
_25._tcp.mx1.example.test 60 TLSA 3 1 1 00ff10
www 60 CNAME web.example.test
web 10 CNAME host.example.test
gone 60 CNAME nowhere.example.test
mail 60 CNAME example.test
round 60 CNAME robin.example.test
robin 60 CNAME round.example.test
"""
LONG = "".join(f"chain{n} 60 CNAME chain{n + 1}.example.test\n" for n in range(12)) + "chain12 60 A 192.0.2.12\n"


def records_of(server, *words):
    said = told(server, *words)
    assert said["outcome"] == "found", said
    return said["records"]


with DnsServer(ZONE.replace("mx3", "mx3.example.test") + LONG) as dns, \
        Server(users=0, workers=1, dns=dns.address, set=["dns.timeout 20s"]) as server:
    with tap.test("MX by preference (RFC 5321, 5.1)"):
        said = told(server, "example.test", "MX")
        assert sorted(said["records"][:2]) == ["10 mx1.example.test", "10 mx2.example.test"], said
        assert said["records"][2:] == ["20 mx3.example.test"] and said["ttl"] == 300, said

    with tap.test("MX of one preference come in an order of chance"):
        firsts = {records_of(server, "example.test", "MX")[0] for _ in range(40)}
        assert firsts == {"10 mx1.example.test", "10 mx2.example.test"}, firsts

    with tap.test("a name is the same in any case and with a dot at its end"):
        before = len(dns.queries)
        assert len(records_of(server, "EXAMPLE.Test.", "mx")) == 3 and len(dns.queries) == before

    with tap.test("A and AAAA, by the least of their times to live"):
        said = told(server, "mx1.example.test", "A")
        assert sorted(said["records"]) == ["192.0.2.1", "192.0.2.2"] and said["ttl"] == 30, said
        assert records_of(server, "mx1.example.test", "AAAA") == ["2001:db8::1"]

    with tap.test("all addresses of a host, IPv6 first"):
        records = records_of(server, "mx1.example.test", "ADDRESSES")
        assert records[0] == "2001:db8::1" and sorted(records[1:]) == ["192.0.2.1", "192.0.2.2"], records
        assert records_of(server, "host.example.test", "ADDRESSES") == ["192.0.2.9"]

    with tap.test("the strings of TXT are joined"):
        assert sorted(records_of(server, "text.example.test", "TXT")) == ['"a \\\\ back"', '"v=spf1 -all"']

    with tap.test("SRV by priority and weight (RFC 2782)"):
        orders = [records_of(server, "_sip._tcp.example.test", "SRV") for _ in range(20)]
        assert all(order[2] == "10 0 5060 backup.example.test" for order in orders), orders
        assert sum(order[0] == "5 60 5061 big.example.test" for order in orders) >= 15, orders

    with tap.test("NAPTR by order and preference (RFC 3403)"):
        assert records_of(server, "phone.example.test", "NAPTR") == [
            '50 90 "a" "x" "" first.example.test',
            '100 10 "s" "SIP+D2T" "" _sip._tcp.example.test',
            '100 20 "u" "E2U+email" "!^.*$!mailto:a@example.test!" .']

    with tap.test("the name of an address (PTR)"):
        assert records_of(server, "192.0.2.1") == ["mx1.example.test"]
        assert records_of(server, "2001:db8::1") == ["six.example.test"]

    with tap.test("TLSA (RFC 6698)"):
        assert records_of(server, "_25._tcp.mx1.example.test", "TLSA") == ["3 1 1 00ff10"]

    with tap.test("aliases are followed, and their times to live count"):
        said = told(server, "www.example.test", "A")
        assert (said["records"], said["name"], said["ttl"]) == (["192.0.2.9"], "host.example.test", 10), said

    with tap.test("an alias that the resolver did not follow is asked for"):
        dns.add("half 20 CNAME way.example.test\nway 60 A 192.0.2.44")
        dns.fault("half.example.test", "bare-alias")
        said = told(server, "half.example.test", "A")
        assert (said["records"], said["name"], said["ttl"]) == (["192.0.2.44"], "way.example.test", 20), said
        assert [q.name.lower() for q in dns.queries[-2:]] == ["half.example.test", "way.example.test"]

    with tap.test("what no alias leads to is no name; aliases in a circle or without end are a failure"):
        assert told(server, "gone.example.test", "A")["outcome"] == "no name"
        assert told(server, "round.example.test", "A")["outcome"] == "failed"
        assert told(server, "chain0.example.test", "A")["outcome"] == "failed"
        assert records_of(server, "chain2.example.test", "A") == ["192.0.2.12"]
        for name in ("round.example.test", "robin.example.test"):
            dns.fault(name, "bare-alias")
        assert told(server, "robin.example.test", "A")["outcome"] == "failed"
        assert len(dns.asked("robin.example.test")) < 15

    with tap.test("hosts for mail: listed, implicit, none (RFC 5321, 5.1; RFC 7505)"):
        assert records_of(server, "mail.example.test")[2] == "20 mx3.example.test"
        assert records_of(server, "host.example.test") == ["0 host.example.test"]
        said = told(server, "null.example.test")
        assert said["outcome"] == "found" and said["records"] == [] and "null MX" in said["text"], said
        assert records_of(server, "odd.example.test") == ["5 mx1.example.test"]
        assert told(server, "text.example.test")["outcome"] == "no data"
        assert told(server, "nobody.example.test")["outcome"] == "no name"

    with tap.test("nothing of this type is not the same as no such name"):
        assert told(server, "host.example.test", "TXT")["outcome"] == "no data"
        assert told(server, "nothing.example.test", "TXT")["outcome"] == "no name"

    with tap.test("no such name holds for all types, for as long as the SOA says (RFC 2308)"):
        before = len(dns.queries)
        said = told(server, "nothing.example.test", "MX")
        assert said["outcome"] == "no name" and 0 < said["ttl"] <= 600 and len(dns.queries) == before, said
        server.clock("+601s")
        assert told(server, "nothing.example.test", "MX")["outcome"] == "no name" and len(dns.queries) == before + 1

    with tap.test("without an SOA it is not remembered"):
        dns.fault("unsure.example.test", "no-soa")
        for _ in range(2):
            said = told(server, "unsure.example.test", "A")
            assert said["outcome"] == "no name" and said["ttl"] == 0, said
        assert len(dns.asked("unsure.example.test")) == 2

    with tap.test("an answer is remembered for its time to live and no longer"):
        records_of(server, "host.example.test", "A")
        before = len(dns.queries)
        server.clock("+59s")
        assert told(server, "host.example.test", "A")["ttl"] <= 1 and len(dns.queries) == before
        server.clock("+2s")
        assert told(server, "host.example.test", "A")["ttl"] == 60 and len(dns.queries) == before + 1

    with tap.test("what cannot be a name is not asked for"):
        before = len(dns.queries)
        for name in ("a..b", ".a", "a b", "", "x" * 64 + ".test", "b\u00fccher.test", ".".join(["x" * 60] * 5)):
            assert told(server, name, "A")["outcome"] == "bad name", name
        assert len(dns.queries) == before

    with tap.test("questions ask to recurse and for AD, have EDNS, mixed case, numbers and ports by chance"):
        for n in range(30):
            told(server, f"abcdefghijklmnop{n}.example.test", "A")
        asked = dns.queries[-30:]
        assert all(q.recurse and q.authentic and q.edns == 1232 and q.extended == 0 for q in asked)
        assert len({q.id for q in asked}) > 25 and len({q.port for q in asked}) > 25
        assert len({q.name.rstrip("0123456789.")[:16] for q in asked}) > 25

    with tap.test("stats count it all"):
        stats = {line.split()[0]: int(line.split()[1]) for line in server.command("stats").splitlines()}
        assert stats["dns.questions"] > stats["dns.queries"] > 60 and stats["dns.cached"] > 40, stats

    with tap.test("a type that does not exist is told of"):
        assert "no such type" in server.command("resolve", "example.test", "HINFO", fails=True)

tap.done()
