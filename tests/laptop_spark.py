"""Spark on two of this machine's cores, for tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from headroom.spark import _configuration, executor_environment
from local import spark

WHY_NOT = spark.missing()
with_spark = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))


@contextmanager
def started() -> Iterator[Any]:
    """A context; a task that is lost is tried three times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_HOME", str(spark.home()))
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setattr(sys, "path", [*spark.libraries(), *sys.path])
        from pyspark import SparkContext

        # Executors are to find the tests' functions too.
        code = os.pathsep.join([executor_environment()["PYTHONPATH"], *sys.path])
        chosen = _configuration().setMaster("local[2, 3]").set("spark.ui.enabled", "false")
        chosen.set("spark.driver.extraJavaOptions", spark.JAVA)
        context = SparkContext(conf=chosen.set("spark.executorEnv.PYTHONPATH", code))
        context.setLogLevel("OFF")
        yield context
        context.stop()
