"""sink.py - where a benchmark's mail goes: bench/sink.c, and how servers find it.

A sink is so many destinations, a loopback address each, and a dead one. Destination n is the domain dNNNN.test; mail
for d0000.test finds somebody who takes the connection and never speaks.
"""

import subprocess

import dns_server


class Sink:
    def __init__(self, program, port, destinations):
        self.program, self.port, self.destinations = program, port, destinations
        self.process = None

    def address(self, number):
        return f"127.1.{number // 250}.{number % 250 + 1}"

    @property
    def domains(self):
        """[(domain, address)], the dead one first."""
        return [(f"d{number:04}.test", self.address(number)) for number in range(self.destinations + 1)]

    def dns(self):
        """A name server that knows where each domain's mail goes."""
        return dns_server.DnsServer("".join(
            f"{domain} 86400 MX 10 mx.{domain}\nmx.{domain} 86400 A {address}\n" for domain, address in self.domains))

    def start(self):
        self.process = subprocess.Popen([self.program, str(self.port), str(self.destinations)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise OSError(f"no sink on port {self.port}")
        return self

    def counts(self):
        """How much came until now, by name."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return {name: int(value) for name, value in
                (word.split("=") for word in self.process.stdout.readline().split())}

    def stop(self):
        if self.process:
            self.process.communicate()
            self.process = None

    __enter__ = start

    def __exit__(self, *_):
        self.stop()
