"""The data that the report is based on."""

from __future__ import annotations

from typing import Any

import pandas as pd

from headroom.core import wording
from headroom.core.findings import Assessment
from headroom.report import blocks
from headroom.report.blocks import Text


def section(found: Assessment) -> dict[str, Any]:
    """What was read, what was refused and why, and what is missing."""
    title, quality = "The data it rests on", found.quality
    if not quality:
        nothing = blocks.paragraph("This panel came without a data-quality report.")
        return blocks.section("data", "Data", title, [nothing])
    rows, values, gaps, panel = quality["rows"], quality["values"], quality["gaps"], quality["panel"]
    files, short, settings = quality["files"], quality["short_series"], quality["settings"]
    numbers = [
        (wording.count(rows["read"]), "rows read"), (wording.count(rows["accepted"]), "accepted"),
        (wording.count(rows["duplicates"]), "duplicates"), (wording.count(rows["quarantined"]), "quarantined"),
        (wording.count(values["clipped"]), "values clipped"),
        (wording.count(gaps["missing_periods"]),
         f"periods missing, {wording.plural(gaps['servers_with_gaps'], 'server')}"),
    ]  # fmt: skip
    refused = [file for file in files if file["error"]]
    used_instead = "; the last good ones were used" if settings["source"] == "last_good" else ""
    covers = ""
    if panel["first"]:
        period = f"from {wording.day(pd.Timestamp(panel['first']))} to {wording.day(pd.Timestamp(panel['last']))}"
        covers = f"The panel now covers {wording.plural(panel['servers'], 'server')} {period}; {panel['rows_new']:,} "
        covers += f"of its {panel['rows']:,} rows are new, {panel['rows_changed']:,} changed. "
    reasons: list[list[Text]] = [[one["reason"], wording.count(one["rows"])] for one in quality["reasons"]]
    examples: list[list[Text]] = [
        [one["file"], blocks.number(one["row"]), one["column"] or "", blocks.code(_text(one["value"])), one["reason"]]
        for one in quality["examples"][:20]
    ]
    read: list[list[Text]] = [
        [one["file"], one["shape"] or "", *(blocks.number(one[f"rows_{key}"])
         for key in ("read", "accepted", "duplicate", "quarantined")), ", ".join(one["ignored_columns"])]
        for one in files[:100]
    ]  # fmt: skip
    worst: list[list[Text]] = [
        [blocks.server(one["server_id"]), wording.metric(one["metric"]), f"{one['missing']:,} of {one['expected']:,}"]
        for one in gaps["worst"][:20]
    ]
    young: list[list[Text]] = [
        [blocks.server(one["server_id"]), wording.metric(one["metric"]), wording.count(one["periods"])]
        for one in short[:50]
    ]
    server_and_metric = [("Server", ""), ("Metric", "")]
    return blocks.section("data", "Data", title, [
        blocks.figures(numbers),
        *blocks.warning(f"The settings have errors{used_instead}.", list(settings["errors"])),
        *blocks.warning(f"{wording.plural(len(refused), 'file')} could not be used.",
                        [[blocks.code(file["file"]), f": {file['error']}"] for file in refused[:20]]),
        *blocks.listing(list(quality["notes"])),
        blocks.paragraph(covers, "Every refused row, with file and line, is in ", blocks.code("panel/quarantine.csv"),
                         " of the run; these figures are in ", blocks.code("data_quality.json"), "."),
        *blocks.table("Why rows were refused", [("Reason", ""), ("Rows", "number")], reasons),
        *blocks.fold("Examples of refused rows", blocks.table(
            "Refused rows", [("File", ""), ("Row", "number"), ("Column", ""), ("Value", ""), ("Reason", "")], examples,
        )),
        *blocks.fold(f"Files read ({len(files):,})", blocks.table(
            "Files", [("File", ""), ("Form", ""), ("Read", "number"), ("Accepted", "number"), ("Duplicates", "number"),
                      ("Refused", "number"), ("Columns ignored", "")], read,
        )),
        *blocks.fold("Largest gaps", blocks.table("Gaps", [*server_and_metric, ("Missing", "number")], worst)),
        *blocks.fold(f"Short series ({len(short):,})", blocks.table(
            "Fewer than ten values", [*server_and_metric, ("Periods", "number")], young,
        )),
    ])  # fmt: skip


def _text(value: Any) -> str:
    return "" if value is None else str(value)
