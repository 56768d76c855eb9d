"""smuggling.py - what leaves has one end for the most careless reader, too, however it came in: by SMTP or LMTP, DATA
or BDAT, forwarded or sent back. And nobody's words become commands, header lines or parts of a report."""

import re
import smtplib

import tap
from postern import Server
from sending import Far, body_of, logged, reports, submission, submit, text
from two_in_one import HIDDEN, Wire, by_bdat, by_data, is_strict, messages, normalised, unstuffed

# What a destination may answer; all of it must reach the sender as words and nothing else.
WORDS = {
    "header lines": "550-5.1.1 Content-Type: text/html\r\n550-5.1.1 \r\n550 5.1.1 Action: delivered",
    "control characters": "550 5.1.1 \x1b]0;evil\x07 \x01\x7f<b>\x0b",
    "letters": "550 5.1.1 niemand heißt so",
    "bytes": "550 5.1.1 \udcff\udcfe\udc80",
    "boundary": "550-5.1.1 --\r\n550-5.1.1 --=_\r\n550 5.1.1 From MAILER-DAEMON",
    "many lines": "\r\n".join(f"550{'-' if n < 50 else ' '}5.1.1 line {n}" for n in range(51)),
    "a long line": "550 5.1.1 " + "x" * 1900,
    "no status": "550 nobody", "nothing": "550", "a dot": "550-5.1.1 .\r\n550 .",
    "another class": "550 2.0.0 all is well",
}


def taken(account, wire, way, loose):
    """The messages of all that were sent which the server took."""
    for message in messages(HIDDEN % account):
        sent = meant = message
        if way is by_data:
            sent = message + b"\r\n.\r\n"
            if (meant := unstuffed(sent)) is None:
                continue
        good = b"\0" not in meant if loose else is_strict(meant)
        code = way(wire, account, sent)
        assert code == (250 if good else 550), (message, code)
        if good:
            yield normalised(meant)


def check_out(server, far, name, wire, way, loose):
    account = server.address(name).encode()
    want = [body_of(each) for each in taken(account, wire, way, loose)]
    sent = far.wait(len(want))
    assert want and len(sent) == len(want), f"{len(want)} messages were taken, {len(sent)} left"
    assert all(t.taken == [far.address(name)] for t in sent), {(t.sender, *t.taken) for t in sent}
    assert sorted(body_of(t.content) for t in sent) == sorted(want)
    far.check()


def forwarded(server, roads):
    for name, (far, role, way) in roads.items():
        with tap.test(f"by {role} and {way.__name__[3:].upper()} to one of ours who is elsewhere, {far.title}"):
            check_out(server, far, name, Wire(server, role, b"LHLO c.test" if role == "lmtp" else b"EHLO c.test"), way,
                      role == "lmtp")


def sent_back(server, refusing, back):
    with tap.test("what comes back as a whole has one end as well"):
        refusing.fault("dot", "554 5.6.0 not that")
        count = 0
        with smtplib.SMTP(server.host, server.ports["smtp"], timeout=60) as smtp:
            smtp.ehlo("c.test")
            for message in messages(HIDDEN % refusing.address("a").encode()):
                if is_strict(message) and b"\r\n.\r\n" not in message:
                    smtp.sendmail(f"w{count}@{back.domain}", [refusing.address("a")], message, ["RET=FULL"])
                    count += 1
        sent = back.wait(count)
        assert count and len(sent) == count and {t.sender for t in sent} == {""}
        assert {address for t in sent for address in t.taken} == {f"w{n}@{back.domain}" for n in range(count)}
        refusing.mend()


def addresses(server, far):
    with tap.test("what stands in an address or a parameter is no command of ours"):
        bad = ["a\rb", '"a\\\rb"', '"a\\\nb"', "a\0b", "a\x01b", "a> ORCPT=rfc822;evil NOTIFY=NEVER <b", '"a\tb"',
               "a b"]
        for local in bad:
            smtp = submission(server)
            smtp.docmd(f"MAIL FROM:<{server.address('test0000')}>")
            smtp.send(f"RCPT TO:<{local}@{far.domain}>\r\n".encode())
            code, _ = smtp.getreply()
            assert code >= 500, (local, code)
            smtp.close()
        good = ['"a b"', '"a>b"', '"<a"', '"a\\"b"', "a%b", "a!b", "{a}", "'a'", "a+b=c", '"a@b"', '".."']
        for local in good:
            submit(server, [f"{local}@{far.domain}"], text("quoted"))
        sent = far.wait_messages("Subject: quoted", len(good))
        assert sorted(address for t in sent for address in t.taken) == sorted(f"{local}@{far.domain}" for local in good)
    with tap.test("nor what ENVID and ORCPT stand for"):
        with submission(server) as smtp:
            sender = f"MAIL FROM:<{server.address('test0000')}>"
            assert smtp.docmd(f"{sender} ENVID=a+0D+0ARSET+0D+0A")[0] == 501
            assert smtp.docmd(sender)[0] == 250
            assert smtp.docmd(f"RCPT TO:<{far.address('x')}> ORCPT=rfc822;a+0D+0AQUIT+0D+0A")[0] == 501
        submit(server, [far.address("x")], text("xtext"), mail=["ENVID=a+2Bb+3D"],
               rcpt=["ORCPT=rfc822;a+2Bb+3D@far.test"])
        sent, = far.wait_messages("Subject: xtext")
        assert sent.parameters["ENVID"] == "a+2Bb+3D", sent
        assert sent.recipient_parameters[far.address("x")]["ORCPT"] == "rfc822;a+2Bb+3D@far.test", sent
        far.check()


def replies(server, far):
    for number, (name, reply) in enumerate(WORDS.items()):
        far.fault("rcpt", reply, who=far.address(f"w{number}"))
        submit(server, [far.address(f"w{number}")], text(name), f"test{number:04}")
    for number, name in enumerate(WORDS):
        with tap.test(f"the other side's words are words: {name}"):
            report, = reports(server, f"test{number:04}")
            address = far.address(f"w{number}")
            assert report.actions == {address: "failed"}, report.actions
            assert len(report.recipients) == 1 and report.of(address)["Status"].startswith("5."), report.of(address)
            raw = report.message.as_bytes()
            assert not re.search(rb"[\0-\x08\x0b\x0c\x0e-\x1f\x7f]", raw), raw
            assert max(map(len, raw.splitlines())) <= 998
            assert report.original.count(b"Subject: ") == 1
    with tap.test("and of the log, a line for each"):
        assert not re.search(r"[\0-\x08\x0b-\x1f\x7f]", server.log())
        logged(server, r" refused .*reply=", len(WORDS))


def main():
    far = {name: Far(name, lax=True, lmtp=name.startswith("lmtp"), without=without) for name, without in
           (("data", ("CHUNKING", "BINARYMIME")), ("chunks", ()),
            ("seven", ("CHUNKING", "BINARYMIME", "8BITMIME", "SMTPUTF8")),
            ("all", ()), ("refusing", ()), ("lmtp", ("CHUNKING", "BINARYMIME")), ("lmtpchunks", ()), ("back", ("CHUNKING",)), ("words", ()))}
    roads = {"onbydata": (far["data"], "smtp", by_data), "onbybdat": (far["chunks"], "smtp", by_bdat),
             "onbylmtp": (far["seven"], "lmtp", by_data), "onbychunks": (far["all"], "lmtp", by_bdat),
             "tolmtp": (far["lmtp"], "lmtp", by_data), "tolmtpbychunks": (far["lmtpchunks"], "smtp", by_bdat)}
    settings = [setting for each in far.values() for setting in each.settings()]
    with Server(users=len(WORDS), set=[*settings, "smtp.errors_max 1000", 'relay.networks {"127.0.0.0/8"}']) as server:
        for name, (each, _, _) in roads.items():
            server.command("forwarder", "add", server.address(name), each.address(name))
        forwarded(server, roads)
        sent_back(server, far["refusing"], far["back"])
        addresses(server, far["refusing"])
        replies(server, far["words"])
    for each in far.values():
        with tap.test(f"nothing was done that no client may do to {each.title}"):
            each.close()
    tap.done()


main()
