"""crowd.py - many domains at one address, which may have few connections: each has its turn as soon as there is room. A
connection counts until it is gone, however long the other side takes to end it after QUIT."""

import tap
from dns_server import DnsServer
from postern import Server
from sending import submit, text, until
from smtp_sink import Sink

DOMAINS = [f"d{n}.example.test" for n in range(6)]
MOST = 2
ZONE = "one 300 A 127.0.0.11\n" + "".join(f"d{n} 300 MX 10 one.example.test\n" for n in range(6))


def main():
    with Sink("127.0.0.11") as sink, DnsServer(ZONE) as dns:
        options = [f"smtp_client.port {sink.port}", f"sending.address_sessions {MOST}"]
        with Server(users=1, workers=1, dns=dns.address, set=options) as server:
            with tap.test("mail for six domains at one address all goes out at once, none is left alone for the crowd"):
                sink.fault("dot", "slow")
                sink.fault("quit", "slow")
                for number, domain in enumerate(DOMAINS * 2):
                    submit(server, [f"a@{domain}"], text(f"crowd {number}"))
                sink.wait(2 * len(DOMAINS))
            with tap.test("no more at a time than it may have, those among them that were left by QUIT"):
                assert sink.most == MOST, sink.most
            with tap.test("and that does not end them: room comes as soon as they are gone"):
                sink.mend()
                sink.forget()
                sink.fault("quit", "silence", times=MOST)
                for number, domain in enumerate(DOMAINS):
                    submit(server, [f"b@{domain}"], text(f"silent {number}"))
                until(server, lambda: len(sink.messages) == len(DOMAINS), "the rest", "+5s")
                assert sink.most == MOST, sink.most
    tap.done()


if __name__ == "__main__":
    main()
