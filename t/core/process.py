"""process.py - master and workers: who dies is replaced, what is changed takes effect, who is told to stop does.

The server here serves SMTP alone, on a store without accounts: what is tested is the process, not the protocol.
"""

import contextlib
import datetime
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import tap
from postern import HOST, Failed, binary, free_base_port, has_ipv6, is_gone, is_reachable, wait_until

QUICK_S = 1.0  # a dead worker serves again within about so long
SLOW = 10 if "asan" in binary() else 1


def processes_in(group):
    found = []
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError, IndexError):
            if name.isdigit():
                with open(f"/proc/{name}/stat") as stat:
                    fields = stat.read().rpartition(")")[2].split()
                if int(fields[2]) == group and fields[0] not in "ZX":
                    found.append(int(name))
    return set(found)


class Plain:
    """A server that is nothing but its processes."""

    def __init__(self, workers=2, **more):
        self.folder = tempfile.mkdtemp(prefix="postern-process-")
        self.port = free_base_port()
        self.conf = self.path("postern.conf")
        self.settings = {"workers": str(workers), **more}
        self.addresses = [f"{HOST}:{self.port}"]
        self.process = None
        self.groups = []
        os.mkdir(self.path("store"))
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chmod(self.folder, 0o755)
            os.chown(self.path("store"), nobody.pw_uid, nobody.pw_gid)
        self.write()

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, more=""):
        addresses = ", ".join(f'"{a}"' for a in self.addresses)
        lines = [f'directory = "{self.path("store")}"', 'user = "nobody"']
        lines += [f"{name} = {value}" for name, value in self.settings.items()]
        lines += [f'log {{ file = "{self.path("log")}" }}', f'listen "smtp" {{ address = {{{addresses}}} }}', more]
        with open(self.conf, "w") as file:
            file.write("\n".join(lines) + "\n")

    def launch(self, **environment):
        with open(self.path("output"), "ab") as output:
            self.process = subprocess.Popen([binary(), "-c", self.conf, "run"], stdin=subprocess.DEVNULL, stdout=output,
                                            stderr=output, process_group=0, env={**os.environ, **environment})
        self.groups.append(self.process.pid)
        return self.process

    def start(self, **environment):
        before = self.lines("server is ready")
        self.launch(**environment)
        self.wait(lambda: self.lines("server is ready") > before, "ready")
        return self

    def wait(self, condition, what, seconds=20):
        def checked():
            if self.process.poll() not in (None, 0):
                raise Failed(f"{what}: the server ended with status {self.process.returncode}\n{self.text()}")
            return condition()
        try:
            wait_until(checked, seconds * SLOW, what)
        except Failed as why:
            raise Failed(f"{why}\n{self.text()}") from None

    def text(self):
        found = ""
        for name in ("output", "log", "log.1"):
            with contextlib.suppress(FileNotFoundError):
                with open(self.path(name)) as file:
                    found += file.read()
        return found

    def lines(self, what):
        return len(re.findall(what, self.text()))

    @property
    def pid(self):
        with open(self.path("store/run/pid")) as file:
            return int(file.read().split()[0])

    def all(self):
        return set().union(*(processes_in(group) for group in self.groups))

    def workers(self):
        with open(f"/proc/{self.pid}/task/{self.pid}/children") as children:
            return sorted(int(pid) for pid in children.read().split())

    def of_slot(self, slot):
        """The process that serves, or served last, in that slot."""
        return int(re.findall(rf"serves slot={slot} pid=(\d+)", self.text())[-1])

    def signal(self, which):
        os.kill(self.pid, which)

    def stop(self):
        self.signal(signal.SIGTERM)
        self.wait(lambda: not self.all() - {self.process.pid}, "a clean end", 40)
        return self.process.wait(40)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for pid in self.all():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.process:
            self.process.wait()
        if re.search("Sanitizer|runtime error:|Assertion", self.text()):
            tap.ok(False, "no sanitizer and no assertion complains")
            tap.note(self.text())
        if not os.environ.get("KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)


def client(port, host=HOST, wait=20):
    """A connection that was greeted."""
    c = socket.create_connection((host, port), timeout=wait * SLOW)
    greeting = c.recv(1000)
    assert greeting.startswith(b"220"), greeting
    return c


def refused(port):
    try:
        socket.create_connection((HOST, port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def test_death():
    with Plain(workers=3).start() as server:
        others = client(server.port)
        with tap.test("a killed worker is replaced and serves within about a second"):
            old = server.workers()
            assert len(old) == 3, old
            began = time.monotonic()
            os.kill(old[0], signal.SIGKILL)
            served = server.lines("serves slot")
            server.wait(lambda: server.lines("serves slot") > served, "a new worker")
            took = time.monotonic() - began
            assert took < QUICK_S * SLOW, took
            assert set(old[1:]) < set(server.workers()), server.workers()
        with tap.test("the log names who died and of what"):
            assert re.search(rf"worker died slot=\d pid={old[0]} signal=9 running=-", server.text()), server.text()
        with tap.test("all workers serve: many connections are taken in, by each of them"):
            many = [client(server.port) for _ in range(60)]
            for c in many:
                c.close()
        with tap.test("one that dies again and again is started ever later, the others are not touched"):
            waited = []
            for _ in range(3):
                pid = server.of_slot(0)
                began = time.monotonic()
                os.kill(pid, signal.SIGKILL)
                server.wait(lambda: server.of_slot(0) != pid, "a new worker")
                waited.append(time.monotonic() - began)
            assert waited[2] > 1.5 * waited[1] > 1, waited
            assert server.lines("worker died") == 4
        others.close()
        with tap.test("when the master is killed the workers end, and the store is free"):
            everyone = server.all()
            server.signal(signal.SIGKILL)
            wait_until(lambda: not server.all(), 5, "their end")
            server.process.wait()
            server.start()
            assert not everyone & server.all()
        with tap.test("TERM ends all of it, with status 0"):
            assert server.stop() == 0
            assert refused(server.port)
        with tap.test("so does INT, sent to all as a terminal does"):
            server.start()
            os.killpg(server.process.pid, signal.SIGINT)
            assert server.process.wait(40) == 0, server.text()
            assert not server.all()


def test_still():
    """The one slow thing, in the background of the others: a worker that stands still."""
    server = Plain().start()
    pid = server.workers()[0]
    os.kill(pid, signal.SIGSTOP)
    return server, pid, time.monotonic()


def test_still_over(server, pid, began):
    with server, tap.test("a worker whose loop stands still for 10 s is ended and replaced"):
        assert not is_gone(pid) or time.monotonic() - began > 9, "too early"
        server.wait(lambda: is_gone(pid), "its end", 25)
        took = time.monotonic() - began
        server.wait(lambda: server.lines("serves slot") == 3, "its successor")
        assert server.lines("worker stands still, ended slot") == 1
        assert 9 < took or server.lines("serves slot") == 3, took


def test_one_store():
    with Plain().start() as server:
        with tap.test("a second server on the same store is refused, and told who is there"):
            second = subprocess.run([binary(), "-c", server.conf, "run"], capture_output=True, timeout=20 * SLOW)
            assert second.returncode == 1, second
            text = server.text() + second.stderr.decode()
            assert f"another server is at work in this store, pid {server.pid}" in text, text
            client(server.port).close()
        with tap.test("so is one with another configuration and other ports"):
            with Plain() as other:
                other.settings["directory"] = f'"{server.path("store")}"'
                other.write()
                assert other.launch().wait(20 * SLOW) == 1
                assert "another server is at work" in other.text()


def test_start_errors():
    def fails(what, *texts, setup=None):
        with Plain() as server, tap.test(f"a server does not start {what}, and says why"):
            (setup or (lambda s: None))(server)
            assert server.launch().wait(20 * SLOW) == 1, server.text()
            assert all(text in server.text() for text in texts), server.text()
            assert not server.all()

    def unknown(server):
        server.write("nonsense = 1")

    def certificate(server):
        server.write('tls { certificate = "/nowhere/cert.pem" key = "/nowhere/key.pem" }')

    def directory(server):
        server.settings["directory"] = '"/nowhere/store"'
        server.write()

    fails("on an unknown setting", "postern.conf:6: ", "nonsense", setup=unknown)
    fails("without the certificate it is to have", "/nowhere/cert.pem", setup=certificate)
    fails("where it cannot make its directory", "/nowhere/store", setup=directory)
    with Plain().start() as server:
        fails("on an address that is taken", "Address already in use", f"{HOST}:{server.port}",
              setup=lambda s: (s.addresses.append(f"{HOST}:{server.port}"), s.write()))


def test_user():
    if os.geteuid() != 0:
        return
    with Plain().start() as server:
        nobody = pwd.getpwnam("nobody")
        with tap.test("started as root, the workers are the user's and no more root's"):
            for pid in server.workers():
                with open(f"/proc/{pid}/status") as status:
                    text = status.read()
                for kind, want in (("Uid", nobody.pw_uid), ("Gid", nobody.pw_gid)):
                    assert re.search(rf"{kind}:\t{want}\t{want}\t{want}\t{want}\n", text), text
        with tap.test("and so is everything in the store"):
            for folder, _, files in os.walk(server.path("store")):
                for path in [folder] + [os.path.join(folder, name) for name in files]:
                    assert os.lstat(path).st_uid == nobody.pw_uid, path
        with tap.test("workers may open as many files as the system lets them"):
            for pid in server.workers():
                with open(f"/proc/{pid}/limits") as limits:
                    soft, hard = re.search(r"Max open files +(\d+) +(\d+)", limits.read()).groups()
                assert soft == hard, (soft, hard)
    with Plain() as server, tap.test("a user that does not exist is told"):
        server.settings["user"] = '"nobody-of-this-name"'
        server.write()
        assert server.launch().wait(20 * SLOW) == 1
        assert "there is no user nobody-of-this-name" in server.text()
    with Plain() as server, tap.test("started by anyone else, all stays that user's"):
        if is_reachable(binary()):
            os.chown(server.folder, nobody.pw_uid, nobody.pw_gid)
            run = subprocess.Popen([binary(), "-c", server.conf, "run"], user="nobody", group=nobody.pw_gid,
                                   extra_groups=[], process_group=0)
            server.process = run
            server.groups.append(run.pid)
            server.wait(lambda: server.lines("server is ready"), "ready")
            assert server.stop() == 0


def test_reload():
    with Plain().start() as server:
        held = client(server.port)
        base = server.port

        def reload(word):
            before = server.lines(word)
            server.signal(signal.SIGHUP)
            server.wait(lambda: server.lines(word) > before, word)

        with tap.test("HUP: an address that is added is listened on, by every worker"):
            server.addresses.append(f"{HOST}:{base + 1}")
            if has_ipv6():
                server.addresses.append(f"[::1]:{base + 1}")
            server.write()
            reload("configuration reloaded")
            for _ in range(20):
                client(base + 1).close()
            if has_ipv6():
                client(base + 1, "::1").close()
        with tap.test("HUP: one that is removed is not"):
            server.addresses = server.addresses[1:]
            server.write()
            reload("configuration reloaded")
            wait_until(lambda: refused(base), 5, "the old address is refused")
            client(base + 1).close()
        with tap.test("no session is dropped by a reload"):
            held.send(b"NOOP\r\n")
            assert held.recv(1000).startswith(b"250")
        with tap.test("HUP: a bad file is told line by line and changes nothing"):
            server.addresses = [f"{HOST}:{base}"]
            server.write('nonsense = 1\nlog { levels = "loud" }')
            reload("reload failed")
            text = server.text()
            assert re.search(r"error core - reload: \S*postern.conf:\d+: .*nonsense", text), text
            client(base + 1).close()
            assert refused(base)
        with tap.test("HUP: nor does one whose addresses cannot all be had"):
            server.addresses = [f"{HOST}:{base}", "192.0.2.1:25"]
            server.write()
            reload("reload failed")
            client(base + 1).close()
            assert refused(base)
        with tap.test("HUP: what takes effect at a restart only is told so"):
            server.addresses = [f"{HOST}:{base}"]
            server.settings["workers"] = "3"
            server.write()
            reload("configuration reloaded")
            assert re.search(r"workers: 2 -> 3 \(at a restart\)", server.text()), server.text()
            assert len(server.workers()) == 2
        with tap.test("a worker that dies then is replaced by one with the new configuration"):
            for pid in server.workers():
                os.kill(pid, signal.SIGKILL)
            server.wait(lambda: server.lines("serves slot") == 4, "new workers")
            for _ in range(20):
                client(base).close()
        assert server.stop() == 0


def test_log():
    with Plain().start() as server:
        with tap.test("USR1 opens the log file anew, for every process"):
            os.rename(server.path("log"), server.path("log.1"))
            server.signal(signal.SIGUSR1)
            server.wait(lambda: os.path.exists(server.path("log")), "a new log file")
            time.sleep(0.1)
            os.kill(server.workers()[0], signal.SIGKILL)
            server.wait(lambda: server.lines("serves slot") == 3, "a new worker")
            assert server.stop() == 0
            with open(server.path("log")) as log:
                text = log.read()
            assert "worker died" in text and text.count("no session is left") == 2, text


def test_handover():
    with Plain(workers=2).start() as server:
        def handover(program=None):
            old, before = server.pid, server.lines("server is ready")
            server.signal(signal.SIGUSR2)
            server.wait(lambda: server.pid != old and server.lines("server is ready") > before, "the new program")
            return old

        with tap.test("USR2: a new program serves on the same sockets, and no connection is refused meanwhile"):
            stop, failures, count = False, [], 0
            def knock():
                nonlocal count
                while not stop:
                    try:
                        client(server.port).close()
                        count += 1
                    except OSError as why:
                        failures.append(why)

            threads = [threading.Thread(target=knock, daemon=True) for _ in range(3)]
            for thread in threads:
                thread.start()
            held = client(server.port)
            old = handover()
            farewell = held.recv(1000)
            held.close()
            old_again = handover()
            stop = True
            for thread in threads:
                thread.join()
            assert not failures, failures[:3]
            assert count > 10, count
            assert farewell.startswith(b"421"), farewell
            wait_until(lambda: is_gone(old) and is_gone(old_again), 5, "the old ones' end")
        with tap.test("USR2: a new program that does not like its configuration leaves the old one at work"):
            pid = server.pid
            server.write("nonsense = 1")
            server.signal(signal.SIGUSR2)
            server.wait(lambda: server.lines("the new program is not ready"), "its end")
            client(server.port).close()
            assert server.pid == pid
            server.write()
        server.process.wait(5)
        with tap.test("and can be replaced later, by one that listens elsewhere too"):
            server.addresses.append(f"{HOST}:{server.port + 1}")
            server.write()
            handover()
            client(server.port).close()
            client(server.port + 1).close()
        with tap.test("TERM ends the last one"):
            pid = server.pid
            server.signal(signal.SIGTERM)
            wait_until(lambda: not server.all(), 40 * SLOW, "its end")
            assert refused(server.port)


def test_notify():
    with Plain() as server, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(20 * SLOW)
        manager.bind(server.path("notify"))
        os.chmod(server.path("notify"), 0o666)
        with tap.test("the service manager hears of readiness, reloads and the stop"):
            server.start(NOTIFY_SOCKET=server.path("notify"))
            assert manager.recv(1000) == f"READY=1\nMAINPID={server.pid}".encode()
            server.signal(signal.SIGHUP)
            assert manager.recv(1000).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
            assert manager.recv(1000) == b"READY=1"
            server.stop()
            assert manager.recv(1000) == b"STOPPING=1"


def test_clock():
    def clock(server, by):
        return subprocess.run([binary(), "-c", server.conf, "clock", by], capture_output=True, text=True,
                              timeout=20 * SLOW)

    def lag(server):
        """How far the last line of the log is ahead of the real clock, in seconds."""
        last = server.text().splitlines()[-1].split()[0]
        return datetime.datetime.fromisoformat(last).timestamp() - time.time()

    with Plain(scratch="true").start() as server:
        with tap.test("the clock of a scratch server moves, for every worker and for those to come"):
            assert clock(server, "+1801s").returncode == 0
            assert clock(server, "+1h").returncode == 0
            for slot in (0, 1):
                old = server.of_slot(slot)
                os.kill(old, signal.SIGKILL)
                server.wait(lambda: server.of_slot(slot) != old, "a new worker")
                assert 5390 < lag(server) < 5410, lag(server)
        with tap.test("but not by more than a hundred years"):
            answer = clock(server, "+36501d")
            assert answer.returncode != 0, answer
    with Plain().start() as server, tap.test("the clock of any other server does not move"):
        answer = clock(server, "+1801s")
        assert answer.returncode != 0 and "scratch" in answer.stderr, answer


still = test_still()
test_death()
test_one_store()
test_start_errors()
test_user()
test_reload()
test_log()
test_handover()
test_notify()
test_clock()
test_still_over(*still)
tap.done()
