"""The page on this machine: a server on the loopback address that signs what the page asks for, with the caller's keys.

A browser cannot sign requests for IAM. Others who could reach this server (web pages that are open in the same browser,
programs of other users) must not act in the caller's name: requests for data carry a key that only the page that was
opened has, in a header that no other site can send; and no request under another host name is answered at all.
"""

from __future__ import annotations

import hmac
import http.client
import json
import secrets
import sys
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError

HOST = "127.0.0.1"
LARGEST_BODY = 10 * 2**20  # as API Gateway has it
SECONDS = 35  # API Gateway waits for 30
# What goes on of a request, and of its answer.
SENT = ("Content-Type", "Idempotency-Key")
ANSWERED = (
    "Content-Type", "Content-Security-Policy", "Cache-Control", "X-Content-Type-Options", "Referrer-Policy",
    "Cross-Origin-Opener-Policy", "Location",
)  # fmt: skip


class Server(ThreadingHTTPServer):
    """Serves the API at ``address`` to the page, which shows ``key``; ``session`` (boto3) has the credentials."""

    daemon_threads = True

    def __init__(self, address: str, session: Any, region: str, port: int = 0) -> None:
        self.address, self.session, self.region = address.rstrip("/"), session, region
        self.key = secrets.token_urlsafe(32)
        super().__init__((HOST, port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that has left before its answer came, as for another view, is no error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def origin(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self.server_port}"

    @property
    def page(self) -> str:
        """The address to open: the key is behind the #, which no browser sends anywhere."""
        return f"{self.origin}/#key={self.key}"


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    timeout = 60

    def _serve(self) -> None:
        if problem := self._refused():
            self._problem(*problem)
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
        given = {name: self.headers[name] for name in SENT if self.headers.get(name)}
        try:
            status, headers, content = send(self.server, self.command, self.path, given, body)
        except (OSError, http.client.HTTPException) as error:
            self._problem(502, f"the API cannot be reached: {getattr(error, 'reason', error)}")
            return
        except BotoCoreError as error:  # as where a sign-in to AWS has ended
            self._problem(502, f"AWS gives no credentials to sign with: {error}")
            return
        self.send_response(status)
        for name in ANSWERED:
            if name in headers:
                self.send_header(name, headers[name])
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = _serve

    def _refused(self) -> tuple[int, str] | None:
        """Why a request is not passed on; None where it is. Only the page itself needs no key."""
        self.close_connection = True  # a body that is not read must not be taken for the next request
        host = self.headers.get("Host", "")
        # What does not begin with a slash would become a part of the API's host name, to which a signature would go.
        ours = f"http://{host}" == self.server.origin and self.path.startswith("/")
        if not ours or self.headers.get("Transfer-Encoding"):
            return 421, f"this server is {self.server.origin} and nothing else"
        length = self.headers.get("Content-Length") or "0"
        if not length.isdigit() or int(length) > LARGEST_BODY:
            return 413, f"a request has at most {LARGEST_BODY // 2**20} MB"
        path = self.path.partition("?")[0]
        if self.command == "GET" and path in ("/", "/page/sign-in"):
            self.close_connection = False
            return None
        shown = self.headers.get("Authorization", "").removeprefix("Bearer ").encode()
        if not hmac.compare_digest(shown, self.server.key.encode()):
            return 401, "this page has no key, or an old one: run headroom page again"
        self.close_connection = False
        return None

    def _problem(self, status: int, detail: str) -> None:
        content = json.dumps({"type": "about:blank", "status": status, "detail": detail}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/problem+json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the terminal is for what people have to read."""


def send(server: Server, method: str, path: str, headers: dict[str, str], body: bytes | None) -> tuple[int, Any, bytes]:
    """Sign a request and send it on; (status, headers, content). Redirects are answered, and not followed."""
    url = server.address + path
    request = AWSRequest(method=method, url=url, data=body, headers=headers)
    SigV4Auth(server.session.get_credentials().get_frozen_credentials(), "execute-api", server.region).add_auth(request)
    prepared = urllib.request.Request(url, body, dict(request.headers.items()), method=method)  # noqa: S310
    try:
        with _opener().open(prepared, timeout=SECONDS) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """A signature is for the API alone."""


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_NoRedirect())
