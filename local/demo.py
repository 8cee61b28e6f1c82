"""The demo: a fleet's files go into the ingest bucket, and what comes of them is shown."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from cli import files, follow, live
from cli.errors import CliError
from functions import failures
from functions.following import Step
from functions.names import dataset_problem
from local import cloud as clouds
from local import deploy, spark
from local.cloud import ROOT, Cloud, CloudError
from local.emulator import image, mailbox, transfer

SERVERS, DAYS, SAMPLING = 60, 400, "1h"
FEWEST_DAYS, MOST_DAYS = 7, 1_100
START_SECONDS, MAIL_SECONDS = 90, 10
REFUSED = "panel/quarantine.csv"  # every refused row, in the run's folder as the report names it
LEVELS = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan"}


@dataclass(frozen=True)
class Drop:
    """What is dropped into the ingest bucket: files with the names that they get, and perhaps settings."""

    dataset: str
    files: list[tuple[Path, str]]
    settings: Path | None
    passed_over: list[str]
    """The names of what else is in the folders given."""
    unfit: list[str]
    """A line for each file that the service would refuse."""


def run(
    console: Console,
    dataset: str,
    data: list[Path],
    settings: Path | None,
    days: int = DAYS,
    formats: bool = False,
    engine: str | None = None,
) -> None:
    """The whole demo; ``days`` of history where the fleet is a generated one, and ``formats`` to have it in five.

    ``engine`` is ``machine`` or ``spark``; None leaves it to the stack.

    Raises ``CloudError`` where it cannot go on or the run fails, and at the end where files had to be left out; the
    message says what to do.
    """
    began = time.monotonic()
    drop = chosen(dataset, data, settings) if data else None  # before anything is started
    if not FEWEST_DAYS <= days <= MOST_DAYS:
        raise CloudError(f"DAYS={days}: the generated fleet can have {FEWEST_DAYS} to {MOST_DAYS:,} days of history")
    if engine not in (None, "machine", "spark"):
        raise CloudError(f"ENGINE={engine}: there are machine and spark")
    if engine == "spark" and (problem := spark.missing()):
        raise CloudError(problem)
    image.require()
    was_up = clouds.running() is not None
    with clouds.used() as cloud, tempfile.TemporaryDirectory(prefix="headroom-fleet-") as folder:
        _say(console, began, f"laptop cloud on {cloud.endpoint}{' (it was up)' if was_up else ''}")
        with console.status("sam build, sam deploy"):
            stack = deploy.deploy(cloud, {"Engine": engine} if engine else {})
        _say(console, began, f"stack {stack.name} deployed with sam")
        if drop is not None and drop.passed_over:
            _say(console, began, files.passed_over(drop.passed_over))
        if drop is not None and drop.unfit:
            _say(console, began, files.left_out(drop.unfit))
        if drop is None:
            with console.status("generating a fleet"):
                drop = generated(dataset, Path(folder), days, formats)
            _say(console, began, f"fleet of {SERVERS} servers generated: {days} days of {SAMPLING} samples")
        known = {e["executionArn"] for e in follow.executions(cloud, stack.outputs["StateMachineArn"], dataset)}
        letters = len(mailbox.letters(cloud.mailbox))
        upload(cloud, stack, drop)
        target = f"s3://{stack.outputs['IngestBucketName']}/incoming/{dataset}/"
        _say(console, began, f"{len(drop.files)} file{'' if len(drop.files) == 1 else 's'} dropped into {target}")
        description, steps = _follow_all(console, cloud, stack, dataset, known)
        _show_mail(console, cloud, letters, stays=was_up)
        if description["status"] != "SUCCEEDED":
            raise CloudError(_explained(cloud, dataset, description, steps, was_up))
        _show_results(console, cloud, dataset, json.loads(description["output"]))
    _say(console, began, "done" if was_up else "done, and the laptop cloud is stopped (make up keeps one running)")
    if drop.unfit:
        raise CloudError(files.incomplete(drop.unfit))


def chosen(dataset: str, data: list[Path], settings: Path | None) -> Drop:
    """The user's own files, checked: folders are searched for data files, the older names first."""
    if problem := dataset_problem(dataset):
        raise CloudError(problem)
    try:
        found, unfit, others = files.chosen(data)
    except CliError as error:
        raise CloudError(str(error)) from error
    if settings is not None:
        _check_settings(settings)
    return Drop(dataset, found, settings, others, unfit)


def _check_settings(path: Path) -> None:
    if not path.is_file():
        raise CloudError(f"there is no settings file {path}")
    sys.path.insert(0, str(ROOT / "processing"))
    from headroom.core import settings

    try:
        settings.load(path)
    except settings.SettingsError as error:
        raise CloudError(f"{path} cannot be used:\n{error}") from error


def generated(dataset: str, folder: Path, days: int, formats: bool = False) -> Drop:
    """A fleet of known truth with this many days of history, generated here into ``folder``."""
    from local import fleet  # it brings pandas, which is slow to load
    from local.fleet import exports

    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()  # so that its dates are to come
    made = fleet.generate(servers=SERVERS, days=days, sampling=SAMPLING, end=yesterday)
    (exports.write if formats else fleet.write)(made, folder)
    return chosen(dataset, [folder / "incoming"], folder / "settings.yaml")


def upload(cloud: Cloud, stack: deploy.Stack, drop: Drop) -> None:
    """Settings first, so that the run that the files start knows them."""
    s3, bucket = cloud.client("s3"), stack.outputs["IngestBucketName"]
    if drop.settings is not None:
        s3.upload_file(str(drop.settings), bucket, f"config/{drop.dataset}.yaml")
    for file, name in drop.files:
        s3.upload_file(str(file), bucket, f"incoming/{drop.dataset}/{name}")


# ------------------------------------------------------------------------------------------------ following


def _follow_all(
    console: Console, cloud: Cloud, stack: deploy.Stack, dataset: str, known: set[str]
) -> tuple[dict[str, Any], list[Step]]:
    """Follow the dataset's new runs, one after the other; description and states of the last or of a failed one."""
    machine = stack.outputs["StateMachineArn"]
    with console.status("waiting for ingest to start a run"):
        execution = follow.wait_for_start(cloud, machine, dataset, known, START_SECONDS)
    if execution is None:
        raise CloudError(
            f"no run has started within {START_SECONDS} s. The ingest function's log is in {cloud.log} "
            f"and, with the cloud up, in: aws logs tail {_ingest_logs(cloud)}"
        )
    while True:
        description, steps = live.watch(console, cloud, stack.outputs["JobNamePrefix"], execution, dataset, every=0.25)
        known.add(execution)
        following = None
        if description["status"] == "SUCCEEDED":
            following = follow.wait_for_start(cloud, machine, dataset, known, seconds=0.5)
        if following is None:
            return description, steps
        console.print("   files arrived during the run: the next run takes them")
        execution = following


def _explained(cloud: Cloud, dataset: str, description: dict[str, Any], steps: list[Step], was_up: bool) -> str:
    lines = live.why(cloud, description, steps)
    if job := failures.of_execution(description, steps).job:
        lines += ["", f"its folder: {cloud.state / 'jobs' / job}"]
    if was_up:
        lines += ["", "after fixing the cause, resume from the failed state:", f"  headroom redrive {dataset}"]
    else:
        lines += ["", "to be able to inspect it and redrive: make up, then make demo again"]
    return "\n".join(lines)


def _ingest_logs(cloud: Cloud) -> str:
    groups = cloud.client("logs").describe_log_groups()["logGroups"]
    return next((group["logGroupName"] for group in groups if "Ingest" in group["logGroupName"]), "<ingest log group>")


# ------------------------------------------------------------------------------------------------ results


def _show_mail(console: Console, cloud: Cloud, known: int, stays: bool) -> None:
    """The notification that subscribers get of the run. Alarms mail them too, see ``python -m local mailbox``.

    ``stays`` tells whether the cloud stays up, without which what the mail offers leads nowhere.
    """
    deadline = time.monotonic() + MAIL_SECONDS
    told: list[mailbox.Letter] = []
    while not told and time.monotonic() < deadline:
        letters = mailbox.letters(cloud.mailbox)[known:]
        told = [letter for letter in letters if not letter.subject.startswith("ALARM")]
        time.sleep(0.1)
    for letter in told:
        body = re.sub(r"(https?://\S{60})\S+", r"\1…", letter.body)  # a signed link fills the screen
        console.print(Panel(Text(body), title=Text(letter.subject), subtitle=f"mail to {letter.to}", expand=False))
    if told and not stays:
        console.print(
            "The commands and links of this mail need the laptop cloud, which stops now; make up keeps one running."
        )


def _show_results(console: Console, cloud: Cloud, dataset: str, output: dict[str, Any]) -> None:
    folder = ROOT / "out" / dataset
    fetch(cloud.client("s3"), output["assessment"], folder)
    summary = json.loads((folder / "risk_summary.json").read_text(encoding="utf-8"))
    console.print(table(summary))
    console.print(f"results in out/{dataset}/: {', '.join(sorted(path.name for path in folder.iterdir()))}")
    console.print(f"begin with out/{dataset}/report.html", style="bold")


def fetch(s3: Any, assessment: str, folder: Path) -> None:
    """The run's assessment, in place of what is in ``folder``, and what its report points to beside it."""
    shutil.rmtree(folder, ignore_errors=True)
    for uri, where in (
        (assessment, folder),
        (f"{assessment.removesuffix('/').removesuffix('/assessment')}/{REFUSED}", (folder / REFUSED).parent),
    ):
        where.mkdir(parents=True)
        transfer.download(s3, uri, "S3Prefix", where, "your own")


def table(summary: dict[str, Any]) -> Table:
    """The servers most at risk, from ``risk_summary.json``; the notification, shown above it, has the reasons."""
    unjudged = summary.get("unjudged", 0)  # of which nothing is known: that is not the same as no risk
    counts = summary["levels"] | {"none": summary["levels"].get("none", 0) - unjudged, "not judged": unjudged}
    levels = ", ".join(f"{number} {level}" for level, number in counts.items() if number)
    if partly := summary.get("not_judged_total", 0) - unjudged:
        levels += f" ({partly} not judged for every metric)"
    count = f"{summary['servers']} server{'' if summary['servers'] == 1 else 's'}"
    rows = Table(title=f"{count}: {levels}", title_justify="left")
    rows.add_column("server", overflow="fold")
    for heading in ("level", "metric", "critical around"):
        rows.add_column(heading, no_wrap=True)
    rows.add_column("chance of\ncritical", justify="right", no_wrap=True)
    for server in summary["top"][:12]:
        rows.add_row(
            Text(server["server_id"]),
            Text(server["level"], style=LEVELS.get(server["level"], "")),
            Text(server["metric"] or ""),
            Text("now" if server.get("above_already") else _moment(server["critical_date"])),
            _chance(server["p_critical"]),
        )
    return rows


def _moment(date: str | None) -> str:
    return (date or "–")[:16].removesuffix("T00:00").replace("T", " ")


def _chance(share: float | None) -> str:
    """As the notification and the report round it."""
    if share is None:
        return "–"
    return "> 99 %" if share > 0.99 else "< 1 %" if share < 0.01 else f"{int(100 * share + 0.5)} %"


def _say(console: Console, began: float, words: str) -> None:
    console.print(Text(f"{time.monotonic() - began:5.1f} s  {words}"), soft_wrap=True)
