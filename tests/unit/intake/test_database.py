"""The database that files are read into stays within its share of memory, and leaves nothing behind."""

import re

import duckdb
import pytest

from headroom.core import metrics
from headroom.core.settings import parse
from headroom.intake import database
from headroom.intake.sql import one_row


def limit(db):
    number, unit = re.fullmatch(
        r"([\d.]+) (MiB|GiB)", one_row(db, "SELECT current_setting('memory_limit')")[0]
    ).groups()
    return float(number) * (1024 if unit == "GiB" else 1)


def test_it_takes_its_usual_memory_until_a_day_needs_more(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "_available", lambda: 10 << 30)
    with database.open_in(tmp_path) as db:
        assert limit(db) == pytest.approx(1024, rel=0.01)
        database.make_room(db, True)
        assert limit(db) == pytest.approx(6 * 1024, rel=0.01)
        database.make_room(db, False)
        assert limit(db) == pytest.approx(1024, rel=0.01)


def test_on_a_small_machine_it_takes_less_than_usual(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "_available", lambda: 1 << 30)
    with database.open_in(tmp_path) as db:
        assert limit(db) == pytest.approx(0.6 * 1024, rel=0.01)


def test_a_part_of_the_work_has_a_folder_of_its_own_that_goes_with_it():
    with database.of_a_part(parse("metrics: {queue: {unit: messages}}"), cores=1) as (db, folder):
        db.execute("CREATE TABLE a AS FROM range(3)")
        assert folder.is_dir() and [one.name for one in metrics.own()] == ["queue"]
        assert one_row(db, "SELECT current_setting('threads')") == (1,)
    assert not folder.exists()
    with pytest.raises(duckdb.ConnectionException):
        db.execute("FROM a")
