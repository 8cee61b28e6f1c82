"""What a dataset's owner may write into config/<dataset>.yaml, and what they are told when it is wrong."""

from pathlib import Path

import pytest

from headroom.core import settings
from headroom.core.series import owner
from headroom.core.settings import Settings, SettingsError, load, of_panel, parse


def test_an_empty_file_gives_the_defaults():
    for text in ("", "# nothing yet\n", "{}", "---\n"):
        assert parse(text) == Settings()


def test_the_horizon_follows_the_frequency_unless_it_is_given():
    assert parse("frequency: D").horizon == 90
    assert parse("frequency: h").horizon == 168
    assert parse("{frequency: h, horizon: 24}").horizon == 24


def test_percent_metrics_have_thresholds_and_each_level_can_be_set_alone():
    thresholds = parse("thresholds: {cpu: {critical: 95}, network_in: {warning: 100, critical: 200}}").thresholds
    assert (thresholds["cpu"].warning, thresholds["cpu"].critical, thresholds["cpu"].underused) == (80, 95, 40)
    assert thresholds["memory"].critical == 90
    assert thresholds["network_in"].underused is None and "network_out" not in thresholds


@pytest.mark.parametrize(
    "text, words",
    [
        ("frequenzy: D", ["frequenzy", "unknown key", "frequency"]),
        ("frequency: weekly", ["frequency", "'D'", "weekly"]),
        ("horizon: 0", ["horizon", "1"]),
        ("zones: {CET: '+99:00'}", ["zones.CET", "+99:00"]),
        ("thresholds: {cpu: {warning: 95}}", ["thresholds.cpu", "warning < critical"]),
        ("thresholds: {cpu: {critical: 120}}", ["thresholds", "percent"]),
        ("thresholds: {network_in: {warning: 5}}", ["thresholds.network_in.critical", "required"]),
        ("columns: {x: cpuu}", ["columns.x", "did you mean 'cpu'"]),
        ("metric: memry", ["metric", "did you mean 'memory'"]),
        ("sources: [{match: a, columns: {x: cpuu}}]", ["sources.0.columns.x", "did you mean 'cpu'"]),
        ("thresholds: {cpus: {warning: 1, critical: 2}}", ["thresholds", "'cpus'", "did you mean 'cpu'"]),
        ("metrics: {cpu: {unit: x}}", ["metrics.cpu", "built in"]),
        ("metrics: {Queue Depth: {unit: x}}", ["metrics.'Queue Depth'", "small letters"]),
        ("metrics: {max: {unit: x}}", ["metrics.max", "another meaning"]),
        ("metrics: {queue: {}}", ["metrics.queue.unit", "required"]),
        ("metrics: {queue: {unit: x, capacty: 5}}", ["metrics.queue.capacty", "did you mean 'capacity'"]),
        ("metrics: {queue: {unit: x, capacity: 0}}", ["metrics.queue.capacity", "greater than 0"]),
        ("metrics: {queue: {unit: x, capacity: {attribute: region}}}", ["metrics.queue.capacity", "'vcpus'"]),
        ("metrics: {gpu: {unit: '%', capacity: 5}}", ["metrics.gpu", "capacity of 100"]),
        ("metrics: {hits: {unit: hits, kind: counter}}", ["metrics.hits", "/s"]),
        ("metrics: {hits: {unit: hits/s, kind: counter, direction: free}}", ["metrics.hits", "direction"]),
        ("metrics: {hits: {unit: hits/s, kind: counter, entities: sum}}", ["metrics.hits", "parts"]),
        ("metrics: {a: {unit: x, names: [Z]}, b: {unit: x, names: [z]}}", ["metrics.b.names", "name of a already"]),
        ("metrics: {a: {unit: x, capacity: {column: c}}, a_capacity: {unit: x}}", ["metrics.a_capacity", "another"]),
        ("metrics: {queue: {unit: x}}\nthresholds: {queue: {warning: 80, critical: 90}}",
         ["thresholds.queue", "no capacity", "metrics.queue.capacity"]),
        ("metrics: {queue: {unit: x, capacity: 9}}\nthresholds: {queue: {critical: 900}}",
         ["thresholds.queue", "percent of its capacity", "100"]),
        ("thresholds_for: [{server: 'db-*', metric: cpu, critical: 50}]", ["thresholds_for.0", "warning < critical"]),
        ("thresholds_for: [{server: 'db-*', metric: cpuu, critical: 95}]", ["thresholds_for.0.metric", "'cpu'"]),
        ("thresholds_for: [{sever: 'db-*', metric: cpu, critical: 95}]", ["thresholds_for.0.sever", "'server'"]),
        ("timezone: Berlin", ["timezone", "Europe/Berlin"]),
        ("timezone: localtime", ["timezone", "not a time zone"]),
        ("holidays: {country: XX}", ["holidays", "XX", "ISO 3166"]),
        ("holidays: {country: utils}", ["holidays", "ISO 3166"]),
        ("holidays: {country: registry}", ["holidays", "ISO 3166"]),
        ("holidays: {country: HolidayBase}", ["holidays", "ISO 3166"]),
        ("holidays: {country: __name__}", ["holidays", "ISO 3166"]),
        ("minutes_between_runs: -1", ["minutes_between_runs", "0"]),
        ("holidays: {country: US, subdivision: ZZ}", ["holidays", "ZZ"]),
        ("costs: {per_vcpu_hour: .inf}", ["costs.per_vcpu_hour", "finite"]),
        ("costs: {currency: dollars}", ["costs.currency"]),
        ("fiscal_quarter_ends: [13]", ["fiscal_quarter_ends", "12"]),
        ("a: b: c", ["not valid YAML: mapping values are not allowed here in line 1, column 5"]),
        ("costs: 5", ["costs: must be keys and values (given: 5)"]),
        ("metrics: 5", ["metrics: must be keys and values (given: 5)"]),
        ("horizon: x", ["horizon: must be a valid integer (given: 'x')"]),
        ("frequency: W", ["frequency: must be 'D' or 'h' (given: 'W')"]),
        ("x: 2024-13-45", ["not valid YAML"]),
        ("- cpu", ["keys and values", "list"]),
        ("a: " + "[" * 1000, ["not valid YAML"]),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_key_and_what_would_do(text, words):
    with pytest.raises(SettingsError) as error:
        parse(text)
    for word in words:
        assert word in str(error.value)
    assert len(str(error.value)) < 1000


def test_every_mistake_is_listed_one_a_line():
    with pytest.raises(SettingsError) as error:
        parse("statistic: p50\nhorizon: x\nfoo: 1")
    assert [line.split(":")[0] for line in str(error.value).splitlines()] == ["horizon", "statistic", "foo"]


def test_a_few_lines_of_yaml_that_say_a_billion_things_give_a_short_message():
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    with pytest.raises(SettingsError) as error:
        parse("\n".join(["a0: &a0 [1]", *levels, "columns: *a11"]))
    assert len(str(error.value)) < 10_000


def test_settings_survive_being_written_beside_the_panel(tmp_path):
    settings = parse("{frequency: h, statistic: p99, columns: {A: cpu}, holidays: {country: DE, subdivision: BY}}")
    (tmp_path / "settings.json").write_text(settings.model_dump_json())
    assert of_panel(tmp_path, None) == settings
    (tmp_path / "given.yaml").write_text("horizon: 5")
    assert of_panel(tmp_path, tmp_path / "given.yaml").horizon == 5


def test_a_file_that_is_no_text_is_an_error_for_its_owner(tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="UTF-8"):
        load(tmp_path / "a.yaml")


def test_metrics_with_a_capacity_have_the_usual_thresholds_and_others_none():
    own = parse("metrics: {gpu: {unit: pct}, conns: {unit: connections, capacity: 500}, queue: {unit: messages}}")
    assert own.thresholds["gpu"].critical == own.thresholds["conns"].critical == 90
    assert "queue" not in own.thresholds
    assert own.own_metrics()["gpu"].unit == "%"


def test_the_first_thresholds_that_fit_a_series_win():
    settings = parse("""
thresholds_for:
  - {metric: disk, server: "db-*", entity: /var, critical: 99}
  - {metric: disk, server: "db-*", warning: 60, critical: 70}
  - {metric: disk, entity: "/var*", warning: 50, critical: 55}
""")

    def critical(server, entity, metric="disk"):
        return settings.levels(owner(server, entity), metric).critical

    assert critical("db-1", "/var") == 99 and critical("db-1", "/") == critical("db-1", "") == 70
    assert critical("web-1", "/var/log") == 55 and critical("web-1", "/") == critical("db-1", "", "cpu") == 90
    assert settings.levels("db-1", "network_in") is None


def test_settings_with_own_metrics_survive_being_written_beside_the_panel(tmp_path):
    example = parse((Path(__file__).parents[3] / "docs" / "examples" / "settings.yaml").read_text())
    (tmp_path / "settings.json").write_text(example.model_dump_json())
    assert of_panel(tmp_path, None) == example
    assert of_panel(tmp_path, None).own_metrics() == example.own_metrics()


def test_of_many_files_none_has_the_disk_searched_for_time_zones_again(monkeypatch: pytest.MonkeyPatch) -> None:
    searches = []
    known = frozenset({"UTC", "Europe/Berlin", "localtime"})
    monkeypatch.setattr(settings, "available_timezones", lambda: searches.append(1) or known)
    settings.time_zones.cache_clear()
    chosen = parse("timezone: Europe/Berlin")
    for number in range(100):
        assert chosen.for_file(f"web/{number}.csv").timezone == "Europe/Berlin"
    assert len(searches) == 1
    settings.time_zones.cache_clear()
