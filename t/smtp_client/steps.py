"""steps.py - mail to hosts that do something wrong at each step: what becomes of each recipient, and of the session."""

import tap
from destinations import (EIGHT, LONG, OLD, PLAIN, SEPARATE, Case, both, commands, content, one_connection, play, says)

BEFORE = [
    Case("a greeting of 5yz is not for good: the next host might take it", "unreachable 4.3.2 554 5.7.1 go away",
         faults=[("greeting", "554 5.7.1 go away")]),
    Case("a greeting of 4yz", "unreachable 4.3.2 421", faults=[("greeting", "421 busy")]),
    Case("a greeting with a status of its own", "unreachable 4.7.9 450 4.7.9", faults=[("greeting", "450 4.7.9 busy")]),
    Case("no greeting, but the end", "unreachable 4.4.2", faults=[("greeting", "drop")]),
    Case("a connection that is reset", "unreachable", faults=[("connect", "reset")]),
    Case("half a greeting", "unreachable 4.4.2", faults=[("greeting", "half")]),
    Case("a greeting that is none", "unreachable 4.5.0", faults=[("greeting", "garbage")]),
    Case("a greeting of 100,000 bytes", "unreachable 4.5.0", faults=[("greeting", "long")]),
    Case("a greeting without end", "unreachable 4.5.0", faults=[("greeting", "endless")]),
    Case("EHLO is not known, HELO is", "relayed", faults=[("ehlo", "502 5.5.2 what?")], wants=says("EHLO", "HELO", "MAIL")),
    Case("neither is", "unreachable 4.3.2 550", faults=[("ehlo", "502 what?"), ("helo", "550 no")]),
    Case("EHLO ends the connection", "unreachable 4.4.2", faults=[("ehlo", "drop")]),
    Case("EHLO is answered without end", "unreachable 4.5.0", faults=[("ehlo", "endless")]),
]


def data_is_ended(sink):
    assert "DATA" in commands(sink) and not sink.messages


def nothing_was_sent(sink):
    assert sink.empty == 1 and not sink.messages, (sink.empty, sink.messages)


ENVELOPE = [
    Case("MAIL refused", "refused 5.7.1 550 5.7.1 no", faults=[("mail", "550 5.7.1 no")]),
    Case("MAIL refused for now", "deferred 4.3.0", faults=[("mail", "451 4.3.0 later")]),
    Case("MAIL refused, one command at a time", "refused 5.7.1", faults=[("mail", "550 5.7.1 no")], without=SEPARATE,
         wants=lambda sink: says("EHLO", "MAIL")(sink) or "RCPT" not in commands(sink) or 1 / 0),
    Case("the connection ends at MAIL", "deferred 4.4.2", faults=[("mail", "drop")]),
    Case("a reply to MAIL that is none", "deferred 4.5.0", faults=[("mail", "garbage")]),
    Case("421 to the first MAIL", "deferred", faults=[("mail", "421 4.7.0 enough")]),
    Case("one recipient refused", "passed 2.0.0", "refused 5.1.1 550 5.1.1 who?",
         [("rcpt", "550 5.1.1 who?", "b@r6.test")]),
    Case("one recipient later", "passed", "deferred 4.2.1", [("rcpt", "450 4.2.1 busy", "b@r7.test")]),
    Case("too many recipients by 552", "passed", "deferred", [("rcpt", "552 too many recipients", "b@r8.test")]),
    Case("all recipients refused", "refused 5.1.1", faults=[("rcpt", "550 5.1.1 who?")],
         wants=lambda sink: "BDAT" not in commands(sink) or 1 / 0),
    Case("all recipients refused, DATA sent along", "refused 5.1.1", faults=[("rcpt", "550 5.1.1 who?")], without=PLAIN,
         wants=data_is_ended),
    Case("all refused, one command at a time: no DATA", "refused 5.1.1", faults=[("rcpt", "550 5.1.1 who?")],
         without=SEPARATE, wants=lambda sink: "DATA" not in commands(sink) or 1 / 0),
    Case("a status of another class than its code is none", "refused 5.0.0 550 2.1.5", faults=[("rcpt", "550 2.1.5 no")]),
    Case("the connection ends at RCPT", "deferred 4.4.2", faults=[("rcpt", "drop", "b@r13.test")]),
    Case("421 to RCPT", "deferred 4.7.0", faults=[("rcpt", "421 4.7.0 enough", "b@r14.test")]),
    Case("DATA refused", "refused 5.6.0", faults=[("data", "554 5.6.0 no")], without=PLAIN),
    Case("DATA refused for now", "deferred 4.3.1", faults=[("data", "451 4.3.1 full")], without=SEPARATE),
    Case("DATA is answered 250", "deferred 4.5.0", faults=[("data", "250 well")], without=PLAIN),
    Case("the connection ends at DATA", "deferred 4.4.2", faults=[("data", "drop")], without=PLAIN),
    Case("all recipients refused, DATA sent along and answered 354: it is ended at once, with nothing (RFC 2920, 3.1)",
         "refused 5.1.1", faults=[("rcpt", "550 5.1.1 who?")], without=PLAIN, eager=True, wants=nothing_was_sent),
]

CONTENT = [
    Case("a long message by BDAT", "passed", body=LONG, wants=content(LONG)),
    Case("a long message by DATA, with its dots", "passed", body=LONG, without=PLAIN, wants=content(LONG)),
    Case("a long message by BDAT, chunk by chunk", "passed", body=LONG, without=("PIPELINING",), wants=content(LONG)),
    Case("one command at a time", "passed", without=SEPARATE, wants=both(content("text\r\n"), says(
        "EHLO", "MAIL", "RCPT", "RCPT", "DATA"))),
    Case("a host of 1982", "relayed", without=OLD, wants=content("text\r\n")),
    Case("a message of dots", "passed", body=".\r\n..\r\n.\r\n", without=PLAIN, wants=content(".\r\n..\r\n.\r\n")),
    Case("no body", "passed", body="", without=PLAIN, wants=content("")),
    Case("the connection ends in the midst of DATA", "deferred", body=LONG, faults=[("body", "drop")], without=PLAIN),
    Case("it is reset in the midst of BDAT", "deferred", body=LONG, faults=[("body", "reset")]),
    Case("a refusal in the midst of DATA", "refused 5.7.1", body=LONG, faults=[("body", "554 5.7.1 spam")], without=PLAIN),
    Case("a chunk is refused", "refused 5.3.4", body=LONG, faults=[("bdat", "552 5.3.4 too big")]),
    Case("a chunk is refused for now", "deferred 4.3.1", body=LONG, faults=[("bdat", "452 4.3.1 full")]),
    Case("the message is refused", "refused 5.6.0 550 5.6.0 spam", faults=[("dot", "550 5.6.0 spam")]),
    Case("the message is refused after DATA", "refused 5.6.0", faults=[("dot", "550 5.6.0 spam")], without=PLAIN),
    Case("the message is refused for now", "deferred 4.2.0", faults=[("dot", "451 4.2.0 greylisted")]),
    Case("taken, and no word of it", "deferred 4.4.2 the other side ended the connection, after the whole message was sent",
         faults=[("dot", "take")]),
    Case("not taken, and no word of it", "deferred 4.4.2", faults=[("dot", "drop")], without=PLAIN),
    Case("a last reply that is none", "deferred 4.5.0", faults=[("dot", "garbage")]),
    Case("421 to the message", "deferred 4.3.2", faults=[("dot", "421 4.3.2 going down")]),
    Case("larger than it takes: not sent at all", "refused 5.3.4", body=LONG, faults=[
        ("ehlo", "250-sink\r\n250 SIZE 10000")], wants=lambda sink: "MAIL" not in commands(sink) or 1 / 0),
]

LMTP = [
    Case("LMTP: both delivered", "delivered 2.1.5", to="lmtp", wants=says("LHLO", "MAIL", "RCPT", "RCPT", "BDAT")),
    Case("LMTP: one delivered, one later", "delivered", "deferred 4.2.2", [("dot", "452 4.2.2 full", "b@r1.test")], to="lmtp"),
    Case("LMTP: one delivered, one refused", "delivered", "refused 5.2.2", [("dot", "552 5.2.2 full", "b@r2.test")], to="lmtp",
         without=PLAIN),
    Case("LMTP: one refused at RCPT", "refused 5.1.1", "delivered", [("rcpt", "550 5.1.1 who?", "a@r3.test")], to="lmtp"),
    Case("LMTP: it ends between two replies", "delivered", "deferred 4.4.2", [("dot", "drop", "b@r4.test")], to="lmtp"),
    Case("LMTP: LHLO refused", "unreachable 4.3.2", faults=[("ehlo", "502 5.5.1 no")], to="lmtp"),
]


def reset_between(sink):
    words = commands(sink)
    assert words.count("EHLO") > 1 or words.index("RSET") < len(words) - 1 - words[::-1].index("MAIL"), words


SESSIONS = [
    Case("a host that takes two messages in a connection gets five all the same", "passed", count=5, messages_max=2,
         wants=lambda sink: sink.wait(5)),
    Case("after recipients were all refused the session goes on", "passed", count=3, faults=[
        ("rcpt", "550 5.1.1 who?", "a@r1.test", 1), ("rcpt", "550 5.1.1 who?", "b@r1.test", 1)], wants=reset_between),
    Case("RSET is not known: another connection", "passed", count=3, faults=[
        ("rcpt", "550 5.1.1 who?", "a@r2.test", 1), ("rcpt", "550 5.1.1 who?", "b@r2.test", 1),
        ("rset", "500 5.5.2 what?")]),
]

play(BEFORE)
play(ENVELOPE)
play(CONTENT)
play(LMTP)
play(SESSIONS)
tap.done()
