"""A small fleet that is assessed in blocks."""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from headroom import assess, train
from headroom.core.panel import Panel
from headroom.core.settings import Settings
from local import fleet

CHOSEN = Settings(horizon=14)
# Values of a block that holds a few of the servers.
FEW = 2 * 120 * 7


def write(root: Path) -> Path:
    """A panel of 24 servers of which one fell silent and one has a metric of its own, and a model."""
    made = fleet.generate(servers=24, days=120, sampling="1D", horizon=14, seed=6, metrics=("cpu", "memory"))
    table, names = made.panel(), sorted(made.servers["server_id"])
    table = table[(table["server_id"] != names[3]) | (table["ds"] < table["ds"].max() - pd.Timedelta(days=40))]
    table.loc[table["server_id"] == names[20], "metric"] = "disk"
    table = table.drop_duplicates(["server_id", "metric", "ds"])
    table.to_parquet(root / "panel.parquet", row_group_size=500)
    made.servers.to_parquet(root / "servers.parquet")
    (root / "settings.json").write_text(CHOSEN.model_dump_json())
    train.train(Panel.of(table), made.servers, CHOSEN, root / "model")
    return root


def assessed(folder: Path, results: Path, engine: str = "machine") -> Path:
    """The assessment job on that folder."""
    assess.work(argparse.Namespace(panel=folder, settings=None, manifest=None, model=folder / "model", previous=None,
                                   assessment=results, accepted=None, engine=engine, challenger=None,
                                   challenged="off"))  # fmt: skip
    return results


def files(folder: Path) -> dict[str, bytes]:
    """Every file's bytes by its name below the folder."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}
