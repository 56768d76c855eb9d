"""held.py - mail to elsewhere that its sender wants to leave later (FUTURERELEASE, RFC 4865): not before its time, through
a stop and kill -9, and then at once; and how long a time he may ask for."""

import time

import tap
from postern import Server
from sending import Far, submission, submit, text

HOUR = 3600


def at(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


def subjects(far):
    return [line.removeprefix(b"Subject: ").decode() for t in far.messages for line in t.content.split(b"\r\n")
            if line.startswith(b"Subject: ")]


def check_waiting(server, far, name, *waiting):
    """What is sent now arrives; what is held is still in the queue, and nowhere else."""
    submit(server, [far.address("now")], text(name))
    far.wait_messages(f"Subject: {name}")
    assert not set(subjects(far)) & set(waiting), subjects(far)
    listed = server.command("queue", "list")
    assert all(far.address(each) in listed for each in waiting), listed


def held(server, far):
    both = ("for", "until")
    with tap.test("what is held waits, and what is not held leaves"):
        submit(server, [far.address("for")], text("for"), mail=[f"HOLDFOR={10 * HOUR}"])
        submit(server, [far.address("until")], text("until"), mail=[f"HOLDUNTIL={at(20 * HOUR)}"])
        check_waiting(server, far, "first", *both)
    for how in (server.stop, server.kill):
        words = "a stop" if how == server.stop else "kill -9"
        with tap.test(f"after {words} it waits as before"):
            how()
            server.start()  # the clock is as it was
            check_waiting(server, far, f"after {words}", *both)
    with tap.test("shortly before its time it waits"):
        server.clock(f"+{8 * HOUR}s")
        check_waiting(server, far, "before", *both)
    with tap.test("when HOLDFOR is over it leaves, and what is held until later does not"):
        server.clock(f"+{3 * HOUR}s")
        far.wait_messages("Subject: for\r\n")
        check_waiting(server, far, "between", "until")
    with tap.test("kill -9 between the two brings nothing forward, and nothing back"):
        server.kill()
        server.start()
        check_waiting(server, far, "once more", "until")
        server.clock(f"+{18 * HOUR}s")
        check_waiting(server, far, "late", "until")
    with tap.test("at the time of HOLDUNTIL it leaves"):
        server.clock(f"+{3 * HOUR}s")
        far.wait_messages("Subject: until\r\n")
        check_waiting(server, far, "last")
        assert subjects(far).count("for") == subjects(far).count("until") == 1, subjects(far)


def longest(server):
    sender = f"MAIL FROM:<{server.address('test0000')}>"
    with submission(server) as smtp:
        with tap.test("how long it may be is said, and kept to: submission.hold_max"):
            assert smtp.esmtp_features["futurerelease"].split()[0] == str(24 * HOUR), smtp.esmtp_features
            assert smtp.docmd(f"{sender} HOLDFOR={24 * HOUR + 1}")[0] >= 500
            assert smtp.docmd(f"{sender} HOLDUNTIL={at(25 * HOUR)}")[0] >= 500
            assert smtp.docmd(f"{sender} HOLDFOR={24 * HOUR}")[0] == 250


def never(server):
    with tap.test("with hold_max 0 it is not offered, and refused"):
        server.options["set"].append("submission.hold_max 0s")
        server.write_conf()
        server.command("reload")
        with submission(server) as smtp:
            assert "futurerelease" not in smtp.esmtp_features, smtp.esmtp_features
            assert smtp.docmd(f"MAIL FROM:<{server.address('test0000')}> HOLDFOR=60")[0] >= 500


def main():
    far = Far("far")
    with Server(users=1, set=[*far.settings(), "submission.hold_max 24h"]) as server:
        longest(server)
        held(server, far)
        never(server)
    with tap.test("nothing was done that no client may do"):
        far.close()
    tap.done()


main()
