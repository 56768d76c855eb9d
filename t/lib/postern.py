"""postern.py - a scratch server: made, started, stopped, killed, its clock moved.

t/server is its command line; tests in Python use it as they are:

    with Server(users=2) as server:
        imap = imaplib.IMAP4(server.host, server.ports["imap"])

A server lives in a folder: postern.conf, cert.pem, key.pem, log, store/, and options.json, which keeps what it was
made with. All listens on loopback. Several scratch servers run beside each other when each takes free ports.
"""

import contextlib
import errno
import json
import os
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PORTS = {"smtp": 25, "submission": 587, "submissions": 465, "lmtp": 24,
         "imap": 143, "imaps": 993, "pop3": 110, "pop3s": 995}
HOST = "127.0.0.1"
PASSWORD = "secret"
START_S = 60  # how long a start may take; sanitizers and a busy machine are slow
STOP_S = 60

# What a scratch server has unless it is to be strict: a test logs in in clear text, often, and at once; and the machine may be
# busy with others, so that nothing yields.
LENIENT = {"login.clear_text": "loopback", "login.fail_delay": "0s", "login.fails_max": "100",
           "overload.background": "0s", "overload.outbound": "0s", "overload.strangers": "0s"}
# Who is asked for names unless a test says who: nobody is there, and nothing leaves the machine.
NO_DNS = "127.0.0.1:1"
# Scratch stores are many and short-lived.
SMALL = {"journal.segment": "8M", "journal.size": "64M"}
# What no log may hold at the end of a test: a sanitizer's report, a failed assertion, a worker that crashed.
COMPLAINT = re.compile(r"^.*(Sanitizer|runtime error:|Assertion .* failed|worker died .*signal=(4|7|8|11) )", re.MULTILINE)


class Failed(Exception):
    """The server did not do what it was told to; the text says why."""


def binary():
    build = os.environ.get("BUILD", "build")
    return os.environ.get("POSTERN_BINARY") or os.path.join(TOP, build, "postern")


def process_stat(pid):
    """(state, session, start time) of a process; None if there is none."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return fields[0], int(fields[3]), fields[19]
    except (OSError, IndexError):
        return None


def is_gone(pid):
    """Whether nothing of a process runs any more. A zombie may still have threads that end, and hold its files."""
    stat = process_stat(pid)
    try:
        return stat is None or (stat[0] in "ZX" and len(os.listdir(f"/proc/{pid}/task")) == 1)
    except FileNotFoundError:
        return True


def wait_until(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {seconds} s")
        time.sleep(0.01)


def free_base_port():
    """A port P such that P plus every protocol's usual port is free, below those that outgoing connections take."""
    for _ in range(1000):
        base = random.randrange(10000, 31000)
        with contextlib.ExitStack() as held:
            try:
                for usual in PORTS.values():
                    probe = held.enter_context(socket.socket())
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind((HOST, base + usual))
                return base
            except OSError:
                continue
    raise Failed("no free ports")


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


def is_reachable(folder):
    """Whether every user can get to a folder, whoever owns the folder itself."""
    above = os.path.dirname(os.path.abspath(folder))
    closed = os.path.exists(above) and not os.stat(above).st_mode & 0o001
    return not closed and (above == "/" or is_reachable(above))


def quoted(value):
    """A value as the configuration wants it: a list stays as it is, all else is quoted."""
    if value.startswith("{"):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Server:
    """One scratch server. Options matter at the first start; later they are read from the folder."""

    DEFAULTS = {"base_port": 0, "users": 10, "workers": 0, "domain": "example.test", "conf": None, "set": [],
                "strict": False, "hash": "cheap", "accounts": [], "user": "nobody", "dns": NO_DNS,
                "smarthost": None}

    def __init__(self, folder=None, **options):
        self.temporary = folder is None
        self.folder = os.path.abspath(folder or tempfile.mkdtemp(prefix="postern-"))
        self.process = None  # set when this very process started it
        self.options = dict(self.DEFAULTS)
        if os.path.exists(self.path("options.json")):
            with open(self.path("options.json")) as kept:
                self.options.update(json.load(kept))
        unknown = set(options) - set(self.DEFAULTS)
        if unknown:
            raise TypeError(f"no such option: {', '.join(sorted(unknown))}")
        self.options.update(options)

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, kind, value, trace):
        try:
            if kind is None and not is_gone(self.pid):
                self.stop()
        finally:
            self.remove()

    def remove(self):
        """Ends what is left of it, and its folder if that was ours."""
        self.kill()
        if self.temporary and not os.environ.get("KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

    # Where things are

    def path(self, *names):
        return os.path.join(self.folder, *names)

    @property
    def host(self):
        return HOST

    @property
    def domain(self):
        return self.options["domain"]

    @property
    def ports(self):
        return {role: self.options["base_port"] + usual for role, usual in PORTS.items()}

    @property
    def certificate(self):
        return self.path("cert.pem")

    @property
    def conf(self):
        return self.path("postern.conf")

    @property
    def store(self):
        return self.path("store")

    def mailbox_file(self, account, mailbox="INBOX", kind="mbox"):
        """The file of a mailbox whose name is plain letters."""
        return self.path("store", "domains", self.domain, account, f"{mailbox}.{kind}")

    def address(self, account):
        return f"{account}@{self.domain}"

    @property
    def pid(self):
        """The master's process id; 0 if none was ever started, or it ended and another has its number since. A hand-over to a
        new program changes it."""
        leader, started = self.leader()
        try:
            with open(self.path("store/run/pid")) as file:
                pid = int(file.read().split()[0])
        except (OSError, ValueError, IndexError):
            pid = leader
        for number in (pid, leader):
            stat = process_stat(number)
            if stat is None or (stat[2] == started if number == leader else stat[1] == leader):
                return number
        return 0

    def leader(self):
        """The process that the last start made, and when it started; (0, "") if there was none."""
        try:
            with open(self.path("pid")) as file:
                leader, started = file.read().split()
                return int(leader), started
        except (OSError, ValueError):
            return 0, ""

    def values(self):
        """What a start prints: name and value."""
        return [("pid", self.pid), ("host", self.host), *self.ports.items(), ("cert", self.certificate),
                ("domain", self.domain), ("conf", self.conf), ("log", self.path("log"))]

    def log(self):
        try:
            with open(self.path("log"), errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    # Making

    def settings(self):
        """Every setting as section -> name -> value; '' is the top of the file, 'listen.smtp' a titled section."""
        options = self.options
        names = {"directory": self.store, "scratch": "true", "workers": str(options["workers"]),
                 "log.file": self.path("log"), "tls.certificate": self.certificate, "tls.key": self.path("key.pem"),
                 "login.hash": options["hash"], "dns.servers": f'{{"{options["dns"]}"}}', **SMALL}
        if os.environ.get("FORMAT"):  # any test may be played with mdirs
            names["store.format"] = os.environ["FORMAT"]
        if os.geteuid() == 0:
            names["user"] = options["user"]
        if not options["strict"]:
            names.update(LENIENT)
            names["login.default_domain"] = options["domain"]
        hosts = [HOST, "[::1]"] if has_ipv6() else [HOST]
        for role, port in self.ports.items():
            names[f"listen.{role}.address"] = "{" + ", ".join(f'"{host}:{port}"' for host in hosts) + "}"
        for given in options["set"]:
            name, _, value = given.strip().partition(" ")
            names[name] = value.strip()
        sections = {}
        for name, value in names.items():
            section, _, last = name.rpartition(".")
            sections.setdefault(section, {})[last] = value
        return sections

    def write_conf(self):
        lines = ["# Written at each start of this scratch server from options.json beside it."]
        sections = self.settings()
        for name, value in sections.pop("", {}).items():
            lines.append(f"{name} = {quoted(value)}")
        for section, settings in sections.items():
            kind, _, title = section.partition(".")
            lines.append(f'{kind} "{title}" {{' if title else f"{kind} {{")
            lines += [f"\t{name} = {quoted(value)}" for name, value in settings.items()]
            lines.append("}")
        if self.options["conf"]:
            with open(self.options["conf"]) as more:
                lines.append(more.read())
        if self.options["smarthost"]:  # the last of the routes: others fit before it
            host, _, port = self.options["smarthost"].rpartition(":")
            lines.append(f'route "smarthost" {{\n\tto = "smtp:[{host.strip("[]")}]:{port}"\n}}')
        with open(self.conf, "w") as file:
            file.write("\n".join(lines) + "\n")

    def make(self):
        """The folder with certificate, store, domain and accounts."""
        os.makedirs(self.store, mode=0o755, exist_ok=True)
        if not os.path.exists(self.certificate):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                            "-nodes", "-days", "3650", "-subj", "/CN=localhost", "-addext",
                            "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1", "-keyout", self.path("key.pem"),
                            "-out", self.certificate], check=True, stderr=subprocess.DEVNULL)
        if os.geteuid() == 0:
            user = pwd.getpwnam(self.options["user"])
            if not is_reachable(self.folder):
                raise Failed(f"{self.options['user']} cannot reach {self.folder}: choose another folder")
            for path in (self.folder, self.store):
                os.chown(path, user.pw_uid, user.pw_gid)
        accounts = [f"test{n:04}" for n in range(self.options["users"])] + self.options["accounts"]
        lines = "".join(f"{self.address(account)} {PASSWORD}\n" for account in accounts)
        self.command("domain", "add", self.domain)
        self.command("account", "add", "--batch", input=lines)
        self.command("account", "add", self.address("postmaster"), "--password", PASSWORD, "--admin")

    def command(self, *words, input="", fails=False):
        """Runs `postern WORDS` on this server's configuration; answers what it printed."""
        done = subprocess.run([binary(), "-c", self.conf, *words], input=input, capture_output=True, text=True,
                              timeout=START_S)
        if (done.returncode != 0) != fails:
            raise Failed(f"postern {' '.join(words)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout if not fails else done.stdout + done.stderr

    # Running

    def start(self, foreground=False):
        """Starts it, made anew or as it was left, and waits until every port answers. In the foreground it shares our
        terminal: its log and Ctrl-C."""
        if self.processes():
            raise Failed(f"it runs already, as process {self.pid}")
        if not os.access(binary(), os.X_OK):
            raise Failed(f"there is no {binary()}: run make first")
        made = os.path.exists(self.path("options.json"))
        moving = self.options["base_port"] == 0
        os.makedirs(self.folder, exist_ok=True)
        for tries_left in (4, 3, 2, 1, 0):
            if moving:
                self.options["base_port"] = free_base_port()
            self.write_conf()
            if not made:
                self.make()
                made = True
            try:
                self.launch(foreground)
                break
            except Failed:  # somebody else may have taken a port since
                self.kill()
                if not (moving and tries_left and os.strerror(errno.EADDRINUSE) in self.log()):
                    raise
        with open(self.path("options.json"), "w") as file:
            json.dump(self.options, file, indent=1)
        return self

    def launch(self, foreground):
        with open(self.path("log"), "ab") as log:
            output = None if foreground else log
            self.process = subprocess.Popen([binary(), "-c", self.conf, "run"], stdin=subprocess.DEVNULL,
                                            stdout=output, stderr=output, start_new_session=not foreground)
        with open(self.path("pid"), "w") as file:
            file.write(f"{self.process.pid} {process_stat(self.process.pid)[2]}\n")
        self.wait_ready()

    def wait_ready(self):
        for role in PORTS:
            wait_until(lambda: self.answers(role), START_S, f"{role} does not answer")

    def answers(self, role):
        """Whether a connection is taken and, where the server speaks first and in clear text, greeted."""
        if self.process and self.process.poll() is not None:
            raise Failed(f"the server ended with status {self.process.returncode}; the end of its log:\n" + self.tail())
        try:
            with socket.create_connection((HOST, self.ports[role]), timeout=START_S) as probe:
                return role.endswith("s") or bool(probe.recv(1))
        except OSError:
            return False

    def tail(self, lines=20):
        return "\n".join(self.log().splitlines()[-lines:])

    def processes(self):
        """Every process of the server that is still there: all are in the session that the start made."""
        leader, started = self.leader()
        stat = process_stat(leader)
        if not leader or stat and stat[2] != started:
            return []  # the number was given to another since
        found = []
        for name in os.listdir("/proc"):
            stat = name.isdigit() and process_stat(name)
            if stat and stat[1] == leader and not is_gone(name):
                found.append(int(name))
        return sorted(found, key=lambda pid: pid != leader)

    def workers(self):
        return [pid for pid in self.processes() if pid != self.pid]

    def reap(self):
        if self.process:
            self.process.wait(STOP_S)
            self.process = None

    def stop(self):
        """Ends it cleanly; fails if it does not end in time or not well."""
        pid = self.pid
        if is_gone(pid):
            raise Failed("it does not run")
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not self.processes(), STOP_S, "a clean end")
        if self.process and self.process.pid == pid and self.process.wait(STOP_S) != 0:
            raise Failed(f"it ended with status {self.process.returncode}; the end of its log:\n{self.tail()}")
        self.reap()
        if complaints := COMPLAINT.search(self.log()):
            raise Failed(f"its log has:\n{self.log()[complaints.start():][:4000]}")

    def kill(self):
        """SIGKILL to all its processes, the master first."""
        end = time.monotonic() + STOP_S
        while (pids := self.processes()) and time.monotonic() < end:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.005)
        self.reap()

    def restart(self):
        self.stop()
        self.start()

    def clock(self, by):
        """Moves its clock: '+1801s', '+2h', '+1d'."""
        if not re.fullmatch(r"\+\d+(ms|s|m|h|d)", by):
            raise Failed(f"not a move of the clock: {by}")
        self.command("clock", by)


def main_signals():
    """A test that is told to end ends its servers first."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


main_signals()
