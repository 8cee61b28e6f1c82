"""The section of a single server."""

from __future__ import annotations

import base64
import json
import zlib

from synthetic_assessment import assessment

from headroom.report import details, fleet, servers


def test_a_server_s_section_begins_with_its_worst_metric_and_marks_when_it_turns_critical() -> None:
    found = assessment()
    shown = found.servers.head(1)
    table = servers.facts(found, shown)
    [packed] = details.sections(found, shown, table, ["cpu", "memory", "disk"])
    section = json.loads(zlib.decompress(base64.b64decode(packed)))
    first, worst = section["metrics"][0], shown["worst_metric"].iloc[0]
    mine = table[table["metric"] == worst].iloc[0]
    assert first["title"].lower() == worst and first["mark"]["text"] == f"critical {mine['critical_date']:%-d %b}"
    assert first["mark"]["at"] == (mine["critical_date"] - fleet.last_period(found)).days
    told = dict(map(tuple, first["facts"]["facts"]))
    assert told["Last 7 days"] == f"{mine['current']:.0f} %" and told["Critical around"] in first["mark"]["text"]
