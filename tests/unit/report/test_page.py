"""The report: complete, small, the same each time, and harmless whatever the data holds."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import html
import json
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic_assessment import HOSTILE, assessment, with_silent

from headroom.core import one_file
from headroom.core.periods import Frequency
from headroom.report import fleet, servers
from headroom.report import page as report
from headroom.report.sections import top


def test_the_headline_tells_servers_above_a_threshold_now_from_those_to_come() -> None:
    found = assessment()
    breached = found.risks["critical_date"].notna()
    first, since = found.risks["critical_date"] == found.risks["critical_date"].min(), pd.Timestamp("2026-10-01")
    later = found.risks.loc[breached & ~first, "critical_date"].min()
    above = dataclasses.replace(found, risks=found.risks.assign(above_already=first, above_since=since))
    assert top.headline(above) == (
        "1 of 60 servers above a critical threshold now, 2 more expected in the next 90 days, "
        f"the first around {later:%-d %B} (disk)"
    )
    all_above = dataclasses.replace(found, risks=found.risks.assign(above_already=breached, above_since=since))
    assert top.headline(all_above) == (
        "3 of 60 servers above a critical threshold now, no other expected to reach one in the next 90 days"
    )
    assert sum(_view(report.render(above))["breaches"]["counts"]) == 2, "only what is to come has a date"


def test_at_risk_is_high_or_critical_and_the_milder_levels_are_to_watch() -> None:
    found = assessment()
    uncrossed = dataclasses.replace(found, risks=found.risks.assign(critical_date=pd.NaT))
    assert top.headline(uncrossed) == (
        "14 of 60 servers at risk, none expected to reach a critical threshold in the next 90 days"
    )
    mild = found.servers.assign(level=found.servers["level"].replace({"critical": "medium", "high": "low"}))
    assert top.headline(dataclasses.replace(uncrossed, servers=mild)) == (
        "No server is at risk in the next 90 days, 23 to watch"
    )


def test_a_fleet_of_which_part_is_not_judged_is_not_called_calm_without_saying_so() -> None:
    found = with_silent(assessment(calm=True))
    assert top.headline(found) == "No server is at risk in the next 90 days, 3 not judged"


def test_servers_that_are_not_judged_are_told_from_those_without_risk() -> None:
    found = with_silent(assessment(), servers=3)
    view = _view(report.render(found))
    assert view["notJudged"] == 3
    wholly = {
        name for name, unjudged in zip(view["servers"]["name"], view["servers"]["unjudged"], strict=True) if unjudged
    }
    assert wholly == set(found.servers["server_id"].iloc[-3:])
    rows = {row[0][0]["server"]: row for row in _table(view, "unjudged", "Servers that are not judged")}
    assert len(rows) == 4
    assert rows[found.servers["server_id"].iloc[-4]][1] == "CPU", "of one server only a metric"
    assert rows[found.servers["server_id"].iloc[-1]][1] == "all metrics"


@pytest.mark.parametrize(("frequency", "days"), [("D", 28), ("h", 7)])
def test_the_rise_of_a_metric_is_between_weeks_four_weeks_apart_or_days_a_week_apart(frequency: str, days: int) -> None:
    found = assessment(2, ("cpu",), frequency)
    forecasts = found.forecasts.copy()
    age = (fleet.last_period(found) - forecasts["ds"]) / pd.Timedelta(days=1)
    forecasts["actual"] = np.where(forecasts["is_future"], np.nan, 60 - age * 10 / days)
    table = servers.facts(dataclasses.replace(found, forecasts=forecasts), found.servers)
    assert table["rise"].tolist() == pytest.approx([10, 10], abs=0.7)


def test_plotly_is_the_file_that_its_makers_published() -> None:
    published = {
        "plotly-basic-4.1.1.min.js": "99784e3abfb07b142a15e521a439e6d9addceadb3f79553fd24c72774f0649ba",
        "plotly-basic-4.1.1.LICENSE": "8c45d9eaf50c2f72dd9c7ab9ef440788ba58a3538484b5c51c1f17d5128752e7",
    }
    vendor = report.PLOTLY.parent
    assert {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in vendor.iterdir()} == published
    assert report.PLOTLY.name in published


def test_the_script_is_the_modules_each_in_a_scope_of_its_own_after_those_it_imports() -> None:
    script = one_file.bundled(report.ASSETS, report.ENTRY)
    assert not re.search(r"^(import|export)\b", script, re.MULTILINE)
    modules = re.findall(r"^const module_(\w+) = \(\(\) => {$", script, re.MULTILINE)
    assert sorted(modules) == sorted(file.stem for file in report.ASSETS.glob("*.js")), "no module is left over"
    for module, text in zip(
        modules, re.split(r"^const module_\w+ = \(\(\) => {$", script, flags=re.M)[1:], strict=True
    ):
        needed = re.findall(r"^const \{[^}]*\} = module_(\w+);$", text, re.MULTILINE)
        assert all(modules.index(one) < modules.index(module) for one in needed)


def test_no_script_takes_a_sentence_apart_or_names_a_metric_or_a_currency() -> None:
    scripts = one_file.bundled(report.ASSETS, report.ENTRY)
    assert not re.findall(r"Average of|Target:|USD|EUR|\bcpu\b|network_|strength", scripts)


def test_a_network_row_does_not_repeat_the_average_beside_it() -> None:
    found = assessment(1, ("network_in",))
    assert "12.3 MB/s" not in found.risks["reason"].iloc[0]
    lately = "Average of the last 7 days: 12.3 MB/s."
    risks = found.risks.assign(lately=lately, reason=found.risks["what"] + " " + lately, critical_date=pd.NaT)
    servers_table = found.servers.assign(reason=risks["reason"])
    view = _view(report.render(dataclasses.replace(found, risks=risks, servers=servers_table)))
    [why] = view["servers"]["why"]
    assert why.startswith(found.risks["what"].iloc[0]) and "12.3" not in why and "Average" not in why
    assert view["servers"]["reason"][0].endswith(lately), "the whole reason can be searched for"


def test_what_a_server_costs_is_in_the_settings_currency() -> None:
    found = assessment(2)
    euros = found.settings.model_copy(update={"costs": found.settings.costs.model_copy(update={"currency": "EUR"})})
    page = report.render(dataclasses.replace(found, settings=euros))
    costs = [value for detail in _details(page) for term, value in detail["facts"]["facts"] if term == "Cost"]
    assert costs == ["EUR 280 per month"]
    assert "USD" not in page.split('id="view">')[1].split("</script>")[0].replace("0.21 USD", "")


def test_a_metric_has_one_name_wherever_it_is_told() -> None:
    view = _view(report.render(assessment(2, ("network_in", "cpu"))))
    assert [metric["label"] for metric in view["metrics"]] == ["incoming network", "CPU"]
    assert "network in" not in json.dumps(view).replace("incoming network in", "")


def test_a_recommendation_s_target_is_told_once() -> None:
    found = assessment()
    view = _view(report.render(found))
    rows = _table(view, "actions", "Recommendations: Grow")
    assert "Target" not in json.dumps([row[1] for row in rows])
    assert rows[0][2] == ["4 vCPUs, 16 GB"]


def test_the_file_asks_nothing_of_the_network() -> None:
    page = report.render(assessment())
    markup = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)
    assert all(value.startswith(("#", "data:")) for value in re.findall(r'(?:src|href)="?([^">]*)', markup))
    assert "url(" not in _style(page) and "@import" not in _style(page)
    assert "default-src 'none'" in page


@pytest.mark.slow
def test_the_policy_allows_exactly_the_script_and_style_of_the_page() -> None:
    page = report.render(assessment())
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    script = re.search(r'<script type="module">(.*?)</script>', page, re.DOTALL)[1]
    packed = re.search(r'<script type="text/plain" id="plotly">(.*?)</script>', page, re.DOTALL)[1]
    plotly = zlib.decompress(base64.b64decode(packed)).decode()
    assert plotly == report.PLOTLY.read_text(encoding="utf-8")
    for directive, texts in (("script-src", (script, plotly)), ("style-src", (_style(page), ""))):
        digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts]
        sources = " ".join(f"'sha256-{one}'" for one in digests)
        assert f"{directive} {sources};" in policy
    assert "unsafe" not in policy


@pytest.mark.slow
def test_the_page_is_written_without_the_drawing_library_of_the_pictures_and_without_other_rooms() -> None:
    code = "import sys; import headroom.report.page; print(*sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(Path(report.__file__).parents[2])}
    loaded = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True)
    rooms = {name for name in loaded.stdout.split() if name.startswith("headroom.")}
    assert not [name for name in rooms if name.split(".")[1] not in ("core", "report")]
    assert "matplotlib" not in loaded.stdout.split()


@pytest.mark.slow
def test_the_same_assessment_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first.html", "second.html"):
        report.write(assessment(), tmp_path / name)
    assert (tmp_path / "first.html").read_bytes() == (tmp_path / "second.html").read_bytes()


def test_hostile_names_stay_data() -> None:
    page = report.render(assessment(HOSTILE))
    assert len(re.findall(r"<script", page)) == 5
    assert len(re.findall(r"</script", page)) == 5
    assert "<img" not in page and "<svg onload" not in page
    assert sorted(_view(page)["servers"]["name"]) == sorted(HOSTILE)
    assert len(re.findall(r"\{\{script\}\}", page)) == page.count("{{"), "a name is not a placeholder"


def test_the_title_and_the_preview_without_scripts_are_escaped() -> None:
    found = assessment(HOSTILE)
    renamed = dataclasses.replace(found, summary=found.summary | {"dataset": "</title><script>1</script>"})
    page = report.render(renamed)
    assert "<title>&lt;/title&gt;&lt;script&gt;" in page
    preview = html.unescape(re.search(r"<noscript>(.*?)</noscript>", page, re.DOTALL)[1])
    at_risk = found.servers.loc[found.servers["level"] != "none", "server_id"]
    assert all(name[:20] in preview for name in at_risk if name.isprintable())


@pytest.mark.slow
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_any_value_embedded_in_the_page_comes_back_and_cannot_leave_its_element(value: Any) -> None:
    text = report._json(value)
    assert not set(text) & set("<>&\u2028\u2029")
    assert json.loads(text) == value


def test_a_lone_surrogate_cannot_break_the_file(tmp_path: Path) -> None:
    report.write(assessment(["bad-\ud800-name", "good"]), tmp_path / "report.html")
    assert "bad-?-name" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_report_without_manifest_quality_model_and_history_is_still_written() -> None:
    found = assessment(bare=True, recommend=False, compare=False)
    view = _view(report.render(found))
    told = json.dumps(view["sections"]) + json.dumps(view["top"])
    assert "nothing yet to compare with" in told and "without a data-quality report" in told
    assert "without backtest figures" in told and "Nothing to change" in told
    assert len(view["servers"]["name"]) == 60


def test_unknown_values_are_null_not_nan() -> None:
    found = assessment(3)
    numbers = found.risks.select_dtypes("number").columns
    dates = found.risks.select_dtypes("datetime").columns
    blank = found.risks.assign(**dict.fromkeys(numbers, np.nan), **dict.fromkeys(dates, pd.NaT))
    page = report.render(dataclasses.replace(found, risks=blank))
    columns = _view(page)["servers"]
    assert columns["current"] == columns["critical"] == columns["chance"] == [None] * 3
    assert columns["currentTold"] == columns["chanceTold"] == ["–"] * 3
    assert not re.search(r"\bna[nt]\b", json.dumps([_view(page), *_details(page)]), re.IGNORECASE)


def test_servers_without_any_forecast_or_cluster_are_listed_all_the_same() -> None:
    found = assessment(4)
    empty = dataclasses.replace(
        found,
        forecasts=found.forecasts.iloc[:0],
        clusters=found.clusters.iloc[:0],
        profiles=[],
        servers=found.servers.assign(cluster=np.nan, cluster_name=None),
    )
    view = _view(report.render(empty))
    assert len(view["servers"]["name"]) == 4
    assert view["servers"]["cluster"] == [None] * 4


@pytest.mark.parametrize("frequency", ["D", "h"])
def test_unpacked_history_and_forecast_are_the_assessment_s_to_a_pixel(frequency: str) -> None:
    found = assessment(3, frequency=frequency)
    page = report.render(found)
    view, series = _view(page), _json_of(page, "series")
    metrics = found.risks["metric"].unique()
    as_of, period = fleet.last_period(found), Frequency(frequency).step
    for server, (packed, *heads) in zip(view["servers"]["name"], series, strict=True):
        content = np.frombuffer(zlib.decompress(base64.b64decode(packed)), np.uint8)
        for metric, first, length, ahead, ahead_length, low, high in heads:
            parts = np.split(content, np.cumsum([length] + [ahead_length] * 5))
            content = parts.pop()
            name = metrics[metric]
            mine = found.forecasts[(found.forecasts["server_id"] == server) & (found.forecasts["metric"] == name)]
            columns = ["actual", "q50", "q05", "q10", "q90", "q95"]
            for column, start, part in zip(columns, [first] + [ahead] * 5, parts, strict=True):
                level = np.cumsum(part, dtype=np.uint8)
                values = np.where(level == 255, np.nan, low + level * (high - low) / 254)
                shown = pd.Series(values, as_of + pd.TimedeltaIndex((start + np.arange(len(part))) * period)).dropna()
                wanted = mine.set_index("ds")[column].dropna()
                assert list(shown.index) == list(wanted.index)
                assert np.abs(shown - wanted).max() <= (high - low) / 254 + 0.01


def test_a_large_fleet_keeps_those_at_risk_and_those_that_advice_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "MAX_SERVERS", 30)
    found = assessment()
    at_risk = set(found.servers.loc[found.servers["level"] != "none", "server_id"])
    view = _view(report.render(found))
    assert view["fleet"] == {"servers": 60, "shown": 30}
    shown = view["servers"]["name"]
    assert at_risk <= set(shown)
    assert set(found.changes["resolved"]) <= set(shown)
    order = found.servers["server_id"].tolist()
    assert shown == sorted(shown, key=order.index), "the most urgent still come first"
    assert sum(view["counts"]) == 60, "the counts are the whole fleet's"


@pytest.mark.slow
def test_the_file_stays_within_its_limit_and_drops_the_least_urgent_charts_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    full = report.render(assessment())
    limit = len(full.encode()) - 30_000
    monkeypatch.setattr(report, "MAX_BYTES", limit)
    page = report.render(assessment())
    assert len(page.encode()) <= limit
    charted = [series is not None for series in _json_of(page, "series")]
    assert charted[0] and not charted[-1]
    assert charted == sorted(charted, reverse=True)


@pytest.mark.slow
def test_long_texts_and_many_names_cannot_blow_up_the_file() -> None:
    found = assessment([f"{i:04d}" + "<" * 296 for i in range(400)], ("cpu",))
    wordy = dataclasses.replace(found, risks=found.risks.assign(reason="&" * 5000))
    assert len(report.render(wordy).encode()) < 8_000_000


def _style(page: str) -> str:
    return re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1]


def _view(page: str) -> dict[str, Any]:
    return _json_of(page, "view")


def _details(page: str) -> list[dict[str, Any]]:
    return [json.loads(zlib.decompress(base64.b64decode(one))) for one in _json_of(page, "details")]


def _table(view: dict[str, Any], section: str, caption: str) -> list[list[Any]]:
    """The rows of a table, wherever it is in its section."""

    def tables(value: Any) -> Iterator[dict[str, Any]]:
        if isinstance(value, dict) and value.get("table") == caption:
            yield value
        for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
            yield from tables(one)

    [part] = [one for one in view["sections"] if one["id"] == section]
    [found] = tables(part)
    return found["rows"]


def _json_of(page: str, name: str) -> Any:
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page, re.DOTALL)
    return json.loads(found[1])
