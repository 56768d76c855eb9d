"""imapfilter.py - imapfilter searches, flags, copies, moves and deletes by rules, makes mailboxes, waits by IDLE."""

import contextlib
import os
import subprocess
import tempfile

import tap
from mail import append, create, fetch_all, flags_of, folders, send, texts
from postern import PASSWORD, Server

tap.need("imapfilter")
ACCOUNT = """
options.info = false
options.certificates = false
options.create = true
options.subscribe = true
account = IMAP {{ server = 'localhost', port = {port}, username = '{user}', password = '{password}' {ssl} }}
"""
SEARCHES = """
inbox = account.INBOX
function tell(name, found) print(name, #found) end
tell('all', inbox:select_all())
tell('seen', inbox:is_seen())
tell('flagged', inbox:is_flagged())
tell('large', inbox:is_larger(10000))
tell('subject', inbox:contain_subject('bill'))
tell('from or body', inbox:contain_from('shop') + inbox:contain_body('seven'))
tell('subject, not seen', inbox:contain_subject('bill') - inbox:is_seen())
tell('field', inbox:contain_field('X-Kind', 'list'))
tell('pattern', inbox:match_subject('^bill [0-2]$'))
tell('sent', inbox:sent_on('17-Jul-1996'))
tell('query', inbox:send_query('OR UID 1:2 KEYWORD Work'))
print('status', inbox:check_status())
"""
FOUND = {"all": "10", "seen": "2", "flagged": "2", "large": "1", "subject": "5", "from or body": "6",
         "subject, not seen": "4", "field": "5", "pattern": "2", "sent": "10", "query": "3"}
RULES = """
inbox = account.INBOX
inbox:contain_subject('bill'):mark_flagged()
inbox:contain_subject('bill 0'):add_flags({ 'Paid', '\\\\Seen' })
inbox:contain_field('X-Kind', 'list'):copy_messages(account['Lists/All of them'])
inbox:contain_field('X-Kind', 'list'):move_messages(other['Elsewhere'])
inbox:is_larger(10000):delete_messages()
account:create_mailbox('By hand')
account:rename_mailbox('By hand', 'By hand, again')
all, inside = account:list_all('', '*')
for _, name in ipairs(all) do print('mailbox', name) end
print('end', 'of rules')
"""
IDLE = """
account.INBOX:check_status()
print('waits')
io.stdout:flush()
print('woken', account.INBOX:enter_idle())
print('then', #account.INBOX:contain_subject('news'))
"""


def message(number, kind):
    size = 12000 if number == 3 else 100
    word = "seven" if number == 7 else "other"
    sender = "shop" if number % 2 == 0 else "list"
    return (f"Date: Wed, 17 Jul 1996 02:44:25 -0700\r\nFrom: {sender}@example.test\r\nSubject: {kind} {number}\r\n"
            f"X-Kind: {sender}\r\n\r\n{word}\r\n{'x' * 70}".ljust(size) + "\r\n").encode()


def program(role, script, wait=True):
    path = f"{home}/config.lua"
    ssl = ", ssl = 'auto'" if role == "imaps" else ""
    conf = [ACCOUNT.format(port=server.ports[role], user=server.address(who), password=PASSWORD, ssl=ssl)
            for who in ("test0001", "test0000")]
    with open(path, "w") as file:
        file.write(f"{conf[0]}other = account\n{conf[1]}{script}")
    running = subprocess.Popen(["imapfilter", "-c", path, "-t", server.certificate], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
                               env={**os.environ, "HOME": home})
    return running if not wait else ended(running)


def ended(running):
    """What it printed: [[word, word ...] of each line]"""
    try:
        out, err = running.communicate(timeout=120)
    finally:
        running.kill()
    # It makes a mailbox when it is told that there is none.
    assert running.returncode == 0 and all("[TRYCREATE]" in line for line in err.splitlines()), out + err
    return [line.split("\t") for line in out.splitlines()]


MAIL = [message(n, "bill" if n % 2 == 0 else "note") for n in range(10)]
with Server(users=2) as server, tempfile.TemporaryDirectory() as home:
    append(server, "test0000", MAIL[:2], flags=r"\Seen \Flagged")
    append(server, "test0000", MAIL[2:3], flags="Work")
    append(server, "test0000", MAIL[3:])
    for role in ("imap", "imaps"):
        with tap.test(f"what rules look for is found, by {role}"):
            *found, status = program(role, SEARCHES)
            assert dict(found) == FOUND and status == ["status", "10", "0", "8", "11"], (found, status)
    with tap.test("rules flag, copy, move to another account, delete, and make mailboxes"):
        create(server, "test0001", "Elsewhere")
        said = program("imaps", RULES)
        assert said[-1] == ["end", "of rules"], said
        made = {"INBOX", "Lists/All of them", "By hand, again"}
        assert {name for _, name in said[:-1]} == made == folders(server, "test0000"), said
        lists = [text for number, text in enumerate(MAIL) if number % 2]
        for account, mailbox in (("test0000", "Lists/All of them"), ("test0001", "Elsewhere")):
            assert sorted(texts(server, account, mailbox)) == lists, (account, mailbox)
        left = fetch_all(server, "test0000")
        assert [text for _, _, text in left] == [text for text in MAIL if text not in lists]
        flags = [flags_of(about) for _, about, _ in left]
        assert flags[:2] == [(b"Paid", rb"\Flagged", rb"\Seen"), (b"Work", rb"\Flagged")], flags
        assert flags[2:] == 3 * [(rb"\Flagged",)], flags
    with tap.test("it waits by IDLE and wakes for new mail"):
        waiting = program("imap", IDLE, wait=False)
        assert waiting.stdout.readline() == "waits\n"
        news = 0
        while waiting.poll() is None and news < 100:  # one may come before IDLE does
            send(server, ["test0000"], [message(news, "news")])
            news += 1
            with contextlib.suppress(subprocess.TimeoutExpired):
                waiting.wait(5)
        (woken, then) = ended(waiting)
        assert woken[:2] == ["woken", "true"] and then[0] == "then" and 1 <= int(then[1]) <= news, (woken, then, news)
tap.done()
