"""The two pictures: readable at any size, never empty, and true to the assessment."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from pathlib import Path

import hypothesis
import matplotlib.image
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic_assessment import HOSTILE, assessment, with_silent

from headroom.core.findings import LEVELS, Assessment
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


def test_the_same_assessment_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first.png", "second.png"):
        pictures.write_risk_heatmap(assessment(), tmp_path / name)
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()


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
    unjudged, none = len(pictures.unjudged(found)), int((found.servers["level"] == "none").sum())
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


def test_a_cell_is_the_worst_level_of_any_metric_in_that_week() -> None:
    found = assessment(20)
    risk = pictures.risk_over_time(found)
    as_of = found.forecasts.loc[~found.forecasts["is_future"], "ds"].max()
    assert risk.starts[risk.past] == as_of + pd.Timedelta(days=1)
    assert set(np.diff(risk.starts)) == {np.timedelta64(7, "D")}
    for i, name in enumerate(risk.server_ids):
        mine = found.forecasts[found.forecasts["server_id"] == name]
        for column, start in enumerate(risk.starts):
            week = mine[(mine["ds"] >= start) & (mine["ds"] < start + pd.Timedelta(days=7))]
            assert risk.levels[i, column] == max(LEVELS.index(level) for level in week["risk_level"])


def test_an_hourly_panel_is_drawn_by_day() -> None:
    risk = pictures.risk_over_time(assessment(5, frequency="h"))
    assert risk.bucket == pd.Timedelta(days=1)
    assert len(risk.starts) - risk.past == 7


def test_a_long_horizon_is_drawn_in_longer_stretches() -> None:
    found = assessment(3, frequency="h")
    longer = dataclasses.replace(found, settings=found.settings.model_copy(update={"horizon": 1000}))
    assert pictures.risk_over_time(longer).bucket == pd.Timedelta(days=7)


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


@hypothesis.settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=8), st.integers(0, 1000))
def test_names_on_the_map_never_cover_each_other_and_stay_inside(anchors: list[tuple[float, float]], seed: int) -> None:
    points = np.random.default_rng(seed).uniform(0, 1, (200, 2))
    sizes = np.full((len(anchors), 2), [0.18, 0.06])
    places = pictures.place_labels(points, np.array(anchors), sizes)
    assert (places >= sizes / 2).all() and (places <= 1 - sizes / 2).all()
    for i in range(len(places)):
        for j in range(i):
            assert (np.abs(places[i] - places[j]) >= sizes[i]).any()


def test_a_line_to_a_name_on_the_map_crosses_no_other_name_and_no_other_line() -> None:
    # Typical servers of a fleet whose groups crowd one corner.
    anchors = np.array([[0.2, 0.24], [0.94, 0.42], [0.07, 0.94], [0.59, 0.28], [0.15, 0.1], [0.15, 0.06], [0.16, 0.12],
                        [0.17, 0.19]])  # fmt: skip
    sizes = np.array([[0.24, 0.09]] * len(anchors))
    places = pictures.place_labels(anchors, anchors, sizes)
    along = np.linspace(0, 1, 50)[:, None]
    for i, (anchor, place) in enumerate(zip(anchors, places, strict=True)):
        line = anchor + along * (place - anchor)
        for j, other in enumerate(places):
            if i != j:
                assert not (np.abs(line - other) < sizes[j] / 2).all(axis=1).any()
                assert not pictures._crosses(anchor, place[None], anchors[j], other).any()


@pytest.mark.parametrize("servers", [30, 700])
def test_servers_that_behave_the_same_stand_side_by_side_on_the_map(servers: int) -> None:
    found = assessment(servers, ("cpu",))
    piled = found.clusters.assign(x=found.clusters["cluster"] * 10.0, y=0.0)
    spots = pictures.on_map(piled) * [1, pictures.MAP_SHAPE]
    apart = np.hypot(*(spots[:, None] - spots[None]).transpose(2, 0, 1)) + np.eye(servers)
    assert apart.min() > 0.98 * pictures.dot_width(servers)
    assert pictures.on_map(piled).min() >= 0 and pictures.on_map(piled).max() <= 1


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


def _words(figure) -> str:
    texts = [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]
    return "\n".join(" ".join(text.get_text().split("\n")) for text in texts)
