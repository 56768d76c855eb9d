"""server.py - looking into a running server and telling it something: status, stats, who, check, reload, clock, stop."""

import contextlib
import imaplib
import json
import os
import re
import socket
import stat
import time

import tap
from postern import PASSWORD, Failed, Server, wait_until


def ask(server, text):
    """Sends bytes to the control socket; answers its lines until it closes or an answer ends."""
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(20)
        control.connect(server.path("store/run/control"))
        control.sendall(text)
        control.shutdown(socket.SHUT_WR)
        return [json.loads(line) for line in control.makefile("rb")]


def as_json(server, *words):
    return json.loads(server.command(*words, "--json"))


with Server(users=2, workers=2) as server:
    imap = imaplib.IMAP4(server.host, server.ports["imap"])
    imap.login(server.address("test0000"), PASSWORD)
    imap.select()

    with tap.test("status tells of every worker"):
        status = as_json(server, "status")
        assert status["server"]["pid"] == server.pid and status["server"]["workers"] == 2, status
        assert status["server"]["scratch"], status
        (certificate,) = status["server"]["certificates"]
        assert certificate["name"] == "default" and certificate["kind"] == "ECDSA", certificate
        assert 3600 < certificate["days"] <= 3650, certificate
        assert sorted(worker["pid"] for worker in status["workers"]) == sorted(server.workers()), status
        for worker in status["workers"]:
            assert worker["state"] == "serving" and worker["starts"] == 1, worker
            assert set(worker["lanes"]) == {"journal", "files", "index", "slow"}, worker
            assert 0 < worker["journal_size"] >= worker["journal_used"], worker
        assert sum(worker["connections"] for worker in status["workers"]) >= 1, status

    with tap.test("and people can read it"):
        lines = server.command("status").splitlines()
        assert lines[0] == f"server  process {server.pid}, 2 workers, directory {server.store}, scratch", lines
        assert re.fullmatch(r"certificate  default, ECDSA, 36\d\d days left", lines[1]), lines
        assert lines[3].split()[:3] == ["worker", "process", "state"] and len(lines) == 6, lines
        assert len({line.index("serving") for line in lines[4:]}) == 1, lines

    with tap.test("who lists sessions, whichever worker they are in"):
        others = [imaplib.IMAP4(server.host, server.ports["imap"]) for _ in range(6)]
        sessions = as_json(server, "who")
        assert len(sessions) == 7 and len({session["id"] for session in sessions}) == 7, sessions
        mine = [session for session in sessions if session["account"]]
        assert len(mine) == 1 and mine[0]["account"] == server.address("test0000"), mine
        assert mine[0]["service"] == "imap" and mine[0]["peer"] == "127.0.0.1", mine
        assert abs(mine[0]["started_ms"] / 1000 - time.time()) < 60, mine
        lines = server.command("who").splitlines()
        assert lines[0].split() == ["session", "service", "peer", "account", "state", "since"] and len(lines) == 8
        assert any(server.address("test0000") in line and re.search(r"T\d\d:\d\d:\d\dZ$", line) for line in lines)
        for other in others:
            other.logout()

    with tap.test("stats counts"):
        before = as_json(server, "stats")
        imap.noop()
        after = as_json(server, "stats")
        assert after["conn.opened"] > 6 and after["conn.bytes_in"] > before["conn.bytes_in"], (before, after)
        assert re.search(r"(?m)^conn\.opened +\d+ +\w", server.command("stats"))

    with tap.test("check says that there is nothing to change"):
        assert "The running server has these settings." in server.command("check")

    with tap.test("check tells what a reload would change, reload does it, and no session is dropped"):
        with open(server.conf, "a") as conf:
            conf.write('pop3 { idle_timeout = 11m }\ndomain "new.test" { }\n')
        told = server.command("check")
        assert "pop3.idle_timeout: 10m -> 11m\n" in told and 'domain "new.test": added\n' in told, told
        told = server.command("reload")
        assert "pop3.idle_timeout: 10m -> 11m" in told, told
        assert "has these settings" in server.command("check")
        assert imap.noop()[0] == "OK"

    with tap.test("what takes effect at a restart only is marked"):
        with open(server.conf, "a") as conf:
            conf.write("workers = 3\n")
        assert "workers: 2 -> 3 (at a restart)" in server.command("check")

    with tap.test("a wrong file changes nothing"):
        with open(server.conf) as conf:
            good = conf.read()
        with open(server.conf, "w") as conf:
            conf.write(good + "pop3 {\n\tidle_timeout = soon\n}\n")
        line = good.count("\n") + 2
        wrong = f'{server.conf}:{line}: pop3.idle_timeout: "soon" is not a duration'
        assert wrong in server.command("check", fails=True)
        with open(server.conf, "w") as conf:
            conf.write(good)
        assert imap.noop()[0] == "OK" and "pop3" not in server.command("check")

    with tap.test("the socket is the administrator's alone"):
        mode = os.stat(server.path("store/run/control")).st_mode
        assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600, oct(mode)

    with tap.test("requests are answered in their order"):
        answers = ask(server, b'{"do": "who"}\n{"do": "fly"}\n{"do": "domain-list"}\n')
        kinds = [list(answer)[0] for answer in answers]
        assert [kind for kind in kinds if kind != "item"] == ["done", "error", "done"], answers
        assert {"item": {"name": server.domain}} in answers[kinds.index("error"):], answers

    with tap.test("what is no request is said"):
        for line in (b"\n", b"status\n", b"[]\n", b'"do"\n', b'{"do": 7}\n', b"{}\n", b'{"do": "status"\n', b"\xff\n",
                     b"[" * 5000 + b"\n"):
            assert ask(server, line)[0]["error"] == "asked wrongly", line

    with tap.test("a line may have 64 KiB and no more"):
        line = b'{"do": "domain-list", "more": "' + b"x" * 65502 + b'"}\n'
        assert len(line) == 65536 and ask(server, line)[-1] == {"done": True}
        with contextlib.suppress(ConnectionError):  # the rest finds nobody
            assert ask(server, line[:-1] + b" \n")[0]["error"] == "over a limit"

    with tap.test("a request without its line end is none"):
        assert ask(server, b'{"do": "stop"}') == []

    with tap.test("an account needs its name, a clock its time"):
        for request in (b'{"do": "account-add"}\n', b'{"do": "clock"}\n', b'{"do": "clock", "ms": -1}\n',
                        b'{"do": "domain-add", "name": 7}\n'):
            assert ask(server, request)[-1]["error"] == "asked wrongly", request

    with tap.test("the clock moves"):
        before = as_json(server, "status")["server"]["now_ms"]
        server.command("clock", "+2h")
        moved = as_json(server, "status")["server"]["now_ms"] - before
        assert 7200000 <= moved < 7260000, moved

    with tap.test("stop ends it, and waits until it has"):
        server.command("stop")
        assert not server.processes()
        assert server.process.wait(5) == 0

    with tap.test("then there is no server, which is told with exit status 3"):
        for words in (["status"], ["stats"], ["who"], ["reload"], ["stop"], ["clock", "+1s"]):
            try:
                server.command(*words)
                assert False, words
            except Failed as why:
                assert "exit status 3\n" in str(why) and "no server runs here" in str(why), why

    with tap.test("check needs none"):
        assert server.command("check") == f"{server.conf}: fine\n"

    with tap.test("a server that is no scratch server keeps its clock"):
        server.options["set"] = ["scratch false"]
        server.start()
        assert "scratch" in server.command("clock", "+1s", fails=True)
        server.stop()
tap.done()
