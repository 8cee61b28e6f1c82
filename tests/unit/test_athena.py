"""The documented queries, on files as the assessment writes them. DuckDB stands in for Athena, views for its tables."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd
import pytest
import whole_fleet
from pyarrow import parquet
from samtranslator.yaml_helper import yaml_parse
from scipy.special import ndtri

from headroom import results
from headroom.core.settings import Settings
from local import fleet

ROOT = Path(__file__).parents[2]
QUERIES = ROOT / "docs" / "athena"
RUNS = {"20261025T060000Z-4d5e6f": "2026-10-25", "20261101T060000Z-1a2b3c": "2026-11-01"}
SPREAD = {"q05": 0.05, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q95": 0.95}


NEWEST = list(RUNS)[1]


def of_run(root, run_id, table):
    return root / "runs" / "demo" / run_id / "assessment" / "tables" / table / f"{table}.parquet"


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Two runs of one fleet, a week apart, in folders as in the artifact bucket."""
    root = tmp_path_factory.mktemp("artifacts")
    made = fleet.generate(servers=60, days=120, sampling="1D", seed=3)
    whole = pd.concat([made.panel(), made.future().assign(mean=lambda rows: rows["y"])])
    settings = Settings(horizon=60)
    for run_id, end in RUNS.items():
        known = whole[whole["ds"] < end]
        coming = whole[(whole["ds"] >= end) & (whole["ds"] < pd.Timestamp(end) + pd.Timedelta(days=60))]
        forecasts = coming.assign(
            **{name: (coming["y"] + 2 * ndtri(share)).clip(0, 100) for name, share in SPREAD.items()}
        )
        found = whole_fleet.assessed(
            known, made.servers, forecasts, settings, run={"dataset": "demo", "run_id": run_id}
        )
        for name, table in ({"forecasts": found.forecasts} | results.queryable(found)).items():
            results.write_parquet(
                table, root / "runs" / "demo" / run_id / "assessment" / "tables" / name / f"{name}.parquet"
            )
    return root


# Columns that files have where a dataset has entities or metrics of its own; Athena finds them empty in others.
OPTIONAL = {
    "forecasts": {"entity": "string"},
    "risks": {"entity": "string", "unit": "string", "capacity": "double", "warning": "double", "critical": "double"},
    "servers": {"worst_entity": "string"},
    "seasonality": {"entity": "string"},
}


@pytest.fixture
def athena(tables):
    connection = duckdb.connect()
    for name in ("forecasts", "risks", "servers", "seasonality", "clusters", "recommendations"):
        empty = "".join(f"NULL AS {column}, " for column in OPTIONAL.get(name, {}))
        connection.execute(f"""
            CREATE VIEW {name} AS
            SELECT *, {empty}split_part(filename, '/', -5) AS run_id, split_part(filename, '/', -6) AS dataset
            FROM read_parquet('{tables}/runs/*/*/assessment/tables/{name}/*.parquet', filename = true)
        """)  # noqa: S608
    return connection


@pytest.mark.slow
def test_all_of_a_run_is_had_by_its_id_alone(athena, tables):
    for run_id in RUNS:
        rows = athena.execute(f"SELECT * FROM forecasts WHERE run_id = '{run_id}'").df()  # noqa: S608
        written = pd.read_parquet(of_run(tables, run_id, "forecasts"))
        pd.testing.assert_frame_equal(rows[written.columns], written, check_dtype=False)
        assert len(rows) and set(rows["dataset"]) == {"demo"}


def answer(athena, name):
    return athena.execute((QUERIES / f"{name}.sql").read_text()).df()


def test_there_are_five_queries():
    assert len(list(QUERIES.glob("*.sql"))) == 5


def test_servers_at_risk(athena):
    rows = answer(athena, "1_servers_at_risk")
    assert len(rows) and set(rows["level"]) <= {"critical", "high"}
    assert rows.loc[rows["level"] == "critical", "critical_date"].notna().all()


def test_breaches_by_week_are_the_dates_of_the_risk_table(athena):
    rows = answer(athena, "2_breaches_by_week")
    told = athena.execute("SELECT count(*) FROM risks WHERE level = 'critical' AND run_id = ?", [NEWEST]).fetchone()
    assert rows["servers"].sum() == told[0] > 0
    assert (rows["week"].dt.weekday == 0).all()


def test_savings_by_business_unit_add_up_to_the_total(athena):
    rows = answer(athena, "3_savings_by_business_unit")
    total = athena.execute("SELECT sum(monthly_saving) FROM recommendations WHERE run_id = ?", [NEWEST]).fetchone()
    assert rows["monthly_saving"].sum() == pytest.approx(total[0], abs=0.05) and total[0] > 0


def test_what_changed_between_two_runs(athena):
    rows = answer(athena, "4_what_changed")
    assert len(rows) and (rows["level_before"] != rows["level_now"]).all()


def test_forecast_errors_of_the_week_between_two_runs(athena):
    rows = answer(athena, "5_forecast_errors")
    assert rows["metric"].tolist() == ["cpu", "disk", "memory"]
    # Seven days of 60 servers, less what monitoring missed.
    assert rows["periods"].between(400, 420).all() and rows["mean_absolute_error"].max() < 0.01
    assert (rows["coverage_80"] == 1).all()


GLUE = {
    "string": "string", "large_string": "string", "double": "double", "int64": "bigint", "bool": "boolean",
    "timestamp[us]": "timestamp", "list<element: string>": "array<string>",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", ["forecasts", "risks", "servers", "seasonality", "clusters", "recommendations"])
def test_the_templates_tables_have_the_columns_of_the_files(tables, name):
    resources = yaml_parse((ROOT / "template.yaml").read_text())["Resources"].values()
    declared = {
        one["Properties"]["TableInput"]["Name"]: one["Properties"]["TableInput"]["StorageDescriptor"]["Columns"]
        for one in resources if one["Type"] == "AWS::Glue::Table"
    }  # fmt: skip
    if not declared:
        pytest.skip("template.yaml has no Glue tables")
    columns = {column["Name"]: column["Type"] for column in declared[name]}
    for run_id in RUNS:
        schema = parquet.read_schema(
            tables / "runs" / "demo" / run_id / "assessment" / "tables" / name / f"{name}.parquet"
        )
        assert columns == {field.name: GLUE[str(field.type)] for field in schema} | OPTIONAL.get(name, {})
