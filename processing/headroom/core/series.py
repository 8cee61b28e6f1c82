"""Whose a series is: a server's, or that of one of its entities (a disk, a mount, a network card).

Inside the jobs an owner is one text, the server's name or both names with ``MARK`` between them, so that a series has
two keys, owner and metric, whether or not its server has entities. Files and people see the two names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

# The unit separator: a control character, which no name of a server may hold.
MARK = "\x1f"


def owner(server: str, entity: str) -> str:
    """The owner of a server's own series (without an entity) or of an entity's."""
    return f"{server}{MARK}{entity}" if entity else server


def parts_of(owner: str) -> tuple[str, str]:
    """Server and entity of an owner; the entity is "" where the series is the server's own."""
    server, _, entity = owner.partition(MARK)
    return server, entity


def named(owner: str) -> str:
    """An owner as people call it: "web-1", or "/var on web-1"."""
    server, entity = parts_of(owner)
    return f"{entity} on {server}" if entity else server


def joined(table: pd.DataFrame) -> pd.DataFrame:
    """A table of a file (``server_id`` and perhaps ``entity``) with the owners as ``server_id``."""
    if "entity" not in table:
        return table
    entity = table["entity"].fillna("").astype(str)
    owners = table["server_id"].where(entity == "", table["server_id"].astype(str) + MARK + entity)
    return table.assign(server_id=owners).drop(columns="entity")


def split(table: pd.DataFrame) -> pd.DataFrame:
    """A table with owners as ``server_id``, as files have it: server and ``entity``, "" where there is none."""
    parts = table["server_id"].astype(str).str.partition(MARK) if len(table) else None
    server, entity = (table["server_id"], "") if parts is None else (parts[0], parts[2])
    position = list(table.columns).index("server_id") + 1
    table = table.assign(server_id=server)
    table.insert(position, "entity", entity)
    return table


def have_entities(owners: pd.Series) -> bool:
    """Whether some of the owners are entities."""
    return any(MARK in str(owner) for owner in owners.unique())


def servers(owners: pd.Series) -> pd.Series:
    """The server of each owner."""
    return owners.astype(object).map(lambda name: parts_of(name)[0]) if have_entities(owners) else owners
