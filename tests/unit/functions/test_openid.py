"""Where people sign in, as their provider describes it; and what the page is told and allowed of that."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import boto3
import pytest
from botocore.config import Config
from serving import Quiet, serving

import openid
import page
from openid import ProviderError
from problems import Problem


@pytest.fixture
def described() -> Iterator[Callable[[Any], str]]:
    """A provider that describes itself so; its issuer. ISSUER in the text stands for that."""

    def describe(description: Any) -> str:
        class Handler(Quiet):
            def do_GET(self) -> None:
                text = description if isinstance(description, str) else json.dumps(description)
                found = self.path == "/.well-known/openid-configuration"
                self.answer(200 if found else 404, text.replace("ISSUER", issuer).encode())

        issuer = servers.enter_context(serving(Handler))
        return issuer

    openid.provider.cache_clear()
    with ExitStack() as servers:
        yield describe
    openid.provider.cache_clear()


USUAL = {"issuer": "ISSUER/", "authorization_endpoint": "ISSUER/authorize", "token_endpoint": "http://other:1/token"}


def test_the_provider_says_where_it_signs_in_with_or_without_a_slash(described) -> None:
    issuer = described(USUAL)
    assert openid.provider(issuer).authorize == f"{issuer}/authorize"
    assert openid.provider(f"{issuer}/").token == "http://other:1/token"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("description", "words"),
    [
        ("not json", "does not answer"), ("[" * 200_000, "does not answer"), ([], "another issuer"),
        ({**USUAL, "issuer": "https://evil.example.com"}, "another issuer"),
        ({**USUAL, "token_endpoint": None}, "not a usable address"),
        ({**USUAL, "token_endpoint": "javascript:alert(1)"}, "not a usable address"),
        ({**USUAL, "token_endpoint": "http://x; script-src *"}, "not a usable address"),
        ({**USUAL, "authorization_endpoint": "https://x/'unsafe-inline'"}, "not a usable address"),
    ],
)  # fmt: skip
def test_a_description_that_cannot_be_used_is_told_and_not_kept(described, description, words) -> None:
    issuer = described(description)
    for _ in range(2):
        with pytest.raises(ProviderError, match=words):
            openid.provider(issuer)
    with pytest.raises(Problem, match=words):
        page.sign_in(issuer, "client")


def test_a_provider_that_is_away_is_told(described) -> None:
    with pytest.raises(ProviderError, match="is OpenIdIssuer right"):
        openid.provider("http://127.0.0.1:1")


def test_the_page_may_ask_the_provider_for_tokens_and_the_buckets_and_nobody_else(described) -> None:
    s3 = boto3.client("s3", region_name="eu-central-1", aws_access_key_id="a", aws_secret_access_key="b",
                      config=Config(signature_version="s3v4", s3={"addressing_style": "virtual"}))  # fmt: skip
    allowed = dict(
        part.split(" ", 1) for part in page.policy(s3, "in-bucket", "out-bucket", described(USUAL)).split("; ")
    )
    assert allowed["connect-src"] == "'self' https://in-bucket.s3.eu-central-1.amazonaws.com http://other:1"
    assert allowed["frame-src"] == "https://out-bucket.s3.eu-central-1.amazonaws.com"
    assert (
        allowed["default-src"]
        == allowed["base-uri"]
        == allowed["form-action"]
        == allowed["frame-ancestors"]
        == "'none'"
    )
    assert allowed["script-src"].startswith("'sha256-") and " " not in allowed["script-src"]
    away = page.policy(s3, "in-bucket", "out-bucket", "http://127.0.0.1:1")
    assert "connect-src 'self' https://in-bucket.s3.eu-central-1.amazonaws.com;" in away
    assert page.policy(s3, "in-bucket", "out-bucket", "") == away


def test_by_iam_the_page_is_told_that_something_else_signs(described) -> None:
    assert json.loads(str(page.sign_in("", "").body)) == {"by": "iam"}
