"""order.py - what waits for one destination leaves by its priority (MT-PRIORITY, RFC 6710), over as many sessions and with
as many messages in each as the settings say."""

import collections
import random

import tap
from postern import Server
from sending import Far, put_off, submit, text, until

PRIORITIES = list(range(-9, 10))
SESSION = 4  # messages in one


def main():
    far, few = Far("far", also=("MT-PRIORITY MIXER",)), Far("few")
    settings = [*far.settings(), *few.settings(), "sending.destination_sessions 1",
                f"sending.messages_per_session {SESSION}"]
    with Server(users=1, workers=1, set=settings) as server:
        far.dead()
        few.dead()
        order = random.Random(6710).sample(PRIORITIES, len(PRIORITIES))
        for number in order:
            submit(server, [far.address("a")], text(f"number {number}"), mail=[f"MT-PRIORITY={number}"])
            submit(server, [few.address("a")], text(f"number {number}"))
        for each in far, few:
            put_off(server, each)
            each.start()
        for each in far, few:
            until(server, lambda: len(each.messages) == len(PRIORITIES), f"mail for {each.title}", "+1h")
        with tap.test("of all that waits the most urgent is first, through all values, and they go on"):
            left = [int(t.parameters.get("MT-PRIORITY", "0")) for t in far.messages]
            assert left == sorted(PRIORITIES, reverse=True), left
        with tap.test("each is what it was sent as"):
            for t, priority in zip(far.messages, left):
                assert f"Subject: number {priority}\r\n".encode() in t.content, t
        with tap.test("what is as urgent leaves in the order that it came"):
            for t, number in zip(few.messages, order):
                assert f"Subject: number {number}\r\n".encode() in t.content, (order, t.content)
        for each in far, few:
            with tap.test(f"so many messages in a session, and one session at a time: {each.title}"):
                sessions = collections.Counter(t.connection for t in each.messages)
                assert max(sessions.values()) == SESSION, sessions
                assert sorted(sessions) == [t for t in dict.fromkeys(t.connection for t in each.messages)]
    for each in far, few:
        with tap.test(f"nothing was done that no client may do to {each.title}"):
            each.close()
    tap.done()


main()
