"""What the report says of single servers."""

from __future__ import annotations

import base64
import dataclasses
import json
import zlib

from synthetic_assessment import assessment

from headroom.report import fleet, servers


def test_what_drives_a_crossing_to_come_is_told_where_the_columns_say_the_rest() -> None:
    found = assessment()
    shown = found.servers.reset_index(drop=True)
    table = servers.facts(found, shown)
    steep = dataclasses.replace(
        found, seasonality=found.seasonality.assign(leak_per_month=4.2, quarter_end_effect=3.6, step=0.0)
    )
    table = servers.facts(steep, shown).assign(rise=0.4)
    why = servers.columns(steep, shown, table, ["cpu", "memory", "disk"])["why"]
    coming = [
        one for one, date in zip(why, servers.columns(found, shown, table, ["cpu", "memory", "disk"])["critical"],
                                 strict=True) if date is not None
    ]  # fmt: skip
    assert coming and all(
        one.endswith(" climbs and falls back by 4 points per month, as with a leak and restarts; it rises by 4 points "
                     "at the end of a quarter.") for one in coming
    )  # fmt: skip


def test_a_server_s_section_begins_with_its_worst_metric_and_marks_when_it_turns_critical() -> None:
    found = assessment()
    shown = found.servers.head(1)
    table = servers.facts(found, shown)
    [packed] = servers.sections(found, shown, table, ["cpu", "memory", "disk"])
    section = json.loads(zlib.decompress(base64.b64decode(packed)))
    first, worst = section["metrics"][0], shown["worst_metric"].iloc[0]
    mine = table[table["metric"] == worst].iloc[0]
    assert first["title"].lower() == worst and first["mark"]["text"] == f"critical {mine['critical_date']:%-d %b}"
    assert first["mark"]["at"] == (mine["critical_date"] - fleet.last_period(found)).days
    told = dict(map(tuple, first["facts"]["facts"]))
    assert told["Last 7 days"] == f"{mine['current']:.0f} %" and told["Critical by"] in first["mark"]["text"]


def test_texts_too_long_are_cut_wherever_they_are() -> None:
    assert servers.cut({"a": ["x" * 1001, 3]}) == {"a": ["x" * 1000 + "…", 3]}
