"""What ends by its time limit on the laptop cloud: jobs, runs, functions after a side effect; a Slack that refuses."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from integration.conftest import GIVEN
from integration.service import Service, failure, files_of, intact, item, letter, physical, redrive, start_by_hand
from integration.test_alarms import becomes
from serving import Quiet, serving

from local import deploy

FUNCTIONS = Path(__file__).parents[2] / "functions"
# What is cut short here leaves the dataset sound, for the next to be cut short: one training serves all.
CUT_SHORT = "cut-short"


@contextmanager
def definition(service: Service, **changes: Any) -> Iterator[None]:
    """While this lasts, the state machine's states, by name, or the whole of it, have other limits."""
    states = service.cloud.client("stepfunctions")
    before = states.describe_state_machine(stateMachineArn=service.machine)["definition"]
    changed = json.loads(before)
    for name, change in changes.items():
        if name in changed["States"]:
            changed["States"][name]["Arguments"] |= change
        else:
            changed[name] = change
    states.update_state_machine(stateMachineArn=service.machine, definition=json.dumps(changed))
    try:
        yield
    finally:
        states.update_state_machine(stateMachineArn=service.machine, definition=before)


def test_a_job_that_runs_too_long_is_told_and_a_new_run_takes_its_file(
    service: Service,
    months: dict[str, bytes],
) -> None:
    before, count = files_of(service, CUT_SHORT), len(service.executions(CUT_SHORT))
    hangs = {"ImageUri": "{% $plan.image %}", "ContainerEntrypoint": ["sleep"], "ContainerArguments": ["60"]}
    limit = {"MaxRuntimeInSeconds": 1}
    with definition(service, Preprocess={"StoppingCondition": limit, "AppSpecification": hangs}):
        [failed] = service.drop_and_wait(CUT_SHORT, {"slow.csv": next(iter(months.values()))})
    assert failed["status"] == "FAILED"
    mail = failure(service, failed)
    assert mail.subject == f"Headroom {CUT_SHORT}: failed in Preprocess"
    assert "the job was stopped because it ran longer than " in mail.body
    assert f"'incoming/{CUT_SHORT}/slow.csv'" in mail.body
    assert files_of(service, CUT_SHORT) == before
    assert "running" not in item(service, CUT_SHORT)
    start_by_hand(service, mail.body)
    service.outcome(service.wait(CUT_SHORT, more_than=count + 1)[-1])
    intact(service, CUT_SHORT, [*before, "slow.csv"])


def test_a_run_that_takes_too_long_is_told_and_a_new_run_takes_its_file(
    service: Service,
    months: dict[str, bytes],
) -> None:
    before, count = files_of(service, CUT_SHORT), len(service.executions(CUT_SHORT))
    with definition(service, TimeoutSeconds=1):  # while it gathers files
        [late] = service.drop_and_wait(CUT_SHORT, {"late.csv": next(iter(months.values()))})
    assert late["status"] == "TIMED_OUT"
    mail = failure(service, late)
    assert mail.subject.startswith(f"Headroom {CUT_SHORT}: timed out")
    assert "it ran longer than the state machine allows" in mail.body
    assert "running" not in item(service, CUT_SHORT)
    start_by_hand(service, mail.body)
    service.outcome(service.wait(CUT_SHORT, more_than=count + 1)[-1])
    intact(service, CUT_SHORT, [*before, "late.csv"])


def zipped(more: dict[str, str]) -> bytes:
    """The functions' code, and more files."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path in FUNCTIONS.glob("*.py"):
            archive.writestr(path.name, path.read_text(encoding="utf-8"))
        for name, text in more.items():
            archive.writestr(name, text)
    return content.getvalue()


DYING = """
import time
import {module}
from ledger import Ledger

original = Ledger.{write}

def write_and_never_come_back(*arguments, **more):
    original(*arguments, **more)
    time.sleep(300)

Ledger.{write} = write_and_never_come_back
handler = {module}.handler
"""


@contextmanager
def dies_after(service: Service, function: str, module: str, write: str) -> Iterator[None]:
    """While this lasts, a function does one write to the ledger and then nothing more until its time is over."""
    client, name = service.cloud.client("lambda"), physical(service, function)
    before = client.get_function_configuration(FunctionName=name)
    client.update_function_code(
        FunctionName=name, ZipFile=zipped({"dying.py": DYING.format(module=module, write=write)})
    )
    client.update_function_configuration(FunctionName=name, Handler="dying.handler", Timeout=15)
    try:
        yield
    finally:
        client.update_function_code(FunctionName=name, ZipFile=zipped({}))
        client.update_function_configuration(FunctionName=name, Handler=before["Handler"], Timeout=before["Timeout"])


@pytest.mark.parametrize(
    ("function", "module", "write", "state"),
    [
        ("PlanFunction", "plan", "plan", "PlanRun"),
        ("PublishFunction", "publish", "publish", "Publish"),
        ("PublishFunction", "publish", "unlock", "Publish"),
    ],
)
def test_a_function_that_dies_after_a_side_effect_is_told_and_redriven(
    service: Service,
    months: dict[str, bytes],
    function: str,
    module: str,
    write: str,
    state: str,
) -> None:
    before, file = files_of(service, CUT_SHORT), f"{module}-{write}.csv"
    with dies_after(service, function, module, write):
        [failed] = service.drop_and_wait(CUT_SHORT, {file: next(iter(months.values()))})
    assert failed["status"] == "FAILED"
    mail = failure(service, failed)
    assert mail.subject == f"Headroom {CUT_SHORT}: failed in {state}"
    assert "timed out" in mail.body.lower()
    assert ("The run's results are published" in mail.body) is (state == "Publish")
    assert "running" not in item(service, CUT_SHORT)
    redrive(service, mail.body)
    done = service.wait(CUT_SHORT)[-1]
    assert service.outcome(done)["status"] == "published"
    intact(service, CUT_SHORT, [*before, file])


def test_an_arrival_whose_function_dies_comes_back_and_is_in_a_run(
    service: Service,
    months: dict[str, bytes],
) -> None:
    sqs, queue = service.cloud.client("sqs"), physical(service, "FileQueue")
    hidden = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["VisibilityTimeout"])["Attributes"]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "20"})  # AWS: eleven minutes
    before, count = files_of(service, CUT_SHORT), len(service.executions(CUT_SHORT))
    try:
        with dies_after(service, "IngestFunction", "ingest", "record"):
            service.drop(CUT_SHORT, "ingest.csv", next(iter(months.values())))
            deadline = time.monotonic() + 60
            while not service.waiting(CUT_SHORT):
                assert time.monotonic() < deadline
                time.sleep(0.2)
        [done] = service.wait(CUT_SHORT, more_than=count)[count:]
        assert service.outcome(done)["status"] == "published"
        intact(service, CUT_SHORT, [*before, "ingest.csv"])
    finally:
        sqs.set_queue_attributes(QueueUrl=queue, Attributes=hidden)


@contextmanager
def channel(tls: Path, words: str, answers: list[int]) -> Iterator[tuple[str, list[int]]]:
    """A Slack that answers so to a message with these words, one after the other, and 200 to all else.

    Its address, and what it has answered to the message.
    """
    given: list[int] = []

    class Slack(Quiet):
        def do_POST(self) -> None:
            code = 200
            if words in json.loads(self.body())["blocks"][1]["text"]["text"]:
                code = answers[len(given)] if len(given) < len(answers) else 200
                given.append(code)
            self.answer(code)

    with serving(Slack, tls) as address:
        yield f"{address}/services/T/B/x", given


@pytest.fixture(scope="module")
def with_slack(service: Service) -> str:
    """The stack with Slack: its function's name."""
    webhook = {"Name": "/headroom/slack", "Type": "SecureString", "Value": "https://127.0.0.1:9/", "Overwrite": True}
    service.cloud.client("ssm").put_parameter(**webhook)
    deploy.deploy(service.cloud, GIVEN | {"SlackWebhookParameter": "/headroom/slack"})
    return physical(service, "SlackFunction")


def post_to(service: Service, function: str, tls: Path, webhook: str) -> None:
    """Let Slack's function post there and trust our certificate."""
    client = service.cloud.client("lambda")
    service.cloud.client("ssm").put_parameter(
        Name="/headroom/slack", Type="SecureString", Value=webhook, Overwrite=True
    )
    variables = client.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
    variables |= {"SSL_CERT_FILE": str(tls), "FRESH": webhook}
    client.update_function_configuration(FunctionName=function, Environment={"Variables": variables})


@pytest.mark.parametrize(
    ("dataset", "answers"),
    [("busy-slack", [429, 500, 200]), ("no-slack", [429, 500, 429])],
    ids=["for a while", "for good"],
)
def test_a_slack_that_refuses_is_tried_again_and_what_it_never_took_is_a_dead_letter(
    service: Service, with_slack: str, certificate: Path, dataset: str, answers: list[int]
) -> None:
    sqs, arn = service.cloud.client("sqs"), service.stack.outputs["FunctionLettersArn"]
    queue = sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
    sqs.purge_queue(QueueUrl=queue)
    told = f"Run x of dataset {dataset} failed."
    with channel(certificate, told, answers) as (webhook, given):
        post_to(service, with_slack, certificate, webhook)
        service.cloud.client("sns").publish(
            TopicArn=service.stack.outputs["TopicArn"], Subject=f"Headroom {dataset}: failed", Message=told
        )
        deadline = time.monotonic() + 90
        while len(given) < 3:
            assert time.monotonic() < deadline, given
            time.sleep(0.2)
        time.sleep(5)
    assert given == answers, "three times, as Lambda does, and no more"
    received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=0).get("Messages", [])
    letters = [one["Body"] for one in received if told in one["Body"]]
    assert len(letters) == (0 if answers[-1] == 200 else 1)
    if letters:
        becomes(service, physical(service, "FunctionLettersAlarm"), "ALARM")
    assert letter(service, f"Headroom {dataset}: failed").body.startswith(told), "the mail does not wait for Slack"
