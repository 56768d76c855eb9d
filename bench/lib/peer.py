"""peer.py - Dovecot and Postfix from Debian's packages, to compare with; unpacked, never installed.

A peer believes that it is installed: it runs in a mount namespace of its own, where its unpacked /usr lies over the
real one and /etc/passwd and /etc/group know its users. Outside of that nothing changes. It takes root, as the peers
themselves do. All that a peer writes is in one folder; it listens on loopback alone.

Settings are those of a well-kept server of its kind: as delivered, but for limits that a benchmark would meet, and for
processes that serve more than one connection, which its manual recommends for load.
"""

import glob
import os
import shutil
import signal
import socket
import subprocess
import sys

from measure import end_family, wait_until

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TREE = os.path.join(TOP, "build", "peers")
HOST = "127.0.0.1"
DOMAIN = "example.test"
PASSWORD = "secret"
START_S = 30
USERS = {"dovecot": 61001, "dovenull": 61002, "postfix": 61003, "vmail": 61004}
GROUPS = {**USERS, "postdrop": 61005}

# Runs in the new namespace: $1 the unpacked tree, $2 the peer's folder, then the command.
ENTER = """
set -e
mount -t overlay overlay -o "lowerdir=$1/usr:/usr" /usr
mount --bind "$2/passwd" /etc/passwd
mount --bind "$2/group" /etc/group
shift 2
exec "$@"
"""


class Failed(Exception):
    """A peer cannot be had; the text says why."""


# Unpacking

def inspect(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=True, **options).stdout


def libraries(packages):
    """The libraries that installing the packages would bring along and that are not here yet."""
    plan = inspect("apt-get", "-s", "-qq", "install", "--no-install-recommends", *packages)
    names = [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")]
    return [name for name in names if name.startswith("lib")]


def unpack(packages):
    """Downloads the packages and unpacks them, once."""
    root = os.path.join(TREE, "root")
    debs = os.path.join(TREE, "debs")
    os.makedirs(debs, exist_ok=True)
    os.makedirs(root, exist_ok=True)
    missing = [name for name in packages if not glob.glob(os.path.join(debs, f"{name}_*.deb"))]
    if not missing:
        return
    missing += [name for name in libraries(missing) if name not in missing]
    print(f"Unpacking {' '.join(missing)}", file=sys.stderr)
    try:
        inspect("apt-get", "download", "-qq", *missing, cwd=debs)
    except subprocess.CalledProcessError as why:
        raise Failed(f"apt-get download: {why.stderr.strip()}") from None
    for name in missing:
        inspect("dpkg", "-x", glob.glob(os.path.join(debs, f"{name}_*.deb"))[0], root)


def package_version(package):
    debs = glob.glob(os.path.join(TREE, "debs", f"{package}_*.deb"))
    return inspect("dpkg-deb", "-f", debs[0], "Version").strip() if debs else ""


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
    """One server in one folder. `ports` says where it listens, by the names that t/server uses."""

    PACKAGES = ()

    def __init__(self, folder, users):
        self.folder = os.path.abspath(folder)
        self.users = users
        self.ports = {}
        self.process = None

    @property
    def leaders(self):
        return [self.process.pid] if self.process else []

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w") as file:
            file.write(text)
        os.chmod(self.path(name), mode)

    def prepare(self):
        """The folder with the peer's users, certificate and configuration."""
        if os.geteuid() != 0:
            raise Failed("Dovecot and Postfix change their users, and need root for that")
        unpack(self.PACKAGES)
        os.makedirs(self.path("mail"), exist_ok=True)
        os.chmod(self.folder, 0o755)
        os.chown(self.path("mail"), USERS["vmail"], GROUPS["vmail"])
        for kind, ids in (("passwd", USERS), ("group", GROUPS)):
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
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER, "sh",
                os.path.join(TREE, "root"), self.folder, *command]

    def start(self):
        self.prepare()
        with open(self.path("output"), "ab") as output:
            self.process = subprocess.Popen(self.enter(*self.command()), stdin=subprocess.DEVNULL, stdout=output,
                                            stderr=output, start_new_session=True)
        for role in self.greeting:
            wait_until(lambda: self.is_up(role), START_S, f"{type(self).__name__}'s {role} does not answer")
        return self

    def is_up(self, role):
        if self.process.poll() is not None:
            raise Failed(f"{type(self).__name__} ended with status {self.process.returncode}:\n{self.tail()}")
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


class Dovecot(Peer):
    """IMAP, POP3 and LMTP. `layout` is mbox or sdbox; `hibernate`: idle sessions leave their process."""

    PACKAGES = ("dovecot-core", "dovecot-imapd", "dovecot-pop3d", "dovecot-lmtpd")
    greeting = ("imap", "pop3", "lmtp")

    def __init__(self, folder, users, layout="mbox", hibernate=False):
        super().__init__(folder, users)
        self.layout = layout
        self.hibernate = hibernate
        self.ports = {role: free_port() for role in ("imap", "imaps", "pop3", "pop3s", "lmtp")}

    @property
    def version(self):
        return f"Dovecot {package_version('dovecot-core')}"

    def command(self):
        return ["dovecot", "-F", "-c", self.path("dovecot.conf")]

    def configure(self):
        # To hibernate takes inotify, and a user may have 128 of these: there every account is a user of its own.
        first, step = (100000, 1) if self.hibernate else (USERS["vmail"], 0)
        self.write("users", "".join(f"test{n:04}@{DOMAIN}:{{PLAIN}}{PASSWORD}:{first + step * n}:{GROUPS['vmail']}::"
                                    f"{self.path('mail')}/test{n:04}\n" for n in range(self.users)))
        os.chmod(self.path("mail"), 0o1777)
        location = {"mbox": "mbox:~/mail:INBOX=~/inbox", "sdbox": "sdbox:~/sdbox"}[self.layout]
        self.write("dovecot.conf", f"""
            base_dir = {self.path("run")}
            state_dir = {self.path("state")}
            log_path = {self.path("log")}
            listen = {HOST}
            protocols = imap pop3 lmtp
            ssl = yes
            ssl_cert = <{self.path("cert.pem")}
            ssl_key = <{self.path("key.pem")}
            disable_plaintext_auth = no
            auth_failure_delay = 0
            passdb {{
              driver = passwd-file
              args = username_format=%u {self.path("users")}
            }}
            userdb {{
              driver = passwd-file
              args = username_format=%u {self.path("users")}
            }}
            mail_location = {location}
            mail_max_userip_connections = 10000
            default_client_limit = 15000
            default_vsz_limit = 0
            service imap-login {{
              service_count = 0
              process_min_avail = 2
              inet_listener imap {{
                port = {self.ports["imap"]}
              }}
              inet_listener imaps {{
                port = {self.ports["imaps"]}
                ssl = yes
              }}
            }}
            service pop3-login {{
              service_count = 0
              process_min_avail = 2
              inet_listener pop3 {{
                port = {self.ports["pop3"]}
              }}
              inet_listener pop3s {{
                port = {self.ports["pop3s"]}
                ssl = yes
              }}
            }}
            service imap {{
              service_count = {1 if self.hibernate else 256}
              process_limit = 6000
              unix_listener imap-master {{
                user = dovecot
              }}
            }}
            service pop3 {{
              service_count = 256
            }}
            service lmtp {{
              inet_listener lmtp {{
                address = {HOST}
                port = {self.ports["lmtp"]}
              }}
            }}
            service imap-hibernate {{
              unix_listener imap-hibernate {{
                mode = 0666
              }}
            }}
            imap_hibernate_timeout = {"1s" if self.hibernate else "0"}
            """)


class Postfix(Peer):
    """SMTP in. What it takes goes to mbox files by its own virtual(8), or by LMTP to a Dovecot beside it; mail for other
    domains to a sink (`to`)."""

    PACKAGES = ("postfix",)
    greeting = ("smtp",)

    def __init__(self, folder, users, dovecot=None, to=None):
        super().__init__(folder, users)
        self.dovecot, self.to = dovecot, to
        self.ports = {"smtp": free_port()}

    @property
    def version(self):
        own = f"Postfix {package_version('postfix')}"
        return f"{own} with {self.dovecot.version}" if self.dovecot else own

    @property
    def leaders(self):
        return super().leaders + (self.dovecot.leaders if self.dovecot else [])

    def command(self):
        return ["postfix", "-c", self.folder, "start-fg"]

    def start(self):
        if self.dovecot:
            self.dovecot.start()
        return super().start()

    def stop(self):
        super().stop()
        if self.dovecot:
            self.dovecot.stop()

    def configure(self):
        for name in ("queue", "data"):
            os.makedirs(self.path(name), exist_ok=True)
        os.chown(self.path("data"), USERS["postfix"], GROUPS["postfix"])
        for name in ("postfix-files", "postfix-script", "post-install"):
            shutil.copy(os.path.join(TREE, "root/etc/postfix", name), self.folder)
        self.write("mailboxes", "".join(f"test{n:04}@{DOMAIN} test{n:04}\n" for n in range(self.users)))
        self.write("transports", "".join(f"{domain} smtp:[{address}]:{self.to.port}\n" for domain, address in self.to.domains)
                   if self.to else "")
        transport = f"lmtp:inet:{HOST}:{self.dovecot.ports['lmtp']}" if self.dovecot else "virtual"
        self.write("main.cf", f"""
compatibility_level = 3.6
queue_directory = {self.path("queue")}
data_directory = {self.path("data")}
meta_directory = {self.folder}
maillog_file = {self.path("log")}
maillog_file_prefixes = {self.folder}
myhostname = mail.{DOMAIN}
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = loopback-only
inet_protocols = ipv4
alias_maps =
alias_database =
default_database_type = hash
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
smtp_dns_support_level = disabled
in_flow_delay = 0
virtual_mailbox_domains = {DOMAIN}
virtual_mailbox_maps = hash:{self.path("mailboxes")}
virtual_mailbox_base = {self.path("mail")}
virtual_uid_maps = static:{USERS["vmail"]}
virtual_gid_maps = static:{GROUPS["vmail"]}
virtual_mailbox_limit = 0
virtual_transport = {transport}
transport_maps = hash:{self.path("transports")}
""")
        self.write("master.cf", f"""
{HOST}:{self.ports["smtp"]} inet n - n - - smtpd
cleanup   unix  n - n -    0 cleanup
qmgr      unix  n - n 300  1 qmgr
rewrite   unix  - - n -    - trivial-rewrite
bounce    unix  - - n -    0 bounce
defer     unix  - - n -    0 bounce
trace     unix  - - n -    0 bounce
proxymap  unix  - - n -    - proxymap
error     unix  - - n -    - error
retry     unix  - - n -    - error
virtual   unix  - n n -    - virtual
smtp      unix  - - n -    - smtp
lmtp      unix  - - n -    - lmtp
anvil     unix  - - n -    1 anvil
scache    unix  - - n -    1 scache
showq     unix  n - n -    - showq
flush     unix  n - n 1000? 0 flush
pickup    unix  n - n 60   1 pickup
postlog   unix-dgram n - n - 1 postlogd
""")
        inspect(*self.enter("postmap", "-c", self.folder, self.path("mailboxes"), self.path("transports")))

    def is_drained(self):
        return not any(files for name in ("maildrop", "incoming", "active", "deferred")
                       for _, _, files in os.walk(self.path("queue", name)))


def make(name, folder, users, to=None):
    """A peer by the name that `make bench PEER=` uses. to: a sink for mail to other domains."""
    def sub(part):
        path = os.path.join(folder, part)
        os.makedirs(path, exist_ok=True)
        return path

    makers = {
        "dovecot": lambda: Dovecot(sub("dovecot"), users),
        "dovecot-sdbox": lambda: Dovecot(sub("dovecot"), users, layout="sdbox"),
        "dovecot-hibernate": lambda: Dovecot(sub("dovecot"), users, hibernate=True),
        "postfix": lambda: Postfix(sub("postfix"), users, to=to),
        "postfix-dovecot": lambda: Postfix(sub("postfix"), users, Dovecot(sub("dovecot"), users)),
    }
    if name not in makers:
        raise Failed(f"no such peer: {name}; there are {', '.join(makers)}")
    return makers[name]()


def exit_on_signals():
    """Whoever is told to end ends its peers first."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))
