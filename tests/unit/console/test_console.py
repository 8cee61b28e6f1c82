"""The web page in a browser, over the API's own function and an AWS in memory: what people see, do and are told."""

from __future__ import annotations

import base64
import email
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from inspect import signature
from pathlib import Path
from typing import Any

import boto3
import pytest
from browser import ANSWERED_NO, needed, opener, shown

import api
import decisions
import failures
import following
import openid
import page as page_of_the_function
import preview
from cli.commands import accept
from headroom import preview as of_the_jobs
from tests.unit.conftest import ROOT
from tests.unit.console.page_server import served
from tests.unit.console.provider import CLIENT, Provider, provided, token
from tests.unit.functions.test_api import Lambda, with_redrives, write_log

PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
THEMES = ["light", "dark"]
VIEWS = ["", "/upload", "/findings", "/models", "/settings"]

pytestmark = [
    pytest.mark.slow,
    needed,
]

RUN = "20261121T060000Z-0a1b2c3d"
UPLOADS = "https://ingest-bucket.s3.amazonaws.com/"
REPORTS = "https://artifact-bucket.s3.amazonaws.com/runs/"
# One that would like to act in the reader's name.
REPORT = """<h1>The report</h1><script>
try { parent.document.title = parent.sessionStorage.length; } catch (error) { document.title = error.name; }
document.body.append(document.title);</script>"""
HOSTILE = '<img src=x onerror="document.title=1">\u202eevil\u0000'
# What the page does every few seconds it does ten times as often.
HURRY = "{ const pause = setTimeout; setTimeout = (does, ms, ...more) => pause(does, ms / 10, ...more); }"
UNTIL = f"{datetime.now(UTC) + timedelta(days=signature(accept.accept).parameters['days'].default):%Y-%m-%d}"


def finding(server: str, level: str = "high", kind: str = "risk", metric: str = "cpu") -> dict[str, Any]:
    return {"server": server, "metric": metric, "entity": None, "kind": kind, "level": level, "hidden": False,
            "reason": f"CPU of {server} is expected to reach 90 % by 3 Dec 2026."}  # fmt: skip


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    with provided() as found:
        monkeypatch.setenv("OPENID_ISSUER", found.issuer)
        monkeypatch.setenv("OPENID_AUDIENCE", CLIENT)
        yield found


@pytest.fixture
def web(aws: Any, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The dataset "web" with a published run, one model that waits, and another dataset that Ann may not see."""
    for one in (api._environment, api._s3, api.router, openid.provider, preview._environment):
        one.cache_clear()
    monkeypatch.setattr(api, "_previews", Lambda)
    aws.ledger.admit("web", 50)
    aws.ledger.admit("secret", 50)
    folder = f"runs/web/{RUN}"
    findings = [finding("web-1", "critical"), finding(HOSTILE), finding("spare-1", "none", "stop")]
    for name, content in {
        "manifest.json": {"created_at": "2026-11-21T06:00:00Z", "mode": "auto", "train": True,
                          "train_reason": "first model", "files": [{}], "cost_estimate": "about 0.21 USD (x)"},
        "published.json": {},
        "assessment/risk_summary.json": {"levels": {"critical": 1, "high": 1}, "as_of": "2026-11-20", "servers": 3},
        "assessment/findings.json": {"findings": findings}, "assessment/report.html": {},
    }.items():  # fmt: skip
        aws.s3.put_object(Bucket="artifact-bucket", Key=f"{folder}/{name}", Body=json.dumps(content))
    aws.s3.put_object(Bucket="ingest-bucket", Key="config/web.yaml", Body=b"horizon: 30\n")
    aws.ledger.publish("web", RUN, None, False)
    sagemaker = boto3.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="headroom-web")
    sagemaker.create_model_package(
        ModelPackageGroupName="headroom-web", ModelApprovalStatus="PendingManualApproval",
        ModelPackageDescription=HOSTILE.replace("\u0000", ""),
    )  # fmt: skip
    yield aws
    for one in (api._environment, api._s3, api.router, openid.provider):
        one.cache_clear()


Open = Callable[..., Any]


def taken_by_s3(s3: Any, route: Any) -> None:
    """What S3 does with a form, as far as its policy goes: the key, and the size."""
    given = email.message_from_bytes(
        f"Content-Type: {route.request.headers['content-type']}\r\n\r\n".encode() + route.request.post_data_buffer
    )
    fields = {part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
              for part in given.get_payload()}  # fmt: skip
    [_, least, most] = next(
        one for one in json.loads(base64.b64decode(fields["policy"]))["conditions"] if one[0] == "content-length-range"
    )
    headers, size = {"Access-Control-Allow-Origin": "*"}, len(fields["file"])
    if not least <= size <= most:
        code = "EntityTooSmall" if size < least else "EntityTooLarge"
        route.fulfill(status=400, headers=headers, body=f"<Error><Code>{code}</Code></Error>")
        return
    s3.put_object(Bucket="ingest-bucket", Key=fields["key"].decode(), Body=fields["file"])
    route.fulfill(status=204, headers=headers)


@pytest.fixture
def open_page(browser: Any, web: Any, provider: Provider) -> Iterator[Open]:
    """Opens the page, signed in unless told otherwise; what S3 would do is done here."""
    with (
        served() as origin,
        opener(browser, (f"{origin}/", provider.issuer, REPORTS, UPLOADS), ANSWERED_NO) as opened,
    ):

        def open_page(at: str = "", signed_in: bool = True, **options: Any) -> Any:
            def prepare(context: Any) -> None:
                context.add_init_script(HURRY)
                context.route(f"{UPLOADS}**", lambda route: taken_by_s3(web.s3, route))
                context.route(f"{REPORTS}**", lambda route: route.fulfill(content_type="text/html", body=REPORT))
                if signed_in:
                    key = json.dumps(token(provider.claim()))
                    context.add_init_script(
                        f"if (origin === '{origin}') sessionStorage.setItem('headroom-token', {key})"
                    )

            return shown(opened(f"{origin}/{at}", prepare, **options))

        yield open_page


def tab_to(page: Any, name: str) -> None:
    """Go on to a control by the keyboard alone."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.ariaLabel || document.activeElement.textContent") == name:
            return
    raise AssertionError(f"{name} cannot be reached")


def at(view: str = "") -> str:
    return f"#/datasets/web{view}"


# ---------------------------------------------------------------- signing in


def test_people_sign_in_at_the_provider_and_come_back_to_where_they_were(open_page: Open) -> None:
    page = open_page(at("/models"), signed_in=False)
    assert page.locator("h1").inner_text() == "Sign in"
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("cell", name="waits for approval").wait_for()
    assert "?" not in page.url and "code=" not in page.url and page.url.endswith(at("/models"))
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Sign in").wait_for()
    assert page.evaluate("sessionStorage.length + localStorage.length") == 0


def test_a_sign_in_that_was_not_begun_here_is_refused(open_page: Open) -> None:
    page = open_page("?code=stolen&state=guessed", signed_in=False)
    assert "not begun here" in page.get_by_role("alert").inner_text()
    assert page.evaluate("sessionStorage.getItem('headroom-token')") is None


def test_an_address_that_somebody_has_put_a_token_into_signs_nobody_in(open_page: Open, provider: Provider) -> None:
    page = open_page(f"#key={token(provider.claim(sub='eve', email='eve@example.com'))}", signed_in=False)
    assert page.locator("h1").inner_text() == "Sign in" and "key=" not in page.url
    assert page.evaluate("sessionStorage.length") == 0


def told_of_a_sign_in(open_page: Open) -> str:
    """What is said of one that does not succeed."""
    page = open_page(signed_in=False)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("alert").wait_for()
    return page.get_by_role("alert").inner_text()


def test_what_the_provider_refuses_is_told_in_its_words(open_page: Open, provider: Provider) -> None:
    provider.refuses = "access_denied"
    assert "access_denied" in told_of_a_sign_in(open_page)


def test_a_token_for_another_sign_in_is_refused(open_page: Open, provider: Provider) -> None:
    provider.nonce = "another"
    assert "another sign-in" in told_of_a_sign_in(open_page)


def test_a_sign_in_that_has_ended_is_asked_for_again(open_page: Open) -> None:
    page = open_page(at())
    page.evaluate("sessionStorage.setItem('headroom-token', 'stale')")
    page.get_by_role("link", name="Findings").click()
    page.get_by_text("Your sign-in has ended.").wait_for()
    assert page.get_by_role("button", name="Sign in").is_visible()


def test_without_a_provider_the_page_says_what_signs_for_it(open_page: Open, monkeypatch) -> None:
    monkeypatch.setenv("OPENID_ISSUER", "")
    api._environment.cache_clear()
    page = open_page(signed_in=False)
    assert "headroom page" in page.locator("main").inner_text()


# ---------------------------------------------------------------- datasets and runs


def test_people_see_their_datasets_and_no_others(open_page: Open) -> None:
    page = open_page()
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="web"))
    assert "1 critical" in row.inner_text() and "2026-11-20" in row.inner_text()
    assert "secret" not in page.locator("main").inner_text()


@pytest.mark.parametrize(
    ("dataset", "words"), [("secret", "may not see"), ("new", "there is no dataset 'new'"), ("UPPER", "not a valid")]
)
def test_a_dataset_that_is_not_there_or_not_theirs_is_told_so(open_page: Open, dataset, words) -> None:
    assert words in open_page(f"#/datasets/{dataset}").get_by_role("alert").inner_text()


def test_a_run_is_started_and_followed_to_its_end_and_why_it_failed_is_told(open_page, web, monkeypatch) -> None:
    why = failures.Failure(f"full {HOSTILE}", "headroom-web-1")  # of which the AWS in memory tells nothing
    monkeypatch.setattr(failures, "of_execution", lambda *_: why)
    page = open_page(at())
    page.get_by_label("Mode").select_option("score")
    page.get_by_role("button", name="Start a run").click()
    page.get_by_text("Started").wait_for()
    [execution] = web.executions()
    arn = execution["executionArn"]
    assert json.loads(web.stepfunctions.describe_execution(executionArn=arn)["input"]) == {
        "dataset": "web", "mode": "score"
    }  # fmt: skip
    page.locator(".live code").get_by_text(execution["name"]).wait_for()
    assert "running" in page.locator(".facts").inner_text()
    page.get_by_text("Nothing is written yet.").wait_for()
    began = [following.Step("Preprocess", datetime.now(UTC))]
    monkeypatch.setattr(following, "steps", lambda *_: began)
    write_log(arn, "preprocess", "0-0/algo-1-1", ["first line", HOSTILE])
    page.locator(".log").get_by_text("<img src=x").wait_for()
    write_log(arn, "preprocess", "0-0/algo-1-1", ["another line"])
    page.locator(".log").get_by_text("another line").wait_for()
    assert page.locator("main img").count() == 0 and "\u202e" not in page.locator(".log").inner_text()
    page.get_by_label("Job").select_option("train")
    page.get_by_text("Nothing is written yet.").wait_for()
    web.stepfunctions.stop_execution(executionArn=arn)
    page.get_by_text("The run has ended ABORTED").wait_for(timeout=60_000)
    told = page.get_by_text("The run has ended ABORTED").inner_text()
    assert "full <img" in told and "headroom-web-1" in told and "redrive it" in told


def test_a_run_is_followed_on_when_the_api_has_not_answered_for_a_moment(open_page, web, monkeypatch) -> None:
    monkeypatch.setattr(following, "steps", lambda *_: [following.Step("Preprocess", datetime.now(UTC))])
    page = open_page(at())
    page.get_by_role("button", name="Start a run").click()
    page.get_by_text("Preprocess is under way.").wait_for()
    page.route("**/executions/**", lambda route: route.abort("internetdisconnected"))
    page.get_by_text("This page asks again by itself.").wait_for()
    page.unroute("**/executions/**")
    page.get_by_text("This page asks again by itself.").wait_for(state="detached")
    [execution] = web.executions()
    web.stepfunctions.stop_execution(executionArn=execution["executionArn"])
    page.get_by_text("The run has ended ABORTED").wait_for()


@pytest.fixture
def failed(web: Any, monkeypatch) -> str:
    """The name of a run of "web" that failed in Train before anybody looked."""
    web.ledger.lock("web", "web-1", datetime.now(UTC))
    found = web.stepfunctions.start_execution(
        stateMachineArn=web.state_machine, name="web-1", input=json.dumps({"dataset": "web"})
    )
    web.stepfunctions.stop_execution(executionArn=found["executionArn"])
    web.ledger.unlock("web", "web-1")
    began = datetime.now(UTC)
    monkeypatch.setattr(following, "steps", lambda *_: [following.Step("Train", began, began, "Aborted")])
    write_log(found["executionArn"], "train", "0-0/algo-1-1", ["x" * 600, "no memory left"])
    return "web-1"


def test_a_run_that_failed_before_is_told_with_its_log_and_redriven_by_keyboard_on_a_phone(
    open_page: Open, web: Any, failed: str, monkeypatch
) -> None:
    redrives = with_redrives(monkeypatch)
    page = open_page(at(), **PHONE)
    page.locator(".log").get_by_text("no memory left").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    tab_to(page, "Log")
    tab_to(page, "Redrive this run")
    redrives.refuse = "Execution has exceeded the redrivable period of 14 days"
    page.keyboard.press("Enter")
    page.get_by_text("redrivable period of 14 days").wait_for()
    redrives.refuse = ""
    page.locator("button:focus").get_by_text("Redrive this run").wait_for()
    page.keyboard.press("Enter")
    page.get_by_text("Redriving").wait_for(state="detached")
    page.get_by_text("The run has ended ABORTED").wait_for()
    assert page.get_by_text("Redriven: it goes on").is_visible(), "the run's progress does not talk over the answer"
    assert redrives == [failed] and web.ledger.state("web").running == failed


def test_a_redriven_run_that_is_over_at_once_is_told_all_the_same(
    open_page: Open, web: Any, failed: str, monkeypatch
) -> None:
    """Its dataset is free again before the page looks at it the next time."""
    redrives, described = with_redrives(monkeypatch), following.described

    def published(*given: Any) -> dict[str, Any] | None:
        found = described(*given)
        done = {"status": "SUCCEEDED", "output": json.dumps({"status": "published"})}
        return found | done if redrives and found is not None else found

    def over(route: Any) -> None:
        answer = route.fetch()
        web.ledger.unlock("web", failed)
        route.fulfill(response=answer)

    monkeypatch.setattr(following, "described", published)
    page = open_page(at())
    page.route("**/redrive", over)
    page.get_by_role("button", name="Redrive this run").click()
    page.get_by_text("The run has ended: published.").wait_for(timeout=60_000)
    assert page.get_by_role("button", name="Redrive").count() == 0


def test_a_run_that_cannot_be_redriven_any_more_says_so_and_offers_nothing(
    open_page: Open, failed, monkeypatch
) -> None:
    monkeypatch.setattr(following, "no_redrive", lambda _: "Step Functions cannot redrive it any more (late)")
    page = open_page(at())
    page.get_by_text("cannot redrive it any more (late)").wait_for()
    assert page.get_by_role("button", name="Redrive").count() == 0


def test_of_two_starts_at_once_the_second_is_told_of_the_first(open_page: Open, web: Any) -> None:
    page = open_page(at())
    page.get_by_role("button", name="Start a run").click()
    page.get_by_text("Started").wait_for()
    page.get_by_role("button", name="Start a run").click()
    page.get_by_text("the dataset has a run").wait_for()
    assert len(web.executions()) == 1
    page.get_by_text("is under way.").wait_for()
    assert page.get_by_text("the dataset has a run").is_visible(), "what the second was answered is not talked over"


def test_the_report_has_an_address_that_lasts_and_opens_apart_from_the_page(open_page: Open, web, provider) -> None:
    page = open_page(at())
    page.get_by_role("link", name=RUN).click()
    frame = page.locator("iframe")
    frame.wait_for()
    assert f"/runs/web/{RUN}/assessment/report.html" in frame.get_attribute("src")
    page.frame_locator("iframe").get_by_text("SecurityError").wait_for()
    assert page.url.endswith(at(f"/report/{RUN}"))


# ---------------------------------------------------------------- uploads

GOOD = {"name": "june.csv", "mimeType": "text/csv", "buffer": b"time,host,cpu\n2024-02-13,web-1,5\n"}


def keys(web: Any) -> list[str]:
    return sorted(one["Key"] for one in web.s3.list_objects_v2(Bucket="ingest-bucket").get("Contents", []))


def test_a_file_is_looked_at_before_it_is_uploaded(open_page: Open, web: Any) -> None:
    page = open_page(at("/upload"))
    page.locator("input[type=file]").set_input_files([GOOD])
    page.get_by_text("Usable:").wait_for()
    assert "'cpu': cpu in percent" in page.locator("pre").inner_text()
    assert [key for key in keys(web) if key.startswith("incoming/")] == []
    page.get_by_role("button", name="Upload 1 file").click()
    page.get_by_text("1 uploaded.").wait_for()
    assert web.s3.get_object(Bucket="ingest-bucket", Key="incoming/web/june.csv")["Body"].read() == GOOD["buffer"]
    page.get_by_role("link", name="Follow the run").click()
    page.get_by_role("button", name="Start a run").wait_for()


def test_what_cannot_be_used_is_not_uploaded_and_says_why(open_page: Open, web: Any) -> None:
    page = open_page(at("/upload"))
    page.locator("input[type=file]").set_input_files([
        GOOD, GOOD | {"name": "empty.csv", "buffer": b""}, GOOD | {"name": "book.xlsx"},
        GOOD | {"name": "page.csv", "buffer": b"<html><script>alert(1)</script>"},
        GOOD | {"name": "<b>bold.csv", "buffer": b"time,host,<i>x</i>\n2024-02-13,web-1,5\n"},
    ])  # fmt: skip
    page.get_by_role("button", name="Upload", exact=False).filter(has_text="Upload 1 file").wait_for()
    rows = page.locator(".files > li").all_inner_texts()
    assert "Usable" in rows[0] and "It is empty" in rows[1] and "It is an Excel workbook: save it as CSV" in rows[2]
    assert "web page or XML" in rows[3] and "<b>bold.csv" in rows[4] and "<i>x</i>" in rows[4]
    assert page.locator("main i, main bdi b").count() == 0
    page.get_by_role("button", name="Upload 1 file").click()
    page.get_by_text("1 uploaded", exact=False).wait_for()
    assert [key for key in keys(web) if key.startswith("incoming/")] == ["incoming/web/june.csv"]


def test_of_a_large_table_only_the_beginning_is_sent_to_be_looked_at(open_page: Open, web: Any) -> None:
    line = b"2024-02-13T00:00:00Z,a,5," + b"x" * 80 + b"\n"
    large = GOOD | {"buffer": b"time,host,cpu,note\n" + line * 60_000}
    page = open_page(at("/upload"))
    page.locator("input[type=file]").set_input_files([large])
    page.get_by_text("Usable:").wait_for()
    assert "judged by its beginning" in page.locator("pre").inner_text()
    [key] = [key for key in keys(web) if key.startswith("preview/")]
    size = web.s3.head_object(Bucket="ingest-bucket", Key=key)["ContentLength"]
    assert size == of_the_jobs._BYTES + 1 < len(large["buffer"])


def test_files_are_dropped_and_left_out_again(open_page: Open) -> None:
    page = open_page(at("/upload"))
    page.evaluate("""() => {
      const dropped = new DataTransfer();
      dropped.items.add(new File(["time,host,cpu\\n2024-02-13,a,5\\n"], "dropped.csv"));
      document.querySelector(".drop").dispatchEvent(new DragEvent("drop", { dataTransfer: dropped, bubbles: true }));
    }""")
    page.get_by_text("Usable:").wait_for()
    page.get_by_role("button", name="Leave out dropped.csv").click()
    assert page.locator(".files > li").count() == 0
    assert not page.get_by_role("button", name="Upload", exact=False).is_visible()


def test_a_first_file_begins_a_dataset(open_page: Open, web: Any) -> None:
    page = open_page()
    page.get_by_label("Name").fill("new")
    page.get_by_role("button", name="Upload a first file").click()
    page.locator("input[type=file]").set_input_files([GOOD])
    page.get_by_role("button", name="Upload 1 file").click()
    page.get_by_role("link", name="Follow the run").click()
    page.get_by_text("taken in within a minute").wait_for()
    assert "incoming/new/june.csv" in keys(web)
    web.ledger.admit("new", 50)  # as ingest does
    page.get_by_role("button", name="Start a run").wait_for()


# ---------------------------------------------------------------- findings, models, settings


def test_a_finding_is_accepted_with_a_reason_and_an_end_and_taken_back(open_page: Open, web: Any) -> None:
    page = open_page(at("/findings"))
    page.get_by_role("button", name="Accept web-1, cpu").click()
    box = page.get_by_role("dialog")
    box.get_by_role("button", name="Accept").click()
    assert box.is_visible(), "without a reason nothing is sent"
    box.get_by_label("Why").fill("moves in December")
    box.get_by_role("button", name="Accept").click()
    page.get_by_text(f"Accepted until {UNTIL}").wait_for()
    [known], _ = decisions.read(web.s3, "ingest-bucket", "web")
    assert (known.finding.server, known.by, f"{known.until}") == ("web-1", "ann@example.com", UNTIL)
    page.get_by_label("Show").select_option("decided")
    page.get_by_role("button", name="Undo web-1, cpu").click()
    page.get_by_text("Open again").wait_for()
    assert decisions.read(web.s3, "ingest-bucket", "web")[0] == []


def test_findings_are_searched_and_the_most_urgent_come_first(open_page: Open) -> None:
    page = open_page(at("/findings"))
    assert page.locator("tbody tr .badge").first.inner_text() == "critical"
    page.get_by_label("Search").fill("spare")
    assert page.locator("tbody tr").count() == 1 and page.get_by_text("1 finding", exact=True).is_visible()


def test_words_and_buttons_stay_whole_beside_long_reasons(open_page: Open) -> None:
    page = open_page(at("/findings"))
    page.evaluate("""() => document.querySelectorAll('tbody td[data-label="Why"]').forEach(
        (cell) => { cell.textContent = 'CPU is expected to cross 90 % before the end of the quarter. '.repeat(6); })""")
    one_line = page.get_by_label("Search").bounding_box()
    for button in page.locator("tbody button").all():
        assert button.bounding_box()["height"] <= one_line["height"] + 2, button.inner_text()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_hostile_names_are_text_and_nothing_else(open_page: Open) -> None:
    page = open_page(at("/findings"))
    assert "<img src=x" in page.locator("tbody").inner_text()
    assert page.locator("main img").count() == 0 and page.title() != "1"
    assert "\u202e" not in page.locator("body").inner_text()
    page.get_by_role("button", name="Snooze <img", exact=False).click()
    assert "<img src=x" in page.get_by_role("dialog").inner_text()
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Models").click()
    page.get_by_role("cell", name="<img", exact=False).wait_for()
    assert page.locator("main img").count() == 0


def test_a_broken_file_of_decisions_is_told(open_page: Open, web: Any) -> None:
    web.s3.put_object(Bucket="ingest-bucket", Key="config/web.accepted.json", Body=b"{")
    assert "nothing is hidden" in open_page(at("/findings")).get_by_role("alert").inner_text()


def test_a_model_that_waits_is_approved(open_page: Open, web: Any) -> None:
    page = open_page(at("/models"))
    page.get_by_role("button", name="Approve version 1").click()
    page.get_by_text("Version 1 is approved").wait_for()
    [model] = boto3.client("sagemaker").list_model_packages(ModelPackageGroupName="headroom-web")[
        "ModelPackageSummaryList"
    ]
    assert model["ModelApprovalStatus"] == "Approved"


def test_settings_are_checked_while_they_are_written_and_saved_once_valid(open_page: Open, web: Any) -> None:
    page = open_page(at("/settings"))
    editor = page.get_by_role("textbox")
    assert editor.input_value() == "horizon: 30\n"
    editor.fill("horizn: 3\n")
    page.get_by_text("horizn: unknown key").wait_for()
    assert editor.get_attribute("aria-invalid") == "true"
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Not saved").wait_for()
    editor.fill("horizon: 7\n")
    page.get_by_text("Valid, and not saved yet.").wait_for()
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved.", exact=False).wait_for()
    assert web.s3.get_object(Bucket="ingest-bucket", Key="config/web.yaml")["Body"].read() == b"horizon: 7\n"


def test_settings_that_somebody_else_has_changed_are_not_written_over(open_page: Open, web: Any) -> None:
    page = open_page(at("/settings"))
    web.s3.put_object(Bucket="ingest-bucket", Key="config/web.yaml", Body=b"horizon: 90\n")
    page.get_by_role("textbox").fill("horizon: 7\n")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("somebody has changed these settings").wait_for()
    assert page.get_by_role("textbox").input_value() == "horizon: 7\n"
    page.get_by_role("button", name="Read them again", exact=False).click()
    page.get_by_text("Read again.").wait_for()
    assert page.get_by_role("textbox").input_value() == "horizon: 90\n"


# ---------------------------------------------------------------- for everybody


def test_the_keyboard_alone_accepts_a_finding(open_page: Open, web: Any) -> None:
    page = open_page(at("/findings"))
    tab_to(page, "Accept web-1, cpu")
    page.keyboard.press("Enter")
    page.keyboard.type("known")
    tab_to(page, "Accept")
    page.keyboard.press("Enter")
    page.get_by_text("Accepted until").wait_for()
    assert len(decisions.read(web.s3, "ingest-bucket", "web")[0]) == 1


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_is_wider_than_a_phone(open_page: Open, view: str) -> None:
    page = open_page(at(view), **PHONE)
    wide = page.evaluate(
        """() => [...document.querySelectorAll("main, main *")]
               .filter((one) => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest("thead"))
               .map((one) => one.outerHTML.slice(0, 100))"""
    )
    assert wide == [] and page.evaluate("document.documentElement.scrollWidth") <= 360


CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const found = rgba(getComputedStyle(at).backgroundColor);
      if (found[3] === 255) return found;
    }
    return rgba(getComputedStyle(document.body).backgroundColor);
  };
  const weak = [];
  for (const one of document.querySelectorAll("body *")) {
    const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !one.checkVisibility() || one.disabled) continue;
    const [a, b] = [light(rgba(getComputedStyle(one).color)), light(behind(one))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) weak.push(`${ratio.toFixed(2)} ${one.outerHTML.slice(0, 120)}`);
  }
  return weak;
}"""


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("view", VIEWS)
def test_text_stands_out_in_both_themes(open_page: Open, view: str, theme: str) -> None:
    assert open_page(at(view), color_scheme=theme).evaluate(CONTRAST) == []


@pytest.mark.parametrize("view", VIEWS)
def test_every_control_has_a_name_and_every_view_a_heading(open_page: Open, view: str) -> None:
    page = open_page(at(view))
    assert page.locator("h1").count() == 1
    for role in ("button", "link", "textbox", "combobox", "searchbox"):
        for one in page.get_by_role(role).all():
            name = one.evaluate("(one) => one.ariaLabel || one.labels?.[0]?.textContent || one.textContent")
            assert name.strip(), one.evaluate("(one) => one.outerHTML")


# ---------------------------------------------------------------- its files


def test_no_file_of_the_page_makes_markup_or_code_of_text() -> None:
    for path in (ROOT / "console").glob("*.js"):
        found = re.findall(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function|https?://",
                           path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", ""))  # fmt: skip
        assert found == [], path.name
    index = (ROOT / "console" / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"\bon\w+=|\bstyle=|\bsrc=", index)


def test_the_page_is_all_of_its_modules_in_one_file() -> None:
    modules = re.findall(r"^const module_(\w+) = ", page_of_the_function.parts()["script"], re.MULTILINE)
    assert sorted(modules) == sorted(file.stem for file in (ROOT / "console").glob("*.js")), "no module is left over"


def test_the_page_and_the_report_share_their_look() -> None:
    for name in ("dom.js", "theme.js", "report.css"):
        assert (ROOT / "console" / name).resolve() == Path(ROOT / "processing/headroom/report/assets" / name).resolve()
