"""The HTTP API: what programs ask, what they get, and that every no is a problem that says what to do."""

from __future__ import annotations

import io
import json
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError

import api
import copying
import decisions
import following
import plan
import preview
from locks import start_if_idle
from names import job_name
from tests.unit.conftest import ROOT, LambdaContext, a_file

RUN = "20261121T060000Z-0a1b2c3d"
FINDINGS = [{"server": "web-1", "metric": "cpu", "entity": None, "kind": "risk", "level": "high", "hidden": False,
             "reason": "The chance is 30 %."}]  # fmt: skip
ANN: dict[str, Any] = {"jwt": {"claims": {"email": "ann@example.com", "headroom_datasets": "web, new"}, "scopes": []}}
ADMIN = {"iam": {"userArn": "arn:aws:sts::123456789012:assumed-role/Ops/bob", "accountId": "123456789012"}}


class Answer:
    """What a caller gets."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.status = answer["statusCode"]
        self.headers = {name.lower(): value for name, value in answer.get("headers", {}).items()}
        self.json = json.loads(answer["body"])


@pytest.fixture
def ask(aws: Any, monkeypatch: pytest.MonkeyPatch):
    """Ask the API, as Ann, who may see the datasets "web" and "new"."""
    monkeypatch.setenv("JOB_NAME_PREFIX", "headroom")
    for one in (api._environment, api._s3, api.router):
        one.cache_clear()
    aws.ledger.admit("web", 50)
    aws.ledger.admit("secret", 50)

    def ask(method: str, path: str, body: Any = None, who: Any = ANN, key: str = "", query: str = "") -> Answer:
        headers = {"content-type": "application/json"} | ({"idempotency-key": key} if key else {})
        parameters = dict(one.split("=") for one in query.split("&") if one)
        event = {
            "version": "2.0", "routeKey": "ANY /datasets/{proxy+}", "rawPath": path, "rawQueryString": query,
            "headers": headers, "queryStringParameters": parameters,
            "requestContext": {"http": {"method": method, "path": path}, "stage": "$default", "requestId": "1",
                               "authorizer": who},
            "body": None if body is None else body if isinstance(body, str) else json.dumps(body),
            "isBase64Encoded": False,
        }  # fmt: skip
        return Answer(api.handler(event, LambdaContext()))

    yield ask
    for one in (api._environment, api._s3, api.router):
        one.cache_clear()


@pytest.fixture
def web(aws: Any) -> Any:
    folder = f"runs/web/{RUN}"
    for name, content in {
        "manifest.json": {"created_at": "2026-11-21T06:00:00Z", "mode": "auto", "files": [{}]},
        "published.json": {}, "assessment/risk_summary.json": {"levels": {"high": 1}, "as_of": "2026-11-20"},
        "assessment/findings.json": {"findings": FINDINGS}, "assessment/report.html": {},
    }.items():  # fmt: skip
        aws.s3.put_object(Bucket="artifact-bucket", Key=f"{folder}/{name}", Body=json.dumps(content))
    aws.ledger.publish("web", RUN, None, False)
    return aws


def is_problem(answer: Answer, status: int, words: str) -> bool:
    """Whether an answer is a problem as RFC 9457 has it."""
    assert answer.headers["content-type"] == "application/problem+json", answer.json
    assert (answer.status, answer.json["status"]) == (status, status), answer.json
    assert answer.json.keys() >= {"type", "title", "status", "detail"}
    assert words in answer.json["detail"], answer.json
    return True


# ---------------------------------------------------------------- who may see what


def test_callers_see_the_datasets_of_their_claim_and_no_others(ask, web) -> None:
    assert [one["dataset"] for one in ask("GET", "/datasets").json] == ["web"]
    assert is_problem(ask("GET", "/datasets/secret"), 403, "may not see")
    assert is_problem(ask("GET", "/datasets/nothing-at-all"), 403, "may not see"), "nor whether it exists"


@pytest.mark.parametrize(
    ("claims", "seen"),
    [
        ({"sub": "x"}, []),
        ({"sub": "x", "headroom_datasets": ""}, []),
        ({"sub": "x", "headroom_datasets": "*"}, ["secret", "web"]),
        ({"sub": "x", "custom:headroom_datasets": "web"}, ["web"]),
        ({"sub": "x", "headroom_datasets": "[web secret]"}, ["secret", "web"]),
        ({"sub": "x", "headroom_datasets": "we"}, []),
    ],
)
def test_the_claim_is_read_as_providers_write_it(ask, web, claims, seen) -> None:
    assert [one["dataset"] for one in ask("GET", "/datasets", who={"jwt": {"claims": claims}}).json] == seen


@pytest.mark.parametrize(
    ("verified", "name"),
    [
        ({}, "ann@example.com"),
        ({"email_verified": "true"}, "ann@example.com"),
        ({"email_verified": "false"}, "ann"),
        ({"email_verified": False}, "ann"),
    ],
)
def test_nobody_acts_in_the_name_of_an_address_that_is_not_verified(ask, web, verified, name) -> None:
    who = {"jwt": {"claims": {"sub": "ann", "email": "ann@example.com", "headroom_datasets": "web"} | verified}}
    assert ask("POST", "/datasets/web/decisions", DECISION, who=who).json["by"] == name


def test_by_iam_the_callers_policy_decides_which_addresses_they_may_ask(ask, web) -> None:
    assert [one["dataset"] for one in ask("GET", "/datasets", who=ADMIN).json] == ["secret", "web"]


@pytest.mark.parametrize("who", [None, {}, {"jwt": {}}, {"lambda": {"x": 1}}])
def test_nobody_gets_in_without_an_authorizer(ask, web, who) -> None:
    assert is_problem(ask("GET", "/datasets", who=who), 401, "nobody is signed in")
    assert is_problem(ask("POST", "/datasets/web/runs", {}, who=who), 401, "nobody is signed in")


@pytest.mark.parametrize("dataset", ["nothing", "2026-01-01", "UPPER", "..%2Fweb", "a" * 60])
def test_a_dataset_that_is_not_there_is_a_problem(ask, dataset) -> None:
    assert ask("GET", f"/datasets/{dataset}", who=ADMIN).status in (404, 422)
    assert ask("POST", f"/datasets/{dataset}/runs", {}, who=ADMIN).status in (404, 422)


def test_an_address_that_is_not_there_is_a_problem(ask) -> None:
    assert is_problem(ask("GET", "/datasets/web/secrets"), 404, "no such address")
    assert is_problem(ask("DELETE", "/datasets/web"), 404, "no such address")


# ---------------------------------------------------------------- runs


def test_a_run_is_started_once_for_each_key(ask, web) -> None:
    first = ask("POST", "/datasets/web/runs", {"mode": "score"}, key="k1")
    again = ask("POST", "/datasets/web/runs", {"mode": "score"}, key="k1")
    assert (first.status, again.status, again.json["new"]) == (202, 200, False)
    assert first.json["execution"] == again.json["execution"]
    [execution] = web.executions()
    assert first.headers["location"] == f"/datasets/web/executions/{execution['name']}"
    described = web.stepfunctions.describe_execution(executionArn=execution["executionArn"])
    assert json.loads(described["input"]) == {"dataset": "web", "mode": "score"}
    assert ask("GET", first.headers["location"]).json["execution"] == execution["name"]


def test_what_is_wrong_with_a_request_is_said_without_a_librarys_words(ask, web) -> None:
    refused = ask("POST", "/datasets/web/runs", {"overrides": {"assess": {"instance_count": 4}}})
    assert is_problem(refused, 422, "several instances are of use to Spark only")
    assert "Value error" not in json.dumps(refused.json)


def test_a_key_of_another_start_is_refused(ask, web) -> None:
    ask("POST", "/datasets/web/runs", {"mode": "score"}, key="k1")
    assert is_problem(ask("POST", "/datasets/web/runs", {"mode": "train"}, key="k1"), 422, "other parameters")


def test_a_key_is_the_callers_own(ask, web) -> None:
    ask("POST", "/datasets/web/runs", {}, key="k1")
    assert is_problem(ask("POST", "/datasets/web/runs", {}, who=ADMIN, key="k1"), 409, "has a run")


def test_of_two_starts_at_once_the_second_is_told_of_the_first(ask, web) -> None:
    first = ask("POST", "/datasets/web/runs", {})
    second = ask("POST", "/datasets/web/runs", {})
    assert is_problem(second, 409, "has a run") and second.json["running"] == first.json["execution"]
    assert len(web.executions()) == 1


def test_a_start_that_fails_leaves_the_dataset_free(ask, web, monkeypatch) -> None:
    monkeypatch.setenv("STATE_MACHINE_ARN", "arn:aws:states:us-east-1:123456789012:stateMachine:gone")
    api._environment.cache_clear()
    assert is_problem(ask("POST", "/datasets/web/runs", {}), 500, "the function's log says why")
    assert web.ledger.state("web").running is None


@pytest.mark.parametrize(
    "body",
    [
        {"mode": "guess"}, {"max_usd": -1}, {"overrides": {"train": {"instance_type": "big"}}}, {"force": True},
        {"dataset": "secret"}, "not json", "[]",
    ],
)  # fmt: skip
def test_a_start_that_cannot_be_is_refused_and_starts_nothing(ask, web, body) -> None:
    answer = ask("POST", "/datasets/web/runs", body)
    assert answer.status in (400, 422) and answer.headers["content-type"] == "application/problem+json"
    assert web.executions() == [] and web.ledger.state("web").running is None


@pytest.mark.parametrize("most", [0, 100.5, 1_000_000])
def test_no_caller_lifts_the_limit_on_what_a_run_may_cost(ask, web, most) -> None:
    for who in (ANN, ADMIN):
        assert is_problem(ask("POST", "/datasets/web/runs", {"max_usd": most}, who=who), 403, "at most 100 USD")
    assert web.executions() == []
    assert ask("POST", "/datasets/web/runs", {"max_usd": 5}).status == 202


def test_a_stack_without_a_limit_takes_any(ask, web, monkeypatch) -> None:
    monkeypatch.setenv("MOST_USD_PER_RUN", "0")
    api._environment.cache_clear()
    assert ask("POST", "/datasets/web/runs", {"max_usd": 0}).status == 202


@pytest.fixture
def exports(web) -> Any:
    web.s3.create_bucket(Bucket="exports")
    for key, content in {
        "servers/june.csv": b"a", "servers/2026/july.csv": b"b", "servers/empty.csv": b"", "servers/book.xlsx": b"c",
        "private/salaries.csv": b"d", "servers/old/june.csv": b"e",
    }.items():  # fmt: skip
        web.s3.put_object(Bucket="exports", Key=key, Body=content)
    return web


def came_in(aws: Any) -> list[str]:
    listed = aws.s3.list_objects_v2(Bucket="ingest-bucket", Prefix="incoming/")
    return [one["Key"] for one in listed.get("Contents", [])]


def test_a_start_may_bring_data_of_another_bucket(ask, exports) -> None:
    data = ["s3://exports/servers/june.csv", "s3://exports/servers/2026/july.csv"]
    assert ask("POST", "/datasets/web/runs", {"data": data, "mode": "score"}, key="k").status == 202
    assert came_in(exports) == ["incoming/web/july.csv", "incoming/web/june.csv"]
    [execution] = exports.executions()
    described = exports.stepfunctions.describe_execution(executionArn=execution["executionArn"])
    assert json.loads(described["input"]) == {"dataset": "web", "mode": "score", "copied": data}
    plan.parse_input(json.loads(described["input"]))
    before = exports.s3.head_object(Bucket="ingest-bucket", Key="incoming/web/june.csv")["LastModified"]
    assert ask("POST", "/datasets/web/runs", {"data": data, "mode": "score"}, key="k").status == 200
    assert ask("POST", "/datasets/web/runs", {"data": data[:1], "mode": "score"}, key="k").status == 422
    assert exports.s3.head_object(Bucket="ingest-bucket", Key="incoming/web/june.csv")["LastModified"] == before


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("s3://exports/private/salaries.csv", "DataArns allows s3://exports/servers/*"),
        ("s3://exports/servers/../private/salaries.csv", "DataArns"), ("s3://exports-2/servers/a.csv", "DataArns"),
        ("s3://artifact-bucket/runs/x/report.html", "DataArns"), ("s3://exports/servers", "DataArns"),
        ("s3://exports/servers/gone.csv", "is not there"), ("s3://exports/servers/empty.csv", "0 bytes"),
        ("s3://exports/servers/book.xlsx", "save it as CSV"), ("https://example.com/a.csv", "is not the address"),
        ("s3://exports/servers/old/june.csv", "named twice"), ("s3://exports/servers/", "its key holds"),
    ],
)  # fmt: skip
def test_data_that_may_not_be_had_refuses_the_start_as_a_whole(ask, exports, address, words) -> None:
    answer = ask("POST", "/datasets/web/runs", {"data": ["s3://exports/servers/june.csv", address]})
    assert is_problem(answer, 422, "nothing was copied") and words in " ".join(answer.json["problems"])
    assert came_in(exports) == [] and exports.executions() == []


def test_a_start_with_data_may_begin_a_dataset_within_the_limits_of_uploads(ask, exports, monkeypatch) -> None:
    june = {"data": ["s3://exports/servers/june.csv"]}
    assert is_problem(ask("POST", "/datasets/new/runs", {}), 404, "upload a file to begin it")
    assert ask("POST", "/datasets/new/runs", {"data": ["s3://exports/servers/gone.csv"]}).status == 422
    assert is_problem(ask("POST", "/datasets/2026-01-01/runs", june, who=ADMIN), 404, "looks like a date")
    assert is_problem(ask("POST", "/datasets/other/runs", june), 403, "may not see")
    full = api._environment().model_copy(update={"most_datasets": 2})
    with monkeypatch.context() as limited:
        limited.setattr(api, "_environment", lambda: full)
        assert is_problem(ask("POST", "/datasets/new/runs", june), 422, "MaxDatasets")
    assert came_in(exports) == [] and exports.executions() == [] and "new" not in exports.ledger.datasets()
    started = ask("POST", "/datasets/new/runs", june)
    assert started.status == 202 and came_in(exports) == ["incoming/new/june.csv"]
    assert ask("GET", "/datasets/new").json["running"] == started.json["execution"]


@pytest.mark.parametrize(
    ("code", "words"), [("AccessDenied", "this stack may not use it"), ("PreconditionFailed", "was changed meanwhile")]
)
def test_data_that_s3_does_not_copy_starts_no_run_and_says_why(ask, exports, monkeypatch, code, words) -> None:
    def refused(**_: Any) -> None:
        raise ClientError({"Error": {"Code": code, "Message": code}}, "CopyObject")

    monkeypatch.setattr(api._s3(), "copy_object", refused)
    answer = ask("POST", "/datasets/web/runs", {"data": ["s3://exports/servers/june.csv"]})
    assert is_problem(answer, 422, "no run was started") and words in answer.json["problems"][0]
    assert exports.executions() == [] and exports.ledger.state("web").running is None


def test_data_that_arrives_while_it_is_copied_starts_no_other_run(ask, exports, monkeypatch) -> None:
    """Its events are faster than the copying of many objects."""
    copied = api._s3().copy_object

    def arriving(**request: Any) -> Any:
        answer = copied(**request)
        exports.ledger.record("web", a_file("june.csv"))
        started = start_if_idle(
            exports.ledger, exports.stepfunctions, api._environment().state_machine_arn, "web", datetime.now(UTC)
        )
        assert started is None
        return answer

    monkeypatch.setattr(api._s3(), "copy_object", arriving)
    answer = ask("POST", "/datasets/web/runs", {"data": ["s3://exports/servers/june.csv"], "mode": "score"})
    assert answer.status == 202 and [one["name"] for one in exports.executions()] == [answer.json["execution"]]


def test_data_is_not_copied_beside_a_run(ask, exports) -> None:
    assert ask("POST", "/datasets/web/runs", {}).status == 202
    beside = ask("POST", "/datasets/web/runs", {"data": ["s3://exports/servers/june.csv"]})
    assert is_problem(beside, 409, "has a run") and came_in(exports) == []


def test_data_that_is_too_much_for_one_request_is_refused(ask, exports, monkeypatch) -> None:
    monkeypatch.setattr(copying, "MOST_BYTES", 0)
    answer = ask("POST", "/datasets/web/runs", {"data": ["s3://exports/servers/june.csv"]})
    assert is_problem(answer, 422, "nothing was copied") and "aws s3 sync" in answer.json["problems"][0]
    assert ask("POST", "/datasets/web/runs", {"data": ["s3://exports/servers/june.csv"] * 101}).status == 422


def test_executions_of_other_datasets_are_not_told_of(ask, web) -> None:
    name = ask("POST", "/datasets/secret/runs", {}, who=ADMIN).json["execution"]
    assert is_problem(ask("GET", f"/datasets/web/executions/{name}"), 404, "has no execution")
    assert is_problem(ask("GET", "/datasets/web/executions/never"), 404, "has no execution")


@pytest.fixture
def failed(ask, web, monkeypatch) -> str:
    """A run of "web" that was stopped in its second attempt at Train; its jobs have written logs."""
    name = ask("POST", "/datasets/web/runs", {"mode": "train"}).json["execution"]
    [execution] = web.executions()
    arn = execution["executionArn"]
    web.stepfunctions.stop_execution(executionArn=arn)
    web.ledger.unlock("web", name)
    began = datetime(2026, 11, 21, 6, tzinfo=UTC)
    steps = [following.Step(state, began) for state in ("PlanRun", "Preprocess", "Train", "Train")]
    monkeypatch.setattr(following, "steps", lambda *_: steps)
    write_log(arn, "train", "0-0/algo-1-1", ["an attempt before"])
    write_log(arn, "train", "1-0/algo-2-1", ["of another instance"])
    write_log(arn, "train", "1-0/algo-1-1", ["first", "second " + "x" * 5_000])
    write_log(arn, "preprocess", "0-0/algo-1-1", ["read"])
    return name


def write_log(execution: str, job: str, stream: str, lines: list[str]) -> None:
    """What an attempt at a job of "web" has written, as SageMaker names it; ``execution`` is an ARN."""
    logs, group = boto3.client("logs"), f"/aws/sagemaker/{following.KINDS[job]}Jobs"
    name = f"{job_name('headroom', 'web', job, execution)}-{stream}"
    time.sleep(0.002)  # attempts are told apart by the milliseconds of their logs
    with suppress(ClientError):
        logs.create_log_group(logGroupName=group)
    with suppress(ClientError):
        logs.create_log_stream(logGroupName=group, logStreamName=name)
    events = [{"timestamp": int(time.time() * 1000), "message": f"{line}\n"} for line in lines]
    logs.put_log_events(logGroupName=group, logStreamName=name, logEvents=events)


def test_the_log_of_a_runs_job_is_read_by_its_dataset_only(ask, failed) -> None:
    where = f"/datasets/web/executions/{failed}/log"
    newest = ask("GET", where).json
    assert (newest["job"], newest["name"][-4:], newest["lines"][0]) == ("train", "-1-0", "first")
    assert len(newest["lines"][1]) == api.LONGEST_LINE
    assert ask("GET", where, query="most=1").json["lines"] == newest["lines"][1:]
    assert ask("GET", where, query="job=preprocess").json["lines"] == ["read"]
    assert ask("GET", where, query="job=assess").json == {"job": "assess", "name": None, "lines": []}
    assert ask("GET", where, query="job=plan").status == 422
    assert is_problem(ask("GET", "/datasets/web/executions/web-unknown/log"), 404, "has no execution")
    assert is_problem(ask("GET", f"/datasets/secret/executions/{failed}/log"), 403, "may not see")
    assert is_problem(ask("GET", f"/datasets/secret/executions/{failed}/log", who=ADMIN), 404, "has no execution")


class Redrives(list[str]):
    """The names of the executions that were redriven; what is refused is refused as Step Functions does."""

    refuse = ""

    def redrive_execution(self, executionArn: str) -> dict[str, Any]:
        if self.refuse:
            raise ClientError({"Error": {"Code": "ExecutionNotRedrivable", "Message": self.refuse}}, "RedriveExecution")
        self.append(executionArn.rpartition(":")[2])
        return {"redriveDate": datetime.now(UTC)}


def with_redrives(monkeypatch: pytest.MonkeyPatch) -> Redrives:
    """Redrives, which the AWS in memory does not know."""
    made, real = Redrives(), boto3.client

    def client(service: str, *given: Any, **more: Any) -> Any:
        found = real(service, *given, **more)
        if service == "stepfunctions":
            found.redrive_execution = made.redrive_execution
        return found

    monkeypatch.setattr(boto3, "client", client)
    return made


@pytest.fixture
def redrives(monkeypatch) -> Redrives:
    return with_redrives(monkeypatch)


def test_a_failed_run_is_redriven_and_holds_its_dataset(ask, failed, web, redrives) -> None:
    state = ask("GET", "/datasets/web").json
    assert (state["running"], state["last_execution"]) == (None, failed)
    assert ask("GET", f"/datasets/web/executions/{failed}").json["no_redrive"] is None
    done = ask("POST", f"/datasets/web/executions/{failed}/redrive")
    assert (done.status, done.json) == (202, {"execution": failed})
    assert done.headers["location"] == f"/datasets/web/executions/{failed}"
    assert redrives == [failed] and web.ledger.state("web").running == failed
    assert is_problem(ask("POST", f"/datasets/secret/executions/{failed}/redrive"), 403, "may not see")
    assert ask("POST", f"/datasets/secret/executions/{failed}/redrive", who=ADMIN).status == 404
    assert redrives == [failed]


def test_a_redrive_that_comes_too_late_or_beside_another_run_is_a_problem(ask, failed, web, redrives) -> None:
    where = f"/datasets/web/executions/{failed}/redrive"
    redrives.refuse = "Execution has exceeded the redrivable period of 14 days"
    assert is_problem(ask("POST", where), 409, "redrivable period of 14 days")
    assert web.ledger.state("web").running is None, "it holds the dataset no longer"
    redrives.refuse = ""
    other = ask("POST", "/datasets/web/runs", {}).json["execution"]
    beside = ask("POST", where)
    assert is_problem(beside, 409, other) and beside.json["running"] == other
    assert is_problem(ask("POST", f"/datasets/web/executions/{other}/redrive"), 409, "it is under way")
    assert redrives == []


@pytest.mark.parametrize(
    ("described", "words"),
    [
        ({"status": "FAILED", "redriveStatus": "REDRIVABLE"}, None), ({"status": "ABORTED"}, None),
        ({"status": "SUCCEEDED", "redriveStatus": "NOT_REDRIVABLE"}, "it has succeeded"),
        ({"status": "RUNNING"}, "wait for its end"), ({"status": "PENDING_REDRIVE"}, "wait for its end"),
        ({"status": "TIMED_OUT", "redriveStatus": "NOT_REDRIVABLE", "redriveStatusReason": "late"}, "(late): start a"),
    ],
)  # fmt: skip
def test_whether_a_run_can_go_on_is_said_in_words(described, words) -> None:
    told = following.no_redrive(described)
    assert told is None if words is None else words in told


def test_runs_and_their_results_are_listed(ask, web) -> None:
    [run] = ask("GET", "/datasets/web/runs").json
    assert (run["run_id"], run["state"]) == (RUN, "current")
    assert ask("GET", "/datasets/web/runs/current").json["run_id"] == RUN
    results = ask("GET", "/datasets/web/runs/current/results").json
    links = {one["name"]: one["url"] for one in results["files"]}
    assert urlsplit(links["report.html"]).path.endswith(f"/runs/web/{RUN}/assessment/report.html")
    assert "X-Amz-Expires=900" in links["report.html"] and "text%2Fhtml" in links["report.html"]


@pytest.mark.parametrize("run", ["20261121T060000Z-ffffffff", "latest", "..", "x" * 50])
def test_a_run_that_is_not_there_is_a_problem(ask, web, run) -> None:
    assert ask("GET", f"/datasets/web/runs/{run}").status in (404, 422)
    assert ask("GET", f"/datasets/web/runs/{run}/results").status in (404, 422)


# ---------------------------------------------------------------- uploads


def test_an_upload_is_held_to_its_place_and_size_by_s3(ask, aws) -> None:
    form = ask("POST", "/datasets/new/uploads", {"name": "2026/june.csv"}).json
    assert form["key"] == form["fields"]["key"] == "incoming/new/2026/june.csv"
    import base64

    policy = json.loads(base64.b64decode(form["fields"]["policy"]))
    assert ["content-length-range", 1, api.LARGEST_UPLOAD] in policy["conditions"]
    assert {"key": form["key"]} in policy["conditions"] and {"bucket": "ingest-bucket"} in policy["conditions"]


@pytest.mark.parametrize(
    "name",
    [
        "../secret/a.csv", "a/../../x.csv", "book.xlsx", "", "a\\b.csv", "/a.csv", "a\u0000.csv", "${filename}",
        "a/${filename}.csv",
    ],
)  # fmt: skip
def test_a_file_that_could_not_be_taken_in_gets_no_address(ask, name) -> None:
    assert ask("POST", "/datasets/new/uploads", {"name": name}).status == 422
    assert ask("POST", "/datasets/secret/uploads", {"name": "a.csv"}).status == 403


# ---------------------------------------------------------------- previews


class Lambda:
    """Lambda with the preview's function in it; or one that fails."""

    failed = False

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        assert FunctionName == "headroom-preview"
        if self.failed:
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(b'{"errorMessage": "Task timed out"}')}
        return {"Payload": io.BytesIO(json.dumps(preview.handler(json.loads(Payload), LambdaContext())).encode())}


@pytest.fixture
def previews(monkeypatch: pytest.MonkeyPatch) -> Lambda:
    preview._environment.cache_clear()
    functions = Lambda()
    monkeypatch.setattr(api, "_previews", lambda: functions)
    return functions


def test_a_file_is_looked_at_under_the_datasets_settings_and_taken_in_nowhere(ask, web, previews) -> None:
    form = ask("POST", "/datasets/web/previews", {"name": "a.csv"}).json
    key = form["fields"]["key"]
    assert key == f"preview/web/{form['preview']}" and form["most_bytes"] == 64 * 2**20
    web.s3.put_object(Bucket="ingest-bucket", Key=key, Body=b"time,host,cpu\n2024-02-13,web-1,0.5\n")
    where = f"/datasets/web/previews/{form['preview']}"
    told = ask("POST", where, {"name": "a.csv"}).json
    assert told["usable"] is False and "units: {cpu: ratio}" in "\n".join(told["lines"])
    web.s3.put_object(Bucket="ingest-bucket", Key="config/web.yaml", Body=b"units: {cpu: ratio}")
    told = ask("POST", where, {"name": "a.csv"}).json
    assert told["usable"] is True and "web-1 at 2024-02-13 00:00:00 UTC: 50" in "\n".join(told["lines"])
    keys = [one["Key"] for one in web.s3.list_objects_v2(Bucket="ingest-bucket")["Contents"]]
    assert sorted(keys) == ["config/web.yaml", key] and web.ledger.waiting("web", 10) == []


def test_a_preview_that_cannot_be_is_a_problem(ask, web, previews) -> None:
    nobody = "0" * 32
    assert is_problem(ask("POST", f"/datasets/web/previews/{nobody}", {"name": "a.csv"}), 404, "has expired")
    assert ask("POST", "/datasets/web/previews/..%2Fconfig", {"name": "a.csv"}).status in (404, 422)
    assert ask("POST", "/datasets/web/previews", {"name": "book.xlsx"}).status == 422
    assert ask("POST", "/datasets/secret/previews", {"name": "a.csv"}).status == 403
    assert ask("POST", f"/datasets/secret/previews/{nobody}", {"name": "a.csv"}).status == 403
    previews.failed = True
    assert is_problem(ask("POST", f"/datasets/web/previews/{nobody}", {"name": "a.csv"}), 422, "headroom preview")
    web.s3.put_object(Bucket="ingest-bucket", Key="config/web.yaml", Body=b"horizn: 1")
    broken = ask("POST", f"/datasets/web/previews/{nobody}", {"name": "a.csv"})
    assert is_problem(broken, 422, "settings cannot be used") and broken.json["problems"][0].startswith("horizn")


@pytest.mark.parametrize(
    "content", [b"\x00\x01" * 500, b"PK\x03\x04", b"<html>", b"\x1f\x8bcut", b"PAR1PAR1", b"[" * 9_999]
)
def test_whatever_is_uploaded_the_answer_says_what_is_wrong(ask, web, previews, content) -> None:
    form = ask("POST", "/datasets/web/previews", {"name": "a.csv"}).json
    web.s3.put_object(Bucket="ingest-bucket", Key=form["fields"]["key"], Body=content)
    told = ask("POST", f"/datasets/web/previews/{form['preview']}", {"name": "a.csv"}).json
    assert told["usable"] is False and "refused: " in told["lines"][1]


def test_what_is_too_large_is_not_even_read(ask, web, previews, monkeypatch) -> None:
    monkeypatch.setattr(preview, "LARGEST_PREVIEW", 10)
    form = ask("POST", "/datasets/web/previews", {"name": "a.csv"}).json
    web.s3.put_object(Bucket="ingest-bucket", Key=form["fields"]["key"], Body=b"x" * 11)
    told = ask("POST", f"/datasets/web/previews/{form['preview']}", {"name": "a.csv"}).json
    assert told["usable"] is False and "too large" in told["lines"][1]


# ---------------------------------------------------------------- settings


def test_settings_are_checked_saved_and_never_written_over(ask, aws) -> None:
    assert ask("GET", "/datasets/web/settings").json == {"text": "", "etag": None, "problems": []}
    bad = {"text": "horizn: 3\nfrequency: W\n", "etag": None}
    refused = ask("PUT", "/datasets/web/settings", bad)
    assert is_problem(refused, 422, "cannot be used") and len(refused.json["problems"]) == 2
    assert ask("POST", "/datasets/web/settings/check", {"text": bad["text"]}).json["valid"] is False
    assert ask("POST", "/datasets/web/settings/check", {"text": "holidays: {country: DE}"}).json["valid"] is True

    saved = ask("PUT", "/datasets/web/settings", {"text": "horizon: 30\n", "etag": None}).json
    assert ask("GET", "/datasets/web/settings").json == {"text": "horizon: 30\n", "problems": []} | saved
    assert is_problem(ask("PUT", "/datasets/web/settings", {"text": "", "etag": None}), 409, "meanwhile")
    assert is_problem(ask("PUT", "/datasets/web/settings", {"text": "", "etag": '"0"'}), 409, "meanwhile")
    assert ask("PUT", "/datasets/web/settings", {"text": "horizon: 7\n", "etag": saved["etag"]}).status == 200


# ---------------------------------------------------------------- findings and models

UNTIL = f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%d}"
DECISION = {"server": "web-1", "metric": "cpu", "state": "accepted", "reason": "moves", "until": UNTIL}


def test_a_finding_is_accepted_in_the_callers_name_and_taken_back(ask, web) -> None:
    made = ask("POST", "/datasets/web/decisions", DECISION).json
    assert (made["by"], made["level"], made["kind"]) == ("ann@example.com", "high", "risk")
    [known], _ = decisions.read(web.s3, "ingest-bucket", "web")
    assert (known.by, known.until.isoformat()) == ("ann@example.com", UNTIL)
    listed = ask("GET", "/datasets/web/findings").json
    assert listed["findings"] == FINDINGS and [one["by"] for one in listed["decisions"]] == ["ann@example.com"]
    name = {"server": "web-1", "metric": "cpu"}
    assert ask("POST", "/datasets/web/decisions/undo", name).status == 200
    assert is_problem(ask("POST", "/datasets/web/decisions/undo", name), 404, "neither accepted nor snoozed")


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"server": "web-2"}, 404), ({"kind": "stop"}, 404), ({"until": "2020-01-01"}, 422), ({"until": "soon"}, 422),
        ({"reason": ""}, 422), ({"reason": "  "}, 422), ({"state": "ignored"}, 422), ({"by": "somebody else"}, 422),
        ({"level": "low"}, 422),
    ],
)  # fmt: skip
def test_a_decision_that_cannot_be_is_refused(ask, web, wrong, status) -> None:
    answer = ask("POST", "/datasets/web/decisions", DECISION | wrong)
    assert answer.status == status and answer.headers["content-type"] == "application/problem+json"
    assert decisions.read(web.s3, "ingest-bucket", "web")[0] == []


def test_a_broken_file_of_decisions_is_told_and_not_written_over(ask, web) -> None:
    web.s3.put_object(Bucket="ingest-bucket", Key="config/web.accepted.json", Body=b"{")
    assert ask("GET", "/datasets/web/findings").json["problems"][0].startswith("file: Invalid JSON")
    assert ask("POST", "/datasets/web/decisions", DECISION).status == 422
    assert web.s3.get_object(Bucket="ingest-bucket", Key="config/web.accepted.json")["Body"].read() == b"{"


def test_a_model_is_approved(ask, web) -> None:
    sagemaker = boto3.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="headroom-web")
    sagemaker.create_model_package(
        ModelPackageGroupName="headroom-web", ModelApprovalStatus="PendingManualApproval"
    )  # fmt: skip
    [model] = ask("GET", "/datasets/web/models").json
    path = f"/datasets/web/models/{model['version']}"
    assert ask("PUT", path, {"status": "Approved"}).json["status"] == "Approved"
    assert ask("GET", "/datasets/web/models").json[0]["status"] == "Approved"
    assert ask("PUT", path, {"status": "Perhaps"}).status == 422
    assert is_problem(ask("PUT", "/datasets/web/models/99", {"status": "Approved"}), 404, "no model 99")


def test_a_dataset_of_which_no_more_files_are_expected_is_overdue_no_more(ask, web, aws) -> None:
    assert is_problem(ask("POST", "/datasets/web/give-up"), 409, "has had no files")
    aws.ledger.note_arrivals("web", ["2026-11-20"])
    assert ask("POST", "/datasets/web/give-up").json == {"given_up": "web", "last_arrival": "2026-11-20"}
    assert aws.ledger.state("web").given_up == "2026-11-20"
    assert is_problem(ask("POST", "/datasets/nobody/give-up"), 403, "may not see a dataset 'nobody'")


def test_files_that_wait_are_in_the_state_of_their_dataset(ask, web) -> None:
    web.ledger.record("web", a_file("incoming/web/a.csv"))
    state = ask("GET", "/datasets/web").json
    assert (state["waiting"], state["current_run"], state["levels"]) == (1, RUN, {"high": 1})


# ---------------------------------------------------------------- its description


def test_the_description_is_the_one_that_is_published(ask) -> None:
    """After a change: make openapi."""
    assert json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8")) == json.loads(api.openapi())


def test_every_operation_has_a_summary_and_says_that_its_errors_are_problems(ask) -> None:
    for path, methods in json.loads(api.openapi())["paths"].items():
        assert path.startswith("/datasets"), "what the routes of the template cover"
        for method, operation in methods.items():
            assert operation["summary"], (method, path)
            assert "application/problem+json" in operation["responses"]["404"]["content"], (method, path)
