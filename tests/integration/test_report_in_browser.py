"""The report as people meet it: in a browser, with a mouse, a keyboard, a phone and a printer."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from browser import needed, opener
from synthetic_assessment import HOSTILE, assessment, with_silent

from headroom.core import wording
from headroom.core.findings import Assessment
from headroom.report import fleet
from headroom.report import page as report

DESKTOP = {"viewport": {"width": 1440, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}

pytestmark = needed

# The file itself, what it holds, and what a chart makes to be saved.
OWN = ("file:", "data:", "blob:")

Open = Callable[..., Any]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    fleets = {
        "usual": assessment(),
        "hourly": assessment(12, frequency="h"),
        "hostile": assessment(HOSTILE),
        "calm": assessment(calm=True),
        "one": assessment(1),
        "bare": assessment(bare=True, recommend=False, compare=False),
        "quiet": _uncertain(with_silent(assessment())),
    }
    for name, found in fleets.items():
        report.write(found, folder / f"{name}.html")
    return {name: folder / f"{name}.html" for name in fleets}


@contextmanager
def opening(browser: Any, reports: dict[str, Path]) -> Iterator[Open]:
    """Opens reports; at the end no console message, error or request may have come of it."""
    with opener(browser, OWN) as opened:

        def open_report(name: str | Path, fragment: str = "", **options: Any) -> Any:
            return opened((reports.get(str(name)) or Path(name)).as_uri() + fragment, **(DESKTOP | options))

        yield open_report


@pytest.fixture
def open_report(browser: Any, reports: dict[str, Path]) -> Iterator[Open]:
    """Opens a report of the test's own."""
    with opening(browser, reports) as opened:
        yield opened


@pytest.fixture(scope="module")
def look_at(browser: Any, reports: dict[str, Path]) -> Iterator[Callable[[str], Any]]:
    """A report for tests that only read it: it is opened once, and opening one takes longer than the reading."""
    with opening(browser, reports) as opened:
        yield cache(opened)


@pytest.fixture(scope="module")
def blank(browser: Any) -> Iterator[Any]:
    """An empty page."""
    page = browser.new_page()
    yield page
    page.close()


@pytest.mark.parametrize("name", ["usual", "hourly", "hostile", "calm", "one", "bare", "quiet"])
def test_every_section_is_there_without_errors_or_requests_and_a_chart_s_labels_can_be_read(
    open_report: Open, name: str
) -> None:
    page = open_report(name)
    assert page.locator("h1").inner_text()
    assert [part.get_attribute("id") for part in page.locator("main > section").all()] == [
        "risk", *(["unjudged"] if name == "quiet" else []), "fleet", "rhythm", "groups", "actions", "data", "forecast",
        "run",
    ]  # fmt: skip
    assert page.locator("text=/NaN|undefined|Infinity|\\[object/").count() == 0
    page.locator(".open").first.click()
    page.locator(".chart.is-drawn").first.wait_for()
    assert page.locator(".chart.is-drawn").first.evaluate(CUT_LABELS) == []
    for fold in page.locator("summary").all():
        fold.click()
    assert page.locator("text=/NaN|undefined|Infinity|\\[object/").count() == 0


def test_ten_seconds_are_enough_to_see_what_needs_a_decision(look_at: Callable[[str], Any]) -> None:
    page = look_at("usual")
    first_screen = page.evaluate(
        """() => [...document.querySelectorAll("h1, .facts, .since, .summary")]
               .filter((part) => part.getBoundingClientRect().bottom <= innerHeight).map((part) => part.innerText)"""
    )
    text = "\n".join(first_screen)
    assert "3 of 60 servers expected to reach a critical threshold" in text
    assert "New at risk 2" in text and "14\nat risk, 9 to watch" in text and "to save per month" in text
    bottoms = page.locator(".summary").evaluate_all("rows => rows.map((row) => row.getBoundingClientRect().bottom)")
    shown = sum(bottom <= 900 for bottom in bottoms)
    assert shown >= 3, "the most urgent servers are on the first screen"


def test_the_table_shows_those_at_risk_most_urgent_first(look_at: Callable[[str], Any]) -> None:
    page = look_at("usual")
    found = assessment()
    wanted = found.servers.loc[found.servers["level"] != "none", "server_id"].tolist()
    assert _names(page) == wanted
    assert "23 of 60 servers" in page.locator(".status").inner_text()


def test_silent_servers_have_a_list_of_their_own_and_no_level(open_report: Open) -> None:
    page = open_report("quiet")
    found = _uncertain(with_silent(assessment()))
    quiet = found.servers["server_id"].iloc[-1]
    row = page.locator("#unjudged tbody tr").filter(has_text=quiet)
    assert "20 days ago" in row.inner_text() and "check whether the server has stopped" in row.inner_text()
    assert page.locator(".facts a[href='#unjudged']").inner_text().split() == ["4", "not", "judged"]
    page.get_by_role("button", name="not judged", exact=False).click()
    page.get_by_role("searchbox").fill(quiet)
    cells = page.locator(".summary").inner_text()
    assert cells.count("not judged") == 2 and "not expected" not in cells
    page.locator(".open").first.click()
    page.locator(".chart.is-drawn").first.wait_for()
    assert "not expected" not in page.get_by_role("region", name=f"Server {quiet}").inner_text()


def test_a_fleet_without_silent_servers_says_nothing_of_them(look_at: Callable[[str], Any]) -> None:
    page = look_at("usual")
    assert page.locator("#unjudged").count() == 0
    assert "not judged" not in page.locator("main").inner_text().lower()


def test_bands_that_held_too_few_or_too_many_values_are_warned_of_beside_the_chances(
    look_at: Callable[[str], Any],
) -> None:
    warning = look_at("quiet").locator("#risk .warn").inner_text()
    assert "CPU: the 80\u00a0% band held 55\u00a0% of later values, so it is too narrow" in warning
    assert "Memory: the 80\u00a0% band held 97\u00a0% of later values, so it is too wide" in warning
    assert "Disk" not in warning
    assert look_at("usual").locator("#risk .warn").count() == 0


def test_headings_and_the_line_above_them_say_what_the_numbers_are(look_at: Callable[[str], Any]) -> None:
    usual, hourly = look_at("usual"), look_at("hourly")
    for page, mean in ((usual, "7‑day mean"), (hourly, "24‑hour mean")):
        headings = " ".join(page.locator(".servers thead").inner_text().split())
        assert mean in headings and "Chance of critical" in headings and "Critical around" in headings
        assert "weighted by the server's criticality" in page.locator("#risk .how").inner_text()


def test_a_server_above_its_threshold_has_no_date_to_come_but_since_when(open_report: Open, tmp_path: Path) -> None:
    found = assessment()
    first = found.servers.iloc[0]
    mine = (found.risks["server_id"] == first["server_id"]) & (found.risks["metric"] == first["worst_metric"])
    since = fleet.last_period(found) - pd.Timedelta(days=400)
    risks = found.risks.assign(above_already=mine, above_since=pd.Series(pd.NaT, found.risks.index).mask(mine, since))
    report.write(dataclasses.replace(found, risks=risks), tmp_path / "report.html")
    page = open_report(tmp_path / "report.html")
    cell = page.locator(".summary .column-critical").first.inner_text()
    assert cell.split("\n") == ["above now", f"since {since:%-d %b %Y}"]
    page.locator(".open").first.click()
    page.locator(".chart.is-drawn").first.wait_for()
    assert page.locator(".chart.is-drawn").first.locator(".breach").count() == 0


def test_forecasts_that_no_backtest_could_test_are_said_to_be_untested(open_report: Open, tmp_path: Path) -> None:
    found = assessment()
    untested = found.metrics | {"windows": 0, "headline": dict.fromkeys(found.metrics["headline"]), "candidates": []}
    report.write(dataclasses.replace(found, metrics=untested), tmp_path / "report.html")
    section = open_report(tmp_path / "report.html").locator("#forecast")
    assert "history is too short" in section.inner_text() and section.locator(".cover").count() == 0


def test_an_early_warning_says_on_how_many_days_it_rests(open_report: Open, tmp_path: Path) -> None:
    found = assessment()
    first = found.servers.iloc[0]
    mine = (found.risks["server_id"] == first["server_id"]) & (found.risks["metric"] == first["worst_metric"])
    young = found.metrics | {"backtested": 10}
    risks = found.risks.assign(early=mine, history=found.risks["history"].mask(mine, 30.0))
    report.write(dataclasses.replace(found, risks=risks, metrics=young), tmp_path / "report.html")
    page = open_report(tmp_path / "report.html")
    cells = page.locator(".summary .column-critical")
    assert cells.first.inner_text().split("\n")[-1] == "early warning: 30 days of history"
    assert "early" not in cells.nth(1).inner_text()
    assert "error than a naive forecast, 10 days ahead" in page.locator("body").inner_text()
    assert "10 days ahead" in page.locator("#forecast .intro").inner_text()
    assert "too short to test all 90 days" in page.locator("#forecast .intro").inner_text()


def test_only_a_peak_that_stands_out_is_marked(open_report: Open, tmp_path: Path) -> None:
    found = assessment()
    flat = {"hours": None, "weekdays": [40.0, 40.2, 40.1, 40.0, 40.4, 40.1, 40.0], "months": [np.nan] * 12}
    report.write(dataclasses.replace(found, fleet_peaks=found.fleet_peaks | {"cpu": flat}), tmp_path / "report.html")
    articles = open_report(tmp_path / "report.html").locator(".rhythm article")
    assert "about the same at all times" in articles.nth(0).inner_text()
    assert articles.nth(0).locator(".highest").count() == 0
    assert articles.nth(1).locator(".highest").count() > 0


def test_the_run_s_cost_estimate_is_among_its_facts(look_at: Callable[[str], Any]) -> None:
    assert "about 0.21 USD" in look_at("usual").locator("#run").inner_text()
    assert "Cost estimate" not in look_at("bare").locator("#run").inner_text()


def test_what_a_recommendation_rests_on_is_told_in_its_unit(look_at: Callable[[str], Any]) -> None:
    evidence = look_at("quiet").locator("#actions td.wide small").first.inner_text().replace("\xa0", " ")
    assert evidence == "CPU P95 32 %, CPU expected peak 44 %, incoming network P95 0.412 MB/s"


def test_headings_sort_and_say_so(open_report: Open) -> None:
    page = open_report("usual")
    heading = page.get_by_role("columnheader", name="Peak")
    heading.get_by_role("button").click()
    peaks = _numbers(page, ".column-peak")
    assert peaks == sorted(peaks, reverse=True) and len(set(peaks)) > 3
    assert heading.get_attribute("aria-sort") == "descending"
    heading.get_by_role("button").click()
    assert _numbers(page, ".column-peak") == sorted(peaks)
    page.get_by_role("columnheader", name="Server").get_by_role("button").click()
    assert _names(page) == sorted(_names(page))
    assert heading.get_attribute("aria-sort") == "none"


def test_search_and_filters_narrow_the_table(open_report: Open) -> None:
    page = open_report("usual")
    page.get_by_role("searchbox").fill("CACHE-00")
    assert _names(page) and all(name.startswith("cache-00") for name in _names(page))
    page.get_by_role("searchbox").fill("")
    page.get_by_label("Region").select_option("eu-west-1")
    assert 0 < len(_names(page)) < 23
    assert all("eu-west-1" in row for row in page.locator(".summary .column-name").all_inner_texts())
    page.get_by_role("button", name="high", exact=False).first.click()
    assert "high" not in page.locator(".summary .badge").all_inner_texts()
    page.get_by_role("searchbox").fill("no such server")
    assert _names(page) == []
    assert "No server matches" in page.locator(".status").inner_text()


def test_the_keyboard_alone_opens_a_server_and_reads_its_forecast(open_report: Open) -> None:
    page = open_report("usual")
    name = _names(page)[0]
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.className") == "open":
            break
    page.keyboard.press("Enter")
    button = page.locator(".open").first
    assert button.get_attribute("aria-expanded") == "true"
    section = page.get_by_role("region", name=f"Server {name}")
    section.locator(".chart.is-drawn").first.wait_for()
    assert section.locator(".metric-panel").count() == 3
    section.locator(".chart.is-drawn").first.focus()
    page.keyboard.press("ArrowRight")
    assert "8 in 10 between" in section.locator(".readout").first.inner_text()
    page.keyboard.press("PageDown")
    assert "expected" in section.locator(".readout").first.inner_text()
    button.press("Enter")
    assert not section.is_visible()


def test_a_server_s_section_has_band_thresholds_and_breach_date(open_report: Open) -> None:
    page = open_report("usual")
    page.locator(".open").first.click()
    chart = page.locator(".chart.is-drawn").first
    chart.wait_for()
    lines = chart.locator(".scatterlayer path.js-line").evaluate_all(
        "(paths) => paths.map((path) => path.getAttribute('d').length)"
    )
    assert sum(length > 200 for length in lines) >= 2, "history and forecast"
    assert chart.locator(".fills path.js-fill, path.js-fill").count() == 2, "the bands of 8 and 9 in 10 values"
    texts = chart.locator("text").all_text_contents()
    assert "warning 80 %" in texts and "critical 90 %" in texts
    row = page.locator(".summary .column-critical b").first.inner_text()
    assert f"critical {row}" in texts


def test_the_pointer_reads_out_history_and_forecast(open_report: Open) -> None:
    from playwright.sync_api import expect

    page = open_report("hourly")
    page.locator(".open").first.click()
    chart = page.locator(".chart.is-drawn").first
    chart.wait_for()
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    readout = page.locator(".readout").first
    rest = readout.inner_text()
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 80)
    expect(readout).to_contain_text("measured")
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 80)
    expect(readout).to_contain_text("expected")
    labels = " ".join(chart.locator(".hoverlayer text").all_text_contents())
    assert re.search(r"expected \d+ %, 8 in 10 between \d+ % and \d+ %", labels), "the chart itself says it with units"
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] - 80)
    expect(readout).to_have_text(rest)


def test_a_chart_zooms_by_mouse_and_keyboard_and_shows_all_again(open_report: Open) -> None:
    page = open_report("usual")
    page.locator(".open").first.click()
    chart = page.locator(".chart.is-drawn").first
    chart.wait_for()
    chart.scroll_into_view_if_needed()
    whole = _days_shown(chart)
    box = chart.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 80)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 90, steps=5)
    page.mouse.up()
    assert 0.15 * whole < _days_shown(chart) < 0.35 * whole
    chart.focus()
    page.keyboard.press("Escape")
    assert _days_shown(chart) == pytest.approx(whole)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("+")
    assert _days_shown(chart) == pytest.approx(whole / 2, rel=0.6)
    assert _days_shown(chart) < whole


def test_a_chart_is_saved_as_a_picture_under_its_server_s_name(open_report: Open) -> None:
    page = open_report("usual")
    name = _names(page)[0]
    page.locator(".open").first.click()
    chart = page.locator(".chart.is-drawn").first
    chart.wait_for()
    chart.hover()
    with page.expect_download() as waiting:
        chart.locator(".modebar-btn").last.click()
    saved = waiting.value
    assert saved.suggested_filename.startswith(name) and saved.suggested_filename.endswith(".png")
    assert Path(saved.path()).read_bytes().startswith(b"\x89PNG")


def test_the_map_of_clusters_names_its_groups_and_opens_a_server(open_report: Open) -> None:
    page = open_report("hostile")
    chart = page.locator("#groups .map")
    chart.scroll_into_view_if_needed()
    points = chart.locator(".points path")
    points.first.wait_for()
    assert points.count() == len(HOSTILE)
    found = assessment(HOSTILE)
    assert set(chart.locator(".annotation-text").all_text_contents()) == {one["name"] for one in found.profiles}
    # plotly draws a layer over the points that takes the mouse.
    box = points.first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    chart.locator(".hoverlayer text").first.wait_for()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.locator(".chart.is-drawn").first.wait_for()
    assert page.evaluate("window.broken") is None


def test_the_colours_of_the_charts_follow_the_theme(open_report: Open) -> None:
    page = open_report("usual", color_scheme="dark")
    page.locator(".open").first.click()
    label = page.locator(".chart.is-drawn .xtick text").first
    label.wait_for()
    dark = label.evaluate("(text) => getComputedStyle(text).fill")
    page.get_by_role("button", name="Light").click()
    page.wait_for_function(
        "(dark) => getComputedStyle(document.querySelector('.chart .xtick text')).fill !== dark", arg=dark
    )


@pytest.mark.parametrize(
    ("value", "metric"),
    [(45.26, "cpu"), (0.4, "cpu"), (99.7, "disk"), (12.345, "network_in"), (0.4121, "network_in"), (5, "network_out"),
     (12345.6, "network_in"), (999.4, "network_in")],
)  # fmt: skip
def test_script_and_sentences_write_a_value_alike(blank: Any, value: float, metric: str) -> None:
    source = (report.ASSETS / "charts.js").read_text(encoding="utf-8")
    function = re.search(r"^export (function amount.*?^})", source, re.DOTALL | re.MULTILINE)[1]
    script = f"([value, unit]) => {{ const known = (one) => one !== null; {function} return amount(value, unit); }}"
    assert blank.evaluate(script, [value, wording.unit(metric)]) == wording.amount(value, metric)


def test_a_link_opens_its_server_even_when_filters_hide_it(open_report: Open) -> None:
    found = assessment()
    calm = found.servers.loc[found.servers["level"] == "none", "server_id"].iloc[-1]
    page = open_report("usual", f"#server={calm}")
    section = page.get_by_role("region", name=f"Server {calm}")
    section.locator(".chart.is-drawn").first.wait_for()
    assert page.evaluate("document.activeElement.textContent") == calm
    page.locator("#actions a.server").first.click()
    wanted = page.locator("#actions a.server").first.inner_text()
    page.get_by_role("region", name=f"Server {wanted}").locator(".chart.is-drawn").first.wait_for()


def test_hostile_names_are_shown_and_harmless(open_report: Open) -> None:
    page = open_report("hostile")
    page.get_by_role("button", name="none", exact=False).first.click()
    assert len(_names(page)) == len(HOSTILE)
    for button in page.locator(".open").all():
        button.click()
    page.locator(".chart.is-drawn").nth(3 * len(HOSTILE) - 1).wait_for()
    assert page.evaluate("window.broken") is None
    assert (
        page.locator("main img, main script, main iframe, main [onerror], main [onload], main [onmouseover]").count()
        == 0
    )
    assert "<script>window.broken = 1</script>" in _names(page)
    assert not any(character in "".join(_names(page)) for character in "\u202e\u2028\x00\x07")
    scheme = page.evaluate("[...document.querySelectorAll('a')].map((a) => a.protocol)")
    assert set(scheme) == {"file:"}
    for name in HOSTILE:
        page.evaluate("(name) => { location.hash = 'server=' + encodeURIComponent(name) }", name)
    for nonsense in ("#server=%", "#server=nobody", "#<img src=x>"):
        page.evaluate("(hash) => { location.hash = hash }", nonsense)
    page.wait_for_timeout(100)


def test_the_page_s_policy_stops_injected_script_and_requests(browser: Any, reports: dict[str, Path]) -> None:
    page = browser.new_page()
    page.goto(reports["usual"].as_uri())
    page.evaluate(
        """() => { const script = document.createElement("script"); script.textContent = "window.broken = 1";
                   document.body.append(script); }"""
    )
    assert page.evaluate("window.broken") is None
    assert page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', (error) => 'refused')") == "refused"
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["usual", "quiet"])
def test_text_has_enough_contrast_in_light_and_dark(open_report: Open, name: str, scheme: str) -> None:
    page = open_report(name, color_scheme=scheme)
    page.locator(".open").first.click()
    page.locator(".chart.is-drawn").first.wait_for()
    weak = page.evaluate(CONTRAST)
    assert weak == []


def test_the_theme_follows_the_system_and_the_button(open_report: Open) -> None:
    page = open_report("usual", color_scheme="dark")
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(paper)
    page.get_by_role("button", name="Light").click()
    light = page.evaluate(paper)
    assert dark != light
    page.reload()
    assert page.evaluate(paper) == light, "the choice is remembered"
    assert open_report("usual", color_scheme="light").evaluate(paper) == light


@pytest.mark.parametrize("name", ["usual", "hourly", "hostile", "one", "bare", "quiet"])
def test_a_phone_needs_no_sideways_scrolling_and_shows_all_of_a_chart_s_labels(open_report: Open, name: str) -> None:
    page = open_report(name, **PHONE)
    page.locator(".open").first.tap()
    page.locator(".chart.is-drawn").first.wait_for()
    assert page.locator(".chart.is-drawn").first.evaluate(CUT_LABELS) == []
    for fold in page.locator("summary").all():
        fold.tap()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate(OVERFULL_CELLS) == []
    assert page.locator(".chart.is-drawn").first.bounding_box()["width"] <= 390


def test_it_prints_in_light_with_what_was_opened(open_report: Open, tmp_path: Path) -> None:
    page = open_report("usual", color_scheme="dark")
    page.locator(".open").first.click()
    page.locator(".chart.is-drawn").first.wait_for()
    page.emulate_media(media="print")
    assert not page.locator(".bar").is_visible() and not page.locator(".filters").is_visible()
    assert page.locator(".chart.is-drawn").first.is_visible()
    page.wait_for_function("getComputedStyle(document.querySelector('.chart .xtick text')).fill === 'rgb(76, 90, 105)'")
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(22, 32, 43)"
    assert "more recommendations, not printed here" in page.locator("#actions .on-paper").first.inner_text()
    printed = page.pdf(format="A4", path=tmp_path / "report.pdf")
    assert printed.startswith(b"%PDF") and len(printed) > 20_000


def test_without_scripts_the_most_urgent_servers_are_still_listed(open_report: Open) -> None:
    page = open_report("usual", java_script_enabled=False)
    assert "servers expected to reach a critical threshold" in page.locator("noscript").inner_text()
    assert page.locator("noscript li").count() == 20


def test_a_thousand_servers_with_five_metrics_load_within_two_seconds_and_eight_megabytes(
    open_report: Open, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    report.write(assessment(1000, ("cpu", "memory", "disk", "network_in", "network_out")), path)
    assert path.stat().st_size < 8_000_000
    page = open_report(path)
    # In time of the page's own thread: how busy the machine is besides does not count.
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    before = _busy(session)
    page.reload()
    page.locator(".summary").first.wait_for()
    assert 0 < _busy(session) - before < 2
    page.evaluate("(name) => { location.hash = 'server=' + name }", "cache-200")
    page.get_by_role("region", name="Server cache-200").locator(".chart.is-drawn").nth(4).wait_for()
    assert page.locator("text=risk_flagged_forecasts.parquet").count() == 1, "every server has its charts"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Assessment]:
    """The report of 100,000 servers with five metrics, and what it shows."""
    found = _copies(assessment(1000, ("cpu", "memory", "disk", "network_in", "network_out")), 100)
    path = tmp_path_factory.mktemp("large") / "report.html"
    report.write(found, path)
    return path, found


def test_a_hundred_thousand_servers_show_the_ones_that_matter_and_name_the_files_of_the_rest(
    open_report: Open, large: tuple[Path, Assessment]
) -> None:
    path, found = large
    assert path.stat().st_size < 8_000_000
    page = open_report(path)
    note = page.locator("#risk .note").inner_text()
    assert "The 1,500 servers that matter most" in note and "The other 98,500" in note
    assert "risk_flagged_forecasts.parquet" in note
    assert _names(page)[:25] == report.servers_shown(found)["server_id"].tolist()[:25]


def test_the_report_of_a_hundred_thousand_servers_opens_within_two_seconds(
    open_report: Open, large: tuple[Path, Assessment]
) -> None:
    page = open_report(large[0])
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    before = _busy(session)
    page.reload()
    page.locator(".summary").first.wait_for()
    opened = _busy(session) - before
    print(f"opened in {opened:.2f} s, {large[0].stat().st_size / 1e6:.1f} MB")  # pytest -s: for docs/scale.md
    assert 0 < opened < 2


def _copies(found: Assessment, times: int) -> Assessment:
    """A fleet so many times as large: the same servers under other names, with forecasts of those that are shown."""

    def many(table: pd.DataFrame) -> pd.DataFrame:
        names = table["server_id"].astype(str)
        return pd.concat([table.assign(server_id=names + f"-{one:02d}") for one in range(times)], ignore_index=True)

    order = {"by": ["score", "server_id"], "ascending": [False, True], "ignore_index": True}
    tables = {name: many(getattr(found, name)) for name in ("risks", "seasonality", "clusters")}
    every = many(found.servers).sort_values(**order)
    seen = found.over_time
    levels = pd.DataFrame(seen.levels, index=seen.server_ids)
    names = every["server_id"].tolist()
    over_time = dataclasses.replace(seen, server_ids=names, levels=levels.loc[[name[:-3] for name in names]].to_numpy())
    profiles = [
        one | {"size": times * one["size"], "typical_server": f"{one['typical_server']}-00"} for one in found.profiles
    ]
    advice = [one | {"server_ids": [f"{name}-00" for name in one["server_ids"]]} for one in found.recommendations]
    many_servers = dataclasses.replace(
        found, **tables, servers=every, over_time=over_time, profiles=profiles, recommendations=advice, changes=None
    )
    shown = report.servers_shown(many_servers)[["server_id"]].assign(of=lambda table: table["server_id"].str[:-3])
    forecasts = shown.merge(found.forecasts.rename(columns={"server_id": "of"}), on="of").drop(columns="of")
    forecasts = forecasts.sort_values(["server_id", "metric", "ds"], ignore_index=True)
    return dataclasses.replace(many_servers, forecasts=forecasts)


def _uncertain(found: Assessment) -> Assessment:
    """The same, with bands that proved too narrow for the first metric and too wide for the second."""
    shares = dict(zip(("cpu", "memory"), (0.55, 0.97), strict=True))
    rows = [row | {"coverage_80": shares.get(row["metric"], row["coverage_80"])} for row in found.metrics["candidates"]]
    return dataclasses.replace(found, metrics=found.metrics | {"candidates": rows})


def _busy(session: Any) -> float:
    """Seconds for which the page has worked so far."""
    return {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}["TaskDuration"]


def _days_shown(chart: Any) -> float:
    return chart.evaluate(
        """(chart) => chart.layout.xaxis.range.map((moment) => new Date(moment).getTime())
               .reduce((from, to) => (to - from) / 86400000)"""
    )


def _names(page: Any) -> list[str]:
    return page.locator(".open").all_inner_texts()


def _numbers(page: Any, column: str) -> list[int]:
    return [int(text.split()[0]) for text in page.locator(f".summary {column}").all_inner_texts()]


OVERFULL_CELLS = """() => [...document.querySelectorAll(".summary > *")]
  .filter((cell) => cell.scrollWidth > cell.clientWidth + 1).map((cell) => cell.innerText)"""

# Texts of a chart that its frame cuts off.
CUT_LABELS = """(chart) => [...chart.querySelectorAll("svg text")].filter((text) => {
  const box = text.getBoundingClientRect(), frame = chart.getBoundingClientRect();
  const cut = box.bottom > frame.bottom + 1 || box.right > frame.right + 1 || box.left < frame.left - 1;
  return box.width && cut;
}).map((text) => text.textContent)"""

# Every visible text against what lies behind it: WCAG 2.1, success criterion 1.4.3, level AA.
CONTRAST = """() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => {
    const linear = (v) => (v <= 10 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
    const [x, y, z] = [r, g, b].map(linear);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const over = (top, below) => top.slice(0, 3).map((v, i) => v * (top[3] ?? 1) + below[i] * (1 - (top[3] ?? 1)));
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(channels(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const weak = new Set();
  const texts = document.createTreeWalker(document.getElementById("page"), NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement, style = getComputedStyle(element);
    if (!texts.currentNode.data.trim() || !element.checkVisibility() || element.closest(".hidden, title")) continue;
    const back = behind(element instanceof SVGElement ? element.closest("svg").parentElement : element);
    const ink = channels(element instanceof SVGElement ? style.fill : style.color);
    const [a, b] = [luminance(over(ink, back)), luminance(back)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) weak.add(`${element.tagName}.${element.getAttribute("class")} ${ratio.toFixed(2)}`);
  }
  return [...weak];
}"""
