"""scram.py - SCRAM-SHA-256 and SCRAM-SHA-256-PLUS in every protocol (RFC 5802, RFC 7677, RFC 9266): right ones get in, and
whatever somebody between could change does not; who is not there looks like who is."""

import os
import re
import subprocess

import tap
from auth import Auth
from postern import PASSWORD, TOP, Server, binary
from scram_client import Scram

tap.need("openssl")
CLEAR, SECURE = ("submission", "imap", "pop3"), ("submissions", "imaps", "pop3s")
PLUS = "SCRAM-SHA-256-PLUS"
BOUND = "p=tls-exporter,,"



def log_in(auth, scram, mechanism="SCRAM-SHA-256", initial=True, **spoilt):
    """The outcome of a whole exchange."""
    if initial:
        answer = auth.begin(mechanism, scram.first().encode())
    else:
        assert auth.begin(mechanism) == b""
        answer = auth.say(scram.first().encode())
    if not isinstance(answer, bytes):
        return answer
    answer = auth.say(scram.last(answer.decode(), **spoilt).encode())
    if not isinstance(answer, bytes):
        return answer
    assert scram.is_right(answer.decode()), answer
    return auth.say(b"")


def denied(outcome):
    """It is what a wrong password gets, and nothing else."""
    return str(outcome) in ("535 5.7.8 wrong name or password", "a NO [AUTHENTICATIONFAILED] wrong name or password",
                            "-ERR [AUTH] wrong name or password")


def test_right(server, alice):
    for role in CLEAR + SECURE:
        for initial in (True, False):
            with tap.test(f"{role}: the right password, {'with' if initial else 'without'} an initial response"):
                with Auth(server, role) as auth:
                    assert "SCRAM-SHA-256" in auth.offers and (PLUS in auth.offers) == (role in SECURE), auth.offers
                    assert log_in(auth, Scram(alice, PASSWORD), initial=initial)
    for role in SECURE:
        with tap.test(f"{role}: bound to the channel"), Auth(server, role, exporter=True) as auth:
            assert log_in(auth, Scram(alice, PASSWORD, BOUND, auth.binding), PLUS)
    with tap.test("a session goes on after it"), Auth(server, "imaps") as auth:
        assert log_in(auth, Scram(alice, PASSWORD))
        auth.send(b"b SELECT INBOX")
        assert auth.wait(r"b OK")
    with tap.test("acting for oneself, in another form of the name"), Auth(server, "imap") as auth:
        assert log_in(auth, Scram(alice, PASSWORD, f"n,a={alice.upper()},"))


def test_wrong(server, alice):
    for role in CLEAR + SECURE:
        with tap.test(f"{role}: a wrong password, and then the right one"), Auth(server, role) as auth:
            assert denied(log_in(auth, Scram(alice, "wrong")))
            assert log_in(auth, Scram(alice, PASSWORD))
    for what, header, role in (
            ("acting for another", f"n,a={alice.replace('0000', '0001')},", "imap"),
            ("a client that was not told of PLUS, which is there", "y,,", "imaps"),
            ("a binding to the mechanism without", BOUND, "imaps")):
        with tap.test(f"{what} is denied"), Auth(server, role) as auth:
            assert denied(log_in(auth, Scram(alice, PASSWORD, header)))
    with tap.test("where PLUS is not there, a client may say so"), Auth(server, "imap") as auth:
        assert log_in(auth, Scram(alice, PASSWORD, "y,,"))
    with tap.test("another nonce is denied"), Auth(server, "imap") as auth:
        assert denied(log_in(auth, Scram(alice, PASSWORD), nonce="rOprNGfwEbeRWgbNEkqO"))
    with tap.test("another header than the first time is denied"), Auth(server, "imap") as auth:
        assert denied(log_in(auth, Scram(alice, PASSWORD), header="y,,"))
    with tap.test("the proof of another exchange is denied"), Auth(server, "imap") as auth:
        scram = Scram(alice, PASSWORD)
        last = scram.last(auth.begin("SCRAM-SHA-256", scram.first().encode()).decode())
        assert auth.say(last.encode()) and auth.cancel()[:5] == "a BAD"
        auth.begin("SCRAM-SHA-256", scram.first().encode())
        assert denied(auth.say(last.encode()))


def test_binding(server, alice):
    with Auth(server, "imaps", exporter=True) as auth:
        for what, header, binding in (("without a binding", "n,,", b""),
                                      ("to something that we do not know", "p=tls-unique,,", auth.binding),
                                      ("to another connection", BOUND, bytes(32)),
                                      ("to nothing", BOUND, b""),
                                      ("to too much", BOUND, auth.binding + b"\0")):
            with tap.test(f"PLUS bound {what} is denied"):
                assert denied(log_in(auth, Scram(alice, PASSWORD, header, binding), PLUS))
        with tap.test("bound to this one it is right"):
            assert log_in(auth, Scram(alice, PASSWORD, BOUND, auth.binding), PLUS)
    with tap.test("without TLS there is no PLUS"), Auth(server, "imap") as auth:
        assert auth.begin(PLUS).startswith("a NO [CANNOT]")


def test_messages(server, alice):
    with Auth(server, "pop3") as auth:
        for message in (b"", b"n", b"n,,", b"n,,n=,r=abc", b"n,,m=x,n=a,r=abc", b"n,,n=a=b,r=abc", b"n,,n=a\0b,r=abc",
                        b"\xff" * 100, b"n,," + b"," * 9000):
            with tap.test(f"no first message: {message[:30]}"):
                assert auth.begin("SCRAM-SHA-256", message) == "-ERR that is no message of this mechanism"
        for message in (b"", b"c=biws", b"c=biws,r=abc", b"c=biws,r=abc,p=", b"c=biws,r=abc,p=AAAA,x=y"):
            with tap.test(f"no last message: {message}"):
                auth.begin("SCRAM-SHA-256", Scram(alice, PASSWORD).first().encode())
                assert auth.say(message) == "-ERR that is no message of this mechanism"
    with tap.test("a proof that is too short"), Auth(server, "pop3") as auth:
        scram = Scram(alice, PASSWORD)
        last = scram.last(auth.begin("SCRAM-SHA-256", scram.first().encode()).decode())
        assert auth.say(last.split(",p=")[0].encode() + b",p=AAAA") == "-ERR that is no message of this mechanism"
    with tap.test("a client may think again at each step"), Auth(server, "submission") as auth:
        scram = Scram(alice, PASSWORD)
        auth.begin("SCRAM-SHA-256")
        assert auth.cancel().startswith("501 ")
        scram.last(auth.begin("SCRAM-SHA-256", scram.first().encode()).decode())
        assert auth.cancel().startswith("501 ")
        auth.say(scram.last(auth.begin("SCRAM-SHA-256", scram.first().encode()).decode()).encode())
        assert auth.cancel().startswith("501 ")
        auth.send(b"MAIL FROM:<a@example.test>")
        assert auth.wait(r"530 ")
    with tap.test("our proof is answered by nothing"), Auth(server, "imap") as auth:
        scram = Scram(alice, PASSWORD)
        auth.say(scram.last(auth.begin("SCRAM-SHA-256", scram.first().encode()).decode()).encode())
        assert auth.say(b"thanks").startswith("a BAD")


def salt_of(server, name):
    with Auth(server, "imap") as auth:
        scram = Scram(name, PASSWORD)
        outcome = log_in(auth, scram)
        return scram.salt, scram.iterations, outcome


def test_strangers(server, alice):
    nobody = server.address("nobody.here")
    with tap.test("who is not there is told a salt like any other, and denied like a wrong proof"):
        salt, iterations, outcome = salt_of(server, nobody)
        own, own_iterations, _ = salt_of(server, alice)
        assert len(salt) == len(own) and iterations == own_iterations and denied(outcome)
    with tap.test("the same each time, in any form of the name, and another for another"):
        assert salt_of(server, nobody.upper())[0] == salt
        assert salt_of(server, server.address("nobody.else"))[0] != salt
        assert salt_of(server, "nobody.here@elsewhere.test")[0] != salt
    with tap.test("a name that can be none is no different"):
        assert len(salt_of(server, "\u200e!")[0]) == len(salt) and denied(salt_of(server, "\u200e!")[2])
    with tap.test("the same after a restart"):
        server.restart()
        assert salt_of(server, nobody)[0] == salt


def test_accounts(server):
    def command(*words, **more):
        subprocess.run([binary(), "-c", server.conf, *words], check=True, capture_output=True, **more)

    hashed = subprocess.run(["openssl", "passwd", "-6", PASSWORD], check=True, capture_output=True, text=True).stdout.strip()
    command("account", "add", server.address("moved"), "--hash", hashed)
    with tap.test("an account with another system's hash has no keys yet"):
        assert denied(salt_of(server, server.address("moved"))[2])
    with tap.test("after a login with the password it has"), Auth(server, "imap") as auth:
        assert auth.begin("PLAIN", f"\0{server.address('moved')}\0{PASSWORD}".encode())
        assert salt_of(server, server.address("moved"))[2]
    command("account", "add", server.address("umlaut"), "--password-stdin", input="pa\u0308sse\n".encode())
    with tap.test("a password is the same from any keyboard (RFC 4013)"), Auth(server, "imap") as auth:
        assert log_in(auth, Scram(server.address("umlaut"), "p\u00e4sse"))
    with tap.test("by PLAIN too"), Auth(server, "imap") as auth:
        assert auth.begin("PLAIN", f"\0{server.address('umlaut')}\0p\u00e4sse".encode())
    command("account", "add", server.address("mu\u0308ller"), "--password", PASSWORD)
    for name in ("m\u00fcller", "mu\u0308ller"):
        with tap.test(f"so is a name, {ascii(name)}"), Auth(server, "imap") as auth:
            assert log_in(auth, Scram(server.address(name), PASSWORD))
    command("account", "passwd", server.address("umlaut"), "--password-stdin", input=b"other\n")
    with tap.test("another password is another proof"):
        with Auth(server, "imap") as auth:
            assert denied(log_in(auth, Scram(server.address("umlaut"), "p\u00e4sse")))
        with Auth(server, "imap") as auth:
            assert log_in(auth, Scram(server.address("umlaut"), "other"))


def test_log(server):
    with tap.test("the log says who failed, from where, how and why, in one form"):
        log = server.log()
        for reason in ("wrong name or password", "wrong nonce", "wrong channel binding", "no channel binding",
                       "unknown channel binding", "may not act for another"):
            assert ' login failed account=test0000@example.test peer=127.0.0.1 mechanism=SCRAM-SHA-256' in log
            assert f'reason="{reason}"' in log, reason
    with tap.test("the filter that the manual shows finds wrong passwords, and whose they were"):
        with open(os.path.join(TOP, "conf", "postern.8")) as manual:
            shown = re.search(r"(?m)^failregex = (.*)$", manual.read())[1].replace(r"\e", "\\")
        wrong = re.compile(shown.replace("<HOST>", r"(?P<host>\S+)"))
        lines = [line for line in server.log().splitlines() if "login failed" in line]
        found = [line for line in lines if (match := wrong.match(line)) and match["host"] == "127.0.0.1"]
        assert found == [line for line in lines if 'reason="wrong' in line] and len(found) > 10
        assert not any(wrong.match(line) for line in server.log().splitlines() if " login account=" in line)


with Server(users=2, set=["login.channel_binding yes"]) as server:
    alice = server.address("test0000")
    test_right(server, alice)
    test_wrong(server, alice)
    test_binding(server, alice)
    test_messages(server, alice)
    test_strangers(server, alice)
    test_accounts(server)
    test_log(server)
with Server(users=1) as server:
    with tap.test("PLUS is there when the configuration says so alone"), Auth(server, "imaps", exporter=True) as auth:
        assert PLUS not in auth.offers and auth.begin(PLUS).startswith("a NO [CANNOT]")
    with tap.test("else a client may say that it could do it"), Auth(server, "imaps") as auth:
        assert log_in(auth, Scram(server.address("test0000"), PASSWORD, "y,,"))
tap.done()
