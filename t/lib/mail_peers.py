"""mail_peers.py - Postfix, Exim and OpenSMTPD as the other side of a server's mail.

    with Exim(folder, {"far.test": sink.port, "example.test": server.ports["smtp"]}) as peer:

A peer takes mail for each of these domains on ports["smtp"] from everybody on this machine, with TLS when asked, and
sends it on to that port of 127.0.0.1, with TLS if that is offered. Nobody is called GONE in any of them: that it
refuses at RCPT.
"""

import os
import shutil

from unpacked import HOST, Peer, free_port, inspect

GONE = "gone"
REFUSAL = "550 5.1.1 nobody of that name"


class MailPeer(Peer):
    def __init__(self, folder, routes):
        super().__init__(folder)
        self.routes = routes  # domain -> port
        self.ports = {"smtp": free_port()}


class Postfix(MailPeer):
    """bench/lib/peer.py adds to `settings` and `services`."""

    PACKAGES = ("postfix",)
    USERS = {"postfix": 61003}
    GROUPS = {"postdrop": 61005}

    def command(self):
        return ["postfix", "-c", self.folder, "start-fg"]

    def settings(self):
        return f"""
compatibility_level = 3.6
queue_directory = {self.path("queue")}
data_directory = {self.path("data")}
meta_directory = {self.folder}
maillog_file = {self.path("log")}
maillog_file_prefixes = {self.folder}
myhostname = postfix.test
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
transport_maps = hash:{self.path("transports")}
"""

    def refusals(self):
        gone = ", ".join(f"{{ {GONE}@{domain} = {REFUSAL} }}" for domain in self.routes)
        return f"""
smtpd_recipient_restrictions = check_recipient_access inline:{{ {gone} }}
smtpd_tls_security_level = may
smtpd_tls_cert_file = {self.path("cert.pem")}
smtpd_tls_key_file = {self.path("key.pem")}
smtp_tls_security_level = may
"""

    def services(self):
        return f"""
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
tlsmgr    unix  - - n 1000? 1 tlsmgr
showq     unix  n - n -    - showq
flush     unix  n - n 1000? 0 flush
pickup    unix  n - n 60   1 pickup
postlog   unix-dgram n - n - 1 postlogd
"""

    def transports(self):
        return "".join(f"{domain} smtp:[{HOST}]:{port}\n" for domain, port in self.routes.items())

    def configure(self):
        self.make_folder("queue")
        self.make_folder("data", self.USERS["postfix"])
        for name in ("postfix-files", "postfix-script", "post-install"):
            shutil.copy(os.path.join(self.tree, "root/etc/postfix", name), self.folder)
        self.write("main.cf", self.settings() + (self.refusals() if self.routes else ""))
        self.write("master.cf", self.services())
        self.write("transports", self.transports())
        inspect(*self.enter("postmap", "-c", self.folder, self.path("transports")))

    def is_drained(self):
        return not any(files for name in ("maildrop", "incoming", "active", "deferred")
                       for _, _, files in os.walk(self.path("queue", name)))


class Exim(MailPeer):
    PACKAGES = ("exim4-daemon-light",)
    USERS = {"Debian-exim": 61006}

    def command(self):
        return ["exim4", "-C", self.path("exim.conf"), "-bdf", "-q1m", "-oX", str(self.ports["smtp"])]

    def configure(self):
        self.make_folder("spool", self.USERS["Debian-exim"])
        self.make_folder("logs", self.USERS["Debian-exim"])
        routers = "".join(f"""
to_{domain.replace(".", "_")}:
  driver = manualroute
  domains = {domain}
  transport = to_{port}
  route_list = * {HOST}
  self = send
  no_more
""" for domain, port in self.routes.items())
        transports = "".join(f"""
to_{port}:
  driver = smtp
  port = {port}
  allow_localhost
""" for port in set(self.routes.values()))
        self.write("exim.conf", f"""
primary_hostname = exim.test
exim_user = Debian-exim
exim_group = Debian-exim
spool_directory = {self.path("spool")}
log_file_path = {self.path("logs")}/%slog
pid_file_path =
local_interfaces = {HOST}
tls_advertise_hosts = *
tls_certificate = {self.path("cert.pem")}
tls_privatekey = {self.path("key.pem")}
chunking_advertise_hosts = *
dsn_advertise_hosts = *
host_lookup =
rfc1413_query_timeout = 0s
keep_environment =
never_users =
acl_smtp_rcpt = rcpt
acl_smtp_data = accept
begin acl
rcpt:
  deny  message = 5.1.1 nobody of that name
        local_parts = {GONE}
  accept domains = {" : ".join(self.routes)}
  deny  message = 5.7.1 not for us
begin routers
{routers}
begin transports
{transports}
begin retry
* * F,1m,1s
""", 0o644)


class OpenSmtpd(MailPeer):
    PACKAGES = ("opensmtpd",)
    USERS = {"opensmtpd": 61007, "opensmtpq": 61008}
    OVER = ("/run", "/var/spool", "/var/lib")

    def command(self):
        return ["smtpd", "-F", "-f", self.path("smtpd.conf")]

    def configure(self):
        self.make_folder("over/var/lib/opensmtpd/empty")
        os.chmod(self.path("cert.pem"), 0o600)
        os.chmod(self.path("key.pem"), 0o600)
        actions = "".join(f'action "to_{port}" relay host smtp://{HOST}:{port}\n' for port in set(self.routes.values()))
        matches = "".join(f'match from any for rcpt-to "{GONE}@{domain}" reject\n'
                          f'match from any for domain "{domain}" action "to_{port}"\n'
                          for domain, port in self.routes.items())
        self.write("smtpd.conf", f"""
pki opensmtpd.test cert "{self.path("cert.pem")}"
pki opensmtpd.test key "{self.path("key.pem")}"
listen on {HOST} port {self.ports["smtp"]} tls pki opensmtpd.test hostname opensmtpd.test
{actions}
{matches}
""")
