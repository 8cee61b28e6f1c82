"""Real monitoring data on the laptop cloud."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from integration.service import Service

from headroom import preprocess

REAL = Path(__file__).parents[3] / "shared" / "data"


@pytest.mark.skipif(not REAL.exists(), reason="the real monitoring data is not beside this repository")
def test_weekly_files_of_real_monitoring_give_the_panel_of_all_at_once(service: Service, tmp_path: Path) -> None:
    """Two weeks, in days, a run each; tests/unit/test_preprocess.py does it to all weeks in hours, in any order."""
    weeks = sorted((REAL / "bitbrains").glob("*.csv.gz"))[:2]
    # Without the trainings that drift asks for: they change no panel.
    settings = b"horizon: 7\ndrift_threshold: 100\n"
    bucket = service.stack.outputs["IngestBucketName"]
    service.cloud.client("s3").put_object(Bucket=bucket, Key="config/weekly.yaml", Body=settings)
    for week in weeks:
        last = service.drop_and_wait("weekly", {week.name: week.read_bytes()})[-1]
    panel = service.panel("weekly", service.outcome(last)["run_id"])

    raw, whole = tmp_path / "raw", tmp_path / "whole"
    raw.mkdir()
    for week in weeks:
        shutil.copy(week, raw)
    (tmp_path / "settings.yaml").write_bytes(settings)
    preprocess.preprocess(raw, None, tmp_path / "settings.yaml", None, whole)
    assert panel["server_id"].nunique() == 47
    pd.testing.assert_frame_equal(panel, pd.read_parquet(whole / "panel.parquet"))
