"""Real monitoring data on the laptop cloud."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from integration.service import Service

REAL = Path(__file__).parents[3] / "shared" / "data"


@pytest.mark.skipif(not REAL.exists(), reason="the real monitoring data is not beside this repository")
def test_weekly_files_of_real_monitoring_give_the_same_panel_one_by_one_as_all_at_once(service: Service) -> None:
    """Two weeks, in days; tests/unit/test_preprocess.py does the same to all weeks in hours, in any order."""
    weeks = sorted((REAL / "bitbrains").glob("*.csv.gz"))[:2]
    s3, bucket = service.cloud.client("s3"), service.stack.outputs["IngestBucketName"]
    for dataset in ("weekly", "whole"):  # without the trainings that drift asks for: they would change no panel
        s3.put_object(Bucket=bucket, Key=f"config/{dataset}.yaml", Body=b"horizon: 7\ndrift_threshold: 100\n")
    for week in weeks:
        service.drop("whole", week.name, week.read_bytes())
    for week in weeks:
        service.drop_and_wait("weekly", {week.name: week.read_bytes()})
    panels = {}
    for dataset in ("weekly", "whole"):
        last = service.outcome(service.wait(dataset)[-1])
        panels[dataset] = service.panel(dataset, last["run_id"])
    assert panels["whole"]["server_id"].nunique() == 47
    pd.testing.assert_frame_equal(panels["weekly"], panels["whole"])
