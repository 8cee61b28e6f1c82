"""The HTTP API on the laptop cloud, as a program uses it: signed requests, from an upload to the results."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
import uuid
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from integration.conftest import OTHERS

from cli.smoke import fleet
from local.cloud import REGION, Cloud
from local.deploy import Stack, api_address

RUN_SECONDS = 300


@pytest.fixture(scope="module")
def ask(cloud: Cloud, stack: Stack):
    """Send a request, signed as the administrator unless told otherwise: status, content type and document."""

    def ask(method: str, path: str, body: Any = None, signed: bool = True, **headers: str) -> tuple[int, str, Any]:
        data = None if body is None else json.dumps(body).encode()
        url, given = api_address(cloud, stack) + path, {"Content-Type": "application/json", **headers}
        request = AWSRequest(method=method, url=url, data=data, headers=given)
        if signed:
            SigV4Auth(Credentials("test", "test"), "execute-api", REGION).add_auth(request)
        prepared = urllib.request.Request(url, data, dict(request.headers), method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(prepared, timeout=60) as answer:  # noqa: S310
                return answer.status, answer.headers["Content-Type"], json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, error.headers["Content-Type"], json.loads(error.read() or b"null")

    return ask


def test_nobody_gets_in_without_a_signature(ask) -> None:
    assert ask("GET", "/datasets", signed=False)[0] == 403


def test_an_address_that_is_not_there_is_a_problem(ask) -> None:
    status, kind, problem = ask("GET", "/datasets/no-such-thing")
    assert (status, kind, problem["status"]) == (404, "application/problem+json", 404)


def post_form(form: dict[str, Any], content: bytes) -> int:
    """Upload as a browser's form does."""
    border = uuid.uuid4().hex
    parts = [
        f'--{border}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in form["fields"].items()
    ]
    file = f'--{border}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'.encode()
    body = b"".join([*parts, file, content, f"\r\n--{border}--\r\n".encode()])
    kind = {"Content-Type": f"multipart/form-data; boundary={border}"}
    request = urllib.request.Request(form["url"], body, kind, method="POST")  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture(scope="module")
def published(ask) -> dict[str, Any]:
    """The dataset "door" after a file was uploaded through the API: its state once its run is published."""
    status, _, saved = ask("PUT", "/datasets/door/settings", {"text": "horizon: 14\n", "etag": None})
    assert status == 200 and saved["etag"]
    status, _, form = ask("POST", "/datasets/door/uploads", {"name": "fleet.csv"})
    assert status == 200 and urlsplit(form["url"]).scheme == "http"
    assert post_form(form, fleet().encode()) in (200, 201, 204)
    deadline = time.monotonic() + RUN_SECONDS
    while time.monotonic() < deadline:
        status, _, state = ask("GET", "/datasets/door")
        if status == 200 and state["current_run"] and not state["running"]:
            return state
        time.sleep(1)
    raise AssertionError("no run was published in time")


def test_an_upload_leads_to_results_that_can_be_fetched(ask, published) -> None:
    _, _, results = ask("GET", "/datasets/door/runs/current/results")
    assert results["run_id"] == published["current_run"]
    [report] = [one for one in results["files"] if one["name"] == "report.html"]
    with urllib.request.urlopen(report["url"], timeout=60) as answer:  # noqa: S310
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8" and b"</html>" in answer.read()
    assert ask("GET", "/datasets")[0] == 200
    _, _, models = ask("GET", "/datasets/door/models")
    assert [one["status"] for one in models] == ["Approved"]


def test_a_run_is_started_once_with_data_of_another_bucket_that_the_stack_may_read_and_followed_by_its_address(
    ask, published, cloud: Cloud, stack: Stack
) -> None:
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=OTHERS)
    for name in ("servers/more.csv", "private/other.csv"):
        s3.put_object(Bucket=OTHERS, Key=name, Body=fleet().encode())
    status, _, problem = ask("POST", "/datasets/door/runs", {"data": [f"s3://{OTHERS}/private/other.csv"]})
    assert status == 422 and "DataArns" in problem["problems"][0]
    key, wanted = {"Idempotency-Key": "nightly-1"}, {"mode": "score", "data": [f"s3://{OTHERS}/servers/more.csv"]}
    status, _, first = ask("POST", "/datasets/door/runs", wanted, **key)
    assert status == 202, first
    assert ask("POST", "/datasets/door/runs", wanted, **key)[2]["execution"] == first["execution"]
    assert ask("POST", "/datasets/door/runs", {"mode": "score"})[0] == 409
    s3.head_object(Bucket=stack.outputs["IngestBucketName"], Key="incoming/door/more.csv")
    state = ended(ask, first["execution"])
    assert (state["status"], state["result"]) == ("SUCCEEDED", "published")
    assert ask("POST", "/datasets/door/runs", wanted, **key)[0] == 200, "it is not run again"


def ended(ask, execution: str) -> dict[str, Any]:
    deadline = time.monotonic() + RUN_SECONDS
    while (state := ask("GET", f"/datasets/door/executions/{execution}")[2])["status"] == "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(1)
    return state


def test_settings_with_a_mistake_are_refused_with_its_place(ask) -> None:
    status, kind, problem = ask("PUT", "/datasets/door/settings", {"text": "horizn: 1", "etag": None})
    assert (status, kind) == (422, "application/problem+json")
    assert problem["problems"][0].startswith("horizn: unknown key")
