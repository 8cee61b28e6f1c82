"""The panel of more samples than fit into memory at once."""

import exports
import pandas as pd
import pytest

from headroom.intake.servers import slices
from headroom.preprocess import preprocess


def test_the_panel_is_the_same_however_much_fits_into_memory(tmp_path, monkeypatch):
    (tmp_path / "raw").mkdir()
    times = pd.date_range("2024-01-01", periods=200, freq="h")
    for name, level in (("1.csv", 10.1), ("2.csv", 20.2)):  # the second file corrects the first
        rows = "".join(f"{at.isoformat()},a,{level + at.hour}\n" for at in times)
        (tmp_path / "raw" / name).write_text("timestamp,server_id,cpu\n" + rows)
    preprocess(tmp_path / "raw", None, None, None, tmp_path / "whole")
    monkeypatch.setattr(slices, "_SLICE_ROWS", 50)
    preprocess(tmp_path / "raw", None, None, None, tmp_path / "sliced")
    samples = [pd.read_parquet(tmp_path / name / "samples/samples") for name in ("whole", "sliced")]
    assert samples[0].equals(samples[1]) and len(samples[0]) == 200
    for name in ("panel.parquet", "data_quality.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "sliced" / name).read_bytes()
    assert pd.read_parquet(tmp_path / "sliced" / "panel.parquet")["max"].max() == 20.2 + 23


@pytest.mark.parametrize("cell", ["", "n/a", "2,000,0"])
def test_where_cells_cannot_be_read_samples_are_kept_in_one_order(tmp_path, cell):
    """DuckDB would give the rows in another order each time, and equal input is to make equal files."""
    rows = [
        f'2024-02-13 {hour:02}:00,{server},"{cell if hour == 9 else hour}",20' for server in "ba" for hour in range(24)
    ]
    exports.read(tmp_path, {"a.csv": "\n".join(["time,host,cpu,memory", *rows])})
    kept = pd.read_parquet(tmp_path / "panel" / "samples" / "samples")
    assert len(kept) >= 46 and kept.equals(kept.sort_values(["sampled_at", "server_id"], ignore_index=True))
