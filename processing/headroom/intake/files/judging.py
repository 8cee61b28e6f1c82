"""Judging: which rows count, and which of their cells; of the others, why not."""

# ruff: noqa: S608 - SQL is put together of names and quoted literals; see `quoted`.

from __future__ import annotations

import duckdb

from headroom.core import metrics
from headroom.intake import entities
from headroom.intake.files.layout import NETWORK_LIMIT, PERCENT_LIMIT
from headroom.intake.sql import for_each, holds, quoted

# Bytes of the largest stores there are, and room above them.
_OWN_LIMIT = 10**18

# The texts of a row that say why it does not count, beside those of its values.
OF_ROW = ["at_text", "server_text", "structure_problem", "unknown_metric", "time_problem"]


def evidence_names() -> list[str]:
    """The texts that are kept of a row that is not plainly right, in their order."""
    return [*OF_ROW, *(f"{name}_text" for name in metrics.columns())]


def most(name: str) -> int:
    """The highest value that a metric can have, in its unit."""
    if metrics.is_percent(name):
        return PERCENT_LIMIT
    return NETWORK_LIMIT if metrics.of_column(name).built_in else _OWN_LIMIT


def for_each_metric(pattern: str, separator: str = ", ") -> str:
    """SQL repeated for each metric: % is its name, and #most, #usual and #unit what it can be and is shown in."""
    return separator.join(
        pattern.replace("%", name).replace("#most", str(most(name)))
        .replace("#usual", "100" if metrics.is_percent(name) else str(most(name)))
        .replace("#unit", quoted(" percent" if metrics.is_percent(name) else f" {metrics.of_column(name).unit}"))
        for name in metrics.columns()
    )  # fmt: skip


def judge(db: duckdb.DuckDBPyConnection) -> None:
    """Make the table ``suspect``: what becomes of rows with evidence, and of those whose name or column is in doubt.

    A row is usable if it has a server, a moment and no fault in its structure, and not all that it says is wrong. Of
    its cells, those that are empty or wrong are NULL. Names are judged before, each once: those in
    ``not_a_name`` are none.
    """
    texts = [f"{name}_text" for name in metrics.columns()]
    percent = metrics.percent_names()
    held, joined = "%_doubt", ""
    if holds(db, "doubt_of_server"):
        held = "coalesce(doubt_of_file.%_doubt, doubt_of_server.%_doubt)"
        joined = (
            "LEFT JOIN doubt_of_server ON doubt_of_server.file = reading.file "
            f"AND doubt_of_server.server = {entities.server_of('reading.server_id')}"
        )
    doubt = f"{held} AS %_doubt" if joined else held
    # Few rows have evidence, and the database knows where: the others are only looked at where there is a reason to.
    asked = ["evidence IS NOT NULL"]
    if holds(db, "not_a_name"):
        asked.append("server_id IN (SELECT server_id FROM not_a_name)")
    if holds(db, "doubt"):
        asked.append(for_each_metric(f"({held} IS NOT NULL AND % IS NOT NULL)", " OR "))
    unknown = f"unknown metric: known are {', '.join(metrics.names())}; map others under `columns` in the settings"
    db.execute(f"""
CREATE TABLE suspect AS
WITH with_doubt AS (
    SELECT reading.rowid AS row, reading.*, {for_each_metric(doubt)}
    FROM reading LEFT JOIN doubt_of_file USING (file) {joined}
    WHERE {" OR ".join(asked)}
), parsed AS (
    SELECT row, file, server_id, sampled_at, {for_each_metric("% AS %_number, %_doubt")},
        CASE WHEN file IN (FROM owner_file) THEN {entities.server_of()} ELSE server_id END AS server_name,
        server_id IN (FROM not_a_name) AS not_named,
        {", ".join(f"evidence[{place}] AS {name}" for place, name in enumerate(OF_ROW, start=1))},
        {_texts_of_evidence()}
    FROM with_doubt
), named AS (
    SELECT *, CASE WHEN not_named THEN is_total(server_name) END AS of_total,
        CASE WHEN not_named THEN server_problem(server_name) END AS name_problem
    FROM parsed
), checked AS (
    SELECT * REPLACE ({for_each_metric("CASE WHEN %_doubt IS NULL THEN %_number END AS %_number")}),
        {for_each_metric("doubt(%_text, %_number, %_doubt, #most, #unit) AS %_problem")},
        CASE
            WHEN structure_problem IS NOT NULL THEN problem('', at_text, structure_problem)
            WHEN of_total THEN problem('server_id', server_name, name_problem)
            WHEN sampled_at IS NULL AND is_total(at_text)
                THEN problem('timestamp', at_text, 'a total or an average, and not a sample')
            WHEN sampled_at IS NULL THEN problem('timestamp', at_text, time_problem)
            WHEN unknown_metric IS NOT NULL
                THEN problem('metric', unknown_metric, coalesce(unclear_name.reason, {quoted(unknown)}))
            WHEN name_problem IS NOT NULL THEN problem('server_id', server_name, name_problem)
        END AS row_problem
    FROM named LEFT JOIN unclear_name ON name = unknown_metric
), judged AS (
    SELECT *,
        {for_each_metric("CASE WHEN %_number BETWEEN 0 AND #most THEN least(%_number, #usual) END AS %")},
        not_null([
            {for_each_metric("CASE WHEN %_problem IS NOT NULL THEN problem('%', %_text, %_problem) END")}
        ]) AS value_problems
    FROM checked
)
SELECT row, file, server_id, sampled_at, {for_each_metric("%")},
    len(not_null([{for_each_metric("%")}])) AS good,
    row_problem IS NULL AND (good > 0 OR len(value_problems) = 0) AS usable,
    CASE WHEN structure_problem IS NULL
        THEN len(not_null([{for_each(texts, "%")}, unknown_metric])) ELSE 0 END AS cells,
    CASE WHEN structure_problem IS NULL
        THEN cells - good - len(value_problems) - len(not_null([unknown_metric])) ELSE 0 END AS empty,
    CASE WHEN usable THEN good ELSE 0 END AS used,
    cells - empty - used AS unusable,
    CASE WHEN usable THEN {for_each(percent, "(%_number > % IS TRUE)::INTEGER", " + ")} ELSE 0 END AS clipped,
    CASE WHEN row_problem IS NULL THEN value_problems ELSE [row_problem] END AS problems
FROM judged ORDER BY row""")


def _texts_of_evidence() -> str:
    return ", ".join(
        f"CASE WHEN evidence IS NULL THEN {name}::VARCHAR ELSE evidence[{place}] END AS {name}_text"
        for place, name in enumerate(metrics.columns(), start=len(OF_ROW) + 1)
    )
