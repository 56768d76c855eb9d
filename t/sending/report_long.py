"""report_long.py - a report that is longer than an entry of the journal may be is made smaller, not dropped: first the
message goes, then most of what the other side said, and all recipients are told of as long as that is possible."""

import tap
from postern import Server, wait_until
from sending import WAIT_S, Report, inbox, submit, text
from smtp_sink import Sink

MANY = 900
WORDS = "550 5.1.1 " + "who is that " * 75
LONG = "a long line of a message, one of many that nobody reads\r\n" * 1500


def main():
    with Sink() as sink:
        sink.fault("rcpt", WORDS)
        settings = ["journal.segment 1M", "journal.size 16M", "smtp.recipients_max 1000", "sending.recipients_per_message 1000"]
        with Server(users=2, smarthost=sink.place, set=settings) as server:
            with tap.test("of a few recipients all is told, the message too"):
                submit(server, ["a@far.test"], text("few", LONG), mail=["RET=FULL"])
                report = Report(inbox(server)[0])
                assert report.actions == {"a@far.test": "failed"} and report.original.count(b"nobody reads") == 1500
                assert "who is that" in report.words
            with tap.test(f"of {MANY} with many words each is told, in fewer words"):
                names = [f"somebody-with-a-long-name-{n}@far.test" for n in range(MANY)]
                submit(server, names, text("many", LONG), "test0001", mail=["RET=FULL"])
                told = []

                def all_told():
                    told[:] = [Report(message) for message in inbox(server, "test0001", 1)]
                    return sum(len(report.actions) for report in told) >= MANY

                wait_until(all_told, WAIT_S, "reports on all")
                assert {name: action for report in told for name, action in report.actions.items()} == \
                    {name: "failed" for name in names}, [len(report.actions) for report in told]
                tap.note(f"reports on {[len(report.actions) for report in told]} recipients")
                assert "550 5.1.1 who" in told[0].of(next(iter(told[0].actions)))["Diagnostic-Code"]
                assert any(not report.original for report in told)
            with tap.test("and nothing waits any more"):
                wait_until(lambda: "@" not in server.command("queue", "list"), WAIT_S, "an empty queue")
                assert "no report" not in server.log()
    tap.done()


main()
