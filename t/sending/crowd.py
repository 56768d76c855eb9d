"""crowd.py - many domains at one address, which may have few connections: each has its turn as soon as there is room."""

import tap
from dns_server import DnsServer
from postern import Server
from sending import submit, text
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
                for number, domain in enumerate(DOMAINS * 2):
                    submit(server, [f"a@{domain}"], text(f"crowd {number}"))
                sink.wait(2 * len(DOMAINS))
    tap.done()


if __name__ == "__main__":
    main()
