"""relaxed.py - durability = relaxed: answers do not wait for the disk; a killed process loses nothing, a power cut the last
second at most.

The disk is as slow, or as broken, as these tests want it (t/lib/faulty.py). The power cuts are those of cut.py, CUTS of them
(6 in make check, a tenth of its N by make crash); SEED repeats them.
"""

import errno
import imaplib
import json
import os
import poplib
import smtplib
import sys
import time

os.environ.update(DURABILITY="relaxed", CUTS=os.environ.get("CUTS") or str(int(os.environ.get("KILLS", "60")) // 10))

import cut
import power
import tap
from faulty import rule, start_on
from mail import SENDER, done, texts
from postern import PASSWORD, Server, wait_until
from sending import logged, until

SYNC_S = 5  # a slow one
MESSAGES = 5
FLAGS = (r"\Answered", r"\Flagged", r"\Draft", "work", "home")


def send(server, subject, account="test0000"):
    with smtplib.SMTP(server.host, server.ports["smtp"], timeout=60) as smtp:
        smtp.sendmail(SENDER, [server.address(account)], f"From: {SENDER}\r\nSubject: {subject}\r\n\r\ntext\r\n")


def has(server, subjects):
    found = b"".join(texts(server, "test0000"))
    return all(f"Subject: {subject}\r\n".encode() in found for subject in subjects)


def syncs(server):
    return json.loads(server.command("stats", "--json"))["journal.syncs"]


def imap_of(server):
    imap = imaplib.IMAP4(server.host, server.ports["imap"], timeout=60)
    imap.login(server.address("test0000"), PASSWORD)
    done(imap.select())
    return imap


def flags(server):
    with imap_of(server) as imap:
        return done(imap.uid("FETCH", "2", "FLAGS"))[0].decode()


def remove_last(server):
    pop = poplib.POP3(server.host, server.ports["pop3"], timeout=60)
    pop.user(server.address("test0000"))
    pop.pass_(PASSWORD)
    pop.dele(pop.stat()[0])
    pop.quit()


def several(word):
    return [f"{word} {n}" for n in range(MESSAGES)]


def main():
    with Server(users=2, workers=1) as server:
        disk = start_on(server)
        send(server, "first")
        with tap.test("the setting is taken up by a reload"):
            server.options["set"].append("journal.durability relaxed")
            server.write_conf()
            assert "durability: full -> relaxed" in server.command("reload")
            until(server, lambda: send(server, "tick", "test0001") or syncs(server), "a sync that nobody waited for", "+2s")
        with tap.test(f"while a sync takes {SYNC_S} s, {MESSAGES} answers come in less than half that time each"):
            disk.set([rule([power.SYNC], slow_ms=SYNC_S * 1000, path="journal/")])
            start_s = time.monotonic()
            for subject in several("slow"):
                send(server, subject)
            took_s = time.monotonic() - start_s
            assert took_s < MESSAGES * SYNC_S / 2, took_s
            assert disk.hits() < MESSAGES
            disk.set([])
            wait_until(lambda: has(server, several("slow")), 60, "what is durable is seen")
        with tap.test("nor do flags, expunges and POP3's QUIT wait for it, and all see them"), imap_of(server) as imap:
            disk.set([rule([power.SYNC], slow_ms=SYNC_S * 1000, path="journal/")])
            start_s = time.monotonic()
            for flag in FLAGS:
                done(imap.uid("STORE", "2", "+FLAGS", f"({flag})"))
                assert flag in flags(server)
            done(imap.uid("STORE", "3", "+FLAGS", r"(\Deleted)"))
            done(imap.expunge())
            remove_last(server)
            took_s = time.monotonic() - start_s
            assert took_s < MESSAGES * SYNC_S / 2, took_s
            assert not has(server, ["slow 1"]) and has(server, ["slow 0"])
        with tap.test("a process that is killed then has lost nothing"):
            server.kill()
            server.start()
            assert all(flag in flags(server) for flag in FLAGS)
            assert has(server, ["slow 0", "slow 2", "slow 3"])
            assert not has(server, ["slow 1"]) and not has(server, ["slow 4"])
            disk = start_on(server)
        with tap.test("a sync that fails is told of loudly, and what was acknowledged is not lost"):
            disk.set([rule([power.SYNC], errno.EIO, once=True, path="journal/")])
            send(server, "unsynced")
            logged(server, "CANNOT SYNC WHAT WAS ACKNOWLEDGED")
            logged(server, "what was acknowledged is durable now")
        with tap.test("while no sync works nothing more is acknowledged than was written before the first that failed"):
            disk.set([rule([power.SYNC], errno.EIO, path="journal/")])
            taken = 0
            for subject in several("broken"):
                try:
                    send(server, subject)
                    taken += 1
                    logged(server, "CANNOT SYNC WHAT WAS ACKNOWLEDGED", 2)
                except smtplib.SMTPException:
                    break
            assert taken == 1, taken
        with tap.test("when it works again all goes on, and what was acknowledged is there"):
            disk.set([])
            logged(server, "what was acknowledged is durable now", 2)
            until(server, lambda: journal_takes(server), "mail is taken", "+1s")
            server.kill()
            server.start()
            assert has(server, ["unsynced", "broken 0", "after"])
    cut.main()


def journal_takes(server):
    try:
        send(server, "after")
        return True
    except smtplib.SMTPException:
        return False


if __name__ == "__main__":
    sys.exit(main())
