"""The page on this machine: only the page that was opened acts in the caller's name."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import TokenRetrievalError
from serving import Quiet, serving

from cli.loopback import Server
from cli.stack import api_address_of


@pytest.fixture
def asked() -> Iterator[tuple[list[Any], str]]:
    """What an API was asked, and its address; it answers everything with a redirect."""
    seen: list[Any] = []

    class Api(Quiet):
        def do_GET(self) -> None:
            seen.append((self.command, self.path, dict(self.headers.items()), self.body()))
            self.answer(302, headers={"Location": "http://example.com/elsewhere", "Set-Cookie": "a=b"})

        do_POST = do_GET

    with serving(Api) as address:
        yield seen, f"{address}/base"


@pytest.fixture
def page(asked: tuple[list[Any], str]) -> Iterator[Server]:
    session = boto3.Session(aws_access_key_id="AKIATEST", aws_secret_access_key="secret", region_name="eu-central-1")
    server = Server(asked[1], session, "eu-central-1")
    with serving(server):
        yield server


def ask(page: Server, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", page.server_port, timeout=10)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, {"Host": f"127.0.0.1:{page.server_port}"} | given)
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read()


def test_requests_with_the_key_are_signed_and_the_key_goes_no_further(page: Server, asked) -> None:
    status, headers, _ = ask(page, "POST", "/datasets/web/runs?a=b", b"{}", Authorization=f"Bearer {page.key}",
                             Idempotency_Key="k", Cookie="x=y")  # fmt: skip
    [(method, path, sent, body)] = asked[0]
    assert (status, method, path, body) == (302, "POST", "/base/datasets/web/runs?a=b", b"{}"), "not followed"
    assert sent["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIATEST/")
    assert "/eu-central-1/execute-api/aws4_request" in sent["Authorization"]
    assert page.key not in json.dumps(sent) and "Cookie" not in sent and sent["Idempotency-Key"] == "k"
    assert headers["Set-Cookie"] is None


def test_only_the_page_itself_comes_without_a_key(page: Server, asked) -> None:
    assert ask(page, "GET", "/")[0] == 302 and ask(page, "GET", "/page/sign-in")[0] == 302
    for method, path in (
        ("GET", "/datasets"),
        ("POST", "/"),
        ("POST", "/page/sign-in"),
        ("GET", "/pages"),
        ("PUT", "/"),
    ):
        for key in ("", "Bearer ", "Bearer wrong", f"Basic {page.key}"):
            status, headers, body = ask(page, method, path, **({"Authorization": key} if key else {}))
            assert (status, json.loads(body)["status"]) == (401, 401), (method, path, key)
            assert headers["Content-Type"] == "application/problem+json"
    assert len(asked[0]) == 2


@pytest.mark.parametrize("host", ["evil.example.com", "localhost", "127.0.0.1", "127.0.0.1:1"])
def test_under_another_name_nothing_is_answered(page: Server, asked, host: str) -> None:
    assert ask(page, "GET", "/", Host=host)[0] == 421
    assert ask(page, "GET", "/datasets", Host=host, Authorization=f"Bearer {page.key}")[0] == 421
    assert asked[0] == []


@pytest.mark.parametrize("path", ["@evil.example.com/", ".evil.example.com/datasets", "http://evil.example.com/"])
def test_no_path_becomes_a_part_of_the_host_that_gets_the_signature(page: Server, asked, path: str) -> None:
    page.address = "http://127.0.0.1:1"  # nothing of it may be asked for
    assert ask(page, "GET", path, Authorization=f"Bearer {page.key}")[0] == 421


def test_other_sites_may_not_even_ask(page: Server) -> None:
    """A header of its own needs a browser's leave first, and this server gives none."""
    status, headers, _ = ask(page, "OPTIONS", "/datasets", Origin="http://127.0.0.1:9999",
                             Access_Control_Request_Headers="authorization")  # fmt: skip
    assert status == 501 and headers["Access-Control-Allow-Origin"] is None


@pytest.mark.parametrize("length", ["99999999999", "-1", "many"])
def test_a_body_without_end_is_not_read(page: Server, asked, length: str) -> None:
    assert ask(page, "POST", "/datasets", Authorization=f"Bearer {page.key}", Content_Length=length)[0] == 413
    assert asked[0] == []


def test_an_api_that_is_away_is_a_problem(page: Server) -> None:
    page.address = "http://127.0.0.1:1"
    status, _, body = ask(page, "GET", "/")
    assert status == 502 and "cannot be reached" in json.loads(body)["detail"]


def test_a_browser_that_leaves_before_the_answer_is_no_error(page: Server, monkeypatch, capfd) -> None:
    """As where somebody goes on to another view; it was a traceback of 20 lines in the terminal."""
    served = threading.Event()

    def slow(*_: Any) -> tuple[int, Any, bytes]:
        time.sleep(0.2)
        return 200, {}, bytes(2**24)

    done = page.shutdown_request
    monkeypatch.setattr("cli.loopback.send", slow)
    monkeypatch.setattr(page, "shutdown_request", lambda request: (done(request), served.set()))
    with socket.create_connection(("127.0.0.1", page.server_port)) as browser:
        browser.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{page.server_port}\r\n\r\n".encode())
    assert served.wait(10)
    assert "Traceback" not in capfd.readouterr().err


def test_a_mistake_of_ours_is_still_told(page: Server, monkeypatch, capfd) -> None:
    monkeypatch.setattr("cli.loopback.send", lambda *_: 1 / 0)
    with pytest.raises(http.client.RemoteDisconnected):
        ask(page, "GET", "/")
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_credentials_that_have_ended_are_a_problem(page: Server, asked, monkeypatch) -> None:
    def ended() -> None:
        raise TokenRetrievalError(provider="sso", error_msg="Token has expired")

    monkeypatch.setattr(page.session, "get_credentials", ended)
    status, _, body = ask(page, "GET", "/")
    assert status == 502 and "Token has expired" in json.loads(body)["detail"]


def test_the_key_is_behind_the_sign_that_no_browser_sends(page: Server) -> None:
    assert page.page == f"http://127.0.0.1:{page.server_port}/#key={page.key}" and len(page.key) >= 40


def test_the_api_is_found_by_the_stacks_output() -> None:
    output = "https://abc123.execute-api.eu-central-1.amazonaws.com"
    assert api_address_of(output, None) == output
    assert api_address_of(output, "http://127.0.0.1:4566") == "http://127.0.0.1:4566/_aws/execute-api/abc123/$default"
