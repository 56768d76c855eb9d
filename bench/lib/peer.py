"""peer.py - Dovecot and Postfix to compare with, unpacked from Debian's packages (t/lib/unpacked.py).

Settings are those of a well-kept server of its kind: as delivered, but for limits that a benchmark would meet, and for
processes that serve more than one connection, which its manual recommends for load.
"""

import os
import signal
import sys

import mail_peers
from unpacked import HOST, Failed, Peer, free_port, inspect

DOMAIN = "example.test"
PASSWORD = "secret"
VMAIL = 61004  # whose all mailboxes are


class Dovecot(Peer):
    """IMAP, POP3 and LMTP. `layout` is mbox or sdbox; `hibernate`: idle sessions leave their process."""

    PACKAGES = ("dovecot-core", "dovecot-imapd", "dovecot-pop3d", "dovecot-lmtpd")
    USERS = {"dovecot": 61001, "dovenull": 61002, "vmail": VMAIL}
    greeting = ("imap", "pop3", "lmtp")

    def __init__(self, folder, users, layout="mbox", hibernate=False):
        super().__init__(folder)
        self.users = users
        self.layout = layout
        self.hibernate = hibernate
        self.ports = {role: free_port() for role in ("imap", "imaps", "pop3", "pop3s", "lmtp")}

    @property
    def version(self):
        return f"Dovecot {self.package_version()}{', sdbox' if self.layout == 'sdbox' else ''}"

    @property
    def stored(self):
        """The folders that hold messages, and what is known of them."""
        return [self.path("mail")]

    def command(self):
        return ["dovecot", "-F", "-c", self.path("dovecot.conf")]

    def configure(self):
        # To hibernate takes inotify, and a user may have 128 of these: there every account is a user of its own.
        first, step = (100000, 1) if self.hibernate else (VMAIL, 0)
        self.write("users", "".join(f"test{n:04}@{DOMAIN}:{{PLAIN}}{PASSWORD}:{first + step * n}:{VMAIL}::"
                                    f"{self.path('mail')}/test{n:04}\n" for n in range(self.users)))
        self.make_folder("mail", VMAIL, 0o1777)
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


class Postfix(mail_peers.Postfix):
    """SMTP in. What it takes goes to mbox files by its own virtual(8), or by LMTP to a Dovecot beside it; mail for
    other domains to a sink (`to`)."""

    USERS = {**mail_peers.Postfix.USERS, "vmail": VMAIL}

    def __init__(self, folder, users, dovecot=None, to=None):
        super().__init__(folder, {})
        self.users, self.dovecot, self.to = users, dovecot, to

    @property
    def version(self):
        own = f"Postfix {self.package_version()}"
        return f"{own} with {self.dovecot.version}" if self.dovecot else own

    @property
    def leaders(self):
        return super().leaders + (self.dovecot.leaders if self.dovecot else [])

    def start(self):
        if self.dovecot:
            self.dovecot.start()
        return super().start()

    def stop(self):
        super().stop()
        if self.dovecot:
            self.dovecot.stop()

    def settings(self):
        transport = f"lmtp:inet:{HOST}:{self.dovecot.ports['lmtp']}" if self.dovecot else "virtual"
        return super().settings() + f"""
in_flow_delay = 0
virtual_mailbox_domains = {DOMAIN}
virtual_mailbox_maps = hash:{self.path("mailboxes")}
virtual_mailbox_base = {self.path("mail")}
virtual_uid_maps = static:{VMAIL}
virtual_gid_maps = static:{VMAIL}
virtual_mailbox_limit = 0
virtual_transport = {transport}
"""

    def transports(self):
        return "".join(f"{domain} smtp:[{address}]:{self.to.port}\n"
                       for domain, address in (self.to.domains if self.to else ()))

    def configure(self):
        super().configure()
        self.make_folder("mail", VMAIL)
        self.write("mailboxes", "".join(f"test{n:04}@{DOMAIN} test{n:04}\n" for n in range(self.users)))
        inspect(*self.enter("postmap", "-c", self.folder, self.path("mailboxes")))


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
        "postfix-dovecot-sdbox": lambda: Postfix(sub("postfix"), users,
                                                 Dovecot(sub("dovecot"), users, layout="sdbox")),
    }
    if name not in makers:
        raise Failed(f"no such peer: {name}; there are {', '.join(makers)}")
    return makers[name]()


def exit_on_signals():
    """Whoever is told to end ends its peers first."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))
