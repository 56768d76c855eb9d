"""unpacked.py - servers of others from Debian's packages, as peers: unpacked below build/peers, never installed.

A peer believes that it is installed: it runs in a mount namespace of its own, where its unpacked /usr lies over the
real one, /etc/passwd and /etc/group know its users, and folders of its own lie over those that it insists on. Outside
of that nothing changes. It takes root, as the peers themselves do. All that a peer writes is in one folder; it listens
on loopback alone and is ended with all that it started.
"""

import contextlib
import fcntl
import glob
import os
import signal
import socket
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TREES = os.path.join(TOP, "build", "peers")
HOST = "127.0.0.1"
START_S = 60

# Runs in the new namespace: $1 the unpacked tree, $2 the peer's folder, pairs of a folder and where it is to lie, "--",
# then the command.
ENTER = """
set -e
mount -t overlay overlay -o "lowerdir=$1/usr:/usr" /usr
mount --bind "$2/passwd" /etc/passwd
mount --bind "$2/group" /etc/group
shift 2
while [ "$1" != -- ]; do
	mount --bind "$1" "$2"
	shift 2
done
shift
exec "$@"
"""


class Failed(Exception):
    """A peer cannot be had; the text says why."""


def impossible():
    """Why peers cannot run here; "" if they can."""
    if os.geteuid() != 0:
        return "the peers change their users, and need root for that"
    trial = ["unshare", "--mount", "--propagation", "private",
             "mount", "-t", "overlay", "overlay", "-o", "lowerdir=/usr/lib:/usr/share", "/usr/share"]
    tried = subprocess.run(trial, capture_output=True, text=True)
    return f"the peers need a mount namespace with an overlay: {tried.stderr.strip()}" if tried.returncode else ""


# Processes

def stat_fields(pid):
    """The fields of /proc/PID/stat from the state on; None if there is no such process."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def family(leader):
    """A process and all that descend from it, parents first."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (fields := stat_fields(name)):
            children.setdefault(int(fields[1]), []).append(int(name))
    found = [leader] if stat_fields(leader) else []
    for pid in found:  # grows while it is walked
        found += children.get(pid, [])
    return found


def end_family(leader, seconds=20):
    """Ends a process and what descends from it: asks them all, waits, then insists."""
    pids = family(leader)
    signal_all(pids, signal.SIGTERM)
    end = time.monotonic() + seconds
    while pids and time.monotonic() < end:
        time.sleep(0.05)
        pids = [pid for pid in pids if (fields := stat_fields(pid)) and fields[0] not in "ZX"]
    signal_all(pids, signal.SIGKILL)


def signal_all(pids, number):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def wait_until(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(0.05)


# Unpacking

def inspect(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=True, **options).stdout


def libraries(packages):
    """The libraries that installing the packages would bring along and that are not here yet."""
    plan = inspect("apt-get", "-s", "-qq", "install", "--no-install-recommends", *packages)
    names = [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")]
    return [name for name in names if name.startswith("lib")]


def deb(tree, package):
    """The file of a package, "" before it is here."""
    return next(iter(glob.glob(os.path.join(tree, "debs", f"{package}_*.deb"))), "")


def download(packages, tree, debs):
    """The packages and the libraries they bring along, as files. Answers their names."""
    wanted = [*packages, *(name for name in libraries(packages) if name not in packages)]
    print(f"# unpacking {' '.join(wanted)}", file=sys.stderr)
    if missing := [name for name in wanted if not deb(tree, name)]:
        inspect("apt-get", "download", "-qq", *missing, cwd=debs)
    return wanted


def unpack(packages, tree):
    """Downloads the packages and unpacks them into a tree, once."""
    root, debs, done = (os.path.join(tree, name) for name in ("root", "debs", "done"))
    os.makedirs(debs, exist_ok=True)
    os.makedirs(root, exist_ok=True)
    with open(os.path.join(tree, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(done):
            return
        try:
            try:
                wanted = download(packages, tree, debs)
            except subprocess.CalledProcessError:  # the lists of packages are old, or not there yet
                inspect("apt-get", "update", "-qq")
                wanted = download(packages, tree, debs)
        except subprocess.CalledProcessError as why:
            raise Failed(f"{' '.join(why.cmd)}: {why.stderr.strip()}") from None
        for name in wanted:
            inspect("dpkg", "-x", deb(tree, name), root)
        with open(done, "w"):
            pass


# Running

def free_port():
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def answers(port):
    try:
        with socket.create_connection((HOST, port), timeout=START_S) as probe:
            return bool(probe.recv(1))
    except OSError:
        return False


class Peer:
    """One server in one folder. `ports` says where it listens, by the names that t/server uses; `greeting` which of
    them speak first; OVER which folders of the machine must be its own."""

    PACKAGES = ()
    USERS = {}  # name -> number, of a group of that name, too
    GROUPS = {}  # more of them
    OVER = ()
    greeting = ("smtp",)

    def __init__(self, folder):
        self.folder = os.path.abspath(folder)
        self.name = type(self).__name__
        self.ports = {}
        self.process = None

    @property
    def tree(self):
        return os.path.join(TREES, self.PACKAGES[0])

    @property
    def leaders(self):
        return [self.process.pid] if self.process else []

    def package_version(self):
        return inspect("dpkg-deb", "-f", deb(self.tree, self.PACKAGES[0]), "Version").strip()

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def make_folder(self, name, owner=0, mode=0o755):
        os.makedirs(self.path(name), exist_ok=True)
        os.chmod(self.path(name), mode)
        os.chown(self.path(name), owner, owner)
        return self.path(name)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w") as file:
            file.write(text)
        os.chmod(self.path(name), mode)

    def prepare(self):
        """The folder with the peer's users, certificate and configuration."""
        if os.geteuid() != 0:
            raise Failed(f"{self.name} changes its user, and needs root for that")
        unpack(self.PACKAGES, self.tree)
        os.makedirs(self.folder, exist_ok=True)
        os.chmod(self.folder, 0o755)
        for kind, ids in (("passwd", self.USERS), ("group", {**self.USERS, **self.GROUPS})):
            with open(f"/etc/{kind}") as real:
                kept = [line for line in real if line.split(":")[0] not in ids]
            form = "{0}:x:{1}:{1}::/nonexistent:/usr/sbin/nologin\n" if kind == "passwd" else "{0}:x:{1}:\n"
            self.write(kind, "".join(kept) + "".join(form.format(*item) for item in ids.items()))
        if not os.path.exists(self.path("cert.pem")):
            inspect("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "3650", "-subj", "/CN=localhost", "-keyout", self.path("key.pem"),
                    "-out", self.path("cert.pem"))
        self.configure()

    def enter(self, *command):
        over = [word for place in self.OVER for word in (self.make_folder("over" + place), place)]
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER, "sh",
                os.path.join(self.tree, "root"), self.folder, *over, "--", *command]

    def start(self):
        self.prepare()
        with open(self.path("output"), "ab") as output:
            self.process = subprocess.Popen(self.enter(*self.command()), stdin=subprocess.DEVNULL, stdout=output,
                                            stderr=output, start_new_session=True)
        for role in self.greeting:
            wait_until(lambda: self.is_up(role), START_S, f"{self.name}'s {role} does not answer")
        return self

    def is_up(self, role):
        if self.process.poll() is not None:
            raise Failed(f"{self.name} ended with status {self.process.returncode}:\n{self.tail()}")
        return answers(self.ports[role])

    def tail(self):
        text = ""
        for name in ("output", "log"):
            if os.path.exists(self.path(name)):
                with open(self.path(name), errors="replace") as file:
                    text += "".join(file.readlines()[-10:])
        return text

    def is_drained(self):
        """Whether everything taken in has been delivered."""
        return True

    def stop(self):
        if self.process:
            end_family(self.process.pid)
            self.process.wait()
            self.process = None

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()
