"""What of the run before is needed, and what is left for the next."""

import json
from datetime import datetime

import duckdb
import pytest

from headroom.core.settings import Settings
from headroom.intake.servers import attributes, panel_folder

DAYS = [datetime(2024, 2, day) for day in (11, 12, 13)]


@pytest.fixture
def history(tmp_path):
    """A panel folder of two servers, with samples of three days."""
    samples = tmp_path / "before" / "samples" / "samples"
    samples.mkdir(parents=True)
    with duckdb.connect() as db:
        sample = "'a' AS server_id, TIMESTAMP '2024-02-11' AS sampled_at, 5.0 AS cpu, 1.0 AS gone"
        db.execute(f"CREATE TABLE sample AS SELECT {sample}")
        for day in DAYS:
            panel_folder.copy(db, "FROM sample", samples / panel_folder.file_of(day))
        panel_folder.copy(db, """
            SELECT 'a' AS server_id, 'region' AS attribute, 'eu' AS value, NULL::TIMESTAMP AS sampled_at
            """, samples.parent / "attributes.parquet")  # fmt: skip
        panel_folder.copy(db, """
            SELECT unnest(['a', 'b', 'c']) AS server_id, unnest(['cpu', 'cpu', 'forgotten']) AS metric,
                TIMESTAMP '2024-02-11' AS ds, 5.0 AS y, 5.0 AS mean, 6.0 AS max, 9 AS samples, 5.5 AS p95, 5.9 AS p99
            """, tmp_path / "before" / "panel.parquet")  # fmt: skip
    kept = {"since": "2024-02-11T00:00:00", "days": {f"{day:%Y-%m-%d}": 1 for day in DAYS}}
    (samples.parent / "kept.json").write_text(json.dumps(kept))
    return tmp_path / "before"


@pytest.fixture
def db():
    with duckdb.connect() as db:
        db.execute(attributes.TABLES)
        db.execute("""
            CREATE TABLE kept (server_id VARCHAR, sampled_at TIMESTAMP, cpu DOUBLE, memory DOUBLE);
            CREATE TABLE stored (server_id VARCHAR, metric VARCHAR, ds TIMESTAMP,
                mean DOUBLE, max DOUBLE, samples INTEGER, p95 DOUBLE, p99 DOUBLE)""")
        yield db


def test_a_first_run_has_nothing_before_it(db, tmp_path):
    for folder in (None, tmp_path):
        assert panel_folder.look_back(db, folder, Settings(), None, []) == panel_folder.Before()


def test_only_days_with_new_samples_are_read_again(db, history):
    before = panel_folder.look_back(db, history, Settings(), Settings(), {DAYS[1]})
    assert set(before.untouched) == {DAYS[0], DAYS[2]} and [path.name for path in before.kept] == ["20240212.parquet"]
    assert before.closed_before == DAYS[0] and before.rows_dropped == 0
    assert db.execute("SELECT server_id, attribute, value FROM attribute").fetchall() == [("a", "region", "eu")]


def test_with_another_frequency_all_samples_are_read_and_older_rows_dropped(db, history):
    hourly = Settings(frequency="h")
    before = panel_folder.look_back(db, history, hourly, Settings(), set())
    assert len(before.kept) == 3 and before.panel is None and not before.untouched
    assert before.rows_dropped == 0, "no row of the panel is older than the samples kept"


def test_samples_of_metrics_that_the_settings_no_longer_have_are_left(db, history):
    panel_folder.read_kept(db, sorted((history / "samples" / "samples").glob("*.parquet"))[:1])
    [row] = db.execute("SELECT server_id, cpu, memory FROM kept").fetchall()
    assert row == ("a", 5.0, None)


def test_of_the_panel_before_a_block_of_servers_can_be_read(db, history):
    panel_folder.read_stored(db, history / "panel.parquet", "b", None)
    assert db.execute("SELECT server_id, metric, p95 FROM stored").fetchall() == [("b", "cpu", 5.5)]
    panel_folder.read_stored(db, history / "panel.parquet", None, "b")
    assert [name for (name,) in db.execute("SELECT server_id FROM stored ORDER BY ALL").fetchall()] == ["a", "b"]


def test_days_that_no_new_sample_touches_are_kept_as_they_are_unless_they_are_too_old(db, history, tmp_path):
    before = panel_folder.look_back(db, history, Settings(), Settings(), {DAYS[1]})
    target = tmp_path / "new"
    target.mkdir()
    assert panel_folder.keep_untouched(before, DAYS[1], target) == {DAYS[2]: 1}
    assert [path.name for path in target.iterdir()] == ["20240213.parquet"]
    same = history / "samples" / "samples" / "20240213.parquet"
    assert (target / "20240213.parquet").read_bytes() == same.read_bytes()
