"""The page on the laptop cloud, opened as by ``headroom page``: from the first look to a report, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from browser import ANSWERED_NO, needed, opener, shown
from integration.service import Service, results_refused
from serving import serving

from cli.loopback import Server
from cli.smoke import fleet
from local.cloud import REGION, Cloud
from local.deploy import Stack, api_address

RUN_MS = 300_000

pytestmark = needed


@pytest.fixture(scope="module")
def server(cloud: Cloud, stack: Stack) -> Iterator[Server]:
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
    made = Server(api_address(cloud, stack), session, REGION)
    with serving(made):
        yield made


@pytest.fixture
def open_page(browser: Any, server: Server, cloud: Cloud) -> Iterator[Callable[..., Any]]:
    """Opens the page, with its key unless told otherwise."""
    with opener(browser, (f"{server.origin}/", f"{cloud.endpoint}/", "data:", "blob:"), ANSWERED_NO) as opened:
        yield lambda key=True: shown(opened(server.page if key else server.origin))


def test_a_file_is_looked_at_uploaded_and_its_run_followed_live_to_the_report(open_page) -> None:
    page = open_page()
    assert "key=" not in page.url, "the key is gone from the address"
    page.get_by_label("Name").fill("paged")
    page.get_by_role("button", name="Upload a first file").click()
    content = {"name": "fleet.csv", "mimeType": "text/csv", "buffer": fleet().encode()}
    page.locator("input[type=file]").set_input_files([content])
    page.get_by_text("Usable:").wait_for(timeout=120_000)
    assert "cpu in percent" in page.locator("pre").inner_text()
    page.get_by_role("button", name="Upload 1 file").click()
    page.get_by_role("link", name="Follow the run").click()
    page.get_by_role("button", name="Start a run").wait_for(timeout=120_000)
    page.locator(".steps").get_by_text("Preprocess").wait_for(timeout=RUN_MS)
    page.locator(".log").filter(has_text=re.compile(r"\S")).wait_for(timeout=RUN_MS)
    page.get_by_text("The run has ended: published.").wait_for(timeout=RUN_MS)
    assert page.locator(".step.is-done").count() >= 5
    page.get_by_role("link", name="the current report").click()
    report = page.frame_locator("iframe")
    report.locator("h1").wait_for()
    assert "server" in report.locator("h1").inner_text()
    report.locator(".open").first.click()
    report.locator(".chart.is-drawn").first.wait_for()
    address = page.url
    page.reload()
    page.frame_locator("iframe").locator("h1").wait_for()
    assert page.url == address, "an address that can be kept"


def test_a_run_under_settings_of_the_page_that_failed_is_told_with_its_log_and_redriven_on_the_page(
    open_page, service: Service
) -> None:
    page = open_page()
    page.get_by_role("link", name="paged").click()
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("textbox").fill("horizon: 14\nthresholds: {cpu: {warning: 5, critical: 6, underused: 1}}\n")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved.", exact=False).wait_for()
    page.get_by_role("link", name="Overview").click()
    page.get_by_label("Mode").select_option("score")
    with results_refused(service, "paged"):
        page.get_by_role("button", name="Start a run").click()
        page.get_by_text("Started").wait_for()
        page.get_by_text("The run has ended FAILED").wait_for(timeout=RUN_MS)
        page.reload()
        page.get_by_text("The run has ended FAILED").wait_for(timeout=RUN_MS)
    assert "redrive it" in page.get_by_text("The run has ended FAILED").inner_text()
    page.get_by_label("Job").select_option("preprocess")
    page.locator(".live .quiet").get_by_text("headroom-paged-preprocess-").wait_for()
    assert page.locator(".log").inner_text().strip()
    page.get_by_role("button", name="Redrive this run").click()
    page.get_by_text("The run has ended: published.").wait_for(timeout=RUN_MS)
    assert page.get_by_role("button", name="Redrive").count() == 0
    assert service.executions("paged")[-1]["status"] == "SUCCEEDED"


def test_what_is_decided_on_the_page_counts(open_page, cloud: Cloud, stack: Stack) -> None:
    page = open_page()
    page.get_by_role("link", name="paged").click()
    page.get_by_role("link", name="Findings").click()
    accept = page.get_by_role("button", name="Accept ", exact=False).first
    accept.click()
    page.get_by_role("dialog").get_by_label("Why").fill("moves in December")
    page.get_by_role("dialog").get_by_role("button", name="Accept").click()
    page.get_by_text("Accepted until").wait_for()
    s3, bucket = cloud.client("s3"), stack.outputs["IngestBucketName"]
    assert b"moves in December" in s3.get_object(Bucket=bucket, Key="config/paged.accepted.json")["Body"].read()
    page.get_by_role("link", name="Models").click()
    page.get_by_role("cell", name="approved", exact=True).wait_for()
    page.get_by_role("button", name="Reject version 1").click()
    page.get_by_text("Version 1 is rejected").wait_for()


def test_without_the_key_there_is_a_page_and_no_data(open_page) -> None:
    page = open_page(key=False)
    assert "headroom page" in page.locator("main").inner_text()
    assert page.evaluate("fetch('datasets').then((answer) => answer.status)") == 401


def test_the_policy_refuses_scripts_and_requests_that_are_not_the_pages(browser, server: Server) -> None:
    page = browser.new_page()
    policy = page.goto(server.page).headers["content-security-policy"]
    refused = page.evaluate(
        """async () => {
          const element = document.createElement("script");
          element.textContent = "document.title = 'owned'";
          document.body.append(element);
          const asked = await fetch("http://127.0.0.1:9/").then(() => "let through", () => "refused");
          return [document.title, asked];
        }"""
    )
    page.close()
    assert refused[0] != "owned" and refused[1] == "refused"
    assert "script-src 'sha256-" in policy and "unsafe" not in policy and "default-src 'none'" in policy
