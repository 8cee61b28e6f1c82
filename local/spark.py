"""The laptop's Spark: in an environment of its own (requirements/spark.txt), as AWS's image has one of its own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from local.cloud import ROOT

# Of Java, for minutes on small data: no time goes into optimizing code, and none into threads that collect garbage.
JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


def home() -> Path | None:
    """Spark's folder: that of ``SPARK_HOME``, or of this project's own environment; None where there is none."""
    named = os.environ.get("SPARK_HOME")
    found = [Path(named)] if named else sorted(ROOT.glob(".venv-spark/lib/python3*/site-packages/pyspark"))
    return next((folder for folder in found if (folder / "bin" / "spark-submit").exists()), None)


def missing() -> str | None:
    """What keeps Spark from running here, and how to put it right; None where nothing does."""
    if shutil.which("java") is None:
        return "Spark needs Java 17, and this machine has none (Debian: apt-get install openjdk-17-jre-headless)"
    if home() is None:
        return "Spark is not installed here: make .venv-spark/installed"
    return None


def libraries() -> list[str]:
    """What Python finds PySpark in, as ``spark-submit`` gives it to a driver."""
    folder = home()
    return [str(path) for path in sorted((folder / "python" / "lib").glob("*.zip"))] if folder else []
