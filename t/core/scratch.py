"""scratch.py - t/server keeps its promise: names and ports, options kept, kill, clock, strictness, an unprivileged user."""

import imaplib
import os
import pwd
import subprocess
import tempfile

import tap
from dns_server import DnsServer
from mail import send, texts
from postern import PASSWORD, PORTS, TOP, Server, is_gone
from sending import submit, text
from smtp_sink import Sink

TEXT = b"Subject: kept\r\n\r\nkept\r\n"


def run(action, folder, *options, fails=False):
    """What `t/server ACTION FOLDER OPTIONS` prints, as a dictionary; or its complaint."""
    done = subprocess.run([f"{TOP}/t/server", action, folder, *options], capture_output=True, text=True, timeout=120)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stderr if fails else dict(line.split("=", 1) for line in done.stdout.splitlines())


def login(values, account, password=PASSWORD):
    with imaplib.IMAP4(values["host"], int(values["imap"])) as imap:
        return imap.login(f"{account}@{values['domain']}", password)


def check_start(folder):
    with tap.test("start prints process, host, a port per protocol and the certificate"):
        values = run("start", folder, "--base-port", "0", "--users", "3", "--workers", "2", "--domain", "a.test",
                     "--set", "imap.idle_timeout 31m")
        assert values["host"] == "127.0.0.1" and os.path.exists(values["cert"])
        base = int(values["smtp"]) - PORTS["smtp"]
        assert all(int(values[role]) == base + usual for role, usual in PORTS.items())
        assert os.readlink(f"/proc/{values['pid']}/exe").endswith("postern")
    with tap.test("its accounts are test0000 on and postmaster, and no others"):
        login(values, "test0000"), login(values, "test0002"), login(values, "postmaster")
        for account, password in (("test0003", PASSWORD), ("test0000", "wrong")):
            try:
                login(values, account, password)
            except imaplib.IMAP4.error:
                continue
            raise AssertionError(f"{account} logged in with {password}")
    with tap.test("settings are set"):
        with open(values["conf"]) as conf:
            assert 'idle_timeout = "31m"' in conf.read()
    return values


def check_again(folder, first):
    server = Server(folder)
    with tap.test("started by root, workers are nobody and own the store"):
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody").pw_uid
            assert all(os.stat(f"/proc/{pid}").st_uid == nobody for pid in server.workers())
            assert os.stat(server.store).st_uid == nobody
    with tap.test("a second start is refused, and options that cannot change"):
        assert "runs already" in run("start", folder, fails=True)
        assert "cannot change" in run("start", folder, "--users", "9", fails=True)
    with tap.test("after stop, start serves the kept store with the options of the first"):
        send(server, ["test0001"], [TEXT])
        run("stop", folder)
        assert is_gone(int(first["pid"])) and not server.processes()
        again = run("start", folder)
        assert again.pop("pid") != first.pop("pid") and again == first
        assert len(texts(server, "test0001")) == 1
    with tap.test("kill leaves no process, and start goes on"):
        before = server.processes()
        assert len(before) >= 3, before
        run("kill", folder)
        assert all(is_gone(pid) for pid in before)
        run("start", folder)
        assert len(texts(server, "test0001")) == 1
    with tap.test("the clock moves"):
        run("clock", folder, "+1s")
        run("clock", folder, "yesterday", fails=True)
    run("stop", folder)
    with tap.test("but not that of a server that is not for tests"):
        run("start", folder, "--set", "scratch no")
        assert "scratch" in run("clock", folder, "+1s", fails=True)
    run("stop", folder)


def check_strict(folder):
    with tap.test("a strict server refuses logins in clear text"):
        values = run("start", folder, "--base-port", "0", "--users", "1", "--strict")
        try:
            login(values, "test0000")
            raise AssertionError("it took one")
        except imaplib.IMAP4.error as answer:
            assert "PRIVACYREQUIRED" in str(answer), answer
    run("stop", folder)


def check_elsewhere(folder):
    """Names and mail for others: by --dns and --smarthost, kept and given anew."""
    with DnsServer("far 300 A 192.0.2.1\n") as dns, Sink() as first, Sink() as second:
        with tap.test("--dns says who is asked for names"):
            run("start", folder, "--base-port", "0", "--users", "2", "--dns", dns.address, "--smarthost", first.place)
            server = Server(folder)
            assert "192.0.2.1" in server.command("resolve", "far.example.test", "A") and dns.asked("far", "A")
        with tap.test("--smarthost says where mail for others goes"):
            submit(server, ["a@elsewhere.test"], text("first"))
            assert first.wait(1)[0].taken == ["a@elsewhere.test"]
        with tap.test("both are kept, and what is given again holds from then on"):
            run("stop", folder)
            run("start", folder)
            submit(server, ["b@elsewhere.test"], text("kept"))
            assert first.wait(2)[1].taken == ["b@elsewhere.test"]
            asked = len(dns.queries)
            assert "192.0.2.1" in server.command("resolve", "far.example.test", "A") and len(dns.queries) > asked
            run("stop", folder)
            run("start", folder, "--smarthost", second.place)
            submit(server, ["c@elsewhere.test"], text("second"))
            assert second.wait(1)[0].taken == ["c@elsewhere.test"] and len(first.messages) == 2
        run("stop", folder)


with tempfile.TemporaryDirectory() as top:
    os.chmod(top, 0o755)
    try:
        check_again(f"{top}/one", check_start(f"{top}/one"))
        check_strict(f"{top}/two")
        check_elsewhere(f"{top}/three")
    finally:
        for name in os.listdir(top):
            Server(f"{top}/{name}").kill()
tap.done()
