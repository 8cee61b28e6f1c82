"""People sign in by an OpenID provider: the page in a browser, and API Gateway's JWT authorizer before the API."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import ANSWERED_NO, needed, opener, shown
from infrastructure.stack import template

from local import deploy, release
from local.cloud import Cloud
from tests.unit.console.provider import CLIENT, Provider, provided, token

NAME = "openid"
OURS, OTHERS = "web", "secret"


@pytest.fixture(scope="module")
def provider(certificate: Path) -> Iterator[Provider]:
    with provided(certificate) as found:
        found.claims = {"email": "ann@example.com", "headroom_datasets": ["new", OURS]}
        yield found


@pytest.fixture(scope="module")
def address(cloud: Cloud, provider: Provider) -> str:
    """The address of the page of a stack whose callers sign in at the provider; it has two datasets."""
    given = {"OpenIdIssuer": provider.issuer, "OpenIdAudience": CLIENT}
    stack = deploy.deploy(cloud, given, NAME)
    members = {"SS": [OURS, OTHERS]}
    cloud.client("dynamodb").put_item(
        TableName=stack.outputs["LedgerTable"],
        Item={"dataset": {"S": "-"}, "item": {"S": "DATASETS"}, "members": members},
    )
    return f"{deploy.api_address(cloud, stack)}/"


def ask(address: str, authorization: str | None) -> tuple[int, dict[str, str], Any]:
    """What API Gateway answers to a request for all datasets."""
    headers = {} if authorization is None else {"Authorization": authorization}
    request = urllib.request.Request(f"{address}datasets", headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return answer.status, dict(answer.headers), json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, {name.lower(): value for name, value in error.headers.items()}, json.loads(error.read())


REFUSED: dict[str, Callable[[Provider], str | None]] = {
    "none": lambda p: None,
    "nonsense": lambda p: "Bearer a.b.c",
    "an expired one": lambda p: f"Bearer {token(p.claim(exp=1_700_000_000))}",
    "one for another client": lambda p: f"Bearer {token(p.claim(aud='another'))}",
    "another client's, by its id": lambda p: f"Bearer {token(p.claim(aud=None, client_id='another'))}",
    "another issuer's": lambda p: f"Bearer {token(p.claim(iss='https://login.example.com'))}",
    "a forged one": lambda p: f"Bearer {token(p.claim(), signer='somebody')}",
    "one that was changed": lambda p: f"Bearer {changed(token(p.claim()))}",
    "one of no algorithm": lambda p: f"Bearer {token(p.claim(), algorithm='none')}",
    "one that never ends": lambda p: f"Bearer {token({k: v for k, v in p.claim().items() if k != 'exp'})}",
    "one that is not valid yet": lambda p: f"Bearer {token(p.claim(nbf=4_000_000_000))}",
    "one of the future": lambda p: f"Bearer {token(p.claim(iat=4_000_000_000))}",
}


def changed(signed: str) -> str:
    """A token with the claims of another, for all datasets, under its own signature."""
    head, _, signature = signed.split(".")
    return ".".join([head, token({"headroom_datasets": "*", "exp": 4_000_000_000}).split(".")[1], signature])


@pytest.mark.parametrize("what", REFUSED)
def test_with_no_token_that_is_good_nobody_gets_in(address: str, provider: Provider, what: str) -> None:
    status, headers, answer = ask(address, REFUSED[what](provider))
    assert (status, answer) == (401, {"message": "Unauthorized"})
    assert headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("claim", "seen"),
    [(OURS, [OURS]), ([OURS, OTHERS], [OTHERS, OURS]), ("*", [OTHERS, OURS]), ([], []), (None, []), (7, [])],
)
def test_a_token_opens_the_datasets_of_its_claim_and_no_others(address, provider, claim, seen) -> None:
    """Lists reach the function as API Gateway writes them, ``[web secret]``."""
    status, _, answer = ask(address, f"Bearer {token(provider.claim(headroom_datasets=claim))}")
    assert (status, [one["dataset"] for one in answer]) == (200, seen)


def test_a_provider_that_does_not_describe_itself_is_refused_at_the_deployment(cloud: Cloud, address: str) -> None:
    api = {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"Name": "nobodys", "ProtocolType": "HTTP"}}
    [authorizer] = [one for one in template()["Resources"].values() if one["Type"] == "AWS::ApiGatewayV2::Authorizer"]
    issuer = {"Issuer": f"{address.replace('http:', 'https:')}nobody", "Audience": [CLIENT]}
    properties = authorizer["Properties"] | {"ApiId": {"Ref": "Api"}, "JwtConfiguration": issuer}
    resources = {"Api": api, "Authorizer": {"Type": authorizer["Type"], "Properties": properties}}
    made = cloud.client("cloudformation").create_change_set(
        StackName="nobodys", ChangeSetName="first", ChangeSetType="CREATE",
        TemplateBody=json.dumps({"Resources": resources}),
    )  # fmt: skip
    with pytest.raises(release.ReleaseError, match=r"(?s)ROLLBACK.*Authorizer: .*Invalid issuer"):
        release.execute(cloud.client, "nobodys", made["Id"])


@pytest.fixture
def open_page(browser: Any, address: str, provider: Provider, cloud: Cloud) -> Iterator[Callable[..., Any]]:
    """Opens the page, whose provider has a certificate of its own."""
    with opener(browser, (f"{cloud.endpoint}/", f"{provider.issuer}/", "data:"), ANSWERED_NO) as opened:
        yield lambda at="": shown(opened(f"{address}{at}", ignore_https_errors=True))


@needed
def test_people_sign_in_and_see_what_their_token_names(open_page) -> None:
    page = open_page("#/")
    assert page.locator("h1").inner_text() == "Sign in"
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name=OURS, exact=True).wait_for()
    assert "code=" not in page.url and OTHERS not in page.locator("main").inner_text()
    page.get_by_role("link", name=OURS, exact=True).click()
    page.get_by_text("There is no run yet").wait_for()
    page.evaluate(f"location.hash = '#/datasets/{OTHERS}'")
    page.get_by_role("alert").get_by_text("you may not see").wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Sign in").wait_for()


@needed
@pytest.mark.parametrize("what", ["an expired one", "one for another client", "a forged one"])
def test_with_a_token_that_is_not_good_the_page_asks_to_sign_in_again(open_page, provider, what: str) -> None:
    page = open_page()
    bad = (REFUSED[what](provider) or "").removeprefix("Bearer ")
    page.evaluate("(token) => sessionStorage.setItem('headroom-token', token)", bad)
    page.reload()
    page.get_by_text("Your sign-in has ended.").wait_for()
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name=OURS, exact=True).wait_for()
