"""The web page (docs/page.md): one file, what a browser may do with it, and how people sign in to it."""

from __future__ import annotations

import importlib.resources
import json
from contextlib import suppress
from functools import cache
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from aws_lambda_powertools.event_handler import Response

import openid
from headroom.core import one_file
from problems import Problem

# Each answer: a deployment is seen at once, and nothing of it is taken for another kind of file.
HEADERS = {
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
STYLES = ("report.css", "page.css")


@cache
def parts() -> dict[str, str]:
    """The style and the script of the page, from the files in ``console/``."""
    folder = importlib.resources.files("console")
    style = "".join(folder.joinpath(name).read_text(encoding="utf-8") for name in STYLES)
    return {"style": style, "script": one_file.bundled(folder, "app.js")}


@cache
def text() -> str:
    """The page: one file, so that opening it costs one request."""
    template = importlib.resources.files("console").joinpath("index.html").read_text(encoding="utf-8")
    return one_file.filled(template, parts())


def index(s3: Any, ingest_bucket: str, artifact_bucket: str, issuer: str) -> Response[str]:
    """The page with a policy that names all that it may run, ask and show."""
    headers = HEADERS | {"Content-Security-Policy": policy(s3, ingest_bucket, artifact_bucket, issuer)}
    return Response(int(HTTPStatus.OK), "text/html; charset=utf-8", text(), headers=headers)


def policy(s3: Any, ingest_bucket: str, artifact_bucket: str, issuer: str) -> str:
    """The Content-Security-Policy: its own script and style, by their hashes, and no other.

    Besides itself the page uploads to the ingest bucket, shows reports from the artifact bucket, and fetches tokens.
    """
    asked = [_origin(s3, ingest_bucket)]
    if issuer:
        with suppress(openid.ProviderError):  # the page says so itself when it asks how to sign in
            asked.append(_origin_of(openid.provider(issuer).token))
    return (
        f"default-src 'none'; script-src {one_file.sources([parts()['script']])}; "
        f"style-src {one_file.sources([parts()['style']])}; img-src data:; connect-src 'self' {' '.join(asked)}; "
        f"frame-src {_origin(s3, artifact_bucket)}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def sign_in(issuer: str, audience: str) -> Response[str]:
    """How a browser signs in: by the OpenID provider, or (IAM) not by itself (``headroom page`` signs for it).

    Raises:
        Problem: the provider does not say how.
    """
    how: dict[str, str] = {"by": "iam"}
    if issuer:
        try:
            found = openid.provider(issuer)
        except openid.ProviderError as error:
            raise Problem(HTTPStatus.BAD_GATEWAY, str(error)) from error
        how = {"by": "openid", "authorize": found.authorize, "token": found.token, "client": audience}
    return Response(int(HTTPStatus.OK), "application/json", json.dumps(how), headers=dict(HEADERS))


def _origin(s3: Any, bucket: str) -> str:
    """Where a browser finds a bucket: the same host as that of the links and forms that are signed for it."""
    return _origin_of(s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "-"}))


def _origin_of(address: str) -> str:
    found = urlsplit(address)
    return f"{found.scheme}://{found.netloc}"
