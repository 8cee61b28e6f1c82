"""The laptop's smspark-submit takes and refuses what AWS's does."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.emulator.jobs import Job, _environment
from local.emulator.smspark import Refused, configured, is_spark_image, spark_submit


def test_options_that_aws_takes_reach_spark_submit_and_the_programs_own_flags_stay_its_own() -> None:
    program = ["/code/submit.py", "assess", "--engine", "spark"]
    given = ["-v", "--files", "/a", "--spark-event-logs-s3-uri", "s3://b/c", *program]
    assert spark_submit(given) == ["--verbose", "--files", "/a", *program]


@pytest.mark.parametrize("option", ["--conf", "--archives", "--master", "--driver-memory"])
def test_options_that_aws_refuses_are_refused(option: str) -> None:
    with pytest.raises(Refused, match=f"No such option: {option}"):
        spark_submit([option, "x", "/code/submit.py"])


def test_a_configuration_reaches_spark_as_the_image_has_it(tmp_path: Path) -> None:
    given = '[{"Classification": "spark-defaults", "Properties": {"spark.driver.memory": "8g"}},'
    (tmp_path / "configuration.json").write_text(given + '{"Classification": "yarn-site", "Properties": {"a": "b"}}]')
    assert configured(tmp_path) == ["--conf", "spark.driver.memory=8g"]
    assert configured(tmp_path / "none") == []


def test_without_a_program_there_is_nothing_to_submit() -> None:
    with pytest.raises(Refused, match="missing parameter: app"):
        spark_submit(["-v"])


SPARK = "173754725891.dkr.ecr.us-east-1.amazonaws.com/sagemaker-spark-processing:3.5-cpu-py312-v1.3"


def test_only_the_spark_image_has_smspark_submit(tmp_path: Path) -> None:
    def path(image: str) -> str:
        description = {"ProcessingJobName": "j", "AppSpecification": {"ImageUri": image}}
        keys = {"aws_access_key_id": "A", "aws_secret_access_key": "B", "aws_session_token": "C"}
        return _environment(Job("Processing", description, keys, "us-east-1", "http://127.0.0.1:1", tmp_path))["PATH"]

    assert is_spark_image(SPARK)
    assert str(tmp_path / "bin") in path(SPARK)
    assert str(tmp_path / "bin") not in path("1.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3")
