"""smuggling.py - whatever a sender and we might take for the end of a message in different ways, by DATA and by BDAT, in SMTP
and LMTP: the message has one end, and nothing in it is obeyed (RFC 5321, 2.3.8 and 4.1.1.4; RFC 3030, 2)."""

import tap
from mail import texts
from postern import Server
from two_in_one import HIDDEN, Wire, by_bdat, by_data, is_strict, messages, normalised, unstuffed


def check(server, account, wire, way, loose):
    address = server.address(account).encode()
    want = []
    for text in messages(HIDDEN % address):
        sent = meant = text
        if way is by_data:
            sent = text + b"\r\n.\r\n"
            if (meant := unstuffed(sent)) is None:
                continue  # a real end stands in the middle
        good = b"\0" not in meant if loose else is_strict(meant)
        code = way(wire, address, sent)
        assert code == (250 if good else 550), (text, code)
        assert wire.ask(b"NOOP") == 250, text
        if good:
            want.append(normalised(meant))
    assert want and wire.ask(b"QUIT") == 221
    got = texts(server, account)
    assert len(got) == len(want), f"{len(want)} messages were taken, {len(got)} are there"
    for sent, text in zip(want, got):
        assert text.endswith(b"\r\n" + sent) or text.endswith(sent), tap.difference(sent, text[-len(sent):])


with Server(users=4, set=["smtp.errors_max 1000"]) as server:
    for account, role, hello, way in (("test0000", "smtp", b"EHLO client.test", by_data),
                                      ("test0001", "smtp", b"EHLO client.test", by_bdat),
                                      ("test0002", "lmtp", b"LHLO client.test", by_data),
                                      ("test0003", "lmtp", b"LHLO client.test", by_bdat)):
        with tap.test(f"a message by {role} and {way.__name__[3:].upper()} has one end, and nothing in it is obeyed"):
            check(server, account, Wire(server, role, hello), way, role == "lmtp")
tap.done()
