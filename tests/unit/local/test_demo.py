"""What the demo takes, and what it tells."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from cli.files import passed_over
from local import demo
from local.cloud import CloudError
from local.demo import chosen, table
from local.emulator import image, mailbox


def test_a_folders_data_files_keep_their_names_and_the_rest_stays(tmp_path: Path) -> None:
    for name in ("b.csv", "a/x.csv.gz", "c.parquet", "d.json", "MetricStreams-1", "README.md", "photo.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    drop = chosen("demo", [tmp_path], None)
    assert [name for _, name in drop.files] == ["MetricStreams-1", "a/x.csv.gz", "b.csv", "c.parquet", "d.json"]
    assert drop.passed_over == ["README.md", "photo.png"]


def test_spreadsheets_are_not_passed_over_in_silence(tmp_path: Path) -> None:
    (tmp_path / "june.xlsx").write_text("x")
    with pytest.raises(CloudError, match=r"no data files .*; skipped, .*: june\.xlsx"):
        chosen("demo", [tmp_path], None)
    told = passed_over([f"{number}.xlsx" for number in range(7)])
    assert told.endswith("0.xlsx, 1.xlsx, 2.xlsx, 3.xlsx, 4.xlsx and 2 more; save Excel workbooks as CSV")
    assert "Excel" not in passed_over(["README.md"])
    assert "\n" not in told


def test_a_file_that_ingest_would_refuse_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "export.dat").write_text("x")
    with pytest.raises(CloudError, match=r"would be refused:\n .*export\.dat: its name ends in none of"):
        chosen("demo", [tmp_path / "export.dat"], None)


def test_files_that_would_be_refused_do_not_hold_up_the_others(tmp_path: Path) -> None:
    (tmp_path / "june.csv").write_text("x")
    for name in ("empty.csv", "nothing.json"):
        (tmp_path / name).write_text("")
    drop = chosen("demo", [tmp_path], None)
    assert [name for _, name in drop.files] == ["june.csv"]
    assert [line.rpartition("/")[2] for line in drop.unfit] == [
        f"{name}: it is empty (0 bytes): export it again, or remove it" for name in ("empty.csv", "nothing.json")
    ]
    with pytest.raises(CloudError, match=r"(?s)empty\.csv.*nothing\.json"):
        chosen("demo", [tmp_path / "empty.csv", tmp_path / "nothing.json"], None)


def test_the_files_that_the_report_names_are_saved_with_it(aws, tmp_path: Path) -> None:
    run = "runs/web/20261121T060000Z-0a1b2c3d"
    for name in ("assessment/report.html", "assessment/tables/risks/part.parquet", "panel/quarantine.csv",
                 "panel/panel.parquet"):  # fmt: skip
        aws.s3.put_object(Bucket="artifact-bucket", Key=f"{run}/{name}", Body=name.encode())
    (tmp_path / "old.csv").write_text("of an earlier demo")
    demo.fetch(aws.s3, f"s3://artifact-bucket/{run}/assessment/", tmp_path)
    saved = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert saved == {"report.html", "tables/risks/part.parquet", "panel/quarantine.csv"}
    from headroom.report.sections import data

    assert demo.REFUSED in Path(data.__file__).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("dataset", "data", "settings", "words"),
    [
        ("Demo Fleet", ["a.csv"], None, "is not a valid dataset name"),
        ("demo", ["missing.csv"], None, "no file or folder"),
        ("demo", ["empty"], None, "no data files"),
        ("demo", ["a.csv", "again/a.csv"], None, "same name"),
        ("demo", ["a.csv"], "missing.yaml", "no settings file"),
        ("demo", ["a.csv"], "wrong.yaml", "horizn"),
    ],
)
def test_a_mistake_is_told_before_anything_is_started(
    tmp_path: Path, dataset: str, data: list[str], settings: str | None, words: str
) -> None:
    (tmp_path / "a.csv").write_text("x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "a.csv").write_text("x")
    (tmp_path / "wrong.yaml").write_text("horizn: 3")
    with pytest.raises(CloudError, match=words):
        chosen(dataset, [tmp_path / name for name in data], tmp_path / settings if settings else None)


def test_the_table_shows_the_servers_most_at_risk_whatever_their_names() -> None:
    summary = {
        "servers": 3,
        "levels": {"critical": 1, "none": 2},
        "top": [
            {
                "server_id": "db-[red]1",
                "level": "critical",
                "metric": "disk",
                "critical_date": "2026-02-01T00:00:00",
                "p_critical": 0.93,
                "reason": "fills up",
            },
            {
                "server_id": "y",
                "level": "critical",
                "metric": "cpu",
                "above_already": True,
                "critical_date": "2026-01-31T00:00:00",
                "p_critical": 0.99,
                "reason": "full",
            },
            {"server_id": "x", "level": "low", "metric": None, "critical_date": None, "p_critical": None, "reason": ""},
        ],
    }
    console = Console(record=True, width=120, file=io.StringIO())
    console.print(table(summary))
    shown = console.export_text()
    for words in ("3 servers: 1 critical, 2 none", "db-[red]1", "2026-02-01", "93 %", "now"):
        assert words in shown
    assert "2026-01-31" not in shown


def test_a_mail_whose_commands_lead_nowhere_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    letter = mailbox.Letter(Path("1.eml"), "you@example.com", "Headroom demo: 1 high", "  headroom report demo", "now")
    monkeypatch.setattr(mailbox, "letters", lambda _: [letter])
    for stays in (True, False):
        console = Console(record=True, width=120, file=io.StringIO())
        demo._show_mail(console, SimpleNamespace(mailbox=Path("unread")), 0, stays)
        told = console.export_text()
        assert "headroom report demo" in told and ("which stops now" in told) is not stays


def test_servers_that_are_not_judged_are_not_told_as_without_risk() -> None:
    def title(levels: dict[str, int], unjudged: int, total: int) -> str:
        summary = {"servers": 3, "levels": levels, "unjudged": unjudged, "not_judged_total": total, "top": []}
        return str(table(summary).title)

    assert title({"critical": 0, "none": 3}, 3, 3) == "3 servers: 3 not judged"
    assert title({"critical": 1, "none": 2}, 1, 2) == (
        "3 servers: 1 critical, 1 none, 1 not judged (1 not judged for every metric)"
    )


def test_the_jobs_libraries_are_those_of_the_lock() -> None:
    lock = (
        "pytest==0.0.1 \\\n    --hash=sha256:00\n"
        "no-such-library==1.0 ; python_version >= '3.8' \\\n    --hash=sha256:00\n"
        "another==2.0 ; python_version < '3.0' \\\n    --hash=sha256:00\n"
        "    # via pytest\n"
    )
    wrong = image.missing(lock)
    assert len(wrong) == 2
    assert wrong[0].startswith("pytest==0.0.1 (installed: ")
    assert wrong[1] == "no-such-library==1.0 (installed: nothing)"


class NotBuiltError(Exception):
    """The demo went as far as the image, which is not there."""


@pytest.fixture
def without_image(monkeypatch: pytest.MonkeyPatch) -> None:
    def require() -> None:
        raise NotBuiltError

    monkeypatch.setattr(image, "require", require)


@pytest.mark.parametrize("days", [-1, 0, 6, 1101])
def test_a_history_that_is_too_short_or_too_long_is_told_before_anything_is_started(
    without_image: None, days: int
) -> None:
    with pytest.raises(CloudError) as refused:
        demo.run(Console(file=io.StringIO()), "demo", [], None, days)
    assert str(refused.value) == f"DAYS={days}: the generated fleet can have 7 to 1,100 days of history"


@pytest.mark.parametrize("days", [7, 30, 400, 1100])
def test_any_other_history_will_do(without_image: None, days: int) -> None:
    with pytest.raises(NotBuiltError):
        demo.run(Console(file=io.StringIO()), "demo", [], None, days)


def test_the_generated_fleet_has_the_days_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "SERVERS", 3)
    drop = demo.generated("young", tmp_path, 7)
    assert drop.dataset == "young" and drop.settings == tmp_path / "settings.yaml"
    months = [path for path, name in drop.files if re.fullmatch(r"fleet-\d{4}-\d\d\.csv", name)]
    days = {line[:10] for path in months for line in path.read_text().splitlines()[1:]}
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    assert days == {f"{yesterday - timedelta(days=ago)}" for ago in range(7)}, "so that what it forecasts is to come"
