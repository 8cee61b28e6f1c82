"""What CloudWatch refuses the laptop cloud refuses, too."""

from __future__ import annotations

from typing import Any

import pytest

from local.emulator.metric_data import refusal


def query(name: str = "q0", period: int = 300) -> dict[str, Any]:
    metric = {"Namespace": "AWS/EC2", "MetricName": "CPUUtilization"}
    return {"Id": name, "MetricStat": {"Metric": metric, "Period": period, "Stat": "Average"}}


def test_what_cloudwatch_answers_is_answered() -> None:
    assert refusal([query(f"q{number}") for number in range(500)], 0, 3600) == ""
    assert refusal([query(period=10)], 0, 3600) == ""


@pytest.mark.parametrize(
    ("queries", "start", "end", "told"),
    [
        ([query(f"q{number}") for number in range(501)], 0, 60, "size greater than 500"),
        ([], 0, 60, "MetricDataQueries is required"),
        ([query()], None, 60, "are required"),
        ([query()], 60, 60, "must be greater"),
        ([query("Q")], 0, 60, "expected pattern"),
        ([query("i-1")], 0, 60, "expected pattern"),
        ([query(), query()], 0, 60, "not unique"),
        ([query(period=90)], 0, 60, "not 1, 5, 10, 20, 30 or a multiple of 60"),
    ],
)
def test_what_cloudwatch_refuses_is_refused(queries: Any, start: Any, end: Any, told: str) -> None:
    assert told in refusal(queries, start, end)
