"""programs.py - programs, files and included lists in aliases(5) files: run where the settings say so, as Postfix runs them,
and by no other way."""

import os
import re
import shutil
import tempfile

import tap
from postern import Server, wait_until
from sending import inbox, reports
from smtp_client import MESSAGE, Client

PATIENCE_S = 60
STRANGER = b"<o'neil+$HOME@elsewhere.test>"
TAKER = r"""#!/bin/sh
made=$1/$2.$(ls "$1" | grep -c "^$2\.")
(env | sort; echo; cat) >"$made-" && mv "$made-" "$made"
"""


class Taken:
    """What the programs took, a file for each run."""

    def __init__(self, folder):
        self.folder = folder

    def runs(self, name):
        return sorted(each for each in os.listdir(self.folder) if re.fullmatch(re.escape(name) + r"\.\d+", each))

    def wait(self, name, count=1):
        wait_until(lambda: len(self.runs(name)) >= count, PATIENCE_S, f"{name} is run {count} times")
        with open(os.path.join(self.folder, self.runs(name)[count - 1])) as file:
            environment, _, text = file.read().partition("\n\n")
        return dict(line.split("=", 1) for line in environment.splitlines()), text


def rcpt(server, name, sender=STRANGER):
    client = Client(server)
    assert client.ask(b"MAIL FROM:" + sender) == 250
    return client.ask(b"RCPT TO:<" + name.encode() + b">"), client.line.decode()


def send(server, name, sender=STRANGER):
    assert Client(server).send(sender, [b"<" + name.encode() + b">"], MESSAGE) == 250


def write(folder, **files):
    for name, text in files.items():
        with open(os.path.join(folder, name + "-"), "w") as file:
            file.write(text)
        os.rename(os.path.join(folder, name + "-"), os.path.join(folder, name))


def aliases(folder):
    run = f"{folder}/taker {folder}/took"
    return (f"prog: \"|{run} prog\"\nbare: |{run} bare\n"
            f"shell: \"|IFS=' ' && read -r line && test \\\"$LOCAL\\\" = shell && {run} shell || exit 75 #user\"\n"
            f"both: test0000, \"|{run} both\", \"|{run} second\"\nlist: :include:{folder}/list\nowner-list: test0001\n"
            f"\"my list\": |{run} quoted\nfile: /tmp/mbox\nmixed: /tmp/mbox, test0000\nnull: /dev/null\n"
            f"no: \"|echo 5.7.1 not this one; exit 77\"\ngoes: \"|{run} goes; exit 75\"\n"
            f"round: \"|{run} round\"\n")


def allowed(server, taken, folder):
    with tap.test("a program gets the message, its alias's sender and name in the environment, defused"):
        send(server, "Prog+detail@example.test")
        environment, text = taken.wait("prog")
        assert text.startswith(f"Return-Path: <o'neil+$HOME@elsewhere.test>\nDelivered-To: Prog+detail@example.test\n"), text
        assert text.endswith("\n\ntext\n") and "\r" not in text
        assert environment["SENDER"] == "o_neil+_HOME@elsewhere.test" and environment["DOMAIN"] == "example.test"
        assert (environment["LOCAL"], environment["RECIPIENT"]) == ("prog", "prog@example.test"), environment
        assert set(environment) <= {"SENDER", "RECIPIENT", "LOCAL", "DOMAIN", "PATH", "LANG", "PWD", "SHLVL", "_", "OLDPWD"}
    with tap.test("written without quotes, and as the shell alone understands it"):
        send(server, "bare@example.test")
        send(server, "shell@example.test", b"<>")
        taken.wait("bare")
        assert taken.wait("shell")[0]["SENDER"] == ""
    with tap.test("beside accounts, and two for one name"):
        send(server, "both@example.test")
        taken.wait("both"), taken.wait("second")
        assert len(inbox(server, "test0000", 1)) == 1
    with tap.test("a name in quotes"):
        send(server, '"my list"@example.test')
        assert taken.wait("quoted")[0]["RECIPIENT"] == "_my_list_@example.test"
    with tap.test("what it refuses comes back under the name of the alias, and says nothing of the program"):
        assert Client(server, "submission", "test0001").send(b"<test0001@example.test>", [b"<no@example.test>"]) == 250
        report, = reports(server, "test0001")
        fields = report.of("no@example.test")
        assert fields["Status"] == "5.7.1" and fields["Final-Recipient"] == "rfc822; no@example.test", fields
        assert "|" not in report.message.as_string() and "echo" not in report.message.as_string()
    with tap.test("a program of an included file is not run, since whoever writes that file is not asked"):
        assert rcpt(server, "list@example.test")[0] == 550
        assert 'alias=<list@example.test>' in server.log() and "setting=domain.aliases_programs wants=all" in server.log()
    with tap.test("mail is not written to files, and the log says so; what is beside them has it"):
        assert rcpt(server, "file@example.test") == (550, "550 5.3.0 <file@example.test> stands for a file\r\n")
        assert 'file not written alias=<file@example.test> file="/tmp/mbox"' in server.log()
        send(server, "mixed@example.test")
        assert len(inbox(server, "test0000", 2)) == 2 and not os.path.exists("/tmp/mbox")
    with tap.test("/dev/null takes everything"):
        send(server, "null@example.test")
    with tap.test("what a program brings back to its own name is a loop"):
        send(server, "round@example.test")
        text = taken.wait("round")[1]
        again = text.partition("\n")[2].replace("\n", "\r\n").encode()
        client = Client(server)
        for command in b"MAIL FROM:<>", b"RCPT TO:<round@example.test>", b"DATA":
            assert client.ask(command) in (250, 354)
        client.socket.sendall(again + b".\r\n")
        assert client.reply() == 554 and b"5.4.6" in client.line, client.line
    with tap.test("the address by which the queue knows a program is nobody's to write"):
        queued = re.search(r"delivered to=<(prog@example\.test\|[0-9a-f]{16})>", server.log()).group(1)
        for name in queued, queued.replace("|", "\\|"), queued.replace("@", "|x@"):
            assert rcpt(server, name)[0] in (501, 550, 553), name
        client = Client(server, "submission", "test0000")
        assert client.ask(b"MAIL FROM:<test0000@example.test>") == 250
        assert client.ask(b"RCPT TO:<" + queued.encode() + b">") in (501, 553), client.line
        assert server.command("forwarder", "add", "f@example.test", queued, fails=True)
        assert len(taken.runs("prog")) == 1
    with tap.test("what waits for a program that is taken out of the file is not run, but comes back"):
        assert Client(server, "submission", "test0002").send(b"<test0002@example.test>", [b"<goes@example.test>"]) == 250
        taken.wait("goes")
        wait_until(lambda: "deferred to=<goes@" in server.log(), PATIENCE_S, "it is to be tried again")
        write(folder, aliases=aliases(folder).replace("goes:", "goes: test0000\ngone:"))

        def is_gone():
            server.command("clock", "+5s")
            return "local test0000@" in server.command("route", "goes@example.test")
        wait_until(is_gone, PATIENCE_S, "the file is read again")
        server.command("clock", "+2h")
        report, = reports(server, "test0002")
        assert report.of("goes@example.test")["Status"] == "5.1.1" and len(taken.runs("goes")) == 1


folder = tempfile.mkdtemp(prefix="postern-aliases-")
try:
    os.chmod(folder, 0o777)
    os.mkdir(f"{folder}/took")
    os.chmod(f"{folder}/took", 0o777)
    write(folder, taker=TAKER, aliases=aliases(folder), list=f"|{folder}/taker {folder}/took list\n")
    os.chmod(f"{folder}/taker", 0o755)
    taken, file = Taken(f"{folder}/took"), f'domain.example.test.aliases_files {{"{folder}/aliases"}}'
    with Server(users=3, set=[file]) as server:
        with tap.test("without a setting programs get nothing, and the log says which one that is"):
            assert rcpt(server, "prog@example.test") == (550, "550 5.3.0 <prog@example.test> stands for a program\r\n")
            assert re.search(r"warn route - program not run alias=<prog@example.test> command=.*"
                             r"setting=domain.aliases_programs wants=files", server.log())
            send(server, "both@example.test")
            assert len(inbox(server, "test0000", 1)) == 1 and not os.listdir(taken.folder)
    with Server(users=3, workers=1, set=[file, "domain.example.test.aliases_programs files"]) as server:
        allowed(server, taken, folder)
    with Server(users=3, set=[file, "domain.example.test.aliases_programs all"]) as server:
        with tap.test("with `all` those of included files run as well, and their list's owner hears of bounces"):
            send(server, "list@example.test")
            environment, text = taken.wait("list")
            assert environment["SENDER"] == "owner-list@example.test" and "Return-Path: <owner-list@example.test>" in text
finally:
    shutil.rmtree(folder)
tap.done()
