"""From panel, model and forecasts to the files that people and Athena read."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic_assessment
import whole_fleet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.special import ndtri

from headroom import assess, preprocess, train
from headroom.core import accepted, job
from headroom.core import panel as panels
from headroom.core.panel import Panel
from headroom.core.settings import Settings, parse
from local import fleet

pytestmark = pytest.mark.slow

NAMES = {
    "risk_flagged_forecasts.parquet", "risk_summary.json", "optimization_recommendations.json", "server_clusters.csv",
    "risk_heatmap.png", "utilization_clusters.png", "report.html", "data_quality.json", "model_metrics.json",
    "optimization_recommendations.csv", "findings.json",
}  # fmt: skip
SHARES = {"q05": 0.05, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q95": 0.95}


def forecasts_of(future, spread=2.0):
    quantiles = {name: future["y"] + spread * ndtri(share) for name, share in SHARES.items()}
    return future[["server_id", "metric", "ds"]].assign(**quantiles)


def flat(panel, horizon=10, frequency="D"):
    """Forecasts that go on at each series' mean."""
    last = panel["ds"].max()
    ds = pd.date_range(last, periods=horizon + 1, freq=frequency)[1:]
    means = panel.groupby(["server_id", "metric"], as_index=False)["y"].mean().dropna()
    return forecasts_of(means.merge(pd.DataFrame({"ds": ds}), how="cross"))


def attributes(panel):
    servers = pd.DataFrame({"server_id": panel["server_id"].unique()})
    return servers.reindex(columns=["server_id", *assess.risk.ATTRIBUTES])


def panel_of(series, frequency="D"):
    """A panel of {(server, metric): values}."""
    tables = []
    for (server, metric), values in series.items():
        ds = pd.date_range("2026-01-01", periods=len(values), freq=frequency)
        y = np.asarray(values, float)
        tables.append(pd.DataFrame({"server_id": server, "metric": metric, "ds": ds, "y": y, "mean": y}))
    return pd.concat(tables, ignore_index=True)


@pytest.fixture(scope="module")
def made():
    return fleet.generate(servers=40, days=150, sampling="1D", horizon=30, seed=2)


@pytest.fixture(scope="module")
def found(made):
    run = {"dataset": "demo", "run_id": "20261031T060000Z-000000", "files": []}
    return whole_fleet.assessed(made.panel(), made.servers, forecasts_of(made.future()), Settings(horizon=30), run=run)


def assessed(series, frequency="h"):
    panel = panel_of(series, frequency)
    settings = Settings(frequency=frequency, horizon=24)
    return whole_fleet.assessed(panel, attributes(panel), flat(panel, 24, frequency), settings)


def test_a_server_that_fell_silent_raises_no_alarm_and_gets_no_advice():
    busy, idle = [95.0] * 400, [1.0] * 400
    found = assessed({("gone", "cpu"): busy[:300], ("gone idle", "cpu"): idle[:300], ("here", "cpu"): busy})
    levels = found.servers.set_index("server_id")["level"]
    assert (levels["gone"], levels["here"]) == ("none", "critical")
    reasons = found.risks.set_index("server_id")["reason"]
    assert reasons["gone"].startswith("CPU has not been reported since 13 Jan 2026")
    assert {server for one in found.recommendations for server in one["server_ids"]} == {"here"}
    assert "fallen silent or have too little history: 2 (gone, gone idle)" in found.summary["notes"][0]


def test_a_few_hours_of_history_are_too_little_to_raise_an_alarm_unless_it_is_there_now():
    spike = [0.0] * 27 + [99.0] * 3 + [0.0] * 6
    full = [50.0] * 400
    late = {("spike", "cpu"): [np.nan] * 364 + spike, ("full now", "cpu"): [np.nan] * 370 + [96.0] * 30}
    found = assessed({("old", "cpu"): full, **late})
    by_server = found.risks.set_index("server_id")
    assert by_server.loc["spike", "reason"] == "CPU has only 36 hours of history: too little to judge its risk."
    assert by_server.loc["spike", "level"] == "none"
    assert by_server.loc["full now", "level"] == "critical"


def test_servers_that_cannot_be_judged_have_a_list_of_their_own_that_says_what_to_do():
    full, gone = [50.0] * 400, [50.0] * 300
    found = assessed({
        ("gone", "cpu"): gone, ("gone", "memory"): gone, ("new", "cpu"): [np.nan] * 380 + [50.0] * 20,
        ("half blind", "cpu"): gone, ("half blind", "memory"): full, ("well", "cpu"): full,
    })  # fmt: skip
    listed = {one["server_id"]: one for one in found.not_judged}
    assert list(listed) == ["gone", "half blind", "new"]
    assert listed["gone"] == {
        "server_id": "gone", "metrics": ["cpu", "memory"], "last": "2026-01-13T11:00:00", "periods": 300,
        "reason": "Nothing has been reported since 13 Jan 2026 11:00: check whether the server, or only its "
        "monitoring, has stopped.",
    }  # fmt: skip
    assert listed["half blind"]["metrics"] == ["cpu"]
    assert "although the server reports other metrics: check its monitoring" in listed["half blind"]["reason"]
    assert "CPU has only 20 hours of history; risk is judged once there are 48 hours" in listed["new"]["reason"]
    assert found.summary["not_judged"] == found.not_judged and found.summary["not_judged_total"] == 3


def test_nothing_is_saved_on_a_server_whose_memory_is_no_longer_reported():
    owned = {("blind", "cpu"): [5.5] * 800, ("blind", "memory"): [10.0] * 400}
    whole = {
        (f"seen {name}", metric): values * (1 if metric == "cpu" else 2) for (name, metric), values in owned.items()
    }
    found = assessed(owned | whole)
    assert [one["server_ids"] for one in found.recommendations] == [["seen blind"]]


def test_traffic_without_thresholds_makes_no_server_unjudged():
    found = assessed({("a", "cpu"): [50.0] * 400, ("a", "network_in"): [9.0] * 300})
    assert found.not_judged == []


def test_the_summary_lists_at_most_200_unjudged_servers_and_says_how_many_there_are(monkeypatch):
    monkeypatch.setattr(assess, "MOST_NOT_JUDGED", 2)
    found = assessed({("a", "cpu"): [50.0] * 400} | {(f"gone {n}", "cpu"): [50.0] * 300 for n in range(3)})
    assert (len(found.summary["not_judged"]), found.summary["not_judged_total"], len(found.not_judged)) == (2, 3, 3)


def test_every_result_is_written_under_its_name(found, tmp_path):
    whole_fleet.write(found, tmp_path)
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == NAMES
    for path in tmp_path.glob("*.json"):
        json.loads(path.read_text(), parse_constant=lambda text: pytest.fail(f"{text} is not JSON"))
    written = pd.read_parquet(tmp_path / "risk_flagged_forecasts.parquet")
    assert list(written) == [
        "server_id", "metric", "ds", "is_future", "actual", "q05", "q10", "q50", "q90", "q95", "risk_level",
    ]  # fmt: skip
    assert written.loc[written["is_future"], "actual"].isna().all()
    assert written.loc[written["is_future"], "q50"].notna().all()
    assert written.loc[~written["is_future"], ["q05", "q95"]].isna().all(axis=None)


def test_the_same_input_gives_the_same_bytes(made, found, tmp_path):
    again = whole_fleet.assessed(
        made.panel(), made.servers, forecasts_of(made.future()), Settings(horizon=30), run=dict(found.run)
    )
    for folder, one in (("a", found), ("b", again)):
        whole_fleet.write(one, tmp_path / folder)
    for path in sorted((tmp_path / "a").rglob("*")):
        if path.is_file():
            other = tmp_path / "b" / path.relative_to(tmp_path / "a")
            assert path.read_bytes() == other.read_bytes(), path.name


def test_the_summary_agrees_with_the_tables(found):
    summary = found.summary
    assert summary["servers"] == len(found.servers) == sum(summary["levels"].values()) == 40
    assert summary["series"] == len(found.risks)
    for metric, levels in summary["levels_by_metric"].items():
        assert sum(levels.values()) == (found.risks["metric"] == metric).sum()
    assert summary["top"][0]["server_id"] == found.servers["server_id"].iloc[0]
    assert sum(summary["recommendations"].values()) == len(found.recommendations)
    assert summary["savings"]["monthly"] == pytest.approx(sum(one["monthly_saving"] for one in found.recommendations))
    assert sum(one["size"] for one in summary["clusters"]) == 40
    assert summary["as_of"] == "2026-10-31T00:00:00"


def test_the_history_shown_is_two_horizons_and_its_levels_are_those_measured(found):
    history = found.forecasts[~found.forecasts["is_future"]]
    assert history["ds"].min() == pd.Timestamp("2026-10-31") - pd.Timedelta(days=59)
    expected = np.select([history["actual"] >= 90, history["actual"] >= 80], ["critical", "medium"], "none")
    assert (history["risk_level"] == expected).all()


def test_the_next_run_is_compared_and_keeps_the_clusters(made, found, tmp_path):
    whole_fleet.write(found, tmp_path)
    hotter = forecasts_of(made.future().assign(y=lambda rows: rows["y"] + 60))
    again = whole_fleet.assessed(made.panel(), made.servers, hotter, Settings(horizon=30), previous=tmp_path)
    assert again.changes["previous_run_id"] == found.run["run_id"]
    assert again.changes["new_at_risk"] and not again.changes["resolved"]
    assert again.summary["changes"] == again.changes
    pd.testing.assert_series_equal(again.clusters["cluster_name"], found.clusters["cluster_name"])


HOSTILE = [
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "../../etc/passwd",
    "x" * 300,
    "‮مرحبا",
    "a,b\"c'd",
    "-2+3",
]


def test_names_from_outside_do_no_harm_and_stay_findable(tmp_path):
    random = np.random.default_rng(0)
    panel = panel_of({(name, "cpu"): random.normal(2, 0.1, 60) for name in HOSTILE})
    found = whole_fleet.assessed(panel, attributes(panel), flat(panel), Settings(horizon=10))
    whole_fleet.write(found, tmp_path)
    assert sorted(found.servers["server_id"]) == sorted(HOSTILE)
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == NAMES
    assert "<script>alert(1)</script>" not in (tmp_path / "report.html").read_text()
    for name in ("server_clusters.csv", "optimization_recommendations.csv"):
        cells = [cell for row in csv.reader(io.StringIO((tmp_path / name).read_text())) for cell in row]
        formulas = [cell for cell in cells if cell[:1] in "=+-@" and cell and not _is_number(cell)]
        assert formulas == []


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("frequency", ["D", "h"])
@pytest.mark.parametrize(
    "series",
    [
        {("only", "cpu"): [50.0, 51.0]},
        {("only", "network_in"): [5e6] * 30},
        {("a", "cpu"): [40.0] * 90, ("b", "memory"): [0.0] * 90},
        {("a", "cpu"): [100.0] * 90, ("b", "cpu"): [np.nan] * 89 + [1.0], ("c", "disk"): [np.nan] * 90},
    ],
    ids=["two periods", "only network", "different metrics", "next to nothing"],
)
def test_small_and_odd_fleets_are_assessed(series, frequency, tmp_path):
    panel = panel_of(series, frequency)
    found = whole_fleet.assessed(
        panel, attributes(panel), flat(panel, 10, frequency), parse(f"{{frequency: {frequency}, horizon: 10}}")
    )
    assert sorted(found.servers["server_id"]) == sorted({server for server, _ in series})
    whole_fleet.write(found, tmp_path)
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == NAMES


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from(["cpu", "memory", "network_in"])),
        st.lists(st.one_of(st.just(float("nan")), st.floats(0, 100)), min_size=1, max_size=30),
        min_size=1,
    )
)
def test_no_panel_breaks_it(series):
    panel = panel_of(series)
    if panel["y"].notna().any():
        found = whole_fleet.assessed(panel, attributes(panel), flat(panel), Settings(horizon=10))
        assert set(found.servers["server_id"]) == {server for server, _ in series}


def test_a_series_without_a_forecast_is_said_and_not_lost():
    panel = panel_of({("a", "cpu"): [50.0] * 30, ("b", "cpu"): [50.0] * 30})
    found = whole_fleet.assessed(panel, attributes(panel), flat(panel).query("server_id == 'a'"), Settings(horizon=10))
    assert set(found.servers["server_id"]) == {"a", "b"}
    assert [(one["server_id"], one["reason"]) for one in found.not_judged] == [
        ("b", "CPU has no forecast: train again.")
    ]


DECISION = {"server": "known", "metric": "cpu", "state": "accepted", "level": "critical", "reason": "ends <b>soon</b>",
            "by": "Ann", "at": "2026-01-15T09:00:00Z", "until": "2026-12-31"}  # fmt: skip


def with_decisions(decisions, day="2026-02-01T00:00:00Z"):
    """A fleet of three busy servers, one of them also short of memory, and what its owners have accepted."""
    full, tight, calm = [96.0] * 400, [85.0] * 400, [20.0] * 400
    panel = panel_of({("known", "cpu"): full, ("known", "memory"): tight, ("open", "cpu"): full, ("calm", "cpu"): calm},
                     "h")  # fmt: skip
    settings = Settings(frequency="h", horizon=24)
    run = {"dataset": "demo", "run_id": "r", "created_at": day}
    return whole_fleet.assessed(
        panel, attributes(panel), flat(panel, 24, "h"), settings, run=run, decisions=decisions
    )  # fmt: skip


def test_an_accepted_risk_leaves_the_top_list_and_stays_in_every_table(tmp_path):
    found = with_decisions(accepted.written([accepted.decided(DECISION)]))
    assert [(one["server_id"], one["metric"], one["level"]) for one in found.summary["top"]] == [
        ("open", "cpu", "critical"), ("known", "memory", "medium")
    ]  # fmt: skip
    assert found.summary["levels"]["critical"] == 2, "what is so stays so"
    assert (found.summary["open_levels"]["critical"], found.summary["open_levels"]["medium"]) == (1, 1)
    assert found.summary["accepted"]["hidden_total"] == 1
    by_server = found.servers.set_index("server_id")
    assert (by_server.loc["known", "level"], by_server.loc["known", "open_level"]) == ("critical", "medium")
    assert found.risks.query("accepted")[["server_id", "metric", "level"]].to_numpy().tolist() == [
        ["known", "cpu", "critical"]
    ]
    whole_fleet.write(found, tmp_path)
    listed = json.loads((tmp_path / "findings.json").read_text())["findings"]
    assert [(one["server"], one["metric"], one["hidden"]) for one in listed if one["kind"] == "risk"] == [
        ("open", "cpu", False), ("known", "memory", False), ("known", "cpu", True)
    ]  # fmt: skip
    report = (tmp_path / "report.html").read_text()
    assert "1 of 3 servers above a critical threshold now" in report
    assert "Accepted findings" in report and "ends <b>soon" not in report


def test_an_accepted_disk_leaves_the_next_worst_one_in_its_place(tmp_path):
    """Each disk is a finding of its own: nobody who accepts one hides the others."""
    full, tight = [96.0] * 400, [85.0] * 400
    disks = {("db\x1f/data", "disk"): full, ("db\x1f/var", "disk"): tight, ("calm", "disk"): [20.0] * 400}
    panel = panel_of(disks, "h")
    chosen = Settings(frequency="h", horizon=24)
    one = DECISION | {"server": "db", "metric": "disk", "entity": "/data"}
    run = {"dataset": "demo", "run_id": "r", "created_at": "2026-02-01T00:00:00Z"}
    servers = pd.DataFrame({"server_id": ["db", "calm"]}).reindex(columns=["server_id", *assess.risk.ATTRIBUTES])

    def assessed_with(text):
        return whole_fleet.assessed(panel, servers, flat(panel, 24, "h"), chosen, run=run, decisions=text)

    before, after = assessed_with(""), assessed_with(accepted.written([accepted.decided(one)]))
    [first], [second] = before.summary["top"], after.summary["top"]
    assert (first["entity"], first["level"]) == ("/data", "critical")
    assert (second["server_id"], second["entity"], second["level"]) == ("db", "/var", "medium")
    assert "/var" in second["reason"]
    shown = assess.open_view(after)
    assert shown.risks.set_index("server_id").loc["db", "entity"] == "/var"
    assert shown.seasonality.groupby(["server_id", "metric"]).size().max() == 1
    facts = after.every["risks"].set_index(["server_id", "entity"])
    assert (facts.loc[("db", "/data"), "accepted"], facts.loc[("db", "/var"), "accepted"]) == (True, False)
    assert after.servers.set_index("server_id").loc["db", ["level", "open_level"]].tolist() == ["critical", "medium"]
    whole_fleet.write(after, tmp_path)
    listed = json.loads((tmp_path / "findings.json").read_text())["findings"]
    found = [(one["entity"], one["hidden"]) for one in listed if one["kind"] == "risk"]
    assert found == [("/var", False), ("/data", True)]


def test_it_comes_back_the_day_after_its_end():
    text = accepted.written([accepted.decided(DECISION)])
    found = with_decisions(text, "2027-01-01T00:00:00Z")
    assert {one["server_id"] for one in found.summary["top"]} == {"open", "known"}
    assert [one["why"] for one in found.summary["accepted"]["returned"]] == ["expired"]
    assert found.summary["open_levels"] == found.summary["levels"]


@pytest.mark.parametrize("text", ["{", '{"schema": 1, "findings": [{}]}', "\ufffd\ufffd"])
def test_a_bad_file_of_accepted_findings_hides_nothing_is_told_and_stops_no_run(text, tmp_path):
    found = with_decisions(text)
    assert found.summary["open_levels"] == found.summary["levels"]
    assert found.summary["accepted"]["problems"]
    whole_fleet.write(found, tmp_path)
    assert "cannot be used, so nothing is hidden" in (tmp_path / "report.html").read_text()


def archive(path, members):
    with tarfile.open(path, "w:gz") as opened:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            opened.addfile(member, io.BytesIO(content))


def test_a_model_comes_as_a_folder_or_as_the_archive_that_training_leaves(tmp_path):
    (tmp_path / "model_metrics.json").write_text("{}")
    assert assess.unpacked(tmp_path, tmp_path / "scratch") == tmp_path
    (tmp_path / "scratch").mkdir()
    archive(tmp_path / "model.tar.gz", {"model_metrics.json": b"{}"})
    folder = assess.unpacked(tmp_path, tmp_path / "scratch")
    assert (folder / "model_metrics.json").read_text() == "{}" and folder == tmp_path / "scratch"


@pytest.mark.parametrize("name", ["../evil", "/absolutely/evil"])
def test_an_archive_that_writes_elsewhere_is_refused(tmp_path, name):
    (tmp_path / "scratch").mkdir()
    archive(tmp_path / "model.tar.gz", {name: b"evil"})
    try:
        folder = assess.unpacked(tmp_path, tmp_path / "scratch")
    except job.InputError as error:
        assert "train again" in str(error)
    else:
        assert all(path.is_relative_to(folder) for path in folder.rglob("*"))
    assert not (tmp_path / "evil").exists()


def test_a_damaged_archive_is_an_error_that_says_what_to_do(tmp_path):
    (tmp_path / "model.tar.gz").write_bytes(b"\x1f\x8b nothing")
    with pytest.raises(job.InputError, match="train again"):
        assess.unpacked(tmp_path, tmp_path)


def test_a_panel_without_values_is_an_error_that_says_where_to_look(tmp_path):
    with pytest.raises(job.InputError, match="run preprocess first"):
        panels.in_folder(tmp_path)
    panel_of({("a", "cpu"): [np.nan, np.nan]}).to_parquet(tmp_path / "panel.parquet")
    with pytest.raises(job.InputError, match=r"data_quality\.json"):
        panels.in_folder(tmp_path)


def test_the_job_takes_what_preprocess_and_train_leave_and_says_what_it_found(tmp_path, capsys, monkeypatch):
    made = fleet.generate(servers=3, days=60, sampling="1D", horizon=7, seed=4, metrics=("cpu",))
    chosen = Settings(horizon=7)
    panel, model, results = tmp_path / "panel", tmp_path / "model", tmp_path / "assessment"
    panel.mkdir()
    made.panel().to_parquet(panel / "panel.parquet")
    made.servers.to_parquet(panel / "servers.parquet")
    (panel / "settings.json").write_text(chosen.model_dump_json())
    train.train(Panel.of(made.panel()), made.servers, chosen, tmp_path / "files")
    model.mkdir()
    with tarfile.open(model / "model.tar.gz", "w:gz") as opened:
        for path in (tmp_path / "files").iterdir():
            opened.add(path, path.name)
    arguments = ["assess", "--panel", panel, "--model", model, "--assessment", results, "--previous", tmp_path / "none"]
    monkeypatch.setattr("sys.argv", [str(one) for one in arguments])
    with pytest.raises(SystemExit) as ended:
        assess.main()
    assert ended.value.code == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["servers"] == 3
    summary = json.loads((results / "risk_summary.json").read_text())
    assert summary["horizon"] == 7 and summary["forecast"] and summary["drift"]["exceeded"] is False
    assert {path.name for path in results.iterdir() if path.is_file()} == NAMES


def test_a_model_of_another_frequency_is_an_error_and_of_another_horizon_is_followed():
    with pytest.raises(job.InputError, match="train again"):
        assess.fitting(Settings(), Settings(frequency="h"))
    assert assess.fitting(Settings(), Settings(horizon=30)).horizon == 30


def test_the_assessments_made_up_for_tests_have_the_columns_and_types_of_real_ones(found):
    made_up = synthetic_assessment.assessment(10, ("cpu", "memory", "disk"))
    for name in ("forecasts", "risks", "servers", "seasonality"):
        real, other = getattr(found, name), getattr(made_up, name)
        assert sorted(other.columns) == sorted(real.columns), name
        kinds = {column: _kind(real[column]) for column in real}
        assert {column: _kind(other[column]) for column in real} == kinds, name
    assert set(made_up.clusters.columns) <= set(found.clusters.columns)
    assert {"cluster", "cluster_name", "distance", "x", "y"} <= set(made_up.clusters.columns)
    assert made_up.profiles[0].keys() == found.profiles[0].keys()
    assert made_up.fleet_peaks.keys() == found.fleet_peaks.keys()
    assert made_up.fleet_peaks["cpu"].keys() == found.fleet_peaks["cpu"].keys()
    assert made_up.recommendations[0].keys() == found.recommendations[0].keys()
    assert [one.name for one in made_up.actions] == [one.name for one in found.actions]
    assert made_up.summary.keys() == found.summary.keys()
    assert made_up.summary["savings"].keys() == found.summary["savings"].keys()
    assert made_up.changes.keys() == {"previous_run_id", "new_at_risk", "resolved", "worse", "better"}


def test_what_tests_make_up_of_quality_and_model_has_the_keys_of_real_ones(tmp_path):
    made = fleet.generate(servers=6, days=120, sampling="1D", horizon=14, seed=5)
    fleet.write(made, tmp_path / "fleet")
    files = [{"file": path.name} for path in (tmp_path / "fleet" / "incoming").iterdir()]
    (tmp_path / "manifest.json").write_text(json.dumps({"created_at": "2030-01-01T00:00:00Z", "files": files}))
    jobs = {
        preprocess: {"raw": tmp_path / "fleet" / "incoming", "settings": tmp_path / "fleet" / "settings.yaml",
                     "manifest": tmp_path / "manifest.json", "panel": tmp_path / "panel"},
        train: {"panel": tmp_path / "panel", "model": tmp_path / "model"},
    }  # fmt: skip
    for one, folders in jobs.items():
        arguments = [part for name, path in folders.items() for part in (f"--{name}", str(path))]
        subprocess.run([sys.executable, "-m", one.__name__, *arguments], check=True, env=os.environ | {
            "PYTHONPATH": str(Path(train.__file__).parents[1])
        })  # fmt: skip
    made_up = synthetic_assessment.assessment(6)
    quality = json.loads((tmp_path / "panel" / "data_quality.json").read_text())
    metrics = json.loads((tmp_path / "model" / "model_metrics.json").read_text())
    for real, other in ((quality, made_up.quality), (metrics, made_up.metrics)):
        assert other.keys() == real.keys()
        for key, value in real.items():
            if isinstance(value, dict) and key != "trend_share":
                assert other[key].keys() == value.keys(), key
            if isinstance(value, list) and value and other[key] and isinstance(value[0], dict):
                assert other[key][0].keys() == value[0].keys(), key


def _kind(column):
    """Numbers, dates, truth values, or anything else."""
    return "text" if column.dtype.kind == "O" else "number" if column.dtype.kind in "if" else column.dtype.kind
