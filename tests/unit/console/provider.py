"""An OpenID provider that signs in whoever comes, and holds the page to authorization code with PKCE.

Its tokens are signed, its keys lie where only its description says, and it speaks TLS if it is given a certificate.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from serving import Quiet, serving

CLIENT = "the-page"
KEYS = "/oauth2/keys"


@dataclass
class Provider:
    """Where it is, what its tokens say, and what it was asked."""

    issuer: str = ""
    claims: dict[str, Any] = field(default_factory=lambda: {"email": "ann@example.com", "headroom_datasets": "web new"})
    nonce: str | None = None
    """In place of the one that was given."""
    refuses: str = ""
    begun: dict[str, dict[str, str]] = field(default_factory=dict)

    def claim(self, **more: Any) -> dict[str, Any]:
        """What a token of now says, which ends in an hour."""
        now = int(time.time())
        about = {"iss": self.issuer, "aud": CLIENT, "sub": "ann", "iat": now, "exp": now + 3600}
        return about | self.claims | more


@cache
def key(name: str) -> rsa.RSAPrivateKey:
    """The provider's key, or that of somebody who would like to be the provider."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def token(claims: dict[str, Any], signer: str = "ours", algorithm: str = "RS256") -> str:
    """A signed token; ``signer`` names the key, which is called the provider's whoever has it."""
    head, body = (_encoded(json.dumps(part).encode()) for part in ({"alg": algorithm, "kid": "1"}, claims))
    signature = key(signer).sign(f"{head}.{body}".encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{head}.{body}.{_encoded(signature)}"


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _public() -> dict[str, str]:
    numbers = key("ours").public_key().public_numbers()
    n, e = (_encoded(number.to_bytes((number.bit_length() + 7) // 8, "big")) for number in (numbers.n, numbers.e))
    return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "1", "n": n, "e": e}


@contextmanager
def provided(tls: Path | None = None) -> Iterator[Provider]:
    """A provider on loopback, by TLS with this certificate where it is given one."""
    provider = Provider()

    class Handler(Quiet):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            if address.path == "/.well-known/openid-configuration":
                self._json(200, {"issuer": provider.issuer, "authorization_endpoint": f"{provider.issuer}/authorize",
                                 "token_endpoint": f"{provider.issuer}/token",
                                 "jwks_uri": f"{provider.issuer}{KEYS}"})  # fmt: skip
                return
            if address.path == KEYS:
                self._json(200, {"keys": [_public()]})
                return
            asked = dict(parse_qsl(address.query))
            assert address.path == "/authorize" and asked["code_challenge_method"] == "S256"
            assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT) and "openid" in asked["scope"]
            code = secrets.token_urlsafe()
            provider.begun[code] = asked
            back = {"state": asked["state"]} | ({"error": provider.refuses} if provider.refuses else {"code": code})
            self.answer(302, headers={"Location": f"{asked['redirect_uri']}?{urlencode(back)}"})

        def do_POST(self) -> None:
            given = dict(parse_qsl(self.body().decode()))
            asked = provider.begun.pop(given["code"], None)
            digest = hashlib.sha256(given["code_verifier"].encode()).digest()
            right = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            if asked is None or right != asked["code_challenge"] or given["redirect_uri"] != asked["redirect_uri"]:
                self._json(400, {"error": "invalid_grant"})
                return
            nonce = provider.nonce or asked["nonce"]
            self._json(200, {"id_token": token(provider.claim(nonce=nonce))})

        def _json(self, status: int, body: Any) -> None:
            headers = {"Content-Type": "application/json", "Access-Control-Allow-Origin": "*"}
            self.answer(status, json.dumps(body).encode(), headers)

    with serving(Handler, tls) as provider.issuer:
        yield provider
