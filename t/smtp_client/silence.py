"""silence.py - hosts that say nothing, or too slowly, at each step, and what is said when all is done (RFC 5321, 4.5.3.2)."""

import tap
from destinations import LONG, PLAIN, Case, play


def parts(sink):
    sink.wait_commands("QUIT")


SHORT = "2s"
SILENT = [
    Case("no greeting", "unreachable 4.4.2 no reply in time", faults=[("greeting", "silence")]),
    Case("no reply to EHLO", "unreachable 4.4.2 no reply in time", faults=[("ehlo", "silence")]),
    Case("a greeting byte by byte", "unreachable 4.4.2 no reply in time", faults=[("greeting", "tarpit")]),
    Case("no reply to MAIL", "deferred 4.4.2 no reply in time", faults=[("mail", "silence")]),
    Case("no reply to RCPT", "deferred 4.4.2 no reply in time", faults=[("rcpt", "silence")]),
    Case("no reply to DATA", "deferred 4.4.2 no reply in time", faults=[("data", "silence")], without=PLAIN),
    Case("a message that is not read", "deferred 4.4.2", body=LONG * 40, faults=[("body", "silence")], without=PLAIN),
    Case("chunks that are not read", "deferred 4.4.2", body=LONG * 40, faults=[("body", "silence")]),
    Case("no reply to the message", "deferred 4.4.2 no reply in time, after the whole message was sent",
         faults=[("dot", "silence")]),
    Case("LMTP: no reply for the second", "delivered", "deferred 4.4.2", [("dot", "silence", "b@r9.test")], to="lmtp"),
]
for case in SILENT:
    case.sink.tarpit_s = 1
play(SILENT, greeting_timeout=SHORT, command_timeout=SHORT, data_timeout=SHORT, block_timeout=SHORT, dot_timeout=SHORT)

play([
    Case("without more mail a session says QUIT", "passed", wants=parts),
    Case("LMTP as well", "delivered", to="lmtp", wants=parts),
    Case("after a refusal, too", "refused", faults=[("rcpt", "550 no")], wants=parts),
    Case("a host that is silent then is left alone", "passed", faults=[("quit", "silence")], wants=parts),
], idle_timeout="100ms")


filled = Case("nobody answers a connection", "unreachable 4.4.1 no answer in time")
closed = Case("a connection is refused", "unreachable 4.4.1 Connection refused")
filled.sink.start, closed.sink.start = filled.sink.fill, closed.sink.dead
play([filled, closed], connect_timeout="500ms")
tap.done()
