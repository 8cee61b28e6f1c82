"""The HTTP API: the same doors as the command line's, for programs (docs/api.md, docs/openapi.json).

Event: API Gateway HTTP API, payload version 2.0, that its authorizer (IAM, or an OpenID provider's tokens) let through.
Each route checks what it is given, calls one function of plain values, and answers.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from http import HTTPStatus
from typing import Annotated, Any, Literal

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config
from botocore.exceptions import ClientError

import copying
import decisions
import failures
import following
import looking
import objects
import page
import starting
from arrivals import LARGEST_FILE, no_room
from asked import (
    Approval,
    Dataset,
    Decision,
    Execution,
    IdempotencyKey,
    Name,
    NewSettings,
    Run,
    SettingsText,
    Start,
    Upload,
)
from callers import Caller, caller_of
from environment import ApiSettings, from_environment
from headroom.core import accepted, settings
from ledger import Ledger, connect
from names import LARGEST_PREVIEW, dataset_problem, job_name, model_group, name_problem
from overdue import NothingToGiveUp, give_up
from problems import Problem, answer, of_problem, of_request

logger = Logger()
tracer = Tracer()
metrics = Metrics()

LINK_SECONDS = 900
# What S3 takes by one request; larger files come by the command line or the SDKs, in parts.
LARGEST_UPLOAD = min(LARGEST_FILE, 5 * 1024**3)
LONGEST_LINE = 2_000  # of a log; a thousand of them fit into an answer
TYPES = {".html": "text/html; charset=utf-8", ".png": "image/png", ".json": "application/json", ".csv": "text/csv"}


@dataclass(frozen=True)
class Call:
    """One request: who sent it, and what it is done with."""

    caller: Caller
    environment: ApiSettings
    now: datetime

    @property
    def ledger(self) -> Ledger:
        return connect(self.environment.ledger_table)


_s3 = cache(objects.client_for_links)


@cache
def _environment() -> ApiSettings:
    return from_environment(ApiSettings)


@tracer.capture_lambda_handler(capture_response=False)  # links that open without signing in are in it
@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return router().resolve(event, context)


@cache
def router() -> APIGatewayHttpResolver:
    """The routes. Handlers are plain functions; here stands what address each has."""
    app = APIGatewayHttpResolver(enable_validation=True)
    about: dict[str, Any] = {"responses": {200: {"description": "As it is"}, 403: PROBLEM, 404: PROBLEM, 422: PROBLEM}}
    # The page's own addresses are no part of what programs use.
    app.get("/", include_in_schema=False)(get_page)
    app.get("/page/sign-in", include_in_schema=False)(get_sign_in)
    app.get("/datasets", summary="All datasets that the caller may see", **about)(list_datasets)
    app.get("/datasets/<dataset>", summary="What runs, what waits, how results stand", **about)(get_dataset)
    app.post("/datasets/<dataset>/uploads", summary="An address to upload a file to", **about)(new_upload)
    app.post("/datasets/<dataset>/previews", summary="An address to upload a file to that is only looked at", **about)(
        new_preview
    )
    app.post("/datasets/<dataset>/previews/<preview>", summary="What would be made of it", **about)(preview_file)
    app.post("/datasets/<dataset>/runs", summary="Start a run", **_with(about, 409))(start_run)
    app.get("/datasets/<dataset>/runs", summary="Runs, the newest first", **about)(list_runs)
    app.get("/datasets/<dataset>/runs/<run>", summary="One run", **about)(get_run)
    app.get("/datasets/<dataset>/runs/<run>/results", summary="Links to its results", **about)(get_results)
    app.get("/datasets/<dataset>/executions/<execution>", summary="How a started run stands", **about)(get_execution)
    app.get("/datasets/<dataset>/executions/<execution>/log", summary="What a job of it writes", **about)(get_log)
    app.post(
        "/datasets/<dataset>/executions/<execution>/redrive", summary="Go on where it failed", **_with(about, 409)
    )(redrive_execution)
    app.post("/datasets/<dataset>/give-up", summary="Expect no more files", **_with(about, 409))(no_more_files)
    app.get("/datasets/<dataset>/settings", summary="The settings, as text", **about)(get_settings)
    app.put("/datasets/<dataset>/settings", summary="Check and save settings", **_with(about, 409))(put_settings)
    app.post("/datasets/<dataset>/settings/check", summary="Check settings, save nothing", **about)(check_settings)
    app.get("/datasets/<dataset>/findings", summary="Findings, and what is accepted", **about)(list_findings)
    app.post("/datasets/<dataset>/decisions", summary="Accept or snooze a finding", **_with(about, 409))(decide)
    app.post("/datasets/<dataset>/decisions/undo", summary="Take a decision back", **_with(about, 409))(undo)
    app.get("/datasets/<dataset>/models", summary="Models, the newest first", **about)(list_models)
    app.put("/datasets/<dataset>/models/<version>", summary="Approve or reject a model", **about)(approve_model)
    app.exception_handler(Problem)(of_problem)
    app.exception_handler(RequestValidationError)(of_request)
    app.exception_handler(Exception)(_unexpected)
    app.not_found(_no_such_route)
    return app


PROBLEM = {"description": "Problem details (RFC 9457)", "content": {"application/problem+json": {}}}


def _with(about: dict[str, Any], status: int) -> dict[str, Any]:
    return {"responses": about["responses"] | {status: PROBLEM}}


def openapi() -> str:
    """The API's description."""
    return router().get_openapi_json_schema(
        title="Headroom", version="1", description="Which servers run out of capacity, and when. See docs/api.md."
    )


# ---------------------------------------------------------------- the page


def get_page() -> Response[str]:
    """The page; nothing in it is anybody's data, and API Gateway decides who gets it."""
    environment = _environment()
    return page.index(_s3(), environment.ingest_bucket, environment.artifact_bucket, environment.openid_issuer)


def get_sign_in() -> Response[str]:
    return page.sign_in(_environment().openid_issuer, _environment().openid_audience)


# ---------------------------------------------------------------- datasets, uploads and runs


def list_datasets() -> list[dict[str, Any]]:
    call = _call()
    names = [name for name in call.ledger.datasets() if call.caller.may_see(name)]
    return looking.dataset_states(call.ledger, _s3(), call.environment.artifact_bucket, names)


def get_dataset(dataset: Dataset) -> dict[str, Any]:
    call = _call_about(dataset)
    return looking.dataset_state(call.ledger, _s3(), call.environment.artifact_bucket, dataset)


def new_upload(dataset: Dataset, upload: Upload) -> dict[str, Any]:
    """A form to post a file with."""
    call = _call_about(dataset, may_be_new=True)
    key = f"incoming/{dataset}/{_taken(upload.name)}"
    return {**_form(call.environment.ingest_bucket, key, LARGEST_UPLOAD), "key": key}


def new_preview(dataset: Dataset, upload: Upload) -> dict[str, Any]:
    """A form to post a file with, or its first 4 MiB and a byte, that is looked at and expires after a day."""
    call = _call_about(dataset, may_be_new=True)
    _taken(upload.name)
    preview = uuid.uuid4().hex
    form = _form(call.environment.ingest_bucket, f"preview/{dataset}/{preview}", LARGEST_PREVIEW)
    return {**form, "preview": preview}


def _taken(name: str) -> str:
    """The name of a file that could be taken in."""
    if problem := name_problem(name):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, problem)
    if "${" in name:
        # S3 fills it in with the name that the form's sender gives, and the form would fit any key that begins so.
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "its name holds ${, which S3 replaces in forms: rename it")
    return name


def _form(bucket: str, key: str, most: int) -> dict[str, Any]:
    """A form to post a file with; S3 itself holds it to this key and this size."""
    limits = [["content-length-range", 1, most]]
    form = _s3().generate_presigned_post(Bucket=bucket, Key=key, Conditions=limits, ExpiresIn=LINK_SECONDS)
    return {**form, "most_bytes": most, "expires_in": LINK_SECONDS}


def preview_file(
    dataset: Dataset, preview: Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")], upload: Upload
) -> dict[str, Any]:
    """What Headroom would make of a file, under the dataset's settings: in words, and whether any of it is usable."""
    call = _call_about(dataset, may_be_new=True)
    text, _ = _settings_of(call, dataset)
    if problems := problems_of_settings(text):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "the dataset's settings cannot be used", problems=problems)
    asked = {"key": f"preview/{dataset}/{preview}", "name": upload.name, "settings": text}
    lambda_ = _previews()
    answer = lambda_.invoke(FunctionName=call.environment.preview_function, Payload=json.dumps(asked).encode())
    told = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        logger.warning("preview failed", extra={"dataset": dataset, "error": told})
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "this file takes more time or memory than there is here; headroom preview looks at it on your machine",
        )
    if told.get("missing"):
        raise Problem(HTTPStatus.NOT_FOUND, f"nothing was uploaded for the preview {preview}, or it has expired")
    return {"lines": told["lines"], "usable": told["usable"]}


def start_run(dataset: Dataset, run: Start, idempotency_key: IdempotencyKey = None) -> Response[Any]:
    call = _call_about(dataset, may_be_new=bool(run.data))
    _check_limit(run.max_usd, call.environment.most_usd)
    name = starting.name_of(dataset, idempotency_key, call.caller.name, call.now)
    given = run.model_dump(exclude_none=True, exclude_unset=True, exclude={"data"}) | {"dataset": dataset}
    stepfunctions, machine = boto3.client("stepfunctions"), call.environment.state_machine_arn
    if run.data:
        given["copied"] = list(run.data)
    found = _looked_at(call, dataset, run.data)
    try:
        new = starting.start(
            call.ledger, stepfunctions, machine, name, given, call.now, partial(_copy_in, call, dataset, found)
        )
    except starting.Busy as busy:
        raise Problem(HTTPStatus.CONFLICT, str(busy), running=busy.running) from busy
    except starting.OtherRequest as other:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(other)) from other
    logger.info("run asked for", extra={"dataset": dataset, "execution": name, "by": call.caller.name, "new": new})
    status = HTTPStatus.ACCEPTED if new else HTTPStatus.OK
    where = f"/datasets/{dataset}/executions/{name}"
    return Response(int(status), "application/json", {"execution": name, "new": new}, headers={"Location": where})


def _check_limit(asked: float | None, most: float) -> None:
    """Callers may ask for a lower limit on a run's cost than the stack's; a higher one is its operators' to give."""
    if asked is not None and most and not 0 < asked <= most:
        raise Problem(
            HTTPStatus.FORBIDDEN,
            f"a run may cost at most {most:g} USD here (the stack's MaxRunCostUsd), so max_usd is above 0 and at most "
            "that: whoever operates the stack can start a dearer one (headroom run --max-usd)",
        )


def _looked_at(call: Call, dataset: str, data: tuple[str, ...]) -> Sequence[copying.Found]:
    """The data that is to be copied into the dataset, which it may begin."""
    if not data:
        return ()
    try:
        found = copying.look(_s3(), data, call.environment.data_arns)
    except copying.CannotCopy as error:
        problems = str(error).splitlines()
        detail = "nothing was copied and no run was started: some of this data cannot be had"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, problems=problems) from error
    if not call.ledger.admit(dataset, call.environment.most_datasets):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, no_room(dataset, call.environment.most_datasets))
    return found


def _copy_in(call: Call, dataset: str, found: Sequence[copying.Found]) -> None:
    """Copy data into the dataset; in the batch window that follows, ingest takes note of it."""
    if not found:
        return
    try:
        new = copying.copy(_s3(), found, call.environment.ingest_bucket, dataset)
    except copying.CannotCopy as error:
        problems = str(error).splitlines()
        detail = "no run was started: not all of this data could be copied"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, problems=problems) from error
    logger.info("data copied", extra={"dataset": dataset, "by": call.caller.name, "files": new})


def no_more_files(dataset: Dataset) -> dict[str, str]:
    """The dataset is overdue no more, until files arrive again."""
    call = _call_about(dataset)
    try:
        answer = give_up(call.ledger, dataset)
    except NothingToGiveUp as error:
        raise Problem(HTTPStatus.CONFLICT, str(error)) from error
    logger.info("no more files are expected", extra={"dataset": dataset, "by": call.caller.name})
    return answer


def list_runs(
    dataset: Dataset, most: Annotated[int, Query(ge=1, le=100, description="The newest so many")] = 20
) -> list[dict[str, Any]]:
    call = _call_about(dataset)
    current = call.ledger.state(dataset).current_run
    return looking.runs_of(_s3(), call.environment.artifact_bucket, dataset, current, most)


def get_run(dataset: Dataset, run: Run) -> dict[str, Any]:
    call = _call_about(dataset)
    current = call.ledger.state(dataset).current_run
    run_id = _run_id(run, current)
    found = looking.run_of(_s3(), call.environment.artifact_bucket, dataset, run_id, current)
    if found["created_at"] is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"dataset {dataset!r} has no run {run_id}")
    return found


def get_results(dataset: Dataset, run: Run) -> dict[str, Any]:
    """The results of a run, each with a link that opens without signing in, for a quarter of an hour at most."""
    call = _call_about(dataset)
    run_id = _run_id(run, call.ledger.state(dataset).current_run)
    s3, bucket, folder = _s3(), call.environment.artifact_bucket, f"runs/{dataset}/{run_id}/assessment/"
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder)
    found = [one for page in pages for one in page.get("Contents", [])]
    if not found:
        raise Problem(HTTPStatus.NOT_FOUND, f"run {run_id} of dataset {dataset!r} has no results")
    files = []
    for one in found:
        name = one["Key"].removeprefix(folder)
        kind = TYPES.get(name[name.rfind(".") :], "application/octet-stream")
        asked = {"Bucket": bucket, "Key": one["Key"], "ResponseContentType": kind}
        url = s3.generate_presigned_url("get_object", Params=asked, ExpiresIn=LINK_SECONDS)
        files.append({"name": name, "bytes": one["Size"], "url": url})
    return {"run_id": run_id, "expires_in": LINK_SECONDS, "files": files}


def get_execution(dataset: Dataset, execution: Execution) -> dict[str, Any]:
    """How a run that was started stands, which states it has been in, and why it failed."""
    call = _call_about(dataset)
    found = _described(call, dataset, execution)
    result = looking.document(found.get("output"))
    steps = following.steps(boto3.client("stepfunctions"), found["executionArn"])
    failed = failures.of_execution(found, steps) if found["status"] in following.ENDED_BADLY else None
    return {
        "execution": execution,
        "status": found["status"],
        "started_at": found["startDate"].isoformat(),
        "ended_at": found["stopDate"].isoformat() if "stopDate" in found else None,
        "run_id": result.get("run_id"),
        "result": result.get("status"),
        "error": found.get("error"),
        "reason": failed.reason if failed else None,
        "job": failed.job if failed else None,
        "no_redrive": following.no_redrive(found),
        "steps": [
            {
                "name": one.name,
                "began": one.began.isoformat(),
                "ended": one.ended.isoformat() if one.ended else None,
                "failed": one.failed,
            }
            for one in steps
        ],
    }


def get_log(
    dataset: Dataset,
    execution: Execution,
    job: Annotated[
        Literal["preprocess", "train", "assess"] | None, Query(description="The newest that has begun by default")
    ] = None,
    most: Annotated[int, Query(ge=1, le=1_000, description="The last so many lines")] = 100,
) -> dict[str, Any]:
    """What a job of a run has written so far, the newest attempt at it; no lines where it has not begun."""
    call = _call_about(dataset)
    arn = _described(call, dataset, execution)["executionArn"]
    begun: list[str] = [job] if job else following.jobs_begun(boto3.client("stepfunctions"), arn)
    if not begun:
        return {"job": None, "name": None, "lines": []}
    wanted = begun[-1]
    start = job_name(call.environment.job_name_prefix, dataset, wanted, arn)
    log = following.job_log(boto3.client("logs"), following.KINDS[wanted], f"{start}-", most)
    if log is None:
        return {"job": wanted, "name": None, "lines": []}
    return {"job": wanted, "name": log.job, "lines": [line[:LONGEST_LINE] for line in log.lines]}


def redrive_execution(dataset: Dataset, execution: Execution) -> Response[Any]:
    """Go on with a run that failed at the job that failed, with the same files and settings."""
    call = _call_about(dataset)
    _described(call, dataset, execution)
    stepfunctions, machine = boto3.client("stepfunctions"), call.environment.state_machine_arn
    try:
        starting.redrive(call.ledger, stepfunctions, machine, dataset, execution, call.now)
    except starting.Busy as busy:
        raise Problem(HTTPStatus.CONFLICT, str(busy), running=busy.running) from busy
    except starting.NotRedrivable as error:
        raise Problem(HTTPStatus.CONFLICT, str(error)) from error
    logger.info("run redriven", extra={"dataset": dataset, "execution": execution, "by": call.caller.name})
    where = f"/datasets/{dataset}/executions/{execution}"
    return Response(int(HTTPStatus.ACCEPTED), "application/json", {"execution": execution}, headers={"Location": where})


def _described(call: Call, dataset: str, execution: str) -> dict[str, Any]:
    """An execution of the dataset; of others' nobody learns whether they exist."""
    found = following.described(boto3.client("stepfunctions"), call.environment.state_machine_arn, dataset, execution)
    if found is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"dataset {dataset!r} has no execution {execution!r}")
    return found


# ---------------------------------------------------------------- settings


def get_settings(dataset: Dataset) -> dict[str, Any]:
    call = _call_about(dataset)
    text, etag = _settings_of(call, dataset)
    return {"text": text, "etag": etag, "problems": problems_of_settings(text)}


def _settings_of(call: Call, dataset: str) -> tuple[str, str | None]:
    """The dataset's settings as text, and their ETag; "" and None where it has none."""
    content, etag = objects.fetched(_s3(), call.environment.ingest_bucket, f"config/{dataset}.yaml")
    return content.decode("utf-8-sig", errors="replace"), etag


def check_settings(dataset: Dataset, given: SettingsText) -> dict[str, Any]:
    _call_about(dataset, may_be_new=True)
    problems = problems_of_settings(given.text)
    return {"valid": not problems, "problems": problems}


def put_settings(dataset: Dataset, given: NewSettings) -> dict[str, Any]:
    """Save settings that are valid, unless somebody else has changed them since they were read."""
    call = _call_about(dataset, may_be_new=True)
    if problems := problems_of_settings(given.text):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "these settings cannot be used", problems=problems)
    s3, bucket = _s3(), call.environment.ingest_bucket
    try:
        saved = s3.put_object(
            Bucket=bucket, Key=f"config/{dataset}.yaml", Body=given.text.encode(), **objects.if_still(given.etag)
        )
    except ClientError as error:
        if error.response["Error"]["Code"] not in decisions.CHANGED:
            raise
        raise Problem(HTTPStatus.CONFLICT, "somebody has changed these settings meanwhile: read them again") from error
    logger.info("settings saved", extra={"dataset": dataset, "by": call.caller.name})
    return {"etag": saved["ETag"]}


def problems_of_settings(text: str) -> list[str]:
    """What is wrong with settings, by the jobs' own validation; a line each."""
    try:
        settings.parse(text)
    except settings.SettingsError as error:
        return str(error).splitlines()
    return []


# ---------------------------------------------------------------- findings


def list_findings(dataset: Dataset) -> dict[str, Any]:
    call = _call_about(dataset)
    found = _findings(call, dataset)
    try:
        known, _ = decisions.read(_s3(), call.environment.ingest_bucket, dataset)
    except accepted.AcceptedError as error:
        return {**found, "decisions": [], "problems": str(error).splitlines()}
    return {**found, "decisions": [one.model_dump(mode="json") for one in known], "problems": []}


def decide(dataset: Dataset, given: Decision) -> dict[str, Any]:
    """Accept or snooze a finding of the current run; the level that counts is that of now."""
    call = _call_about(dataset)
    name = accepted.Finding(given.server, given.metric, given.entity, given.kind)
    try:
        level = decisions.the_one(_findings(call, dataset)["findings"], name)["level"]
        facts = {"level": level, "by": call.caller.name, "at": call.now.replace(microsecond=0)}
        new = accepted.decided(given.model_dump() | facts)
        decisions.change(_s3(), call.environment.ingest_bucket, dataset, lambda known: accepted.put(known, new))
    except decisions.NoSuchFinding as error:
        raise Problem(HTTPStatus.NOT_FOUND, str(error)) from error
    except (accepted.AcceptedError, decisions.TooBusy) as error:
        raise _not_decided(error) from error
    logger.info("finding decided", extra={"dataset": dataset, "state": new.state, "by": new.by})
    return new.model_dump(mode="json")


def undo(dataset: Dataset, given: Name) -> dict[str, Any]:
    """Take a decision back; the next run tells of the finding again."""
    call = _call_about(dataset)
    name = accepted.Finding(given.server, given.metric, given.entity, given.kind)
    try:
        known, _ = decisions.read(_s3(), call.environment.ingest_bucket, dataset)
        if name not in [one.finding for one in known]:
            raise Problem(HTTPStatus.NOT_FOUND, f"{accepted.in_words(name)} is neither accepted nor snoozed")
        decisions.change(_s3(), call.environment.ingest_bucket, dataset, lambda found: accepted.taken_back(found, name))
    except (accepted.AcceptedError, decisions.TooBusy) as error:
        raise _not_decided(error) from error
    logger.info("decision taken back", extra={"dataset": dataset, "by": call.caller.name})
    return {"open": name._asdict()}


def _not_decided(error: Exception) -> Problem:
    if isinstance(error, decisions.TooBusy):
        return Problem(HTTPStatus.CONFLICT, str(error))
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "this cannot be decided", problems=str(error).splitlines())


def _findings(call: Call, dataset: str) -> dict[str, Any]:
    run_id = call.ledger.state(dataset).current_run
    if run_id is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"dataset {dataset!r} has no published run yet")
    found = decisions.findings(_s3(), call.environment.artifact_bucket, dataset, run_id)
    return {"run_id": run_id, "findings": found}


# ---------------------------------------------------------------- models


def list_models(dataset: Dataset) -> list[dict[str, Any]]:
    call = _call_about(dataset)
    return looking.models_of(boto3.client("sagemaker"), model_group(call.environment.job_name_prefix, dataset))


def approve_model(dataset: Dataset, version: Annotated[int, Path(ge=1)], approval: Approval) -> dict[str, Any]:
    """Runs score with an approved model from the next one on."""
    call = _call_about(dataset)
    sagemaker = boto3.client("sagemaker")
    known = looking.models_of(sagemaker, model_group(call.environment.job_name_prefix, dataset))
    found = next((one for one in known if one["version"] == version), None)
    if found is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"dataset {dataset!r} has no model {version}")
    sagemaker.update_model_package(ModelPackageArn=found["arn"], ModelApprovalStatus=approval.status)
    logger.info("model decided", extra={"dataset": dataset, "version": version, "by": call.caller.name})
    return found | {"status": approval.status}


# ---------------------------------------------------------------- what all have in common


def _call() -> Call:
    return Call(caller_of(router().current_event.raw_event), _environment(), datetime.now(UTC))


def _call_about(dataset: str, may_be_new: bool = False) -> Call:
    """The call, if it is about a dataset that the caller may see and that exists, or may begin to.

    Raises:
        Problem: it is not. Of what they may not see, callers do not learn whether it exists.
    """
    call = _call()
    if problem := dataset_problem(dataset):
        raise Problem(HTTPStatus.NOT_FOUND, problem)
    if not call.caller.may_see(dataset):
        raise Problem(HTTPStatus.FORBIDDEN, f"you may not see a dataset {dataset!r}")
    if not may_be_new and dataset not in call.ledger.datasets():
        raise Problem(HTTPStatus.NOT_FOUND, f"there is no dataset {dataset!r}: upload a file to begin it")
    return call


def _run_id(run: str, current: str | None) -> str:
    if run == "current" and current is not None:
        return current
    if not looking.is_run_id(run):
        raise Problem(HTTPStatus.NOT_FOUND, f"there is no run {run!r}")
    return run


@cache
def _previews() -> Any:
    # One attempt: a file that takes too long would take it again.
    return boto3.client("lambda", config=Config(read_timeout=27, retries={"total_max_attempts": 1}))


def _no_such_route(error: NotFoundError) -> Response[str]:
    return answer(HTTPStatus.NOT_FOUND, "there is no such address: docs/openapi.json lists them")


def _unexpected(error: Exception) -> Response[str]:
    """What nobody has foreseen is in the log, and not in the answer."""
    logger.exception("request failed")
    if isinstance(error, ClientError) and "hrottl" in error.response["Error"]["Code"]:
        return answer(HTTPStatus.SERVICE_UNAVAILABLE, "AWS asks to slow down: try again in a moment")
    return answer(HTTPStatus.INTERNAL_SERVER_ERROR, "this should have worked; the function's log says why it did not")
