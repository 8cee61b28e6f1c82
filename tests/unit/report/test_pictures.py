"""The two pictures: readable at any size, never empty, and true to the assessment."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from pathlib import Path

import matplotlib.image
import pytest
from synthetic_assessment import HOSTILE, assessment, with_silent

from headroom.core.findings import Assessment
from headroom.report import fleet as facts
from headroom.report import pictures

FLEETS: dict[str, Callable[[], Assessment]] = {
    "60 servers": assessment,
    "one server": lambda: assessment(1),
    "1,000 servers": lambda: assessment(1000, ("cpu",)),
    "hourly": lambda: assessment(frequency="h"),
    "a calm fleet": lambda: assessment(calm=True),
    "hostile names": lambda: assessment(HOSTILE),
    "only network, without thresholds": lambda: assessment(8, ("network_in",)),
    "a first run without manifest": lambda: assessment(bare=True, recommend=False, compare=False),
}


@pytest.mark.slow
@pytest.mark.parametrize("fleet", FLEETS)
def test_both_pictures_fit_a_slide_and_are_not_empty(fleet: str, tmp_path: Path) -> None:
    found = FLEETS[fleet]()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a missing glyph is a warning, and an unreadable picture
        pictures.write_risk_heatmap(found, tmp_path / "risk_heatmap.png")
        pictures.write_utilization_clusters(found, tmp_path / "utilization_clusters.png")
    for name in ("risk_heatmap.png", "utilization_clusters.png"):
        height, width, _ = matplotlib.image.imread(tmp_path / name).shape
        assert 1200 <= width <= 2000
        assert 400 <= height <= 1500
        assert (tmp_path / name).stat().st_size < 600_000
    inked = matplotlib.image.imread(tmp_path / "risk_heatmap.png")[..., :3].min(axis=2) < 0.99
    assert inked.mean() > 0.05


@pytest.mark.slow
def test_the_same_assessment_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first.png", "second.png"):
        pictures.write_risk_heatmap(assessment(), tmp_path / name)
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()


@pytest.mark.slow
def test_the_title_says_how_many_are_at_risk_and_how_many_are_not_drawn() -> None:
    found = assessment(1000, ("cpu",))
    levels = found.servers["level"].value_counts()
    at_risk, listed = levels["critical"] + levels["high"], 1000 - levels["none"]
    words = _words(pictures.risk_heatmap(found))
    assert f"{at_risk:,} of 1,000 servers at risk in the next 90 days, {levels['critical']} of them critical" in words
    assert f"; {listed - at_risk:,} more to watch" in words
    assert f"the 25 most urgent shown, {listed - 25:,} more in report.html" in words


def test_servers_that_are_not_judged_are_not_counted_among_those_without_risk() -> None:
    found = with_silent(assessment())
    unjudged, none = len(facts.unjudged(found)), int((found.servers["level"] == "none").sum())
    [legend] = pictures.risk_heatmap(found).legends
    assert [text.get_text() for text in legend.get_texts()][-2:] == [
        f"none ({none - unjudged})", f"not judged ({unjudged})",
    ]  # fmt: skip
    assert "0 days, 3 not judged" in _words(pictures.risk_heatmap(with_silent(assessment(calm=True))))


def test_a_fleet_without_risk_says_so_and_shows_how_far_it_is_from_its_thresholds() -> None:
    found = assessment(calm=True)
    words = _words(pictures.risk_heatmap(found))
    assert "No server is at risk in the next 90 days" in words
    assert "percent of the warning threshold" in words
    nearest = found.servers["server_id"].iloc[0]
    shown = found.forecasts[(found.forecasts["server_id"] == nearest) & found.forecasts["is_future"]]
    assert f"{shown['q50'].max() / 80 * 100:.0f}" in words.split("\n")


def test_a_name_the_font_cannot_draw_becomes_boxes_and_a_long_one_is_cut() -> None:
    assert pictures.readable("名前-1") == "□□-1"
    assert pictures.readable("a\u202eb\nc") == "a□b□c"
    assert pictures.readable("x" * 300) == "x" * 27 + "…"
    assert pictures.readable("web-01 $x$") == "web-01 $x$"


def test_each_cluster_is_named_with_its_size_and_typical_server() -> None:
    found = assessment()
    words = _words(pictures.utilization_clusters(found))
    for profile in found.profiles:
        assert profile["name"] in words
        assert profile["typical_server"] in words
    assert "12 servers, 20 %" in words


@pytest.mark.parametrize("profiles", [0, 1])
def test_where_there_is_nothing_to_tell_apart_the_picture_shows_each_server_s_use(
    profiles: int, tmp_path: Path
) -> None:
    found = assessment(2, ("cpu", "network_in"))
    few = dataclasses.replace(found, profiles=found.profiles[:profiles])
    pictures.write_utilization_clusters(few, tmp_path / "map.png")
    words = _words(pictures.utilization_clusters(few))
    assert (
        f"One kind of behaviour: {found.profiles[0]['name']}" if profiles else "Too few servers to compare"
    ) in words
    cpu = found.risks[found.risks["metric"] == "cpu"]
    for risk in cpu.itertuples():
        assert f"{risk.current:.0f} %, peak {risk.peak_q50:.0f} %" in words


def test_a_server_that_fell_silent_has_a_dash_for_its_use() -> None:
    found = assessment(2, ("cpu",))
    silent = dataclasses.replace(found, profiles=[], risks=found.risks.assign(current=float("nan")))
    words = _words(pictures.utilization_clusters(silent))
    assert "–, peak" in words and "nan" not in words


def _words(figure) -> str:
    texts = [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]
    return "\n".join(" ".join(text.get_text().split("\n")) for text in texts)
