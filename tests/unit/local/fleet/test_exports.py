"""One fleet in five formats, which become one dataset."""

import json

import numpy as np
import pandas as pd
import pytest

from headroom.preprocess import preprocess
from local import fleet
from local.fleet import exports

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A fleet of each tool twice, its files' folder, and what preprocessing makes of them."""
    folder = tmp_path_factory.mktemp("five")
    generated = fleet.generate(servers=10, days=9, sampling="1h", metrics=tuple(fleet.METRICS))
    exports.write(generated, folder)
    preprocess(folder / "incoming", None, folder / "settings.yaml", None, folder / "panel")
    return generated, folder


def test_each_tools_part_is_read_as_its_format_with_nothing_left_over(made):
    _, folder = made
    quality = json.loads((folder / "panel/data_quality.json").read_text())
    assert {file["file"]: file["export"] for file in quality["files"]} == {
        "fleet.csv": "CSV", "metric-stream.json.gz": "CloudWatch Metric Streams (JSON)",
        "prometheus-range.json": "Prometheus (JSON)", "datadog-query.json": "Datadog query API (JSON)",
        "zabbix-history.csv": "Zabbix history and trends (CSV)",
    }  # fmt: skip
    assert quality["rows"]["quarantined"] == quality["values"]["quarantined"] == 0


def test_the_panel_has_every_servers_own_values(made):
    generated, folder = made
    panel = pd.read_parquet(folder / "panel/panel.parquet")
    key = ["server_id", "metric", "ds"]
    both = panel.merge(generated.panel(), on=key, suffixes=("", "_true"))
    assert len(both) == len(panel) and panel["server_id"].nunique() == 10
    assert (panel.query("metric in ('cpu', 'memory', 'disk')").groupby("metric")["server_id"].nunique() == 10).all()
    for column in ("y", "mean", "max"):
        np.testing.assert_allclose(both[column], both[f"{column}_true"], rtol=1e-6, atol=1e-6)


def test_the_same_fleet_gives_the_same_files(made, tmp_path):
    generated, folder = made
    exports.write(generated, tmp_path)
    for path in (folder / "incoming").iterdir():
        assert (tmp_path / "incoming" / path.name).read_bytes() == path.read_bytes()
