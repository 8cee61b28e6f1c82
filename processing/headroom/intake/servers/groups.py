"""Groups: series of several servers as one, made of their samples, and never of their quantiles.

A group's sample stands for some minutes: of each member the mean of its samples in them, and of the members the mean
(percent) or the sum (rates). So a group goes on while its members come and go.
"""

# ruff: noqa: S608 - SQL is put together of names and quoted literals; see `quoted`.

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import duckdb

from headroom.core import metrics
from headroom.core.settings import Group, Settings
from headroom.intake.entities import server_of
from headroom.intake.sql import quoted

# Where members have samples in less of the minutes than this, a sum over them would lack some of them.
_LEAST_COVERED = 0.5

TABLES = """
CREATE TABLE member (server_id VARCHAR, group_name VARCHAR, minutes INTEGER, hidden BOOLEAN);
CREATE TABLE group_problem (group_name VARCHAR, reason VARCHAR);
"""


def find_members(db: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Fill the table ``member`` from the names and attributes of all servers that are known."""
    server = f"{server_of()} AS server_id"
    known = f"SELECT DISTINCT {server} FROM name_in_file UNION SELECT DISTINCT {server} FROM stored"
    for group in settings.groups:
        if group.match is not None:
            own = f"regexp_extract(server_id, {quoted(_pattern(group.match))}, 1)"
            fits = f"regexp_full_match(server_id, {quoted(_pattern(group.match))})"
            servers = f"SELECT server_id, {own} AS part FROM ({known}) WHERE {fits}"
        else:
            servers = f"SELECT server_id, value AS part FROM attribute WHERE attribute = {quoted(str(group.attribute))}"
        name = f"replace({quoted(group.name)}, '{{group}}', part)"
        hidden = group.members == "hide"
        db.execute(f"""
            INSERT INTO member
            SELECT server_id, {name} AS group_name, {group.minutes}, {hidden} FROM ({servers})
            WHERE group_name <> '' AND server_id <> ''""")
    db.execute("""
        INSERT INTO group_problem
        SELECT DISTINCT group_name, 'a server has the same name: give the group another one (name)'
        FROM member WHERE group_name IN (SELECT server_id FROM name_in_file);
        DELETE FROM member WHERE group_name IN (SELECT group_name FROM group_problem);
        DELETE FROM member WHERE server_id IN (SELECT group_name FROM member);
        DELETE FROM member USING member AS other
        WHERE member.rowid > other.rowid AND member.server_id = other.server_id
            AND member.group_name = other.group_name""")


def _pattern(match: str) -> str:
    """A pattern of the settings as a regular expression, whose first group is the group's own name."""
    parts = re.split(r"(\{group\}|\*|\?)", match)
    as_regex = {"{group}": "(.+)", "*": ".*", "?": "."}
    found = "".join(as_regex.get(part, re.escape(part)) for part in parts)
    return found if "{group}" in match else f"({found})"


def series_of(db: duckdb.DuckDBPyConnection, samples: str) -> str:
    """The samples that periods are made of: those of a relation, without hidden members and with the groups'."""
    if db.execute("SELECT 1 FROM member LIMIT 1").fetchone() is None:
        return samples
    _refuse_sparse(db, samples)
    names = metrics.columns()
    of_member = ", ".join(f"{_exact(name)} / count({name}) AS {name}" for name in names)
    of_group = ", ".join(f"{_of_group(name)} AS {name}" for name in names)
    return f"""(
        SELECT server_id, sampled_at, {", ".join(names)} FROM {samples}
        WHERE {server_of()} NOT IN (SELECT server_id FROM member WHERE hidden)
        UNION ALL BY NAME
        SELECT group_name AS server_id, bucket AS sampled_at, {of_group} FROM (
            SELECT group_name, server_id, {_BUCKET} AS bucket, {of_member}
            FROM {samples} JOIN member USING (server_id)
            WHERE group_name NOT IN (SELECT group_name FROM group_problem) GROUP BY ALL
        ) GROUP BY ALL)"""


def _exact(name: str) -> str:
    """The SQL of a sum that does not depend on the order of rows."""
    decimal = "DECIMAL(18, 9)" if metrics.of_column(name).built_in else "DECIMAL(38, 9)"
    return f"sum({name}::{decimal})::DOUBLE"


def _of_group(name: str) -> str:
    """The SQL of a group's value: the mean of percentages, the sum of the rest; of what each member has a capacity of
    its own for there is none, as nobody has said the group's."""
    metric = metrics.of_column(name)
    if metric.percent and name == metric.name:
        return f"{_exact(name)} / count({name})"
    return "NULL::DOUBLE" if metric.has_capacity else _exact(name)


_BUCKET = "time_bucket(to_minutes(minutes), sampled_at)"


def _refuse_sparse(db: duckdb.DuckDBPyConnection, samples: str) -> None:
    """Note the groups whose members' samples are further apart than the group's own."""
    db.execute(f"""
        INSERT INTO group_problem
        SELECT group_name, 'its members have samples less often than every ' || any_value(minutes)
            || ' minutes: set its minutes to how far they are apart'
        FROM (
            SELECT group_name, server_id, minutes, count(DISTINCT bucket) AS filled,
                date_diff('minute', min(bucket), max(bucket)) / minutes + 1 AS span
            FROM (SELECT member.*, {_BUCKET} AS bucket FROM {samples} JOIN member USING (server_id))
            GROUP BY group_name, server_id, minutes
        ) WHERE group_name NOT IN (SELECT group_name FROM group_problem)
        GROUP BY group_name HAVING sum(filled) < {_LEAST_COVERED} * sum(span)""")


def report(db: duckdb.DuckDBPyConnection, groups: Sequence[Group]) -> list[dict[str, Any]]:
    """The groups formed, by name: how many ``members`` each has, and the ``problem`` of those that were not."""
    if not groups:
        return []
    found = db.execute("""
        SELECT group_name, members, reason FROM
            (SELECT group_name, count(DISTINCT server_id) AS members FROM member GROUP BY group_name)
            FULL JOIN (SELECT group_name, min(reason) AS reason FROM group_problem GROUP BY group_name)
                USING (group_name) ORDER BY group_name""").fetchall()
    return [{"name": name, "members": members or 0, "problem": problem} for name, members, problem in found]


def notes(found: Sequence[dict[str, Any]], groups: Sequence[Group]) -> list[str]:
    """What people should know of them, a sentence each."""
    told = [f"The group {one['name']} was not formed: {one['problem']}." for one in found if one["problem"]]
    if groups and not found:
        told.append("The settings' groups have no members: no server's name or attribute fits.")
    return told
