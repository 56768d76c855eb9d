"""pages.py - what comes from the rows of settings: the sample, the manual, the help, and `postern check`."""

import os
import pwd
import re
import shutil
import subprocess
import tempfile

import tap
from postern import TOP, binary


def run(*words, status=0):
    """What `postern WORDS` printed, standard error too; its exit status must be this one."""
    done = subprocess.run([binary(), *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == status, f"status {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def committed(name):
    with open(os.path.join(TOP, "conf", name)) as file:
        return file.read()


ME = f'\nuser = "{pwd.getpwuid(os.getuid()).pw_name}"\n'


def check(text, status=1, user=ME):
    """What is said of a file of this text, whose user is there."""
    text += user
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "f")
        with open(path, "w") as file:
            file.write(text)
        return run("check", path, status=status).replace(path, "f")


for words, name in (("sample", "postern.conf"), ("manual", "postern.conf.5")):
    with tap.test(f"conf/{name} is what the rows say; if not: build/postern help {words} >conf/{name}"):
        assert run("help", words) == committed(name)

with tap.test("the sample is a configuration"):
    assert check(committed("postern.conf"), status=0) == "f: fine\n"

with tap.test("the sample is one too with every setting uncommented, but for what one alone cannot have"):
    text = re.sub(r"(?m)^(\s*)#(?=[^ #\n])", r"\1", committed("postern.conf"))
    assert re.search(r"(?m)^directory = ", text) and re.search(r"(?m)^\tfail_delay = ", text)
    text = re.sub(r'(?ms)^(certificate|rewrite|pipe) "example.test" \{.*?^\}\n', "", text)  # empty ones are none
    assert check(text, status=0) == "f: fine\n"

with tap.test("a user who is not there is told, to root alone, who would become him"):
    if os.getuid():
        assert check("", status=0, user='user = "nobody.at.all"\n') == "f: fine\n"
    else:
        assert check("", user='user = "nobody.at.all"\n') == "f: there is no user nobody.at.all (setting `user`)\n"

with tap.test("a route to a program that no section tells of is an error, with file and line"):
    routes = 'pipe "one" {\n\tcommand = { "/bin/true" }\n}\n\nroute "good" {\n\tto = "pipe:one"\n}\n'
    assert check(routes, status=0) == "f: fine\n"
    assert check(routes + 'route "bad" {\n\tto = "pipe:two"\n}\n') == (
        'f:10: route "bad": to: there is no section pipe "two"\n')
    assert check('route "bad" {\n\tto = "pipe:on"\n}\n' + routes) == 'f:3: route "bad": to: there is no section pipe "on"\n'
    assert check('route "late" {\n\tto = "pipe:one"\n}\n' + routes, status=0) == "f: fine\n"

commands = re.findall(r"(?m)^  (\w+) ", run("help"))

with tap.test("help lists the commands"):
    assert {"run", "check", "status", "stats", "who", "reload", "stop", "clock", "domain", "account", "help"} <= set(
        commands), commands

with tap.test("help tells of each, and so does --help"):
    for command in commands:
        assert run("help", command).startswith(f"Usage: postern [-c FILE] {command}"), command
        if command not in ("run", "help"):
            assert run(command, "--help") == run("help", command), command

with tap.test("postern(8) tells of each"):
    for command in commands:
        assert re.search(rf'(?m)^\.(B|BR|BI) "?{command}\b', committed("postern.8")), command

with tap.test("both pages are good roff"):
    if shutil.which("groff"):
        for name in ("postern.8", "postern.conf.5"):
            done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", os.path.join(TOP, "conf", name)],
                                  capture_output=True, text=True)
            assert not done.stderr, done.stderr

with tap.test("help settings tells all of them, or a section's"):
    assert "login {" in run("help", "settings") and "log {" in run("help", "settings")
    assert "log {" not in run("help", "settings", "login")
    assert "these are: log," in run("help", "settings", "nothing", status=1)

with tap.test("what help does not know is said"):
    assert "there is no command fly" in run("help", "fly", status=1)

with tap.test("check tells errors with file, line and reason"):
    assert check("\nworkerz = 2\n") == "f:2: no such option 'workerz'\n"
    assert check("workers = -1\nlogin {\n\tfail_delay = 2\n}\n").splitlines() == [
        'f:1: workers: "-1" is not a number, from 0 to 64',
        'f:3: login.fail_delay: "2" is not a duration such as 500ms, 30s, 5m, 2h or 1d, from 0s to 30s']
    assert check('listen "imop" {\n}\n').startswith("f:2: listen \"imop\": ")
    assert check('tls {\n\tkey = "/k"\n}\n').startswith("f:3: tls: ")
    assert check('directory = "here"\n').startswith("f:1: directory: ")

with tap.test("check tells of a file that is not there"):
    assert run("check", "/nowhere/f", status=1) == "/nowhere/f: cannot be read: No such file or directory\n"

with tap.test("check tries certificate and key"):
    with tempfile.TemporaryDirectory() as folder:
        pairs = []
        for name in "ab":
            pairs.append((os.path.join(folder, f"{name}.cert"), os.path.join(folder, f"{name}.key")))
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                            "-nodes", "-subj", "/CN=localhost", "-out", pairs[-1][0], "-keyout", pairs[-1][1]],
                           check=True, stderr=subprocess.DEVNULL)
        (first, key), (_, other) = pairs
        text = 'tls {\n\tcertificate = "%s"\n\tkey = "%s"\n}\n'
        assert check(text % (first, key), status=0) == "f: fine\n"
        assert f"({first}, {other})" in check(text % (first, other))
        one_more = 'certificate "x" {\n\tfile = "%s"\n\tkey = "%s"\n}\n'
        more = text % (first, key) + one_more
        assert check(more % (first, key), status=0) == "f: fine\n"
        assert check(more % (first, other)).startswith('f: certificate "x": ')
        assert check(more % (first, "")) == 'f:8: certificate "x": file and key are both wanted\n'
        assert check(one_more % (first, key)).startswith("f: tls: certificate is wanted")
        assert check(text % (first, folder + "/none")) == f"f: tls: {folder}/none: No such file or directory\n"

with tap.test("a wrong use is said, with exit status 2"):
    for words in (["check", "a", "b"], ["status", "--yaml"], ["who", "me"], ["clock"], ["clock", "2h"], ["domain"],
                  ["domain", "add"], ["domain", "fly", "x"], ["account"], ["account", "add"], ["account", "fly", "x"],
                  ["account", "add", "a@b.test", "--password"], ["account", "passwd", "a@b.test", "--admin"],
                  ["account", "add", "a@b.test", "--password", "x", "--hash", "y"]):
        assert f"`postern {words[0]} --help`" in run(*words, status=2), words

tap.done()
