"""``smspark-submit``, the entry of AWS's Spark image, on this machine: Spark's local mode in place of YARN.

It takes the options that AWS's takes and refuses those that it refuses, ``--conf`` and ``--archives`` among them, and
leaves the same sentence where the driver fails, over whatever the driver has left there
(aws/sagemaker-spark-container, ``smspark/cli.py`` and ``smspark/errors.py``).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from local import spark

OPTIONS = {"--class", "--jars", "--py-files", "--files", "--spark-event-logs-s3-uri", "--local-spark-event-logs-dir"}
FLAGS = {"-v", "--verbose"}
NOT_SPARKS = {"--spark-event-logs-s3-uri", "--local-spark-event-logs-dir"}
MESSAGE_LENGTH = 1024


class Refused(Exception):
    """AWS's program would not take this command line."""


def is_spark_image(uri: str) -> bool:
    """Whether an image has Spark in it; this machine judges by the name."""
    return "spark" in uri.rpartition("/")[2]


def spark_submit(words: Sequence[str]) -> list[str]:
    """The arguments of ``spark-submit`` that follow from those of ``smspark-submit``.

    Raises:
        Refused: AWS's program would not take them.
    """
    options: list[str] = []
    rest = list(words)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option in FLAGS:
            options.append("--verbose")
        elif option not in OPTIONS:
            raise Refused(f"(caused by NoSuchOption): Couldn't parse input.: No such option: {option}")
        elif not rest:
            raise Refused(f"(caused by BadOptionUsage): error running Spark job: Option '{option}' needs an argument.")
        elif option in NOT_SPARKS:
            rest.pop(0)
        else:
            options += [option, rest.pop(0)]
    if not rest:
        raise Refused("(caused by MissingParameter): Couldn't parse input.: missing parameter: app")
    return [*options, *rest]


def configured(folder: Path) -> list[str]:
    """What ``configuration.json`` in the folder says for Spark, as options of ``spark-submit``; none without it."""
    file = folder / "configuration.json"
    given = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    return [
        word
        for one in given
        for name, value in one["Properties"].items()
        for word in ("--conf", f"{name}={value}")
        if one["Classification"] == "spark-defaults"
    ]


def main() -> int:
    ml = Path.cwd() / "opt" / "ml"  # the emulator starts a job in the folder that is its root
    try:
        given = spark_submit(sys.argv[1:])
    except Refused as error:
        return _leave(ml, f"Algorithm Error: {error}", 1)
    if problem := spark.missing():
        return _leave(ml, problem, 1)
    hosts = json.loads((ml / "config" / "resourceconfig.json").read_text(encoding="utf-8"))["hosts"]
    print(f"{len(hosts)} instances are asked for; this machine has all of Spark in one process", flush=True)
    home = str(spark.home())
    local = {"SPARK_HOME": home, "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_DIRS": os.environ.get("TMPDIR", "/tmp")}  # noqa: S108
    command = [f"{home}/bin/spark-submit", "--master", f"local[{os.cpu_count()}]", "--deploy-mode", "client"]
    command += ["--driver-java-options", spark.JAVA]
    quiet = ["--conf", "spark.ui.enabled=false", *configured(ml / "processing" / "input" / "conf")]
    ours = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    code = subprocess.run([*command, *quiet, *given], env=ours | local, check=False).returncode
    if not code:
        return 0
    reason = f"Command '{' '.join(command)} …' returned non-zero exit status {code}."
    return _leave(
        ml, f"Algorithm Error: (caused by CalledProcessError): spark failed with a non-zero exit code: {reason}", code
    )


def _leave(ml: Path, message: str, code: int) -> int:
    (ml / "output" / "message").write_text(message[:MESSAGE_LENGTH], encoding="utf-8")
    print(f"exiting with code {code}: {message}", file=sys.stderr, flush=True)
    return code if code > 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
