"""smart_hosts.py - each sender's mail by the smart host of his own, with his own login; that of others by neither."""

import tempfile

import tap
from postern import Server
from sending import submit, text
from smtp_sink import Sink, server_tls

FAR = ["a@far.test", "b@other.test"]


def route(name, sink, sender, user=""):
    yield f"route.{name}.to smtp:[{sink.host}]:{sink.port}"
    if sender:
        yield f'route.{name}.senders {{"{sender}"}}'
    if user:
        yield from (f"route.{name}.user {user}", f"route.{name}.password {sink.users[user]}", f"route.{name}.tls must")


with tempfile.TemporaryDirectory() as folder:
    tls = server_tls(folder)
    one, two = Sink(tls=tls, users={"first": "s3cret"}).start(), Sink(tls=tls, users={"second": "pa55"}).start()
    rest = Sink().start()
    settings = [*route("one", one, "test0000@example.test", "first"), *route("two", two, "test0001@example.test", "second"),
                *route("rest", rest, "")]
    with Server(users=3, set=settings) as server:
        with tap.test("two senders, two hosts, two logins, to the same people"):
            for number in range(3):
                submit(server, FAR, text("mail", sender=server.address(f"test{number:04}")), f"test{number:04}")
            for number, sink in enumerate((one, two, rest)):
                sink.wait_for(lambda: set(sink.counts()) == set(FAR))
                assert {t.sender for t in sink.messages} == {server.address(f"test{number:04}")}, sink.messages
        with tap.test("each over TLS, with the name and the password that are his"):
            assert {(t.user, t.tls) for t in one.messages} == {("first", True)}, one.messages
            assert {(t.user, t.tls) for t in two.messages} == {("second", True)}, two.messages
            assert {(t.user, t.tls) for t in rest.messages} == {(None, False)}, rest.messages
        with tap.test("where one's password is wrong, his mail waits and goes by no other host; the other's goes on"):
            one.users["first"] = "another"
            before = len(one.messages), len(rest.messages)
            server.restart()
            submit(server, FAR, text("again", sender=server.address("test0000")))
            submit(server, FAR, text("again", sender=server.address("test0001")), "test0001")
            two.wait_for(lambda: set(two.counts().values()) == {2})
            one.wait_commands("AUTH", 2)
            assert (len(one.messages), len(rest.messages)) == before
            assert {t.sender for t in two.messages} == {server.address("test0001")}
    for sink in one, two, rest:
        with tap.test("nothing was done that no client may do"):
            sink.close()
tap.done()
