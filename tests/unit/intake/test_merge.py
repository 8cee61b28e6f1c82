"""The panel of more samples than fit into memory at once."""

import pandas as pd

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
