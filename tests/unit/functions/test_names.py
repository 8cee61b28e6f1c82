"""What may be dropped is the same for the service, the demo and the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cli import files
from local import demo
from names import DATASET_RULE, ENDINGS, dataset_problem, name_problem

CONTRACT = (Path(__file__).parents[3] / "docs" / "data-contract.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["web", "7", "db-2", "a" * 40, "dc-2026", "year-2026-10", "20260", "fleet-1999"])
def test_a_team_can_name_its_dataset(name: str) -> None:
    assert dataset_problem(name) is None


@pytest.mark.parametrize("name", ["2026-01-01", "20260101", "2026-01", "202601", "2026", "dt-2026-01-31", "1999-12-31"])
def test_folders_by_date_do_not_become_datasets(name: str) -> None:
    assert "looks like a date" in str(dataset_problem(name))


@pytest.mark.parametrize("name", ["Web", "-web", "web-", "a" * 41, "", "year=2026", "w b"])
def test_what_cannot_name_jobs_cannot_name_a_dataset(name: str) -> None:
    assert DATASET_RULE in str(dataset_problem(name))


def test_a_name_that_no_disk_takes_is_refused() -> None:
    assert name_problem("x" * 251 + ".csv") is None
    assert "has 256 bytes" in str(name_problem("x" * 252 + ".csv"))
    assert "has 264 bytes" in str(name_problem("ü" * 130 + ".csv")), "bytes count, not characters"
    assert "has 300 bytes" in str(name_problem("x" * 300 + "/a.csv")), "folders too"


def test_the_demo_takes_and_refuses_what_the_service_does(tmp_path: Path) -> None:
    assert files.ENDINGS == ENDINGS
    for number, ending in enumerate(ENDINGS):
        (tmp_path / f"{number}{ending}").write_text("x")
    assert len(demo.chosen("web", [tmp_path], None).files) == len(ENDINGS)
    for name in ("web-", "2026-01-01"):
        with pytest.raises(demo.CloudError):
            demo.chosen(name, [tmp_path], None)


def test_the_documentation_gives_the_rule_and_all_endings() -> None:
    assert DATASET_RULE in CONTRACT
    listed = re.search(r"Names end in (.*?)\. Files", CONTRACT, re.DOTALL)
    assert listed is not None
    assert tuple(re.findall(r"`(\.[a-z.]+)`", listed[1])) == ENDINGS
