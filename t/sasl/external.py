"""external.py - EXTERNAL: who has a certificate of an authority that the server trusts logs in by it (RFC 4422, A)."""

import os
import shutil
import subprocess
import tempfile

import tap
from auth import Auth
from postern import PASSWORD, Server

tap.need("openssl")
ROLES = ("submissions", "imaps", "pop3s")
folder = tempfile.mkdtemp(prefix="postern-external-")
os.chmod(folder, 0o755)


def path(name):
    return os.path.join(folder, name)


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def make_authority(name):
    openssl("req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "90", "-subj",
            f"/CN={name}", "-keyout", path(f"{name}.key"), "-out", path(f"{name}.pem"))


def make_client(name, subject, authority="authority"):
    """(certificate, key) of a client."""
    openssl("req", "-new", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", subject,
            "-keyout", path(f"{name}.key"), "-out", path(f"{name}.csr"))
    openssl("x509", "-req", "-in", path(f"{name}.csr"), "-CA", path(f"{authority}.pem"), "-CAkey",
            path(f"{authority}.key"), "-CAcreateserial", "-days", "90", "-out", path(f"{name}.pem"))
    return path(f"{name}.pem"), path(f"{name}.key")


def denied(outcome):
    return not outcome and "wrong name or password" in outcome


def test_right(server, alice, certificate):
    for role in ROLES:
        for name, initial in (("", b""), ("the same", alice.encode()), ("the same in another form", alice.upper().encode())):
            with tap.test(f"{role}: by certificate, naming {name or 'nobody'}"):
                with Auth(server, role, certificate=certificate) as auth:
                    assert "EXTERNAL" in auth.offers, auth.offers
                    assert auth.begin("EXTERNAL", initial)
        with tap.test(f"{role}: without an initial response"), Auth(server, role, certificate=certificate) as auth:
            assert auth.begin("EXTERNAL") == b"" and auth.say(b"")
        with tap.test(f"{role}: acting for another is denied"), Auth(server, role, certificate=certificate) as auth:
            assert denied(auth.begin("EXTERNAL", server.address("test0001").encode()))
            assert auth.begin("EXTERNAL") == b"" and not auth.cancel()
            assert auth.begin("PLAIN", f"\0{server.address('test0001')}\0{PASSWORD}".encode())


def test_wrong(server, stranger, unknown):
    for role in ROLES:
        for who, certificate in (("a certificate", None), ("one of our authority", stranger)):
            with tap.test(f"{role}: without {who} there is no EXTERNAL"):
                with Auth(server, role, certificate=certificate) as auth:
                    assert "EXTERNAL" not in auth.offers and "PLAIN" in auth.offers, auth.offers
                    outcome = auth.begin("EXTERNAL", b"")
                    assert not outcome and "no such mechanism" in outcome
        with tap.test(f"{role}: a certificate of somebody without an account"):
            with Auth(server, role, certificate=unknown) as auth:
                assert "EXTERNAL" in auth.offers and denied(auth.begin("EXTERNAL", b""))


try:
    make_authority("authority")
    make_authority("stranger")
    with Server(users=2, set=[f"tls.client_ca {path('authority.pem')}"]) as server:
        alice = server.address("test0000")
        test_right(server, alice, make_client("alice", f"/CN=Alice/emailAddress={alice}"))
        test_wrong(server, make_client("mallory", f"/emailAddress={alice}", "stranger"),
                   make_client("nobody", "/emailAddress=nobody.here@example.test"))
        server.command("alias", "add", "info@example.test", alice)
        info = make_client("info", "/emailAddress=info@example.test")
        for role in ROLES:
            with tap.test(f"{role}: whose certificate names an alias is its account"):
                with Auth(server, role, certificate=info) as auth:
                    assert auth.begin("EXTERNAL", alice.encode())
        with tap.test("the log has them as it has every login"):
            log = server.log()
            assert f"login account={alice} peer=127.0.0.1 mechanism=EXTERNAL tls=yes" in log
            assert "login failed account=nobody.here@example.test peer=127.0.0.1 mechanism=EXTERNAL tls=yes " in log
finally:
    shutil.rmtree(folder)
tap.done()
