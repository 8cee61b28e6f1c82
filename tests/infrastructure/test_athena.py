"""What Athena makes of a query's partitions: it works out the folders to read from the table's properties alone."""

from __future__ import annotations

import itertools

import pytest
from infrastructure.stack import Stack

TABLES = ("forecasts", "risks", "servers", "seasonality", "clusters", "recommendations")
RUN = "20261101T060000Z-1a2b3c"


class ConstraintViolation(Exception):
    """Athena's CONSTRAINT_VIOLATION: an injected column has no equality in the WHERE clause."""


def folders(stack: Stack, table: str, **equal: str) -> list[str]:
    """The folders that ``SELECT * FROM table WHERE column = … AND …`` reads, by Athena's rules of projection."""
    (found,) = (
        one["TableInput"] for one in stack.of_type("AWS::Glue::Table").values() if one["TableInput"]["Name"] == table
    )
    properties, columns = found["Parameters"], [key["Name"] for key in found["PartitionKeys"]]
    assert properties["projection.enabled"] == "true"
    values = []
    for column in columns:
        kind = properties[f"projection.{column}.type"]
        if kind == "injected":
            assert f"projection.{column}.values" not in properties
            if column not in equal:
                raise ConstraintViolation(column)
            values.append([equal[column]])
        else:
            assert kind == "enum"
            listed = properties[f"projection.{column}.values"].split(",")  # white space would be part of a value
            values.append([value for value in listed if equal.get(column, value) == value])
    template = properties["storage.location.template"]
    return [
        template.replace("${!", "${").replace("${dataset}", dataset).replace("${run_id}", run)
        for dataset, run in itertools.product(*values)
    ]


def folder(dataset: str, table: str) -> str:
    return f"s3://headroom-artifactbucket/runs/{dataset}/{RUN}/assessment/tables/{table}/"


@pytest.mark.parametrize("table", TABLES)
def test_a_run_is_found_by_its_id_alone_where_the_stack_knows_its_datasets(table):
    stack = Stack(Datasets="demo, web-eu")
    assert folders(stack, table, run_id=RUN) == [folder("demo", table), folder("web-eu", table)]
    assert folders(stack, table, run_id=RUN, dataset="demo") == [folder("demo", table)]


@pytest.mark.parametrize("table", TABLES)
def test_a_dataset_that_is_not_listed_is_not_found(table):
    """As docs/athena.md warns: no error, no rows."""
    assert folders(Stack(Datasets="demo"), table, run_id=RUN, dataset="other") == []


@pytest.mark.parametrize("table", TABLES)
def test_any_dataset_can_be_asked_for_by_name_where_the_stack_lists_none(table):
    assert folders(Stack(), table, run_id=RUN, dataset="any") == [folder("any", table)]
    with pytest.raises(ConstraintViolation, match="dataset"):
        folders(Stack(), table, run_id=RUN)


@pytest.mark.parametrize("stack", [Stack(), Stack(Datasets="demo")], ids=["no datasets", "datasets"])
def test_no_query_reads_all_runs_by_mistake(stack):
    with pytest.raises(ConstraintViolation, match="run_id"):
        folders(stack, "forecasts", dataset="demo")
