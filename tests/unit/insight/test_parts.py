"""Which entity stands for its server, and which are gone."""

import numpy as np
import pandas as pd

from headroom.core.periods import Frequency
from headroom.core.series import owner
from headroom.insight import parts

DAYS = pd.date_range("2026-01-01", periods=30)


def series(name, days=DAYS):
    return pd.DataFrame({"server_id": name, "metric": "disk", "ds": days, "y": 50.0})


def risks(*rows):
    return pd.DataFrame([
        {"server_id": owner("web-1", entity), "metric": "disk", "level": level, "score": score, "peak_q95": peak,
         "critical": critical, "capacity": 100.0}
        for entity, level, score, peak, critical in rows
    ])  # fmt: skip


def test_the_worst_entity_stands_for_its_server():
    by_level = risks(("/", "none", 9, 99, 90), ("/var", "high", 5, 40, 90), ("/opt", "low", 8, 50, 90))
    by_score = risks(("/", "high", 4, 99, 90), ("/var", "high", 5, 40, 90))
    by_nearness = risks(("/", "none", 0, 85, 97), ("/var", "none", 0, 80, 85))
    for table in (by_level, by_score, by_nearness):
        assert parts.worst(table)["server_id"].tolist() == [owner("web-1", "/var")]
        assert parts.of_servers(table, parts.worst(table))["server_id"].tolist() == ["web-1"]


def test_without_thresholds_the_highest_stands_for_the_server():
    table = risks(("eth0", "none", 0, 10, np.nan), ("eth1", "none", 0, 20, np.nan)).assign(capacity=np.nan)
    assert parts.worst(table)["server_id"].tolist() == [owner("web-1", "eth1")]


def test_a_disk_that_is_gone_is_left_out_and_named():
    panel = pd.concat([series(owner("a", "/")), series(owner("a", "/old"), DAYS[:10]), series("b", DAYS[:10])])
    left, gone = parts.without_gone(panel, DAYS[-1], Frequency.DAY)
    assert gone == ["/old on a"] and set(left["server_id"]) == {owner("a", "/"), "b"}


def test_the_servers_own_series_ends_where_its_disks_begin():
    panel = pd.concat(
        [series("a", DAYS[:28]), series(owner("a", "/"), DAYS[28:]), series(owner("a", "/var"), DAYS[28:])]
    )
    left, gone = parts.without_gone(panel, DAYS[-1], Frequency.DAY)
    assert gone == ["a"] and "a" not in set(left["server_id"])


def test_files_name_server_and_entity():
    table = parts.as_files(risks(("/var", "none", 0, 1, 90), ("", "none", 0, 1, 90)))
    assert list(table.columns[:2]) == ["server_id", "entity"]
    assert table[["server_id", "entity"]].to_numpy().tolist() == [["web-1", ""], ["web-1", "/var"]]
