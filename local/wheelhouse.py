"""``make wheelhouse``: the jobs' libraries as a folder of wheels, for jobs without internet.

pip evaluates a lock's markers for the Python that it runs on, and so fetches the wrong versions where that is not the
image's. Here they are evaluated for the image's Python, whatever this one is.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from packaging.requirements import Requirement

from local.cloud import ROOT

LOCK = ROOT / "requirements" / "jobs.txt"
# AWS's scikit-learn image 1.9-0: Amazon Linux 2023 (glibc 2.34), x86-64.
PYTHON = "3.12"
PLATFORMS = ("manylinux_2_34_x86_64", "manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
ENVIRONMENT = {
    "python_version": PYTHON,
    "python_full_version": f"{PYTHON}.0",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "platform_machine": "x86_64",
    "platform_system": "Linux",
    "sys_platform": "linux",
    "os_name": "posix",
}


def pins(lock: str) -> dict[str, str]:
    """The lock's entries for the image, without their markers: ``name==version`` and hashes, by name."""
    found = {}
    for entry in re.findall(r"^[A-Za-z0-9][^\n]*(?:\n +--hash[^\n]*)+", lock, re.MULTILINE):
        head, *hashes = [line.strip().rstrip("\\").strip() for line in entry.splitlines()]
        wanted = Requirement(head)
        if wanted.marker is None or wanted.marker.evaluate(ENVIRONMENT):
            found[wanted.name] = " ".join([f"{wanted.name}{wanted.specifier}", *hashes])
    return found


def download(folder: Path) -> list[Path]:
    """Fetch the wheels into ``folder``; raises ``CalledProcessError`` where pip cannot."""
    wanted = pins(LOCK.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as scratch:
        lock = Path(scratch, "jobs.txt")
        lock.write_text("\n".join(wanted.values()), encoding="utf-8")
        platforms = [word for platform in PLATFORMS for word in ("--platform", platform)]
        subprocess.run(
            [
                sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
                "--require-hashes", "--only-binary", ":all:", "--python-version", PYTHON, "--implementation", "cp",
                *platforms, "--requirement", lock, "--dest", folder,
            ],
            check=True,
        )  # fmt: skip
    wheels = sorted(folder.glob("*.whl"))
    if len(wheels) < len(wanted):
        raise SystemExit(f"{len(wanted)} libraries are locked, but only {len(wheels)} wheels are in {folder}")
    return wheels


def main() -> None:
    arguments = argparse.ArgumentParser(prog="make wheelhouse", description=__doc__)
    arguments.add_argument("--folder", type=Path, default=Path("wheelhouse"), help="where to put the wheels")
    arguments.add_argument("--to", metavar="s3://BUCKET/FOLDER/", help="upload them there")
    given = arguments.parse_args()
    given.folder.mkdir(exist_ok=True)
    wheels = download(given.folder)
    print(f"{len(wheels)} wheels, {sum(wheel.stat().st_size for wheel in wheels) / 1e6:.0f} MB in {given.folder}/")
    if given.to:
        import boto3

        bucket, _, prefix = given.to.removeprefix("s3://").partition("/")
        for wheel in wheels:
            boto3.client("s3").upload_file(str(wheel), bucket, f"{prefix.rstrip('/')}/{wheel.name}".lstrip("/"))
        print(f"uploaded; deploy with WheelhouseUri=s3://{bucket}/{prefix.rstrip('/')}/")


if __name__ == "__main__":
    main()
