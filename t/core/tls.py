"""tls.py - certificates: one per name, renewed under the server's feet, told of before they end; what is spoken at all."""

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading

import tap
from postern import PASSWORD, Server, wait_until

PATIENCE_S = 60
CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
RSA = ["-newkey", "rsa:2048"]

tap.need("openssl")
folder = tempfile.mkdtemp(prefix="postern-tls-")


def path(name):
    return os.path.join(folder, name)


def write_pair(name, common_name, names, key=CURVE, days=90):
    """NAME.pem and NAME.key in our folder."""
    subprocess.run(["openssl", "req", "-x509", "-nodes", *key, "-days", str(days), "-subj", f"/CN={common_name}",
                    "-addext", f"subjectAltName={names}", "-keyout", path(f"{name}.key"), "-out", path(f"{name}.pem")],
                   check=True, stderr=subprocess.DEVNULL)


def replace(name, by):
    """Each file of a pair renamed over the other's, as most programs that renew certificates do."""
    for kind in ("key", "pem"):
        os.rename(path(f"{by}.{kind}"), path(f"{name}.{kind}"))


def s_client(server, *options, role="imaps"):
    """What `openssl s_client` says of a handshake."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"{server.host}:{server.ports[role]}", *options],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE_S)
    return done.stdout + done.stderr


def shown(server, *options):
    """The commonName of the certificate that the server shows."""
    found = re.search(r"(?m)^subject=.*?CN ?= ?([^,\n]+)", s_client(server, *options))
    return found and found.group(1)


def context():
    unverified = ssl.create_default_context()
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    return unverified


def certificate(server, name=None):
    """The same, quickly, and whole."""
    with socket.create_connection((server.host, server.ports["imaps"]), timeout=PATIENCE_S) as plain:
        with context().wrap_socket(plain, server_hostname=name) as secure:
            return secure.getpeercert(binary_form=True)


def subject(server, name=None):
    text = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-subject"], input=certificate(server, name),
                          capture_output=True, check=True).stdout.decode()
    return re.search(r"CN ?= ?([^,\n]+)", text).group(1)


def count(server, what):
    return len(re.findall(what, server.log()))


def wait_for_all(server, name, wanted):
    """Until every worker shows it: many connections in a row, which spread over all of them."""
    wait_until(lambda: all(subject(server, name) == wanted for _ in range(8)), PATIENCE_S, f"{wanted} is shown")


def expect_log(server, what, times):
    wait_until(lambda: count(server, what) >= times, PATIENCE_S, f"log line {what}")
    assert count(server, what) == times, server.tail()


def test_names(server):
    for asked, wanted in ((None, "default"), ("mail.a.test", "default"), ("b.test", "b"), ("mail.b.test", "b"),
                          ("imap.c.test", "star"), ("c.test", "default"), ("unknown.test", "default")):
        option = ["-servername", asked] if asked else ["-noservername"]
        with tap.test(f"who asks for {asked or 'nothing'} is shown {wanted} (RFC 6066, 3)"):
            assert shown(server, *option) == wanted, s_client(server, *option)
    with tap.test("a client that knows RSA alone is shown the RSA certificate of the same name"):
        assert shown(server, "-servername", "mail.b.test", "-sigalgs", "RSA-PSS+SHA256:RSA+SHA256") == "b in rsa"
        assert shown(server, "-servername", "mail.b.test", "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256") == \
            "b in rsa"


def test_versions(server):
    for option, wanted in (("-tls1_3", "TLSv1.3"), ("-tls1_2", "TLSv1.2")):
        with tap.test(f"{wanted} is spoken"):
            assert re.search(rf"New, {wanted},", s_client(server, option)), s_client(server, option)
    for option in ("-tls1_1", "-tls1"):
        with tap.test(f"{option[1:]} is not (RFC 8996)"):
            assert "New, (NONE)" in s_client(server, option, "-cipher", "ALL:@SECLEVEL=0")
    for cipher in ("AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "AES128-GCM-SHA256"):
        with tap.test(f"nor is {cipher} in TLS 1.2 (RFC 9325, 4.2)"):
            assert "New, (NONE)" in s_client(server, "-tls1_2", "-cipher", cipher)


def test_renewal(server):
    write_pair("new", "b renewed", "DNS:b.test,DNS:mail.b.test")
    held = socket.create_connection((server.host, server.ports["imaps"]), timeout=PATIENCE_S)
    held = context().wrap_socket(held, server_hostname="mail.b.test")
    old = held.getpeercert(binary_form=True)
    assert held.recv(1000).startswith(b"* OK")
    with tap.test("a pair renamed over the old one comes into force by itself"):
        replace("b", "new")
        wait_for_all(server, "mail.b.test", "b renewed")
        expect_log(server, "certificates renewed", 1)
    with tap.test("a connection keeps the one it began with"):
        held.sendall(b"a NOOP\r\n")
        assert held.recv(1000).startswith(b"a OK") and held.getpeercert(binary_form=True) == old
        assert certificate(server, "mail.b.test") != old
    with tap.test("the others stay as they were"):
        assert subject(server) == "default" and subject(server, "x.c.test") == "star"
    with tap.test("so does one that is written in place"):
        write_pair("b", "b in place", "DNS:b.test,DNS:mail.b.test")
        wait_for_all(server, "mail.b.test", "b in place")
    with tap.test("and one behind a symbolic link that points elsewhere"):
        write_pair("elsewhere", "default elsewhere", "DNS:mail.a.test")
        for kind in ("key", "pem"):
            os.symlink(path(f"elsewhere.{kind}"), path(f"link.{kind}"))
            os.rename(path(f"link.{kind}"), path(f"default.{kind}"))
        wait_for_all(server, None, "default elsewhere")
    with tap.test("a worker that is started later has the new ones too"):
        before = server.workers()
        os.kill(before[0], 9)
        wait_until(lambda: len(server.workers()) == len(before) and before[0] not in server.workers() and
                   count(server, r"serves slot") > len(before), PATIENCE_S, "a new worker")
        wait_for_all(server, "mail.b.test", "b in place")


def test_broken(server):
    stays = "certificate stays as it was"
    write_pair("other", "other", "DNS:b.test")

    def breaks(times, what, spoil):
        with tap.test(f"{what} leaves the old pair in force, and the log says why, once"):
            spoil()
            expect_log(server, stays, times)
            assert subject(server, "mail.b.test") == "b in place"

    def write(name, text):
        with open(path(name), "w") as file:
            file.write(text)

    breaks(1, "a key of another certificate", lambda: shutil.copy(path("other.key"), path("b.key")))
    breaks(2, "a certificate that is none", lambda: write("b.pem", "rubbish\n"))
    breaks(3, "a file that is gone", lambda: os.unlink(path("b.pem")))
    with tap.test("the line names section and file"):
        assert re.search(rf'{stays}: certificate "b": \S*b.pem: No such file', server.log()), server.tail()
    with tap.test("another that is renewed at the same time is taken"):
        write_pair("star", "star renewed", "DNS:*.c.test")
        wait_for_all(server, "x.c.test", "star renewed")
    with tap.test("HUP refuses such a configuration as a whole, and says why"):
        os.kill(server.pid, 1)
        wait_until(lambda: count(server, "reload failed") == 1, PATIENCE_S, "the reload's end")
        assert subject(server, "mail.b.test") == "b in place"
    with tap.test("when the pair is right again it is taken"):
        write_pair("b", "b mended", "DNS:b.test,DNS:mail.b.test")
        wait_for_all(server, "mail.b.test", "b mended")
    with tap.test("HUP reads certificates again, with a new section"):
        server.options["set"].append(f"certificate.d.file {path('d.pem')}")
        server.options["set"].append(f"certificate.d.key {path('d.key')}")
        server.write_conf()
        os.kill(server.pid, 1)
        wait_for_all(server, "d.test", "d")


def test_status(server):
    with tap.test("status tells the days that are left of each, in text and JSON"):
        listed = json.loads(server.command("status", "--json"))["server"]["certificates"]
        assert [(c["name"], c["kind"]) for c in listed] == [
            ("default", "ECDSA"), ("b", "ECDSA"), ("b-rsa", "RSA"), ("star", "ECDSA"), ("d", "ECDSA")], listed
        assert all(88 <= c["days"] <= 90 for c in listed if c["name"] != "d") and listed[4]["days"] in (19, 20), listed
        assert re.search(r"(?m)^certificate  b-rsa, RSA, (89|90) days left$", server.command("status"))
    with tap.test("fourteen days before one ends the log warns, each day"):
        assert not count(server, "certificate expires soon")
        server.clock("+7d")
        expect_log(server, 'certificate expires soon name="d" days=1[23]', 1)
        server.clock("+1d")
        expect_log(server, 'certificate expires soon name="d" days=1[12]', 2)
    with tap.test("and when it has ended, which a reload does not mind"):
        server.clock("+14d")
        expect_log(server, 'certificate has expired name="d"', 1)
        server.command("reload")
        expect_log(server, 'certificate has expired name="d"', 2)
        assert subject(server, "d.test") == "d"
    with tap.test("one that is not valid yet is taken with a warning too"):
        write_future("d")
        wait_for_all(server, "d.test", "d to come")
        expect_log(server, 'certificate is not valid yet name="d"', 1)


def write_future(name):
    """A pair whose time begins in many years."""
    with open(path("ca.conf"), "w") as file:
        file.write(f"[ca]\ndefault_ca=own\n[own]\ndatabase={path('ca.index')}\nrand_serial=yes\nnew_certs_dir={folder}\n"
                   "default_md=sha256\npolicy=any\ncopy_extensions=copyall\n[any]\ncommonName=supplied\n")
    open(path("ca.index"), "w").close()
    subprocess.run(["openssl", "req", "-new", "-nodes", *CURVE, "-subj", f"/CN={name} to come", "-addext",
                    f"subjectAltName=DNS:{name}.test", "-keyout", path("future.key"), "-out", path("future.csr")],
                   check=True, stderr=subprocess.DEVNULL)
    subprocess.run(["openssl", "ca", "-config", path("ca.conf"), "-selfsign", "-batch", "-notext", "-keyfile",
                    path("future.key"), "-in", path("future.csr"), "-startdate", "20900101000000Z", "-enddate",
                    "20910101000000Z", "-out", path("future.pem")], check=True, stderr=subprocess.DEVNULL)
    replace(name, "future")


def test_clients(server):
    """Clients' certificates; what is made of their names is SASL EXTERNAL's business."""
    def named(*pair):
        before = count(server, "handshake done")
        s_client(server, *pair)
        wait_until(lambda: count(server, "handshake done") > before, PATIENCE_S, "the handshake")
        return re.findall(r'handshake done .* client="(.*?)"', server.log())[-1]

    write_pair("alice", "Alice", "email:alice@example.test")
    write_pair("eve", "Eve", "email:eve@example.test")
    with tap.test("without authorities no client is asked for a certificate"):
        assert "No client certificate CA names sent" in s_client(server)
        assert named("-cert", path("alice.pem"), "-key", path("alice.key")) == ""
    with tap.test("with them he is asked, and named by the one he has"):
        shutil.copy(path("alice.pem"), path("clients.pem"))
        server.options["set"].append(f"tls.client_ca {path('clients.pem')}")
        server.write_conf()
        server.command("reload")
        assert "CN = Alice" in s_client(server).partition("Acceptable client certificate CA names")[2]
        assert named("-cert", path("alice.pem"), "-key", path("alice.key")) == "alice@example.test"
    with tap.test("one without, or with a stranger's, is served and nobody"):
        assert named() == ""
        assert named("-cert", path("eve.pem"), "-key", path("eve.key")) == ""
    with tap.test("authorities, too, come into force when their file is written"):
        shutil.copy(path("eve.pem"), path("clients.pem"))
        wait_until(lambda: "CN = Eve" in s_client(server), PATIENCE_S, "the new authority")
        wait_until(lambda: "CN = Alice" not in s_client(server) + s_client(server), PATIENCE_S, "and no other")
        assert named("-cert", path("eve.pem"), "-key", path("eve.key")) == "eve@example.test"


def resumes(server, session):
    with socket.create_connection((server.host, server.ports["imaps"]), timeout=PATIENCE_S) as plain:
        with session["context"].wrap_socket(plain, server_hostname="mail.b.test", session=session["ticket"]) as secure:
            assert secure.recv(1000).startswith(b"* OK")
            session["ticket"] = secure.session
            return secure.session_reused


def test_load(server):
    """Clients that come and go all the time while certificates are renewed."""
    failures, handshakes, over = [], [0], threading.Event()

    def client():
        while not over.is_set():
            try:
                with socket.create_connection((server.host, server.ports["imaps"]), timeout=PATIENCE_S) as plain:
                    with context().wrap_socket(plain, server_hostname="mail.b.test") as secure:
                        assert secure.recv(1000).startswith(b"* OK")
                        secure.sendall(b"a LOGIN %s %s\r\n" % (server.address("test0000").encode(), PASSWORD.encode()))
                        assert secure.recv(1000).startswith(b"a OK")
                        handshakes[0] += 1
            except Exception as why:
                failures.append(why)

    session = {"context": context(), "ticket": None}
    session["context"].maximum_version = ssl.TLSVersion.TLSv1_2  # Python's sessions of TLS 1.3 come too late to keep
    resumes(server, session)
    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    with tap.test("a session resumes on any worker, also after certificates were renewed"):
        for turn in range(2):
            write_pair("b", f"b {turn}", "DNS:b.test,DNS:mail.b.test")
            wait_until(lambda: subject(server, "mail.b.test") == f"b {turn}", PATIENCE_S, "the new pair")
            assert all(resumes(server, session) for _ in range(8))
    over.set()
    for thread in threads:
        thread.join()
    with tap.test("meanwhile no connection fails"):
        assert handshakes[0] > 10 and not failures, (handshakes, failures[:3])


write_pair("default", "default", "DNS:mail.a.test")
write_pair("b", "b", "DNS:b.test,DNS:mail.b.test")
write_pair("b-rsa", "b in rsa", "DNS:b.test,DNS:mail.b.test", key=RSA)
write_pair("star", "star", "DNS:*.c.test")
write_pair("d", "d", "DNS:d.test", days=20)
settings = ["log.levels info tls=debug", f"tls.certificate {path('default.pem')}", f"tls.key {path('default.key')}"]
for section in ("b", "b-rsa", "star"):
    settings += [f"certificate.{section}.file {path(section + '.pem')}",
                 f"certificate.{section}.key {path(section + '.key')}"]
try:
    with Server(users=1, workers=2, set=settings) as server:
        test_names(server)
        test_versions(server)
        test_renewal(server)
        test_broken(server)
        test_load(server)
        test_clients(server)
        test_status(server)
finally:
    shutil.rmtree(folder, ignore_errors=True)
tap.done()
