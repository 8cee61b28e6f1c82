"""The small fleet with metrics of its own and entities."""

import pandas as pd

from headroom.core.settings import load
from local.fleet import own


def test_every_metric_of_the_settings_has_a_column_and_the_same_seed_gives_the_same_files(tmp_path):
    for name in ("one", "two"):
        own.write(tmp_path / name, days=5, servers=2)
    one, two = ((tmp_path / name / "incoming" / "databases.csv").read_text() for name in ("one", "two"))
    assert one == two
    headings = one.split("\n", 1)[0]
    for name, metric in load(tmp_path / "one" / "settings.yaml").own_metrics().items():
        assert any(word in headings for word in (name, *metric.names)), name


def test_the_counter_starts_anew_once_and_the_disks_are_three(tmp_path):
    own.write(tmp_path, days=6, servers=1)
    counted = pd.read_csv(tmp_path / "incoming" / "databases.csv")["http_requests_total"].diff()
    assert (counted < 0).sum() == 1
    assert pd.read_csv(tmp_path / "incoming" / "disks.csv")["mount"].nunique() == 3
