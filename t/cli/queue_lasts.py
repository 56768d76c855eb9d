"""queue_lasts.py - what `postern queue` said was done lasts: kill -9 of everything right behind it takes nothing back."""

import json

import tap
from postern import Server, wait_until
from sending import WAIT_S, submit, text
from smtp_sink import Sink

LATER = "450 4.2.1 later"


def recipients(server):
    """{address: what `list` tells}"""
    return {r["address"]: r for m in json.loads(server.command("queue", "list", "--json")) for r in m["recipients"]}


def wait_for(server, condition, what):
    wait_until(lambda: condition(recipients(server)), WAIT_S, what)


def deferred(server, *addresses):
    submit(server, list(addresses), text("later"))
    wait_for(server, lambda found: all(found.get(a, {}).get("tries") for a in addresses), f"{addresses} tried")


def killed(server):
    server.kill()
    server.start()


def main():
    with Sink() as sink, Server(users=1, workers=2, smarthost=sink.place) as server:
        other = Sink().dead()
        sink.fault("rcpt", LATER)
        with tap.test("what was held is held"):
            deferred(server, "held@far.test")
            assert server.command("queue", "hold", "--to", "held@far.test") == "1 recipient\n"
            killed(server)
            wait_for(server, lambda found: found.get("held@far.test", {}).get("state") == "held", "held")
        with tap.test("what was deleted is gone"):
            assert server.command("queue", "delete", "--to", "held@far.test") == "1 recipient\n"
            killed(server)
            wait_for(server, lambda found: not found, "nothing")
        with tap.test("what was to be tried at once is, though its time has not come"):
            deferred(server, "retried@far.test")
            sink.dead()
            assert server.command("queue", "retry") == "1 recipient\n"
            server.kill()
            sink.mend()
            sink.start()
            server.start()
            sink.wait_for(lambda: any("retried@far.test" in t.taken for t in sink.transactions), WAIT_S, "its mail")
            sink.fault("rcpt", LATER)
        with tap.test("what was moved goes there, through kill -9, tries in vain, holding and a new configuration"):
            deferred(server, "a@far.test", "b@far.test")
            asked = len(sink.commands)
            place = f"[{other.host}]:{other.port}"
            assert server.command("queue", "move", place, "--to", "far.test") == "2 recipients\n"
            killed(server)
            wait_for(server, lambda found: len(found) == 2 and all(place in r["destination"] for r in found.values()), "moved")
            server.command("queue", "hold", "--to", "b@far.test")
            server.command("reload")
            killed(server)
            wait_for(server, lambda found: {r["state"] for r in found.values()} == {"held", "waits"} and
                     all(place in r["destination"] for r in found.values()), "one held, both moved")
            other.start()
            server.command("queue", "retry", "--all")
            other.wait_for(lambda: any("a@far.test" in t.taken for t in other.transactions), WAIT_S, "the first")
            server.command("queue", "release", "--all")
            other.wait_for(lambda: any("b@far.test" in t.taken for t in other.transactions), WAIT_S, "the second")
            assert len(sink.commands) == asked, sink.commands[asked:]
            wait_for(server, lambda found: not found, "an empty queue")
        other.close()
    tap.done()


main()
