"""The panel of more samples than fit into memory at once."""

from datetime import datetime, timedelta

import pandas as pd
import pytest

from headroom.intake import merge
from headroom.preprocess import preprocess

DAY = timedelta(days=1)
MONDAY = datetime(2024, 1, 1)


@pytest.mark.parametrize(
    "rows, slices",
    [
        ([], []),
        ([5], [(0, 1)]),
        ([5, 5, 5], [(0, 2), (2, 3)]),
        ([50, 1, 1], [(0, 1), (1, 3)]),
    ],
)
def test_days_are_put_together_until_a_slice_is_full(monkeypatch, rows, slices):
    monkeypatch.setattr(merge, "_SLICE_ROWS", 10)
    days = [(MONDAY + number * DAY, count) for number, count in enumerate(rows)]
    assert merge.slices_of(days) == [(MONDAY + begin * DAY, MONDAY + end * DAY) for begin, end in slices]


def test_more_metrics_make_smaller_slices(monkeypatch):
    monkeypatch.setattr(merge, "_SLICE_ROWS", 10)
    monkeypatch.setattr(merge.table, "columns", lambda: tuple("abcdefghij"))
    days = [(MONDAY + number * DAY, 5) for number in range(2)]
    assert len(merge.slices_of(days)) == 2 and merge._slice_rows() == 5


def test_the_panel_is_the_same_however_much_fits_into_memory(tmp_path, monkeypatch):
    (tmp_path / "raw").mkdir()
    times = pd.date_range("2024-01-01", periods=200, freq="h")
    for name, level in (("1.csv", 10.1), ("2.csv", 20.2)):  # the second file corrects the first
        rows = "".join(f"{at.isoformat()},a,{level + at.hour}\n" for at in times)
        (tmp_path / "raw" / name).write_text("timestamp,server_id,cpu\n" + rows)
    preprocess(tmp_path / "raw", None, None, None, tmp_path / "whole")
    monkeypatch.setattr(merge, "_SLICE_ROWS", 50)
    preprocess(tmp_path / "raw", None, None, None, tmp_path / "sliced")
    samples = [pd.read_parquet(tmp_path / name / "samples/samples") for name in ("whole", "sliced")]
    assert samples[0].equals(samples[1]) and len(samples[0]) == 200
    for name in ("panel.parquet", "data_quality.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "sliced" / name).read_bytes()
    assert pd.read_parquet(tmp_path / "sliced" / "panel.parquet")["max"].max() == 20.2 + 23
