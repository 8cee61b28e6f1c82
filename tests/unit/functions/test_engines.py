"""Preprocess and AssessRisk run on Spark where somebody asks for it, and where files or panel are large."""

from __future__ import annotations

import pytest

import engines
import images


@pytest.mark.parametrize(
    ("asked", "stack", "panel_gb", "from_gb", "engine"),
    [
        (None, "auto", 49.9, 50, "machine"),
        (None, "auto", 50, 50, "spark"),
        (None, "auto", 10_000, 0, "machine"),
        (None, "spark", 0, 0, "spark"),
        (None, "machine", 10_000, 50, "machine"),
        ("spark", "machine", 0, 50, "spark"),
        ("machine", "spark", 10_000, 50, "machine"),
    ],
)
def test_the_runs_choice_counts_before_the_stacks_and_the_stacks_before_the_size(
    asked, stack, panel_gb, from_gb, engine
):
    assert engines.choose(asked, stack, panel_gb, from_gb).engine == engine


def test_the_choice_says_why():
    choice = engines.choose(None, "auto", 61.2, 50)
    assert engines.told(choice, "ml.r5.4xlarge", 4) == (
        "Spark on 4 × ml.r5.4xlarge (the panel has about 61 GB, and Spark is used from 50 GB on)"
    )
    files = engines.choose(None, "auto", 61.2, 50, job="preprocess")
    assert files.why == "the new files have about 61 GB, and Spark is used from 50 GB on"
    alone = engines.choose("machine", "auto", 61.2, 50)
    assert engines.told(alone, "ml.m5.xlarge", 1) == "one machine, ml.m5.xlarge (asked for)"


def test_isolated_containers_are_assessed_on_one_machine_however_large_the_panel_is():
    choice = engines.choose(None, "auto", 61.2, 50, isolated=True)
    assert (choice.engine, "NetworkIsolation" in choice.why) == ("machine", True)
    for asked, stack in (("spark", "auto"), (None, "spark")):
        with pytest.raises(engines.NotPossible, match="NetworkIsolation"):
            engines.choose(asked, stack, 61.2, 50, isolated=True)


def test_spark_has_an_image_in_aws_regions_and_elsewhere_it_is_said_what_to_do():
    assert engines.image("cn-north-1", "").startswith(
        "671472414489.dkr.ecr.cn-north-1.amazonaws.com.cn/sagemaker-spark"
    )
    assert engines.image("mars-north-1", "own/spark:1") == "own/spark:1"
    with pytest.raises(engines.NotPossible, match=r"SparkImageUri.*overrides\.engine"):
        engines.image("mars-north-1", "")
    assert all(len(account) == 12 and account.isdigit() for account in images.SPARK_ACCOUNTS.values())
    assert set(images.SPARK_ACCOUNTS) < set(images.ACCOUNTS)
