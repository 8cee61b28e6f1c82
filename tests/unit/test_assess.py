"""The job: what it takes, what it leaves, and what it says of what it cannot use."""

from __future__ import annotations

import json
import tarfile

import numpy as np
import pytest
from whole_fleet import WRITTEN, panel_of

from headroom import assess, train
from headroom.core import job
from headroom.core import panel as panels
from headroom.core.panel import Panel
from headroom.core.settings import Settings
from local import fleet

pytestmark = pytest.mark.slow


def test_a_panel_without_values_is_an_error_that_says_where_to_look(tmp_path):
    with pytest.raises(job.InputError, match="run preprocess first"):
        panels.in_folder(tmp_path)
    panel_of({("a", "cpu"): [np.nan, np.nan]}).to_parquet(tmp_path / "panel.parquet")
    with pytest.raises(job.InputError, match=r"data_quality\.json"):
        panels.in_folder(tmp_path)


def test_the_job_takes_what_preprocess_and_train_leave_and_says_what_it_found(tmp_path, capsys, monkeypatch):
    made = fleet.generate(servers=3, days=60, sampling="1D", horizon=7, seed=4, metrics=("cpu",))
    chosen = Settings(horizon=7)
    panel, model, results = tmp_path / "panel", tmp_path / "model", tmp_path / "assessment"
    panel.mkdir()
    made.panel().to_parquet(panel / "panel.parquet")
    made.servers.to_parquet(panel / "servers.parquet")
    (panel / "settings.json").write_text(chosen.model_dump_json())
    train.train(Panel.of(made.panel()), made.servers, chosen, tmp_path / "files")
    model.mkdir()
    with tarfile.open(model / "model.tar.gz", "w:gz") as opened:
        for path in (tmp_path / "files").iterdir():
            opened.add(path, path.name)
    arguments = ["assess", "--panel", panel, "--model", model, "--assessment", results, "--previous", tmp_path / "none"]
    monkeypatch.setattr("sys.argv", [str(one) for one in arguments])
    with pytest.raises(SystemExit) as ended:
        assess.main()
    assert ended.value.code == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["servers"] == 3
    summary = json.loads((results / "risk_summary.json").read_text())
    assert summary["horizon"] == 7 and summary["forecast"] and summary["drift"]["exceeded"] is False
    assert {path.name for path in results.iterdir() if path.is_file()} == WRITTEN


def test_a_model_of_another_frequency_is_an_error_and_of_another_horizon_is_followed():
    with pytest.raises(job.InputError, match="train again"):
        assess.fitting(Settings(), Settings(frequency="h"))
    assert assess.fitting(Settings(), Settings(horizon=30)).horizon == 30
