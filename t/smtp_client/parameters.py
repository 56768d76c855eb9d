"""parameters.py - what the envelope says goes on to hosts that understand it, and what becomes of mail for those that do not:
DSN (RFC 3461), DELIVERBY (RFC 2852), MT-PRIORITY (RFC 6710), SMTPUTF8 (RFC 6531), 8BITMIME (RFC 6152)."""

import email
import email.policy
import re

import tap
from postern import Server, wait_until
from sending import WAIT_S, logged, put_off, reports, submit, text, until
from smtp_sink import OFFERED, Sink

MIME = b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
EIGHT = text("eight", "Gr\u00fc\u00dfe = \u00e9 \r\n.\r\n").replace(b"Subject", MIME + b"Subject")
PARTS = text("parts", "").replace(b"Subject", b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nSubject") + \
    ("--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\u00e9\u00e8\r\n"
     "--b\r\nContent-Type: application/x-y\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\u00e9\r\n\u00e8\r\n--b--\r\n").encode()
UTF8 = text("x", "text\r\n").replace(b"Subject: x", "Subject: gr\u00fc\u00df dich".encode())
RAW = text("raw", "text\r\n").replace(b"text\r\n", b"\xe9\r\n").replace(b"Subject", MIME.replace(b"8bit", b"base64") + b"Subject")


SINKS = {
    "all": Sink(),
    "seven": Sink(without=("8BITMIME", "SMTPUTF8", "BINARYMIME")),
    "dots": Sink(without=("8BITMIME", "SMTPUTF8", "CHUNKING", "BINARYMIME")),
    "timely": Sink(also=("DELIVERBY 60", "MT-PRIORITY MIXER")),
    "bare": Sink(without=[word.split()[0] for word in OFFERED]),
}


def routes():
    for name, sink in SINKS.items():
        sink.start()
        yield f"route.{name}.to smtp:[127.0.0.1]:{sink.port}"
        yield f'route.{name}.recipients {{"*@{name}.test"}}'


def taken(name):
    sink = SINKS[name]
    sink.wait(1)
    message = sink.transactions.pop()
    return message


def outcome(server, address):
    return logged(server, r"(delivered|relayed|passed|deferred|refused) to=<" + re.escape(address) +
                  r">.*status=(\S*) reply=\"(.*)\"$")[-1]


def meaning(content, *path):
    part = email.message_from_bytes(content, policy=email.policy.default)
    for place in path:
        part = list(part.iter_parts())[place]
    return part.get_payload(decode=True)


with Server(users=1, set=list(routes())) as server:
    with tap.test("DSN: what the sender wants to know, and the recipient as he knows him"):
        submit(server, ["a@all.test"], text("dsn"), mail=["RET=HDRS", "ENVID=id+2B7"],
               rcpt=["NOTIFY=FAILURE,DELAY", "ORCPT=rfc822;other+2Bx@all.test"])
        message = taken("all")
        assert message.parameters.items() >= {"RET": "HDRS", "ENVID": "id+2B7"}.items(), message
        assert message.recipient_parameters["a@all.test"] == {"NOTIFY": "FAILURE,DELAY", "ORCPT": "rfc822;other+2Bx@all.test"}
        assert outcome(server, "a@all.test")[0] == "passed"
    with tap.test("nothing of that to a host that does not know it"):
        submit(server, ["a@bare.test"], text("dsn"), mail=["RET=HDRS", "ENVID=id"], rcpt=["NOTIFY=FAILURE"])
        message = taken("bare")
        assert not message.parameters and not message.recipient_parameters["a@bare.test"], message
        assert outcome(server, "a@bare.test")[0] == "relayed"
    with tap.test("8-bit text goes as it is where it may"):
        submit(server, ["a@all.test"], EIGHT, mail=["BODY=8BITMIME"])
        message = taken("all")
        assert message.parameters["BODY"] == "8BITMIME" and message.content.endswith(EIGHT), message.content
    for name in ("seven", "dots", "bare"):
        with tap.test(f"and is encoded where it may not ({name})"):
            submit(server, [f"a@{name}.test"], EIGHT, mail=["BODY=8BITMIME"])
            message = taken(name)
            assert message.content.isascii() and b"quoted-printable" in message.content, message.content
            assert "BODY" not in message.parameters
            assert meaning(message.content) == "Gr\u00fc\u00dfe = \u00e9 \r\n.\r\n".encode(), message.content
    with tap.test("part by part"):
        submit(server, ["b@seven.test"], PARTS, mail=["BODY=8BITMIME"])
        message = taken("seven")
        assert message.content.isascii()
        assert meaning(message.content, 0).strip() == "\u00e9\u00e8".encode(), message.content
        assert meaning(message.content, 1) == "\u00e9\r\n\u00e8".encode(), message.content
    with tap.test("what cannot be encoded is refused"):
        submit(server, ["c@seven.test"], RAW, mail=["BODY=8BITMIME"])
        assert outcome(server, "c@seven.test")[:2] == ("refused", "5.6.3")
    with tap.test("a header beyond ASCII goes by SMTPUTF8"):
        submit(server, ["a@all.test"], UTF8, mail=["SMTPUTF8", "BODY=8BITMIME"])
        message = taken("all")
        assert "SMTPUTF8" in message.parameters and message.content.endswith(UTF8), message
    with tap.test("and nowhere without"):
        submit(server, ["d@seven.test"], UTF8, mail=["SMTPUTF8", "BODY=8BITMIME"])
        assert outcome(server, "d@seven.test")[:2] == ("refused", "5.6.7")
    with tap.test("who asked for SMTPUTF8 and did not need it can send everywhere"):
        submit(server, ["e@seven.test"], text("ascii"), mail=["SMTPUTF8"])
        assert taken("seven").content.endswith(text("ascii"))
    with tap.test("by mode R nothing goes where the time is not minded (RFC 2852, 4.1): it comes back at once"):
        submit(server, ["a@all.test"], text("by"), mail=["BY=600;R"])
        assert logged(server, r"(refused) to=<a@all.test>.*status=(5.4.7)")
        report = next(each for each in reports(server, count=3) if "a@all.test" in each.actions)
        assert report.actions == {"a@all.test": "failed"} and report.of("a@all.test")["Status"] == "5.4.7", report.actions
        assert not any(t.recipients for t in SINKS["all"].transactions)
    with tap.test("by mode N it does, without the parameter, and its sender is told that it went there; whoever speaks DSN "
                  "tells of delays (RFC 2852, 4.1.4.2)"):
        for address, notify, wanted in (("f@all.test", None, "FAILURE,DELAY"), ("g@bare.test", None, None),
                                        ("h@all.test", "FAILURE", "FAILURE,DELAY"), ("i@all.test", "NEVER", "NEVER")):
            submit(server, [address], text("by"), mail=["BY=600;N"], rcpt=[f"NOTIFY={notify}"] if notify else [])
            message = taken(address.partition("@")[2].partition(".")[0])
            assert "BY" not in message.parameters
            assert message.recipient_parameters[address].get("NOTIFY") == wanted, message.recipient_parameters
            assert outcome(server, address)[0] == "relayed"
        told = {}
        wait_until(lambda: told.update((a, r) for r in reports(server) for a in r.actions) or
                   {"f@all.test", "g@bare.test", "h@all.test"} <= set(told), WAIT_S, "the reports")
        assert told["f@all.test"].actions == {"f@all.test": "relayed"} and "i@all.test" not in told, told
        assert told["f@all.test"].about["Deliver-By-Date"], told["f@all.test"].about
    with tap.test("to whom minds it goes the time that is left, with mode and trace (RFC 2852, 4.1)"):
        for by in ("R", "N", "RT", "NT"):
            submit(server, ["a@timely.test"], text("by"), mail=[f"BY=600;{by}"])
            message = taken("timely")
            left, _, mode = message.parameters["BY"].partition(";")
            assert 500 < int(left) <= 600 and mode == by, (left, mode)
            assert "NOTIFY" not in message.recipient_parameters["a@timely.test"]
    with tap.test("who asks for a trace is told of each host that has it, whatever that speaks (RFC 2852, 4)"):
        submit(server, ["trace@bare.test", "quiet@bare.test"], text("by"), mail=["BY=600;NT"])
        submit(server, ["trace@timely.test"], text("by"), mail=["BY=600;NT"])
        submit(server, ["never@bare.test"], text("by"), mail=["BY=600;NT"], rcpt=["NOTIFY=NEVER"])
        outcome(server, "never@bare.test")
        told = {}
        wait_until(lambda: told.update((a, r) for r in reports(server) for a in r.actions) or
                   {"trace@bare.test", "trace@timely.test"} <= set(told), WAIT_S, "the reports")
        for address in ("trace@bare.test", "quiet@bare.test", "trace@timely.test"):
            report = told[address]
            assert report.actions[address] == "relayed" and report.of(address)["Status"].startswith("2."), report.actions
            assert report.about["Deliver-By-Date"], report.about
        assert "never@bare.test" not in told
        for name in ("bare", "timely"):
            SINKS[name].transactions.clear()
    with tap.test("what waited on the way is of the time that is left"):
        SINKS["timely"].fault("rcpt", "450 4.2.1 later", times=1)
        submit(server, ["late@timely.test"], text("by"), mail=["BY=3600;N"])
        put_off(server, "timely.test", "late")
        until(server, lambda: SINKS["timely"].messages, "another try", "+6m")
        assert int(taken("timely").parameters["BY"].partition(";")[0]) <= 3600 - 360
    with tap.test("less time than the host wants is too little (RFC 2852, 3)"):
        submit(server, ["soon@timely.test"], text("by"), mail=["BY=30;R"])
        assert logged(server, r"(refused) to=<soon@timely.test>.*status=(5.4.7)")
    with tap.test("a priority goes on (RFC 6710, 4.4), none is not told"):
        for given, wanted in (("MT-PRIORITY=4", "4"), ("MT-PRIORITY=-3", "-3"), ("MT-PRIORITY=0", None), (None, None)):
            submit(server, ["a@timely.test"], text("priority"), mail=[given] if given else [])
            assert taken("timely").parameters.get("MT-PRIORITY") == wanted, given
        submit(server, ["a@all.test"], text("priority"), mail=["MT-PRIORITY=4"])
        assert "MT-PRIORITY" not in taken("all").parameters
    for sink in SINKS.values():
        sink.close()
tap.done()
