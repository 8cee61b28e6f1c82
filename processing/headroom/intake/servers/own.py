"""What only samples one beside the other can say of a dataset's own metrics: rates of counters, and what is used of a
capacity of which the files say what is free."""

# ruff: noqa: S608 - SQL is put together of names and literals of our own.

from __future__ import annotations

from datetime import datetime

import duckdb

from headroom.core import metrics
from headroom.core.metrics import Metric
from headroom.intake.entities import server_of

# A counter's increase over a longer silence than this says little about any period.
_LONGEST_STEP = "INTERVAL 1 DAY"


def needs_days_around() -> bool:
    """Whether a day's values rest on samples of other days: the counter's before it, a capacity said earlier."""
    return any(one.counter or (one.free and one.capacity_column is not None) for one in metrics.own())


def measured(db: duckdb.DuckDBPyConnection, begin: datetime, end: datetime) -> str:
    """The relation with the samples of ``slice`` (some days) as they are measured; ``slice`` if all are already.

    Counters become rates per second (in the unit of the metric), free amounts of capacities that columns or attributes
    say become used ones; where no capacity is known, or more is free than that, there is no sample.
    """
    counters = [one for one in metrics.own() if one.counter]
    free = [one for one in metrics.own() if one.free and one.has_capacity and one.capacity is None]
    if not counters and not free:
        return "slice"
    for one in free:
        _capacity_of(db, one, end)
    rates = ", ".join(_rate(one.name) for one in counters)
    joins = " ".join(
        f"LEFT JOIN limit_of_{one.name} ON limit_of_{one.name}.owner = moment.server_id "
        f"AND moment.sampled_at >= limit_of_{one.name}.since AND moment.sampled_at < limit_of_{one.name}.until"
        for one in free
    )
    used = ", ".join(
        f"CASE WHEN limit_of_{one.name}.capacity >= {one.name} THEN limit_of_{one.name}.capacity - {one.name} END "
        f"AS {one.name}"
        for one in free
    )
    before = f"TIMESTAMP '{begin}' - {_LONGEST_STEP}"
    # A counter's first sample of these days grows from the one before, which another slice may hold.
    earlier = ""
    if counters:
        nothing = ", ".join(
            f"{name}" if name in {one.name for one in counters} else f"NULL::DOUBLE AS {name}"
            for name in metrics.columns()
        )
        newest = ", ".join(f"arg_max({one.name}, arrival) AS {one.name}" for one in counters)
        some = " OR ".join(f"{one.name} IS NOT NULL" for one in counters)
        earlier = f"""
            UNION ALL BY NAME
            SELECT server_id, sampled_at, {nothing} FROM (
                SELECT server_id, sampled_at, {newest} FROM incoming
                WHERE sampled_at >= {before} AND sampled_at < TIMESTAMP '{begin}' AND ({some})
                GROUP BY server_id, sampled_at)"""
    replaced = ", ".join(filter(None, [rates, used]))
    db.execute(f"""
        CREATE OR REPLACE TEMP VIEW measured AS
        SELECT * FROM (
            SELECT moment.* REPLACE ({replaced}) FROM (SELECT * FROM slice {earlier}) AS moment {joins}
        ) WHERE sampled_at >= TIMESTAMP '{begin}'""")
    return "measured"


def _rate(name: str) -> str:
    """A counter's increase per second since its sample before; after a start from zero, all that it counts."""
    step = f"(PARTITION BY moment.server_id, {name} IS NULL ORDER BY moment.sampled_at)"
    last, at = f"lag({name}) OVER {step}", f"lag(moment.sampled_at) OVER {step}"
    seconds = f"((epoch_us(moment.sampled_at) - epoch_us({at})) / 1e6)"
    return (
        f"CASE WHEN {name} IS NOT NULL AND moment.sampled_at - {at} <= {_LONGEST_STEP} "
        f"THEN CASE WHEN {name} >= {last} THEN {name} - {last} ELSE {name} END / {seconds} END AS {name}"
    )


def _capacity_of(db: duckdb.DuckDBPyConnection, metric: Metric, end: datetime) -> None:
    """The table ``limit_of_<metric>``: owner, since, until, capacity; from its first moment on also what was before."""
    table = f"limit_of_{metric.name}"
    if metric.capacity_attribute is not None:
        said = f"""
            SELECT owner, TIMESTAMP '1900-01-01' AS since, TIMESTAMP '9999-01-01' AS until, capacity FROM (
                SELECT server_id AS server, try_cast(value AS DOUBLE) AS capacity FROM attribute
                WHERE attribute = '{metric.capacity_attribute}' AND capacity > 0
            ) JOIN (SELECT DISTINCT server_id AS owner FROM slice) ON {server_of("owner")} = server"""
    else:
        name = metric.capacity_series
        said = f"""
            SELECT server_id AS owner, capacity,
                CASE WHEN lag(sampled_at) OVER series IS NULL THEN TIMESTAMP '1900-01-01' ELSE sampled_at END AS since,
                coalesce(lead(sampled_at) OVER series, TIMESTAMP '9999-01-01') AS until
            FROM (
                SELECT server_id, sampled_at, arg_max({name}, arrival) AS capacity FROM incoming
                WHERE {name} IS NOT NULL AND sampled_at < TIMESTAMP '{end}' GROUP BY server_id, sampled_at
                UNION ALL
                SELECT server_id, ds, mean FROM stored LEFT JOIN (
                    SELECT server_id, min(sampled_at) AS first FROM incoming WHERE {name} IS NOT NULL GROUP BY server_id
                ) USING (server_id) WHERE metric = '{name}' AND ds < coalesce(first, 'infinity')
            ) WINDOW series AS (PARTITION BY server_id ORDER BY sampled_at)"""
    db.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {said}")
