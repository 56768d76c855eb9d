"""scram_server.py - the server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), for a destination that wants a login.

    scram = ScramServer(users)             # {name: password}
    challenge = scram.first(message)       # of the client's first message
    verifier = scram.final(message)        # of its second: the server's own proof; None: it does not know the password
    scram.user
"""

import base64
import hashlib
import secrets

from scram_client import b64, hmac_sha256


class ScramServer:
    def __init__(self, users, iterations=4096):
        self.users, self.iterations, self.user = users, iterations, None

    def first(self, message):
        header, _, self.bare = message.partition(",,")
        told = dict(part.split("=", 1) for part in self.bare.split(","))
        assert header == "n" and set(told) == {"n", "r"} and len(told["r"]) >= 16, message
        self.name = told["n"].replace("=2C", ",").replace("=3D", "=")
        self.nonce, self.salt = told["r"] + secrets.token_urlsafe(18), secrets.token_bytes(16)
        self.challenge = f"r={self.nonce},s={b64(self.salt)},i={self.iterations}"
        return self.challenge

    def final(self, message):
        without, _, proof = message.rpartition(",p=")
        assert without == f"c={b64(b'n,,')},r={self.nonce}", message
        root = hashlib.pbkdf2_hmac("sha256", self.users.get(self.name, "").encode(), self.salt, self.iterations)
        client = hmac_sha256(root, "Client Key")
        text = f"{self.bare},{self.challenge},{without}"
        signature = hmac_sha256(hashlib.sha256(client).digest(), text)
        if b64(bytes(a ^ b for a, b in zip(client, signature))) != proof or self.name not in self.users:
            return None
        self.user = self.name
        return "v=" + b64(hmac_sha256(hmac_sha256(root, "Server Key"), text))


def spoilt(verifier):
    """The proof of somebody who does not know the password."""
    return "v=" + b64(bytes(byte ^ 1 for byte in base64.b64decode(verifier[2:])))
