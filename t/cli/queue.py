"""queue.py - `postern queue`: what waits is listed, shown, counted, and steered, on a running server of several workers."""

import json
import os
import signal
import subprocess

import tap
from postern import TOP, Server, binary, wait_until
from sending import WAIT_S, submission, submit, text
from smtp_sink import Sink

MANY = 300  # messages: more than one slice of each worker's
RECIPIENTS = 1200  # of one message: more than one slice of its items
FILL = os.path.join(TOP, os.environ.get("BUILD", "build"), "bench/queue_fill")
FILLED = 150_000  # messages that take a moment to read at a start
LISTED = 50  # of one message in a list
LATER = "450 4.2.1 come back \x1b[31mlater"


def listed(server, *which):
    return json.loads(server.command("queue", "list", "--json", *which))


def open_recipients(server, *which):
    """{address: state} of what a list shows."""
    return {r["address"]: r["state"] for m in listed(server, *which) for r in m["recipients"]}


def stats(server, *which):
    return json.loads(server.command("queue", "stats", "--json", *which))


def ordered(server, *words):
    """What the order tells, a line for each request that it makes."""
    return [json.loads(line) for line in server.command("queue", *words, "--json").splitlines()]


def deferred(server, addresses, times=1):
    """Once these were tried in vain so often."""
    def told():
        tries = {r["address"]: r.get("tries", 0) for m in listed(server) for r in m["recipients"] if r["state"] == "waits"}
        return all(tries.get(address, 0) >= times for address in addresses)

    wait_until(told, WAIT_S, f"{addresses} tried")


def status_of(server, *words):
    """Exit status and what was printed, wherever."""
    done = subprocess.run([binary(), "-c", server.conf, "queue", *words], capture_output=True, text=True, timeout=WAIT_S)
    return done.returncode, done.stdout + done.stderr


def empty(server):
    with tap.test("an empty queue"):
        assert server.command("queue", "list") == "the queue is empty\n"
        assert listed(server) == []
        assert server.command("queue", "stats").startswith("0 messages to 0 recipients")
        assert server.command("queue", "retry") == "0 recipients\n"


def lists(server):
    submit(server, ["a@far.test", "b@far.test"], text("one"))
    submit(server, ["c@other.test"], text("two", sender="test0001@example.test"), account="test0001")
    deferred(server, ["a@far.test", "b@far.test", "c@other.test"])
    with tap.test("each message with its recipients, when they are tried next and what was said"):
        printed = server.command("queue", "list")
        assert "  test0000@example.test\n" in printed and "-- 2 messages to 3 recipients, " in printed, printed
        assert "    a@far.test  next try in " in printed and "tried 1 time\n" in printed, printed
        assert "said: 450 4.2.1 come back ?[31mlater\n" in printed, printed
        one, = [m for m in listed(server) if m["sender"] == "test0000@example.test"]
        recipient = one["recipients"][0]
        assert one["id"].startswith("q") and one["size"] > 100 and one["age_s"] >= 0 and one["more"] == 0
        assert recipient["status"] == "4.2.1" and recipient["in_s"] > 0 and recipient["destination"].startswith("smtp:")
    with tap.test("by recipient, its domain, sender, age, destination, id"):
        assert set(open_recipients(server, "--to", "b@far.test")) == {"b@far.test"}
        assert set(open_recipients(server, "--to", "FAR.test")) == {"a@far.test", "b@far.test"}
        assert set(open_recipients(server, "--from", "test0001@example.test")) == {"c@other.test"}
        assert len(listed(server, "--from", "example.test")) == 2 and listed(server, "--from", "<>") == []
        assert listed(server, "--older", "1h") == [] and len(listed(server, "--older", "0s")) == 2
        assert len(listed(server, "--destination", recipient["destination"])) == 2
        assert listed(server, "--destination", "smtp:nowhere.test") == []
        assert [m["id"] for m in listed(server, "--id", one["id"])] == [one["id"]]
        assert [m["id"] for m in listed(server, one["id"].upper())] == [one["id"]]
        assert listed(server, "--to", "far.test", "--from", "test0001@example.test") == []
        assert "nothing like that" in server.command("queue", "list", "--held")
    with tap.test("one message with all that is known of it"):
        printed = server.command("queue", "show", one["id"])
        assert "account   test0000@example.test\n" in printed and "b@far.test  next try" in printed, printed
        shown = json.loads(server.command("queue", "show", "--json", one["id"]))
        assert shown["account"] == "test0000@example.test" and shown["peer"] == "127.0.0.1", shown
        assert [r["address"] for r in shown["recipients"]] == ["a@far.test", "b@far.test"]
    with tap.test("by destination, all workers' together"):
        whole = stats(server)
        assert (whole["messages"], whole["items"], whole["held"], whole["reading"]) == (2, 3, 0, False), whole
        assert sum(d["items"] for d in whole["destinations"]) == 3
        assert any("come back" in d.get("reply", "") and d["oldest_age_s"] >= 0 for d in whole["destinations"]), whole
        assert "come back ?[31mlater" in server.command("queue", "stats")


def orders(server, sink):
    with tap.test("orders concern what is old enough, and tell it as JSON when asked"):
        first, second = (m["id"] for m in listed(server))
        assert ordered(server, "hold", "--older", "1h") == [{"order": "hold", "items": 0}]
        assert ordered(server, "hold", "--older", "0s") == [{"order": "hold", "items": 3}] and stats(server)["held"] == 3
        assert ordered(server, "release", "--older", "1h", "--all") == [{"order": "release", "items": 0}]
        assert [o["items"] for o in ordered(server, "release", first, second)] in ([1, 2], [2, 1])
        deferred(server, ["a@far.test", "b@far.test", "c@other.test"], 2)
        assert stats(server)["held"] == 0
    with tap.test("what is held waits until it is released"):
        assert server.command("queue", "hold", "--to", "b@far.test") == "1 recipient\n"
        assert open_recipients(server, "--held") == {"b@far.test": "held"}
        assert stats(server)["held"] == 1 and "b@far.test  held" in server.command("queue", "list")
        server.restart()
        wait_until(lambda: open_recipients(server, "--held") == {"b@far.test": "held"}, WAIT_S, "held after a restart")
        assert server.command("queue", "release", "--held") == "1 recipient\n"
        assert open_recipients(server, "--held") == {}
        deferred(server, ["b@far.test"], 3)
    with tap.test("what is tried at once is sent if it can be"):
        sink.mend()
        assert server.command("queue", "retry", "--to", "other.test") == "1 recipient\n"
        sink.wait(1)
        wait_until(lambda: "c@other.test" not in open_recipients(server), WAIT_S, "c@other.test gone")
    with tap.test("nobody deletes all by forgetting a word"):
        for order in ("hold", "release", "delete", "bounce"):
            assert "--all" in server.command("queue", order, fails=True)
        assert "--all" in server.command("queue", "move", "127.0.0.1:25", fails=True)
        assert stats(server)["messages"] == 1
    with tap.test("what is deleted is gone, without a word to the sender"):
        identity = listed(server)[0]["id"]
        server.command("queue", "hold", identity)
        assert server.command("queue", "delete", identity, "--to", "a@far.test") == "1 recipient\n"
        wait_until(lambda: set(open_recipients(server)) == {"b@far.test"}, WAIT_S, "one recipient left")
        shown = json.loads(server.command("queue", "show", "--json", identity))
        assert [r["state"] for r in shown["recipients"]] == ["done", "held"], shown
        assert server.command("queue", "delete", "--all") == "1 recipient\n"
        wait_until(lambda: not listed(server), WAIT_S, "an empty queue")
        assert not os.path.exists(server.mailbox_file("test0000"))
    with tap.test("the log has each order with the message's id"):
        assert f"info sending {identity} deleted items=1 by=operator" in server.log()
    with tap.test("what is moved goes to another host"):
        sink.fault("mail", LATER)
        submit(server, ["d@far.test"], text("three"))
        deferred(server, ["d@far.test"])
        with Sink() as other:
            assert server.command("queue", "move", other.place, "--to", "d@far.test") == "1 recipient\n"
            message, = other.wait(1)
            assert message.recipients == ["d@far.test"]
            wait_until(lambda: not listed(server), WAIT_S, "an empty queue")


def mistakes(server):
    with tap.test("what is no order, option, time, id or host is told, and nothing done"):
        for words in (["frob"], [], ["list", "--frob"], ["list", "--older"], ["list", "--older", "soon"], ["list", "--to"],
                      ["list", "--limit", "0"], ["show"], ["move"]):
            status, said = status_of(server, *words)
            assert status == 2 and said.startswith("postern: "), (words, status, said)
        for words in (["show", "q9-1"], ["show", "1-2"], ["delete", "everything"], ["move", "nowhere", "--all"],
                      ["move", "nowhere:0", "--all"]):
            status, said = status_of(server, *words)
            assert status == 1 and said.startswith("postern: "), (words, status, said)


def many(server):
    with submission(server) as smtp:
        for n in range(MANY):
            smtp.sendmail("test0000@example.test", [f"r{n}@far.test"], text(f"many {n}"))
    wait_until(lambda: stats(server)["messages"] == MANY, WAIT_S, "all in the queue")
    with tap.test("a long queue is told in slices, each message once, or as many as are wanted"):
        assert sorted(r["address"] for m in listed(server) for r in m["recipients"]) == sorted(f"r{n}@far.test" for n in range(MANY))
        assert len(listed(server, "--limit", "70")) == 70
        assert set(open_recipients(server, "--to", "r299@far.test")) == {"r299@far.test"}
    with tap.test("whoever stops reading stops the search, and the server goes on"):
        with subprocess.Popen([binary(), "-c", server.conf, "queue", "list"], stdout=subprocess.PIPE) as lister:
            assert lister.stdout.readline().startswith(b"q")
            lister.stdout.close()
            lister.wait(WAIT_S)
        assert stats(server)["messages"] == MANY
    with tap.test("orders concern all of them"):
        wait_until(lambda: server.command("queue", "hold", "--all") and stats(server)["held"] == MANY, WAIT_S, "all held")
        assert server.command("queue", "delete", "--from", "test0000@example.test") == f"{MANY} recipients\n"
        wait_until(lambda: not listed(server), WAIT_S, "an empty queue")


def long(server):
    submit(server, [f"r{n}@far.test" for n in range(RECIPIENTS)], text("long"))
    wait_until(lambda: stats(server)["items"] == RECIPIENTS, WAIT_S, "all in the queue")
    with tap.test("of a message with many recipients a list shows the first, `show` all"):
        message, = listed(server)
        assert (len(message["recipients"]), message["more"]) == (LISTED, RECIPIENTS - LISTED)
        assert f"and {RECIPIENTS - LISTED} more\n" in server.command("queue", "list")
        shown = json.loads(server.command("queue", "show", "--json", message["id"]))
        assert sorted(r["address"] for r in shown["recipients"]) == sorted(f"r{n}@far.test" for n in range(RECIPIENTS))
    with tap.test("orders concern those that are meant, whichever slice they are in"):
        wait_until(lambda: server.command("queue", "hold", "--all") and stats(server)["held"] == RECIPIENTS, WAIT_S, "all held")
        assert server.command("queue", "delete", "--to", f"r{RECIPIENTS - 1}@far.test") == "1 recipient\n"
        wait_until(lambda: stats(server)["items"] == RECIPIENTS - 1, WAIT_S, "one less")
        assert server.command("queue", "delete", message["id"]) == f"{RECIPIENTS - 1} recipients\n"
        wait_until(lambda: not listed(server), WAIT_S, "an empty queue")


def without(server):
    with tap.test("a worker that does not answer is left out, and that is told"):
        submit(server, ["a@far.test"], text("four"))
        wait_until(lambda: stats(server)["messages"] == 1, WAIT_S, "mail in the queue")
        stopped = server.workers()[0]
        os.kill(stopped, signal.SIGKILL)
        wait_until(lambda: status_of(server, "list")[0] == 0 and len(listed(server)) == 1, WAIT_S, "the whole queue again")
    with tap.test("without a server there is nothing to ask"):
        server.stop()
        status, said = status_of(server, "list")
        assert status == 3 and "no server runs" in said, (status, said)


def read_first():
    with Server(users=1, workers=2) as server:
        server.stop()
        subprocess.run([FILL, server.store, "2", str(FILLED), "1000"], check=True)
        subprocess.run(["chown", "-R", f"--reference={server.store}", os.path.join(server.store, "queue")], check=True)
        with tap.test("what is asked while the queue is read after a start is answered of all of it"):
            server.start()
            last = f"q1-{(1 << 20) + FILLED // 2 - 1:x}"
            assert json.loads(server.command("queue", "show", "--json", last))["id"] == last
            assert stats(server)["messages"] == FILLED


def main():
    read_first()
    with Sink() as sink:
        sink.fault("mail", LATER)
        with Server(users=2, workers=2, smarthost=sink.place, set=["smtp.recipients_max 2000"]) as server:
            empty(server)
            lists(server)
            orders(server, sink)
            mistakes(server)
            many(server)
            long(server)
            without(server)
    tap.done()


if __name__ == "__main__":
    main()
