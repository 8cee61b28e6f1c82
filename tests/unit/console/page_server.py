"""The API's function behind a server of this process, over an AWS in memory: for what the page shows of it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from serving import Quiet, serving

import api
from tests.unit.conftest import LambdaContext


def claims(token: str) -> dict[str, Any]:
    """What a token says, as API Gateway hands it over once it has checked it."""
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


@contextmanager
def served() -> Iterator[str]:
    """The origin of the page. Tokens of the provider sign in; routes and their authorization are the template's."""

    one_at_a_time = Lock()

    class Handler(Quiet):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            body = self.body().decode()
            authorizer = None
            if not (self.command == "GET" and address.path in ("/", "/page/sign-in")):
                scheme, _, token = self.headers.get("Authorization", "").partition(" ")
                if scheme != "Bearer" or token.count(".") != 2:
                    self.answer(401, b'{"message":"Unauthorized"}', {"Content-Type": "application/json"})
                    return
                authorizer = {"jwt": {"claims": claims(token), "scopes": []}}
            event = {
                "version": "2.0", "routeKey": "ANY /datasets/{proxy+}", "rawPath": address.path,
                "rawQueryString": address.query, "queryStringParameters": dict(parse_qsl(address.query)),
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "requestContext": {"http": {"method": self.command, "path": address.path}, "stage": "$default",
                                   "requestId": "1", "authorizer": authorizer},
                "body": body or None, "isBase64Encoded": False,
            }  # fmt: skip
            with one_at_a_time:  # as in a function; two at once would share the router's notes of a request
                answer = api.handler(event, LambdaContext())
            headers = answer.get("headers", {}) | {
                name: ", ".join(values) for name, values in answer.get("multiValueHeaders", {}).items()
            }
            self.answer(answer["statusCode"], answer["body"].encode(), headers)

        do_POST = do_PUT = do_GET

    with serving(Handler) as origin:
        yield origin
