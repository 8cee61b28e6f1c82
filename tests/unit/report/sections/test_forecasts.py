"""How good the forecasts were."""

from __future__ import annotations

from dataclasses import replace

import pytest
from synthetic_assessment import assessment

from headroom.report.sections import forecasts


def test_coverage_is_told_for_each_metric_from_what_was_forecast_with() -> None:
    rows = [
        {"candidate": "combination", "metric": "cpu", "series": 30, "coverage_80": 0.9},
        {"candidate": "combination", "metric": "cpu", "series": 10, "coverage_80": 0.5},
        {"candidate": "theta", "metric": "cpu", "series": 40, "coverage_80": 0.0},
        {"candidate": "theta", "metric": "disk", "series": 40, "coverage_80": 0.8},
    ]
    assert forecasts.coverage({"candidates": rows}) == [("cpu", pytest.approx(0.8))]


def test_the_report_says_how_a_challenger_did() -> None:
    words = "AutoML challenger: over 90 days from 2 Aug 2026, for 412 series, both were equally close."
    found = assessment()
    told = replace(found, metrics=found.metrics | {"challenger": {"status": "compared", "words": words}})
    assert words in str(forecasts.section(told))
    assert "AutoML" not in str(forecasts.section(found))
