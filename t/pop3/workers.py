"""workers.py - a maildrop over several workers: one session has it, whoever dies; UIDs that survive the index."""

import contextlib
import os
import poplib
import shutil
import threading

import tap
from mail import send
from postern import PASSWORD, Server, wait_until

PATIENCE_S = 60
AT_ONCE = 12
TEXT = b"Subject: kept\r\n\r\nkept\r\n"


def login(server, account):
    """A session that has the maildrop; None if another has it."""
    pop = poplib.POP3(server.host, server.ports["pop3"], timeout=PATIENCE_S)
    pop.user(server.address(account))
    try:
        pop.pass_(PASSWORD)
    except poplib.error_proto as why:
        pop.close()
        assert b"[IN-USE]" in why.args[0], why
        return None
    return pop


def login_patiently(server, account):
    """The same, where the last one may not be gone yet."""
    won = []
    wait_until(lambda: (won.append(login(server, account)) or won[-1]), PATIENCE_S, "the maildrop is free")
    return won[-1]


def uids(pop):
    return [line.split()[1] for line in pop.uidl()[1]]


def all_at_once(server, account):
    """How many of so many sessions have the maildrop at the same time."""
    begin, won = threading.Barrier(AT_ONCE), []

    def session():
        begin.wait()
        if pop := login(server, account):
            won.append(pop)

    threads = [threading.Thread(target=session) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return won


with Server(users=3, workers=3) as server:
    send(server, ["test0000"], [TEXT] * 3)
    with tap.test("of many that come at once, on any worker, one has the maildrop at most"):
        for _ in range(5):
            won = all_at_once(server, "test0000")
            assert len(won) <= 1, len(won)
            for pop in won:
                pop.quit()
    with tap.test("another comes in once it has parted, with QUIT or without"):
        pop = login_patiently(server, "test0000")
        assert login(server, "test0000") is None
        pop.quit()
        pop = login(server, "test0000")
        assert pop, "QUIT gives it back before it answers"
        pop.dele(1)
        pop.close()
        pop = login_patiently(server, "test0000")
        assert len(uids(pop)) == 3
        pop.quit()
    with tap.test("a worker that dies holds no maildrop any more"):
        pop = login_patiently(server, "test0000")
        for worker in server.workers():
            os.kill(worker, 9)
        with contextlib.suppress(OSError, EOFError, poplib.error_proto):
            pop.noop()
            raise AssertionError("the session has ended with its worker")
        for role in ("pop3", "imap"):
            wait_until(lambda: server.answers(role), PATIENCE_S, f"{role} answers again")
        pop = login_patiently(server, "test0000")
        kept = uids(pop)
        assert len(kept) == 3 and len(set(kept)) == 3
        pop.quit()
    with tap.test("UIDs are the same after the loss of the index (RFC 1939, 7)"):
        server.stop()
        shutil.rmtree(server.path("store", "index"))
        server.start()
        pop = login(server, "test0000")
        assert uids(pop) == kept
    with tap.test("and of what is deleted none comes again"):
        pop.dele(3)
        pop.quit()
        send(server, ["test0000"], [TEXT])
        pop = login(server, "test0000")
        now = uids(pop)
        pop.quit()
        assert now[:2] == kept[:2] and len(now) == 3 and now[2] not in kept, (kept, now)
tap.done()
