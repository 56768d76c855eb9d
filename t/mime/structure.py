"""structure.py - ENVELOPE and BODYSTRUCTURE of all our real mail (RFC 3501, 7.4.2), as Python's email package sees it.

Every message is compared, the broken ones too. Python splits headers and multiparts; messages within a message are kept
from it at first, so that their sizes are theirs as they lie. OURS says, message by message, where Python is wrong, or
where both may differ over what is broken, with what must be answered there.
"""

import email
import email._parseaddr
import email.message
import email.utils
import re

import real_mail
import tap
from mail import done, imap_session
from postern import Server

TEXTS = ("date", "subject", "in-reply-to", "message-id")
LISTS = ("from", "sender", "reply-to", "to", "cc", "bcc")
TOKEN = re.compile(rb'(\()|(\))|"((?:[^"\\]|\\.)*)"|(B[A-Z.]+\[[^]]*\](?:<\d+>)?|[^\s()"]+)')
GROUP = re.compile(rb"([\w -]+):[^:;]*;")  # of one Python tells the addresses, but not the name

HEADER = "a line that is no field does not end a header, only a blank one does"
END = "no delimiter follows, so the last line end is the part's own (RFC 2046, 5.1.1)"
INNERMOST = "a delimiter belongs to the innermost part that has it"
BEGINS = "a line that begins with the delimiter is one (RFC 2046, 5.1.1)"
EMPTY = "a delimiter behind a delimiter ends an empty part"
COMMENT = "a comment is no part of a name that stands there as well"

# message: (why, {what: our answer}); where the two do not see the same parts (why, our tree as outline() has it), and
# then {what: our answer} of the envelope.
OURS = {
    "cpython/msg_14.txt": ("a type without subtype is none, and text/plain has its charset (RFC 2045, 5.2)", {
        "params": [(b"charset", b"us-ascii")]}),
    "cpython/msg_15.txt": (INNERMOST, (
        "multipart/mixed; 1 multipart/alternative; 1.1 text/plain 21 1; 1.2 text/html 107 9; 2 image/gif 36")),
    "cpython/msg_19.txt": (HEADER, {"size": 746, "lines": 40}),
    "cpython/msg_35.txt": (HEADER, {"size": 0, "lines": 0}),
    "cpython/msg_37.txt": (EMPTY, (
        "multipart/mixed; 1 text/x-one 6 1; 2 text/plain 0 0; 3 text/x-two 6 1; 4 text/plain 0 0; 5 "
        "text/plain 0 0; 6 text/plain 0 0; 7 text/x-two 6 1")),
    "cpython/msg_38.txt": (BEGINS, {"1.2 size": 0, "2 size": 1622, "2 lines": 66}),
    "cpython/msg_39.txt": (INNERMOST, (
        "multipart/mixed; 1 multipart/mixed; 1.1 multipart/alternative; 1.1.1 application/octet-stream 5; "
        "1.1.2 application/octet-stream 5; 1.2 multipart/alternative; 1.2.1 application/octet-stream 5; 1.2.2"
        " application/octet-stream 5; 1.3 multipart/alternative; 1.3.1 application/octet-stream 5; 1.3.2 "
        "application/octet-stream 5; 2 text/plain 52 2")),
    "cpython/msg_42.txt": ("a multipart without a part is text", {"2.m size": 9, "2.m lines": 1}),
    "cpython/msg_43.txt": ("a name without an address is shown", {
        "envelope from": [(b"MAILER DAEMON", b"")],
        "envelope sender": [(b"MAILER DAEMON", b"")],
        "envelope reply-to": [(b"MAILER DAEMON", b"")]}),
    "cpython/msg_47.txt": (HEADER, {"1 size": 0, "1 lines": 0, "2 size": 0, "2 lines": 0}),
    "mime-malformed/000.eml": (EMPTY, (
        "multipart/mixed; 1 text/plain 0 0; 2 text/plain 0 0; 3 text/plain 0 0; 4 text/html 0 0")),
    "mime-malformed/001.eml": (END, {"2 size": 7, "2 lines": 2}),
    "mime-malformed/003.eml": (INNERMOST, "multipart/mixed; 1 multipart/mixed; 1.1 text/plain 6 1"),
    "mime-malformed/004.eml": (BEGINS, "multipart/mixed; 1 multipart/mixed; 1.1 text/plain 6 1"),
    "mime-malformed/005.eml": (BEGINS, "multipart/mixed; 1 multipart/mixed; 1.1 text/plain 4 0"),
    "mime-malformed/006.eml": (END, {"1.1 size": 6, "1.1 lines": 1}),
    "mime-malformed/007.eml": (BEGINS, "multipart/mixed; 1 text/plain 0 0; 2 text/plain 0 0; 3 text/plain 0 0"),
    "mime-malformed/008.eml": (END, {"2 size": 7, "2 lines": 1}),
    "mime-malformed/009.eml": (END, {"2 size": 5, "2 lines": 1}),
    "mime-malformed/012.eml": (END, {"2 size": 33, "2 lines": 3, "2.m size": 5, "2.m lines": 1}),
    "mime-malformed/013.eml": (INNERMOST, (
        "multipart/mixed; 1 text/plain 12 0; 2 multipart/mixed; 2.1 text/plain 12 0; 2.2 multipart/mixed; "
        "2.2.1 text/plain 12 0; 2.2.2 multipart/mixed; 2.2.2.1 text/plain 12 0; 2.2.2.2 text/plain 0 0")),
    "mime-malformed/016.eml": (END, {"2 size": 240, "2 lines": 9}),
    "mime-malformed/017.eml": ("a semicolon may be missing", "multipart/mixed; 1 image/png 16"),
    "mime-malformed/019.eml": (HEADER, (
        "multipart/alternative; 1 text/html 337 10; 2 text/html 142 3; 3 text/html 299 7; 4 text/plain 0 0; 5"
        " multipart/alternative; 5.1 text/html 45 1; 5.2 multipart/alternative; 5.2.1 text/plain 0 0; 5.2.2 "
        "text/plain 0 0"), {
            "envelope date": b"Tue, 7 Apr 2026 10:00:t <rimap-test@example.test>",
            "envelope message-id": b"<multi-001@example.test>",
            "envelope subject": b"Sprint 3 multipart fixture",
            "envelope to": [(b"rimap-test", b"rimap-test@example.test")]}),
    "mime-malformed/022.eml": (HEADER, {"2.m size": 0}),
    "mime-rfc/001.eml": ("a semicolon may be missing", {
        "3 params": [(b"access-type", b"mail-server"), (b"server", b"listserv@bogus.bitnet"),
                     (b"expiration", b"Fri, 14 Jun 1991 19:13:14 -0400 (EDT)")]}),
    "mime-rfc/002.eml": (COMMENT, {"2 envelope to": [(b"A1 Gore", b"vice-president@whitehouse.gov")]}),
    "mime-rfc/008.eml": (HEADER + ", nor is a message decoded that must not be encoded (RFC 2046, 5.2.1)", {
        "2.m size": 0,
        "2.m lines": 0}),
    "mime-rfc/009.eml": ("words that are no address are shown, all of them", {
        "2 envelope from": [(b"", b"Someone Else")],
        "2 envelope sender": [(b"", b"Someone Else")],
        "2 envelope reply-to": [(b"", b"Someone Else")]}),
    "mime-thirdparty/004.eml": ("an encoding is one word", {"3 encoding": b"8"}),
    "mime-thirdparty/010.eml": ("a semicolon may be missing", {
        "params": [(b"boundary", b"1"), (b"comment", b""),
                   (b"comment", b"\xe4\xba\xba\xe6\xa8\xa9\xe3\x81\xae\xe7\x84\xa1\xe8\xa6\x96\xe5\x8f\x8a")]}),
    "mime-thirdparty/012.eml": ("a boundary may be folded (RFC 5322, 2.2.3)", (
        "multipart/mixed; 1 text/x-myown 7 1; 2 message/rfc822 298 18; 2.m multipart/alternative; 2.m.1 "
        "text/html 20 1; 2.m.2 text/plain 21 1")),
    "mime-thirdparty/015.eml": (HEADER, {"4.m size": 692, "4.m lines": 13}),
    "ruby-mail/attachment_emails__attachment_message_rfc822_inline_image.eml": (END, {
        "2 size": 1853,
        "2 lines": 37}),
    "ruby-mail/error_emails__content_transfer_encoding_qp_with_space.eml": ("an encoding is one word", {
        "1 encoding": b"quoted"}),
    "ruby-mail/error_emails__encoding_madness.eml": ("a name without an address is shown", {
        "envelope reply-to": [(b"KLAUS- H\xc3\x84NSCHEL", b"")]}),
    "ruby-mail/error_emails__missing_body.eml": ("what stands in angle brackets is an address", {
        "envelope to": [(b"", b"Undisclosed-Recipient:@mailman.enron.com"), (b"", b">")]}),
    "ruby-mail/error_emails__multiple_invalid_content_dispositions.eml": ("a disposition is a token (RFC 2183, 2)", {
        "disposition": None}),
    "ruby-mail/mime_emails__raw_email4.eml": (BEGINS, (
        "multipart/mixed; 1 multipart/mixed; 1.1 text/plain 11 1; 2 text/plain 318 8; 3 text/plain 0 0; 4 "
        "text/plain 0 0")),
    "ruby-mail/plain_emails__raw_email_incorrect_header.eml": (HEADER, {
        "envelope date": b"Wed, 23 Feb 2005 18:20:17 -0400",
        "envelope subject": b"Stop adware/spyware once and for all.",
        "envelope from": [(b"xxx xxx", b"xxx@xxx.xxx")],
        "envelope sender": [(b"xxx xxx", b"xxx@xxx.xxx")],
        "envelope reply-to": [(b"xxx xxx", b"xxx@xxx.xxx")],
        "envelope to": [(b"", b"xxx@xxx.com")],
        "envelope message-id": b"<4D6AA7EB.6490534@xxx.xxx>",
        "size": 262,
        "lines": 13}),
    "ruby-mail/plain_emails__raw_email_multiple_from.eml": ("where a comma is missing the first address counts", {
        "envelope from": [(b"", b"tim@powerupdev.com")],
        "envelope sender": [(b"", b"tim@powerupdev.com")],
        "envelope reply-to": [(b"", b"tim@powerupdev.com")],
        "envelope to": [(b"", b"tim@powerupdev.com")]}),
    "ruby-mail/plain_emails__raw_email_with_at_display_name.eml": ("what stands before angle brackets is a name", {
        "envelope to": [(b"", b"smith@gmail.com"), (b"Mikel@Lindsaar", b"raasdnil@gmail.com"),
                        (b"", b"tom@gmail.com")]}),
    "ruby-mail/rfc2822__example10.eml": (COMMENT, {
        "envelope from": [(b"Pete", b"pete@silly.test")],
        "envelope sender": [(b"Pete", b"pete@silly.test")],
        "envelope reply-to": [(b"Pete", b"pete@silly.test")],
        "envelope to": [(b"Chris Jones", b"c@public.example"), (b"", b"joe@example.org"), (b"John", b"jdoe@one.test"),
                        (b"A Group",)],
        "envelope cc": [(b"Undisclosed recipients",)]}),
    "ruby-mail/rfc2822__example13.eml": ("white space may stand before the colon (RFC 5322, 4.5)", {
        "envelope date": b"Fri, 21 Nov 1997 09(comment):   55  :  06 -0600",
        "envelope subject": b"Saying Hello",
        "envelope to": [(b"", b"Mary Smith")],
        "envelope message-id": b"<1234   @   local(blah)  .machine .example>",
        "size": 52,
        "lines": 2}),
}


# ---- what we say ----

def parse(segments):
    """Lists, strings (bytes), numbers and None of what imaplib gives: text and literals in turn."""
    stack, text = [[]], b""
    for segment in segments:
        text, literal = segment if isinstance(segment, tuple) else (segment, None)
        if literal is not None:
            text = re.sub(rb"~?\{\d+\}$", b"", text)
        for opening, closing, quoted, atom in TOKEN.findall(text):
            if opening:
                stack.append([])
            elif closing:
                done_list = stack.pop()
                stack[-1].append(done_list)
            elif atom == b"NIL":
                stack[-1].append(None)
            elif atom.isdigit():
                stack[-1].append(int(atom))
            else:
                stack[-1].append(atom or re.sub(rb"\\(.)", rb"\1", quoted))
        if literal is not None:
            stack[-1].append(literal)
    return stack[0]


def our_params(params):
    return [(name.lower(), value) for name, value in zip(params[::2], params[1::2])] if params else []


def our_addresses(entries):
    """(name, address) of mailboxes, and after them (group,) of each group."""
    found, groups = [], []
    for name, _, local, host in entries or []:
        if host is not None:
            found.append((name or b"", local + b"@" + host if host else local))
        elif local is not None:
            groups.append((local,))
    return found + groups


def our_envelope(items):
    found = dict(zip(("date", "subject") + LISTS + TEXTS[2:], items))
    return {field: our_addresses(found[field]) if field in LISTS else found[field] for field in found}


def our_extension(rest):
    disposition, language, location = rest
    return {"disposition": (disposition[0].lower(), our_params(disposition[1])) if disposition else None,
            "language": language, "location": location}


def ours(body, path="", found=None):
    """{path: what is said of that part}"""
    found = {} if found is None else found
    children = [item for item in body if isinstance(item, list)] if isinstance(body[0], list) else []
    children = children[:next(i for i, item in enumerate(body) if not isinstance(item, list))] if children else []
    if children:
        kind = f"multipart/{body[len(children)].decode().lower()}"
        found[path] = {"type": kind, "params": our_params(body[len(children) + 1]),
                       **our_extension(body[len(children) + 2:])}
        for number, child in enumerate(children, 1):
            ours(child, f"{path}.{number}".lstrip("."), found)
        return found
    kind = f"{body[0].decode().lower()}/{body[1].decode().lower()}"
    part = found[path] = {"type": kind, "params": our_params(body[2]), "id": body[3], "description": body[4],
                          "encoding": body[5].lower(), "size": body[6]}
    rest = body[7:]
    if kind in ("message/rfc822", "message/global"):
        part["envelope"], inner, rest = our_envelope(rest[0]), rest[1], rest[2:]
        ours(inner, f"{path}.m".lstrip("."), found)
        part["lines"], rest = rest[0], rest[1:]
    elif kind.startswith("text/"):
        part["lines"], rest = rest[0], rest[1:]
    part.update(md5=rest[0], **our_extension(rest[1:]))
    return found


# ---- what Python says ----

def raw(value):
    return value.encode("ascii", "surrogateescape")


def field(message, name):
    """A field's value, unfolded; None: it is not there. Of two the first counts."""
    values = fields(message, name)
    return raw(re.sub(r"[\r\n]", "", values[0]).strip(" \t")) if values else None


def fields(message, name):
    return [value for key, value in message.raw_items() if key.lower() == name]


def words(value):
    """A structured field: its first word and its parameters, as they are written."""
    if value is None:
        return None, []
    first, *rest = email.message._parseparam(value.decode("ascii", "surrogateescape"))
    params = []
    for param in rest:
        name, equals, value = param.partition("=")
        if equals:
            params.append((raw(name.strip().lower()), raw(email.utils.unquote(value.strip()))))
    return raw(first.strip().lower()), params


def their_addresses(message, name):
    found, groups = [], []
    for value in fields(message, name):
        value = re.sub(r"[\r\n]", "", value)
        pairs = email._parseaddr.AddressList(value).addresslist
        found += [(raw(real), raw(address)) for real, address in pairs if address]
        groups += GROUP.findall(raw(value))
    return found + [(group,) for group in groups]


def their_envelope(message):
    found = {name: field(message, name) for name in TEXTS}
    found.update({name: their_addresses(message, name) for name in LISTS})
    found["sender"] = found["sender"] or found["from"]
    found["reply-to"] = found["reply-to"] or found["from"]
    return found


def their_extension(message):
    disposition, params = words(field(message, "content-disposition"))
    language = field(message, "content-language")
    return {"disposition": (disposition, params) if disposition else None,
            "language": [word.strip() for word in language.split(b",")] if language else None,
            "location": field(message, "content-location")}


def masked(text):
    """The same, byte for byte as long, in which Python sees no message within a message."""
    text = re.sub(rb"(?i)message/(?=[a-z])", b"mess_ge/", text)
    return re.sub(rb"(?i)multipart/digest", b"multipart/dig_st", text)


def unmasked(word):
    return word.replace("mess_ge/", "message/").replace("multipart/dig_st", "multipart/digest")


def theirs(text, path="", found=None):
    """{path: what is said of that part} of a message."""
    found = {} if found is None else found
    their_part(email.message_from_bytes(masked(text)), path, found, False)
    return found


def their_part(message, path, found, in_digest):
    kind, params = words(field(message, "content-type"))
    kind = unmasked(kind.decode("ascii", "replace")) if kind else "message/rfc822" if in_digest else "text/plain"
    if not re.fullmatch(r"[^/\s]+/[^/\s]+", kind):
        kind, params = "text/plain", []
    if kind == "text/plain" and field(message, "content-type") is None:
        params = [(b"charset", b"us-ascii")]
    if message.is_multipart():
        found[path] = {"type": kind, "params": params, **their_extension(message)}
        for number, child in enumerate(message.get_payload(), 1):
            their_part(child, f"{path}.{number}".lstrip("."), found, kind == "multipart/digest")
        return
    if kind.startswith("multipart/"):
        kind, params = "text/plain", [(b"charset", b"us-ascii")]
    text = raw(message._payload)
    part = found[path] = {"type": kind, "params": params, "id": field(message, "content-id"),
                          "description": field(message, "content-description"),
                          "encoding": (words(field(message, "content-transfer-encoding"))[0] or b"7bit"),
                          "size": len(text)}
    if kind in ("message/rfc822", "message/global"):
        inner = unmask_text(text)
        part["envelope"] = their_envelope(email.message_from_bytes(inner))
        theirs(inner, f"{path}.m".lstrip("."), found)
    if kind.startswith("text/") or "envelope" in part:
        part["lines"] = text.count(b"\n")
    part.update(md5=field(message, "content-md5"), **their_extension(message))


def unmask_text(text):
    return text.replace(b"mess_ge/", b"message/").replace(b"multipart/dig_st", b"multipart/digest")


# ---- the comparison ----

def flat(envelope, parts):
    """{what: value} of all that is said."""
    found = {f"envelope {name}": value for name, value in envelope.items()}
    for path, part in parts.items():
        for name, value in part.items():
            if name == "envelope":
                found.update({f"{path} envelope {inner}": inner_value for inner, inner_value in value.items()})
            else:
                found[f"{path} {name}".strip()] = value
    return found


def outline(parts):
    """The tree in short: path, type, size and lines of each part."""
    return "; ".join(f"{path} {part['type']} {part.get('size', '')} {part.get('lines', '')}".strip()
                     for path, part in parts.items())


def compare(name, our, their):
    """What is not as it should be, line by line."""
    _, *pinned = OURS.get(name, ("", {}))
    if isinstance(pinned[0], str):  # another tree
        if outline(our[1]) != pinned[0]:
            yield f"the tree is {outline(our[1])}"
        our, their = (our[0], {}), (their[0], {})
    pinned = pinned[-1] if isinstance(pinned[-1], dict) else {}
    our, their = flat(*our), flat(*their)
    for what in sorted(our.keys() | their.keys()):
        said, want = our.get(what, "absent"), pinned.get(what, their.get(what, "absent"))
        if said != want:
            yield f"{what} is {said}, not {want}"


def main():
    with Server(users=1) as server:
        imap = imap_session(server, "test0000")
        messages = real_mail.messages()
        for _, text in messages:
            done(imap.append("INBOX", None, None, text))
        done(imap.select())
        for number, (name, text) in enumerate(messages, 1):
            answer = parse(done(imap.fetch(str(number), "(ENVELOPE BODYSTRUCTURE)")))[1]
            our = our_envelope(answer[1]), ours(answer[3])
            their = their_envelope(email.message_from_bytes(text)), theirs(text)
            wrong = list(compare(name, our, their))
            why = f", but that {OURS[name][0]}" if name in OURS else ""
            tap.ok(not wrong, f"{name} is as Python says{why}")
            for line in wrong:
                tap.note(line)
        tap.ok(len(messages) >= 190, f"{len(messages)} messages were compared")
        tap.ok(not OURS.keys() - dict(messages).keys(), "and those that Python reads otherwise are among them")
    tap.done()


if __name__ == "__main__":
    main()
