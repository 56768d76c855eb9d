"""open_relay.py - no form of an address leads a stranger's mail to anybody but our accounts: source routes, percent and bang
forms, quotes, address literals, lengths, brackets, letters that look alike; at every door, and by way of names of ours."""

import contextlib
import os
import shutil
import tempfile

import tap
from postern import Failed, Server
from sending import inbox
from smtp_client import MESSAGE, Client
from smtp_sink import Sink

OURS, FAR, BACKED, CATCH = "example.test", "far.test", "backup.test", "catch.test"
HERE = "[127.0.0.1]"
LABEL, LONG = "a" * 63, "a" * 64

# By kind: what stands behind "RCPT TO:". None of it may lead anywhere but to an account here.
FORMS = {
    "other domains": [
        f"<x@{FAR}>", f"<X@{FAR.upper()}>", f"<test0000@{FAR}>", f"<x@sub.{OURS}>", f"<x@{OURS}.{FAR}>", "<x@test>",
        f"<x@x{OURS}>", f"<x@{OURS}x>", f"<x@{OURS[1:]}>", f"<postmaster@{FAR}>", f"<test0000+x@{FAR}>"],
    "source routes (RFC 5321, appendix C)": [
        f"<@{OURS}:x@{FAR}>", f"<@{FAR}:x@{FAR}>", f"<@{OURS},@{FAR}:x@{FAR}>", f"<@{FAR},@{OURS}:x@{FAR}>",
        f"<@{HERE}:x@{FAR}>", f"<@{OURS}:@{FAR}:x@{OURS}>", f"<@{OURS}:x%{FAR}@{OURS}>", f"<@{OURS}:{FAR}!x@{OURS}>",
        f"<@{OURS}:\"x@{FAR}\"@{OURS}>", f"<@{OURS},x@{FAR}>", f"<@{OURS};x@{FAR}>", f"<@:x@{FAR}>", f"<:x@{FAR}>",
        f"<@{OURS}: x@{FAR}>", f"<@@{OURS}:x@{FAR}>", f"<@{OURS}:x@{FAR}@{OURS}>", f"<@{BACKED}:x@{FAR}>"],
    "percent forms": [
        f"<x%{FAR}@{OURS}>", f"<x%{FAR}%{OURS}@{OURS}>", f"<x%{FAR}@{HERE}>", f"<x%{FAR}@{BACKED}>", f"<x%{FAR}@{CATCH}>",
        f"<\"x%{FAR}\"@{OURS}>", f"<x%40{FAR}@{OURS}>", f"<%{FAR}@{OURS}>", f"<x%@{OURS}>", f"<x%{FAR}>",
        f"<x%{FAR}@>", f"<postmaster%{FAR}@{OURS}>", f"<\"x%{FAR}\"@{BACKED}>", f"<user%{FAR}@{BACKED}>",
        f"<x%[192.0.2.1]@{OURS}>"],
    "bang forms": [
        f"<{FAR}!x@{OURS}>", f"<{OURS}!{FAR}!x@{OURS}>", f"<{FAR}!x@{HERE}>", f"<{FAR}!x>", f"<!x@{OURS}>",
        f"<{FAR}!x@{BACKED}>", f"<{FAR}!x@{CATCH}>", f"<\"{FAR}!x\"@{OURS}>", f"<{FAR}!x%{FAR}@{OURS}>",
        f"<{FAR}!user@{BACKED}>"],
    "quoted local parts": [
        f"<\"x@{FAR}\"@{OURS}>", f"<\"x@{FAR}\">", f"<\"x\\@{FAR}\"@{OURS}>", f"<x\\@{FAR}@{OURS}>", f"<\"x\"@{FAR}@{OURS}>",
        f"<\"x@{FAR}@{OURS}\">", f"<\"x@{FAR}\"@{BACKED}>", f"<\"x@{FAR}\"@{CATCH}>", f"<\"x@{FAR}\"@{HERE}>",
        f"<\"x@{FAR}> <\"@{OURS}>", f"<\"@{FAR}:x\"@{OURS}>", f"<x@{FAR}\"@{OURS}>", f"<\"x@{FAR}@{OURS}>",
        f"<\"\"@{FAR}>", f"<\"test0000+x@{FAR}\"@{OURS}>", f"<\"test0000\"@{FAR}>", f"<\"x\"%{FAR}@{OURS}>", f"<\"x\"\"@{FAR}\"@{OURS}>"],
    "address literals (4.1.3)": [
        "<x@[192.0.2.1]>", "<x@[IPv6:2001:db8::1]>", "<x@[127.0.0.2]>", "<test0000@[127.0.0.2]>", "<x@[127.1]>",
        "<x@[2130706433]>", "<x@[0x7f.0.0.1]>", "<x@[0177.0.0.1]>", "<x@[127.0.0.01]>", "<x@[127.0.0.1.]>",
        "<x@[IPv6:::ffff:192.0.2.1]>", "<test0000@[IPv6:::ffff:127.0.0.1]>", "<x@[ 127.0.0.1]>", "<x@127.0.0.1>",
        "<test0000@127.0.0.1>", "<x@2130706433>", f"<x@[{OURS}]>", "<x@[[127.0.0.1]]>", f"<x@{HERE}@{FAR}>",
        f"<x@{HERE}{FAR}>", f"<x@{HERE}.{FAR}>", "<x@[127.0.0.1>", "<x@127.0.0.1]>", "<x@[IPv6:127.0.0.1]>", "<x@[x-y:z]>",
        "<x@[]>", "<x@[IPv6:]>", "<x@[127.0.0.1%eth0]>", "<x@[0.0.0.0]>", "<x@[IPv6:::]>", f"<x%{FAR}@[127.0.0.2]>"],
    "lengths (4.5.3.1)": [
        f"<{LONG}a@{OURS}>", f"<{LONG}@{FAR}>", f"<x@{LONG}.{OURS}>", f"<x@{'.'.join([LABEL] * 4)}.{OURS}>",
        f"<x@{'a.' * 200}{OURS}>", f"<{'a' * 1000}@{FAR}>", f"<{'x%' * 200}{FAR}@{OURS}>",
        f"<{'@' + OURS + ','}" * 40 + f"@{OURS}:x@{FAR}>", f"<{','.join(['@' + OURS] * 60)}:x@{FAR}>",
        f"<x@{FAR}{' ' * 500}>", f"<{'<' * 300}x@{FAR}>"],
    "brackets": [
        f"<<x@{FAR}>>", f"x@{FAR}", f"<x@{FAR}", f"x@{FAR}>", f"<test0000@{OURS}>,<x@{FAR}>", f"<test0000@{OURS}> <x@{FAR}>",
        f"<test0000@{OURS}><x@{FAR}>", f"<test0000@{OURS}>x@{FAR}", f"<test0000@{OURS},x@{FAR}>", f"<test0000@{OURS};x@{FAR}>",
        f"< x@{FAR}>", f"<x@{FAR} >", f"<x @{FAR}>", f"<x@ {FAR}>", f"<(c)x@{FAR}>", f"<x(c)@{FAR}>", f"<x@{FAR}(c)>", "<>",
        "<@>", f"<@{OURS}>", f"<test0000@{OURS}>:x@{FAR}", f"<test0000@{OURS}|x@{FAR}>", f"Name <x@{FAR}>",
        f"<x@{FAR}> ORCPT=rfc822;test0000@{OURS}", f"<x@{FAR}> SOMETHING"],
    "dots": [
        f"<x@{FAR}.>", f"<x@{OURS}..>", f"<x@.{OURS}>", f"<x@{OURS.replace('.', '..')}>", f"<.@{FAR}>", f"<x@.>", f"<x@{FAR}.{OURS}.>",
        f"<test0000@{OURS}.{FAR}.>", f"<x%{FAR}.@{OURS}>"],
    "bytes that end things elsewhere": [
        f"<test0000@{OURS}\0@{FAR}>", f"<test0000@{OURS}\0.{FAR}>", f"<x@{FAR}\0@{OURS}>", f"<x@{FAR}\t>", f"<x@{FAR}\x0b@{OURS}>",
        f"<x@{FAR}\x7f@{OURS}>", f"<x\x80@{OURS}>", f"<x@{FAR}\r>", f"<x@{FAR}\\>@{OURS}>"],
}
# The same behind MAIL with SMTPUTF8: letters that look like others, or become others (RFC 5891, 5.2; RFC 6531, 3.3).
LOOK_ALIKE = [
    "<x@еxample.test>", "<test0000@ехаmple.test>", "<x@exаmple.test>", "<x@example.tеst>", "<x@exampIe.test>".replace("I", "ӏ"),
    f"<x＠{FAR}@{OURS}>", f"<x@{FAR}＠{OURS}>", f"<x％{FAR}@{OURS}>", f"<{FAR}！x@{OURS}>", f"<x﹪{FAR}@{OURS}>", f"<x@{FAR}｡>",
    "<x@far。test>", "<x@ｆａｒ．ｔｅｓｔ>", "<x@far­.test>", "<x@ſub.example.test>", "<x@example\u2024test>", "<x@example.test\u200b.far.test>",
    "<x@xn--xample-2of.test>", "<x@example\u0338.test>", f"<x\u202e@{FAR}>", "<x@ⓔxample.test.far.test>", f"<\"x＠{FAR}\"@{OURS}>",
    "<x@①②⑦.⓪.⓪.①>", "<x@［127.0.0.1］>", "<x@example․test>"]
# What is one of our accounts, whatever it looks like: nothing more than that one may come of it.
OURSELVES = [
    f"<test0000@{OURS}>", f"<TEST0000@{OURS.upper()}>", f"<\"test0000\"@{OURS}>", f"<@{FAR}:test0000@{OURS}>", f"<test0000@{HERE}>",
    f"<test0000+x%{FAR}@{OURS}>", f"<test0000+{FAR}!x@{OURS}>"]
LOCAL_ALIKE = ["<test0000@ｅｘａｍｐｌｅ．ｔｅｓｔ>", "<test0000@example。test>", "<test0000@exam­ple.test>", "<test0000@ⓔxample.test>"]

# Targets of names of ours. The last two are addresses elsewhere, to which mail goes since somebody here said so; so is what
# stands in brackets, in a file.
TARGETS = [
    f"x%{FAR}@{OURS}", f"{FAR}!x@{OURS}", f"\"x@{FAR}\"@{OURS}", f"@{OURS}:x@{FAR}", f"x@{FAR}@{OURS}", f"x@{FAR}.", f"x@{FAR}>",
    f"x@{FAR};y@{OURS}", f"\"x@{FAR}\"", f"{FAR}!x", f"x%{FAR}", f"<x@{FAR}>",
    f"x%{FAR}@{CATCH}", f"x@{FAR} "]


def ask(client, path):
    raw = path.encode("latin-1") if all(c < "\u0100" for c in path) and "\x80" in path else path.encode()
    client.socket.sendall(b"RCPT TO:" + raw + b"\r\n")
    return client.reply()


def begun(server, role, utf8=False):
    client = Client(server, role)
    assert client.ask(b"MAIL FROM:<x@elsewhere.test>" + (b" SMTPUTF8" if utf8 else b"")) == 250
    return client


def refused(server, role):
    for kind, forms in FORMS.items():
        with tap.test(f"{role}: {kind}"):
            wrong = []
            for path in forms:
                client = begun(server, role)
                code = ask(client, path)
                if not 500 <= code < 600:
                    wrong.append((path, client.line))
            assert not wrong, wrong
    with tap.test(f"{role}: letters that look like others"):
        wrong = []
        for path in LOOK_ALIKE:
            client = begun(server, role, utf8=True)
            if not 500 <= ask(client, path) < 600:
                wrong.append((path, client.line.decode()))
        assert not wrong, wrong


def ourselves(server, role):
    with tap.test(f"{role}: what is an account of ours in whatever form is that one, and nobody else gets anything"):
        before = len(inbox(server, "test0000", 0))
        paths = [(path, False) for path in OURSELVES] + [(path, True) for path in LOCAL_ALIKE]
        for path, utf8 in paths:
            client = begun(server, role, utf8)
            assert ask(client, path) == 250, (path, client.line)
            assert client.ask(b"DATA") == 354
            client.socket.sendall(MESSAGE + b".\r\n")
            assert client.reply() == 250, (path, client.line)
        assert len(inbox(server, "test0000", before + len(paths))) == before + len(paths)


def not_logged_in(server):
    with tap.test("submission: who has not logged in gets nowhere at all (RFC 6409, 4.3)"):
        for path in [form for forms in FORMS.values() for form in forms] + OURSELVES:
            client = Client(server, "submission")
            assert client.ask(b"MAIL FROM:<x@elsewhere.test>") == 530, client.line
            assert 500 <= ask(client, path) < 600, (path, client.line)


def by_our_names(server):
    """Forwarders and aliases whose targets have such forms: what is no plain address elsewhere is a name of ours, or none."""
    for kind in "f", "a":
        with tap.test(f"names of ours that stand for such forms, {'forwarders' if kind == 'f' else 'of an aliases file'}"):
            for number, target in enumerate(TARGETS):
                name = f"{kind}{number}@{OURS}"
                if kind == "f":
                    with contextlib.suppress(Failed):  # what is no address is none there either
                        server.command("forwarder", "add", name, target)
                code = ask(begun(server, "smtp"), f"<{name}>")
                goes = target in TARGETS[-2:] or (kind == "a" and target[0] == "<")
                assert code == 250 if goes else 500 <= code < 600, (kind, target, code)


def main():
    folder = tempfile.mkdtemp(prefix="postern-aliases-")
    try:
        os.chmod(folder, 0o755)
        with open(f"{folder}/aliases", "w") as aliases:
            aliases.writelines(f"a{number}: {target}\n" for number, target in enumerate(TARGETS))
        with open(f"{folder}/known", "w") as known:
            known.write(f"user@{BACKED}\n")
        with Sink() as sink, Server(users=1, smarthost=sink.place, set=[
                f'relay.domains {{"{BACKED}"}}', f"relay.recipients {folder}/known", 'relay.networks {"127.0.0.9"}',
                f"domain.{CATCH}.unknown *@{FAR}", f'domain.{OURS}.aliases_files {{"{folder}/aliases"}}',
                f"login.default_domain {OURS}"]) as server:
            with tap.test("whom we know may send anywhere, and everybody to names that are sent on: so refusals mean something"):
                client = Client(server, source="127.0.0.9")
                assert client.ask(b"MAIL FROM:<x@elsewhere.test>") == 250
                for path in f"<x@{FAR}>", f"<x%{FAR}@{CATCH}>", f"<@{OURS}:x@{FAR}>", f"<user@{BACKED}>":
                    assert ask(client, path) == 250, client.line
                client = begun(server, "smtp")
                for path in f"<x@{CATCH}>", f"<user@{BACKED}>", f"<USER+x@{BACKED}>":
                    assert ask(client, path) == 250, client.line
            for role in "smtp", "lmtp":
                refused(server, role)
                ourselves(server, role)
            not_logged_in(server)
            by_our_names(server)
            with tap.test("and nothing has left"):
                assert not sink.sessions and server.command("queue", "list") == "the queue is empty\n"
    finally:
        shutil.rmtree(folder)
    tap.done()


main()
