"""The table of servers."""

from __future__ import annotations

import dataclasses

from synthetic_assessment import assessment

from headroom.report import servers


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


def test_texts_too_long_are_cut_wherever_they_are() -> None:
    assert servers.cut({"a": ["x" * 1001, 3]}) == {"a": ["x" * 1000 + "…", 3]}
