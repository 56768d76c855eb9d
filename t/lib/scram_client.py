"""scram_client.py - the client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), one message at a time, so that a test may spoil any.

    scram = Scram("alice", "secret")
    first = scram.first()           # for the server; its answer goes to last()
    last = scram.last(answer)
    assert scram.is_right(answer)   # the server's own proof
"""

import base64
import hashlib
import hmac
import secrets
import stringprep
import unicodedata


def b64(data):
    return base64.b64encode(data).decode()


def hmac_sha256(key, text):
    return hmac.digest(key, text.encode(), "sha256")


def prepared(text):
    """Enough of SASLprep (RFC 4013) for passwords of letters."""
    return unicodedata.normalize("NFKC", "".join(c for c in text if not stringprep.in_table_b1(c)))


class Scram:
    def __init__(self, name, password, header="n,,", binding=b""):
        self.password = prepared(password)
        self.header, self.binding = header, binding
        self.nonce = secrets.token_urlsafe(18)
        self.bare = f"n={name.replace('=', '=3D').replace(',', '=2C')},r={self.nonce}"

    def first(self):
        return self.header + self.bare

    def last(self, answer, nonce=None, header=None):
        told = dict(part.split("=", 1) for part in answer.split(","))
        assert told["r"].startswith(self.nonce) and len(told["r"]) > len(self.nonce) + 16, answer
        self.salt, self.iterations = base64.b64decode(told["s"], validate=True), int(told["i"])
        root = hashlib.pbkdf2_hmac("sha256", self.password.encode(), self.salt, self.iterations)
        client = hmac_sha256(root, "Client Key")
        bound = (self.header if header is None else header).encode() + self.binding
        without = f"c={b64(bound)},r={nonce or told['r']}"
        message = f"{self.bare},{answer},{without}"
        signature = hmac_sha256(hashlib.sha256(client).digest(), message)
        self.wanted = "v=" + b64(hmac_sha256(hmac_sha256(root, "Server Key"), message))
        return f"{without},p={b64(bytes(a ^ b for a, b in zip(client, signature)))}"

    def is_right(self, answer):
        return hmac.compare_digest(answer, self.wanted)
