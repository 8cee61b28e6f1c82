"""An OpenID provider that signs in whoever comes, and holds the page to authorization code with PKCE."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

CLIENT = "the-page"


@dataclass
class Provider:
    """Where it is, what its tokens say, and what it was asked."""

    issuer: str = ""
    claims: dict[str, Any] = field(default_factory=lambda: {"email": "ann@example.com", "headroom_datasets": "web new"})
    nonce: str | None = None
    """In place of the one that was given."""
    refuses: str = ""
    begun: dict[str, dict[str, str]] = field(default_factory=dict)


def token(claims: dict[str, Any]) -> str:
    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none'})}.{part(claims)}.x"


@contextmanager
def provided() -> Iterator[Provider]:
    provider = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            if address.path == "/.well-known/openid-configuration":
                self._json(200, {"issuer": provider.issuer, "authorization_endpoint": f"{provider.issuer}/authorize",
                                 "token_endpoint": f"{provider.issuer}/token"})  # fmt: skip
                return
            asked = dict(parse_qsl(address.query))
            assert address.path == "/authorize" and asked["code_challenge_method"] == "S256"
            assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT) and "openid" in asked["scope"]
            code = secrets.token_urlsafe()
            provider.begun[code] = asked
            back = {"state": asked["state"]} | ({"error": provider.refuses} if provider.refuses else {"code": code})
            self.send_response(302)
            self.send_header("Location", f"{asked['redirect_uri']}?{urlencode(back)}")
            self.end_headers()

        def do_POST(self) -> None:
            given = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            asked = provider.begun.pop(given["code"], None)
            digest = hashlib.sha256(given["code_verifier"].encode()).digest()
            right = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            if asked is None or right != asked["code_challenge"] or given["redirect_uri"] != asked["redirect_uri"]:
                self._json(400, {"error": "invalid_grant"})
                return
            nonce = provider.nonce or asked["nonce"]
            self._json(
                200, {"id_token": token({"iss": provider.issuer, "aud": CLIENT, "nonce": nonce, **provider.claims})}
            )

        def _json(self, status: int, body: Any) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Access-Control-Allow-Origin", "*")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
