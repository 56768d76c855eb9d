"""faults.py - every fault of a destination, at every step: what is put off arrives later, once; what is refused comes
back, once; nothing is lost, and no destination disturbs another.

Each fault has a destination of its own. All get a message for two recipients and go wrong; then all are mended.
"""

import tap
from postern import Server, wait_until
from sending import Far, Report, inbox, is_put_off, logged, put_off, submit, text, until

AT_ONCE, LATER, NEVER, UNSURE = "arrives", "arrives later", "comes back", "arrives, perhaps twice"
# step, what happens, what becomes of the message
FAULTS = [
    ("greeting", "421 4.3.2 closing", LATER), ("greeting", "450 4.3.2 busy", LATER),
    ("greeting", "554 5.7.1 not here", LATER),  # another host may be kinder
    ("greeting", "drop", LATER), ("greeting", "reset", LATER), ("greeting", "half", LATER),
    ("greeting", "long", LATER), ("greeting", "endless", LATER), ("greeting", "slow", AT_ONCE),
    ("greeting", "tarpit", AT_ONCE), ("greeting", "220-sink.test\r\n220-of many\r\n220 lines", AT_ONCE),
    ("greeting", "220", AT_ONCE), ("greeting", "2x0 what", LATER), ("greeting", "999 what", LATER),
    ("ehlo", "421 4.3.2 closing", LATER), ("ehlo", "451 4.3.2 busy", LATER),
    ("ehlo", "500 5.5.1 what", AT_ONCE), ("ehlo", "502 5.5.1 no", AT_ONCE),  # HELO will do
    ("ehlo", "drop", LATER), ("ehlo", "long", LATER), ("ehlo", "endless", LATER), ("ehlo", "tarpit", AT_ONCE),
    ("mail", "421 4.3.2 closing", LATER), ("mail", "451 4.7.1 greylisted", LATER), ("mail", "550 5.7.1 not you", NEVER),
    ("mail", "drop", LATER), ("mail", "half", LATER), ("mail", "reset", LATER), ("mail", "slow", AT_ONCE),
    ("rcpt", "421 4.3.2 closing", LATER), ("rcpt", "450 4.2.1 busy", LATER), ("rcpt", "452 4.5.3 too many", LATER),
    ("rcpt", "550 5.1.1 nobody", NEVER), ("rcpt", "drop", LATER), ("rcpt", "250-so\r\n250 be it", AT_ONCE),
    ("data", "421 4.3.2 closing", LATER), ("data", "451 4.3.0 no", LATER), ("data", "554 5.6.0 never", NEVER),
    ("data", "drop", LATER), ("data", "long", LATER),
    ("body", "drop", LATER), ("body", "reset", LATER), ("body", "451 4.3.0 enough", LATER),
    ("dot", "421 4.3.2 closing", LATER), ("dot", "451 4.3.0 no room", LATER), ("dot", "554 5.6.0 spam", NEVER),
    ("dot", "552 5.2.2 full", NEVER), ("dot", "drop", LATER), ("dot", "reset", LATER), ("dot", "take", UNSURE),
    ("dot", "half", UNSURE), ("dot", "slow", AT_ONCE), ("dot", "tarpit", AT_ONCE),
    ("quit", "drop", AT_ONCE), ("quit", "421 4.3.2 what", AT_ONCE), ("quit", "garbage", AT_ONCE),
]
SILENT = ("greeting", "ehlo", "mail", "rcpt", "data", "body", "dot")
LONG = "".join(f"{n:04} a line of a message that is long enough to be broken off\r\n" for n in range(200))
WRITER = "test0000"


class Case(Far):
    def __init__(self, number, step, what, then, without=("CHUNKING",)):
        super().__init__(f"f{number}", without=without)  # content by DATA, for there are steps in it
        self.step, self.what, self.then = step, what, then
        self.slow_s, self.tarpit_s = 0.1, 0.002
        self.fault(step, what)
        self.recipients = [self.address("a"), self.address("b")]

    @property
    def told(self):
        what = self.what.replace("\r\n", " | ")
        return f"{self.step}: {what}: {self.then}"

    def has_arrived(self):
        return all(self.counts()[address] for address in self.recipients)

    def check(self):
        """Each recipient's as often as it should, and nothing was done that no client may do."""
        counts = [self.counts()[address] for address in self.recipients]
        most = 0 if self.then == NEVER else 2 if self.then == UNSURE else 1
        assert all(min(most, 1) <= count <= most for count in counts), (counts, self.transactions)
        super().check()


def main():
    cases = [Case(number, *fault) for number, fault in enumerate(FAULTS)]
    cases += [Case(len(cases), "dot", "drop", LATER, without=()),
              Case(len(cases) + 1, "dot", "554 5.6.0 no", NEVER, without=()),
              Case(len(cases) + 2, "body", "drop", LATER, without=())]
    cases += [Case(len(cases) + n, step, "silence", UNSURE if step == "dot" else LATER)
              for n, step in enumerate(SILENT)]
    settings = [setting for case in cases for setting in case.settings()]
    with Server(set=settings, users=1) as server:
        for case in cases:
            submit(server, case.recipients, text("fault", LONG), WRITER)
        for case in cases:
            with tap.test(case.told):
                if case.then == AT_ONCE:
                    case.wait_for(lambda: case.messages)
                elif case.then == NEVER:
                    logged(server, rf" refused .*to=<[ab]@{case.domain}>", 2)
                elif case.what != "silence":
                    put_off(server, case)
                else:
                    case.wait_for(lambda: case.step == "greeting" and case.sessions or any(
                        line.upper().startswith({"ehlo": "EHLO", "mail": "MAIL", "rcpt": "RCPT"}.get(case.step, "DATA"))
                        for _, line in case.commands))
        with tap.test("a destination that says nothing is given up, for now"):
            for case in cases:
                if case.what != "silence":
                    case.mend()
            silent = [case for case in cases if case.what == "silence"]
            until(server, lambda: all(is_put_off(server, case) for case in silent), "impatience", "+1m")
            for case in silent:
                case.mend()
        with tap.test("what was put off arrives"):
            waiting = [case for case in cases if case.then in (LATER, UNSURE)]
            until(server, lambda: all(case.has_arrived() for case in waiting), "what was put off")
        for case in cases:
            with tap.test(f"{case.told}: each recipient's as often as it should"):
                case.check()
        refused = [case for case in cases if case.then == NEVER]
        with tap.test("what was refused came back, once, in the other side's words"):
            found = [Report(message) for message in inbox(server, WRITER, len(refused))]
            assert len(found) == len(refused), [report.actions for report in found]
            for case in refused:
                report, = (report for report in found if case.recipients[0] in report.actions)
                assert report.actions == dict.fromkeys(case.recipients, "failed"), (case.told, report.actions)
                for address in case.recipients:
                    fields = report.of(address)
                    assert fields["Status"] == case.what.split()[1], (case.told, fields["Status"])
                    assert case.what in fields["Diagnostic-Code"].replace("\r\n", ""), (case.told, fields.items())
        with tap.test("nothing waits any more, and nothing comes twice later"):
            before = [case.counts() for case in cases]
            server.clock("+1d")
            wait_until(lambda: "@" not in server.command("queue", "list"), 60, "an empty queue")
            assert before == [case.counts() for case in cases]
            assert len(inbox(server, WRITER)) == len(refused)
    for case in cases:
        case.stop()
    tap.done()


main()
