"""Groups of servers, and servers of several names."""

import json
from datetime import datetime, timedelta

import exports
import pandas as pd
import pytest

from headroom.core.settings import SettingsError, parse
from headroom.preprocess import preprocess

DAY = datetime(2024, 1, 1)
SETTINGS = "groups: [{match: '{group}-*'}]"


def table(rows):
    return "timestamp,server_id,cpu [%],network_in\n" + "".join(
        f"{at.isoformat()}Z,{server},{cpu},{network}\n" for at, server, cpu, network in rows
    )


def of(panel, server, metric):
    return panel[(panel["server_id"] == server) & (panel["metric"] == metric)].set_index("ds")


def samples(server, day, cpu, network=1.0, second=0, hours=24):
    begin = DAY + timedelta(days=day, seconds=second)
    return [(begin + timedelta(minutes=5 * step), server, cpu, network) for step in range(12 * hours)]


def test_a_group_is_made_of_its_members_samples(tmp_path):
    # Each is busy while the other is not: quantiles put together would say 90, or 180.
    rows = [(at, server, 90 if (place + at.hour) % 2 else 10, 5)
            for place, server in enumerate(("web-1", "web-2")) for at, *_ in samples(server, 0, 0)]  # fmt: skip
    panel, quality = exports.read(tmp_path, {"a.csv": table(rows)}, SETTINGS)
    assert of(panel, "web-1", "cpu")["p95"].to_list() == [90]
    assert of(panel, "group web", "cpu")["p95"].to_list() == [50]
    assert of(panel, "group web", "network_in")["mean"].to_list() == [10]
    assert quality["groups"] == [{"name": "group web", "members": 2, "problem": None}]
    assert exports.adds_up(quality)


def test_members_need_not_have_their_samples_at_the_same_second(tmp_path):
    rows = samples("web-1", 0, 20, second=7) + samples("web-2", 0, 40, second=101)
    panel, _ = exports.read(tmp_path, {"a.csv": table(rows)}, SETTINGS)
    group = of(panel, "group web", "cpu")
    assert group[["mean", "max", "samples"]].to_numpy().tolist() == [[30, 30, 288]]


def test_a_fleet_of_instances_that_live_two_days_has_one_long_series(tmp_path):
    rows = [row for day in range(0, 30) for born in (day - 1, day) for row in samples(f"app-{born + 1:08x}", day, 30)]
    settings = "groups: [{match: '{group}-????????', name: '{group}', members: hide}]"
    panel, quality = exports.read(tmp_path, {"a.csv": table(rows)}, settings)
    assert panel.groupby(["server_id", "metric"]).size().to_dict() == {("app", "cpu"): 30, ("app", "network_in"): 30}
    assert quality["groups"][0]["members"] == 31 and not quality["short_series"] and not quality["notes"]


def test_groups_by_an_attribute(tmp_path):
    text = table(samples("a", 0, 20) + samples("b", 0, 40) + samples("c", 0, 60))
    inventory = "server_id,business_unit\na,Retail\nb,Retail\nc,Bank\n"
    settings = "groups: [{attribute: business_unit, name: 'unit {group}'}]"
    panel, _ = exports.read(tmp_path, {"a.csv": text, "b.csv": inventory}, settings)
    assert of(panel, "unit Retail", "cpu")["mean"].to_list() == [30]
    assert of(panel, "unit Bank", "cpu")["mean"].to_list() == [60]


def test_files_one_after_the_other_give_the_groups_of_all_at_once(tmp_path):
    files = {"1.csv": table(samples("web-1", 0, 20.1)), "2.csv": table(samples("web-2", 0, 40.3, hours=12)),
             "3.csv": table(samples("web-3", 1, 11.7) + samples("web-2", 0, 40.4))}  # fmt: skip
    at_once, _ = exports.read(tmp_path / "once", files, SETTINGS)
    history = None
    for name, text in files.items():
        raw = tmp_path / f"raw-{name}"
        raw.mkdir()
        (raw / name).write_text(text)
        preprocess(raw, history, tmp_path / "once/settings.yaml", None, tmp_path / f"panel-{name}")
        history = tmp_path / f"panel-{name}"
    assert at_once.equals(pd.read_parquet(history / "panel.parquet"))


def test_members_with_rarer_samples_than_the_group_make_no_group_that_lacks_some(tmp_path):
    rows = [row for server in ("web-1", "web-2") for row in samples(server, 0, 20)[::12]]
    panel, quality = exports.read(tmp_path, {"a.csv": table(rows)}, SETTINGS)
    assert set(panel["server_id"]) == {"web-1", "web-2"}
    assert "The group group web was not formed: its members have samples less often than every 5 minutes" in str(
        quality["notes"]
    )
    panel, _ = exports.read(tmp_path / "hourly", {"a.csv": table(rows)}, SETTINGS.replace("}]", ", minutes: 60}]"))
    assert of(panel, "group web", "network_in")["max"].to_list() == [2]


def test_a_group_never_takes_a_servers_name(tmp_path):
    text = table(samples("web", 0, 20) + samples("web-1", 0, 40))
    panel, quality = exports.read(tmp_path, {"a.csv": text}, "groups: [{match: '{group}-*', name: '{group}'}]")
    assert of(panel, "web", "cpu")["max"].to_list() == [20]
    assert "The group web was not formed: a server has the same name" in str(quality["notes"])


def test_groups_without_members_are_told_of(tmp_path):
    _, quality = exports.read(tmp_path, {"a.csv": table(samples("web", 0, 20))}, SETTINGS)
    assert quality["notes"] == ["The settings' groups have no members: no server's name or attribute fits."]


@pytest.mark.parametrize(
    "group, told",
    [("{}", "either match"), ("{match: 'a*', attribute: region}", "either match"), ("{match: 'a*'}", "both have"),
     ("{attribute: region, name: all}", "must have"), ("{attribute: region, minutes: 7}", "divide a day")],
)  # fmt: skip
def test_groups_that_are_not_clear_are_refused(group, told):
    with pytest.raises(SettingsError, match=told):
        parse(f"groups: [{group}]")


# --- one server, several names ---

FOUR = table([(DAY + timedelta(hours=hour), server, 50, 1) for hour, server in
              enumerate(("web-1", "WEB-1", "web-1.corp.example", "Web-1.Corp.Example"))])  # fmt: skip


def test_by_default_every_name_is_a_server(tmp_path):
    panel, _ = exports.read(tmp_path, {"a.csv": FOUR})
    assert panel["server_id"].nunique() == 4


@pytest.mark.parametrize(
    "identity, names",
    [("{ignore_case: true}", {"web-1", "web-1.corp.example"}), 
     ("{domains: [corp.example]}", {"web-1", "WEB-1", "Web-1"}),
     ("{ignore_case: true, domains: [corp.example]}", {"web-1"}),
     ("{aliases: {WEB-1: web-1}}", {"web-1", "web-1.corp.example", "Web-1.Corp.Example"}),
     ("{ignore_case: true, domains: [corp.example], aliases: {Web-1: shop}}", {"shop"})],
)  # fmt: skip
def test_names_are_one_server_as_the_settings_say(tmp_path, identity, names):
    panel, quality = exports.read(tmp_path, {"a.csv": FOUR}, f"identity: {identity}")
    assert set(panel["server_id"]) == names
    assert panel.query("metric == 'cpu'")["samples"].sum() == 4 and exports.adds_up(quality)


def test_two_machines_that_become_one_name_contradict_each_other(tmp_path):
    text = table(samples("web-1", 0, 20, hours=1) + samples("WEB-1", 0, 40, hours=1))
    good = {"good.csv": table(samples("db-1", 0, 20))}
    _, quality = exports.read(tmp_path, {"a.csv": text, **good}, "identity: {ignore_case: true}")
    assert "has different values at the same moment" in quality["files"][0]["error"]


def test_the_summary_has_groups_as_json(tmp_path):
    exports.read(tmp_path, {"a.csv": table(samples("web-1", 0, 20))}, SETTINGS)
    assert json.loads((tmp_path / "panel/data_quality.json").read_text())["groups"][0]["name"] == "group web"
