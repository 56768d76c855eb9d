"""accounts.py - domains and accounts: made, changed, listed and deleted, while a server runs and while none does."""

import contextlib
import imaplib
import os
import pty
import time

import tap
from postern import Server, binary


# The example of the method's specification: "Hello world!".
HASH = "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"


def logs_in(server, account, password):
    imap = imaplib.IMAP4(server.host, server.ports["imap"])
    try:
        imap.login(server.address(account), password)
        return True
    except imaplib.IMAP4.error:
        return False
    finally:
        imap.shutdown()


def on_terminal(server, words, answers):
    """Runs postern WORDS on a terminal of its own, types the answers, returns exit status and what was shown."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(binary(), [binary(), "-c", server.conf, *words])
    shown = b""
    with contextlib.suppress(OSError):  # the terminal's end
        while piece := os.read(terminal, 1000):
            shown += piece
            if shown.rstrip(b"\r\n").endswith(b": ") and answers:
                time.sleep(0.05)  # it flushes what was typed too early
                os.write(terminal, answers.pop(0).encode() + b"\n")
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()


def orders(server, running):
    """The same orders do the same, whether a server runs or not."""
    how = "by the server" if running else "while no server runs"
    domain = "online.test" if running else "offline.test"
    alice = f"alice@{domain}"

    with tap.test(f"a domain is made {how}"):
        server.command("domain", "add", domain.upper())
        assert domain in server.command("domain", "list").split()
        assert "is there already" in server.command("domain", "add", domain, fails=True)
    with tap.test(f"an account is made {how}"):
        server.command("account", "add", alice, "--password", "first")
        assert server.command("account", "list", domain).split() == [alice]
        assert "is there already" in server.command("account", "add", alice, "--password", "x", fails=True)
    with tap.test(f"the password comes by standard input {how}"):
        server.command("account", "add", f"bob@{domain}", "--password-stdin", input="from stdin\n")
        assert "no password" in server.command("account", "add", f"c@{domain}", "--password-stdin", fails=True)
    with tap.test(f"many accounts are made {how}"):
        told = server.command("account", "add", "--batch", input=f"d@{domain} one\n\ne@{domain} two words\nnonsense\n"
                              f"d@{domain} again\nf@{domain} three\n", fails=True)
        assert "line 4 has no password" in told and "is there already" in told, told
        assert server.command("account", "list", domain).split() == [
            f"{name}@{domain}" for name in ("alice", "bob", "d", "e", "f")]
    with tap.test(f"a password is changed {how}"):
        server.command("account", "passwd", alice, "--password", "second")
        assert "there is no such account" in server.command("account", "passwd", f"x@{domain}", "--password", "y",
                                                            fails=True)
    with tap.test(f"a hash of another system is taken {how}"):
        server.command("account", "add", f"hashed@{domain}", "--hash", HASH)
        assert "hash" in server.command("account", "add", f"g@{domain}", "--hash", "$9$x", fails=True)
    with tap.test(f"an account is deleted {how}"):
        server.command("account", "delete", f"f@{domain}")
        assert f"f@{domain}" not in server.command("account", "list").split()
        assert "there is no such account" in server.command("account", "delete", f"f@{domain}", fails=True)
    with tap.test(f"a domain with accounts is not deleted {how}, one without is"):
        assert "has accounts" in server.command("domain", "delete", domain, fails=True)
        server.command("domain", "add", "empty." + domain)
        server.command("domain", "delete", "empty." + domain)
        assert "there is no such domain" in server.command("domain", "delete", "empty." + domain, fails=True)
    with tap.test(f"what is no account or domain is said {how}"):
        assert "USER@DOMAIN" in server.command("account", "add", "alice", "--password", "x", fails=True)
        assert "not kept here" in server.command("account", "add", "a@elsewhere.test", "--password", "x", fails=True)
        assert "USER@DOMAIN" in server.command("account", "add", f"alice+x@{domain}", "--password", "x", fails=True)
        for name in ("../x", "", "a b", "a..b", "x" * 300):
            assert "no name of a domain" in server.command("domain", "add", name, fails=True), name
    with tap.test(f"the password is asked for {how}, twice and without echo"):
        status, shown = on_terminal(server, ["account", "add", f"typed@{domain}"], ["at last", "at last"])
        assert status == 0 and "at last" not in shown and "The same again" in shown, shown
        status, shown = on_terminal(server, ["account", "add", f"typo@{domain}"], ["one", "other"])
        assert status == 1 and "differ" in shown, shown


with Server(users=1) as server:
    orders(server, running=True)
    server.stop()
    orders(server, running=False)
    server.start()
    for domain in ("online.test", "offline.test"):
        server.options["domain"] = domain
        with tap.test(f"the accounts of {domain} log in, with their newest passwords"):
            assert logs_in(server, "alice", "second") and not logs_in(server, "alice", "first")
            assert logs_in(server, "bob", "from stdin") and logs_in(server, "e", "two words")
            assert logs_in(server, "typed", "at last")
            assert not logs_in(server, "f", "three") and not logs_in(server, "typo", "one")
        with tap.test(f"a hash of another system is good in {domain}, also once it is renewed"):
            for _ in range(2):
                assert logs_in(server, "hashed", "Hello world!") and not logs_in(server, "hashed", "other")
    with tap.test("nothing of this is root's"):
        for folder, folders, files in os.walk(server.path("store", "domains")):
            for name in folders + files:
                owner = os.stat(os.path.join(folder, name)).st_uid
                assert owner != 0 or os.stat(server.store).st_uid == 0, (folder, name)
tap.done()
