"""libraries.py - a server has one libcrypto, BoringSSL's.

BoringSSL and OpenSSL share names and do not share memory: a library that brought OpenSSL along would crash us at a
place that has nothing to do with it. So we look into the maps of a server that has spoken TLS and touched its store.
"""

import imaplib
import ssl

import tap
from postern import PASSWORD, Server


def libraries(pid):
    with open(f"/proc/{pid}/maps") as maps:
        return {line.split()[-1] for line in maps if ".so" in line}


with Server(users=1) as server:
    context = ssl.create_default_context(cafile=server.certificate)
    with imaplib.IMAP4_SSL("localhost", server.ports["imaps"], ssl_context=context) as imap:
        imap.login(server.address("test0000"), PASSWORD)
        imap.select()
        loaded = {pid: libraries(pid) for pid in server.processes()}
    with tap.test("the server has a master and workers"):
        assert len(loaded) >= 2, loaded.keys()
    for name in ("libcrypto", "libssl"):
        with tap.test(f"no process has more than one {name}, and that is not OpenSSL's"):
            for pid, paths in loaded.items():
                crypto = sorted(path for path in paths if f"/{name}" in path)
                assert len(crypto) <= 1, crypto
                assert not any(path.partition(name + ".so.")[2][:1] in ("1", "3") for path in crypto), crypto
tap.done()
