"""limits.py - no more at a time, and no more in a minute, than the settings say: to a destination, to an address, for an
account, for a domain of senders; with one worker, and with two together."""

import contextlib
import time

import tap
from dns_server import DnsServer
from postern import Server
from sending import submit, text
from smtp_sink import Sink

ONE, CROWD, MANY = ["one.test"], [f"b{n}.test" for n in range(3)], [f"c{n}.test" for n in range(5)]
SESSIONS = {"destination": 1, "address": 2, "account": 3, "domain": 4}
RATES = {"destination": 3, "address": 4, "account": 5, "domain": 6}
COUNT = 9  # messages at a time, more than any limit
WAIT_S = 120  # a busy machine is slow
MINUTE_S, STEP_S = 60, 15
PHASES = (("destination", ONE, ["test0000"]), ("address", CROWD, ["test0000", "test0001"]),
          ("account", MANY, ["test0002"]), ("domain", MANY, ["test0003", "test0004", "test0005"]))
NAMES = {"destination": "to a destination", "address": "to an address of several domains", "account": "of an account",
         "domain": "with senders of a domain"}


class Hosts:
    """Each of MANY has an address, CROWD has one together, ONE has its own."""

    def __init__(self, stack):
        self.sinks, self.zone, port = [], "", 0
        for number, domains in enumerate((ONE, CROWD, *([domain] for domain in MANY))):
            sink = Sink(f"127.0.0.{21 + number}", port, without=("CHUNKING", "BINARYMIME"))
            self.sinks.append(stack.enter_context(sink))
            port = sink.port
            self.zone += f"h{number}.test. 300 A {sink.host}\n"
            self.zone += "".join(f"{domain}. 300 MX 10 h{number}.test.\n" for domain in domains)
        self.port = port

    def taken(self):
        return [message for sink in self.sinks for message in sink.messages]

    def forget(self):
        for sink in self.sinks:
            sink.forget()


def most_at_once(messages):
    """Transactions under way at the same time, from MAIL to the end of the content."""
    now = most = 0
    for _, change in sorted([(m.began, 1) for m in messages] + [(m.at, -1) for m in messages]):
        now += change
        most = max(most, now)
    return most


def post(server, domains, accounts, count):
    for number in range(count):
        account = accounts[number % len(accounts)]
        to = f"a@{domains[number % len(domains)]}"
        submit(server, [to], text(f"limit {number}", sender=server.address(account), to=to), account)


def arrive(hosts, count):
    end = time.monotonic() + WAIT_S
    while len(hosts.taken()) < count:
        assert time.monotonic() < end, f"{len(hosts.taken())} of {count}"
        time.sleep(0.05)


def at_a_time(server, hosts, workers):
    for sink in hosts.sinks:
        sink.slow_s = 0.2
        sink.fault("data", "slow")
    for what, domains, accounts in PHASES:
        with tap.test(f"no more {NAMES[what]} at a time than {SESSIONS[what]}, with {workers} workers"):
            hosts.forget()
            post(server, domains, accounts, COUNT)
            arrive(hosts, COUNT)
            most = most_at_once(hosts.taken())
            assert most <= SESSIONS[what], most


def in_a_minute(server, hosts, workers):
    for what, domains, accounts in PHASES:
        rate, count = RATES[what], RATES[what] + 4
        with tap.test(f"no more {NAMES[what]} in a minute than {rate}, with {workers} workers"):
            server.clock("+10m")  # what was before is over
            hosts.forget()
            began, moved = time.monotonic(), 0
            post(server, domains, accounts, count)
            arrive(hosts, rate)
            while (there := len(hosts.taken())) < count:
                # Where the minutes of the count meet one more may come, and one that another worker sends just then.
                passed = time.monotonic() - began + moved
                assert there <= rate * (1 + passed / MINUTE_S) + workers, f"{there} after {passed} s"
                assert passed < WAIT_S * MINUTE_S, f"only {there}"
                server.clock(f"+{STEP_S}s")
                moved += STEP_S
                time.sleep(0.1)
            assert moved, "all came at once"


def play(workers, settings, run):
    with contextlib.ExitStack() as stack:
        hosts = Hosts(stack)
        dns = stack.enter_context(DnsServer(hosts.zone))
        server = stack.enter_context(Server(users=6, workers=workers, dns=dns.address,
                                            set=[f"smtp_client.port {hosts.port}", *settings]))
        run(server, hosts, workers)


def main():
    for workers in (1, 2):
        play(workers, [f"sending.{name}_sessions {most}" for name, most in SESSIONS.items()], at_a_time)
        play(workers, [f"sending.{name}_rate {most}" for name, most in RATES.items()], in_a_minute)
    tap.done()


if __name__ == "__main__":
    main()
