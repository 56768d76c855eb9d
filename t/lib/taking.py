"""taking.py - what a program is put through that takes mail out of an account."""

import tap
from mail import send, texts
from real_mail import came_back


def take_all(server, how, mail, take, taken):
    """take(keep) runs the program, which may delete at the server unless it is to keep; taken() gives all that it ever
    took. An account "test0000" is its source."""
    before = len(taken())

    def check(want):
        got = taken()[before:]
        assert len(got) == len(want), (len(got), len(want))
        for text in want:
            assert any(came_back(text, other) for other in got), text[:1000]

    with tap.test(f"everything is taken {how}, as it is"):
        send(server, ["test0000"], mail[1:])
        take(keep=True)
        check(mail[1:])
    with tap.test(f"and once only {how}"):
        take(keep=True)
        check(mail[1:])
        send(server, ["test0000"], mail[:1])
        take(keep=True)
        check(mail)
    with tap.test(f"then all is deleted {how}"):
        take(keep=False)
        check(mail)
        assert texts(server, "test0000") == []
