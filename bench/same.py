"""Does a change leave every result as it was? ``python -m bench.same --keep DIR``, later ``--against DIR``.

Keep what the three jobs write with the commit before, then compare after each step. The datasets are the demo's fleet
and, if ``../shared/data`` has them, bitbrains and cloudwatch. Name files that are meant to differ with ``--but``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from bench.datasets import DATA
from bench.findings import run
from local import fleet
from local.demo import DAYS, SAMPLING, SERVERS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.same", description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, metavar="DIR", help="write the files here")
    parser.add_argument("--against", type=Path, metavar="DIR", help="compare with files kept before")
    parser.add_argument("--but", action="append", default=[], metavar="NAME", help="a file name not to compare")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="headroom-same-") as scratch:
        out = given.keep or Path(scratch) / "out"
        for dataset, raw, settings in inputs(Path(scratch)):
            chain(raw, settings, out / dataset)
        if given.against:
            found = differences(given.against, out, set(given.but))
            print("\n".join(found) or "the same to the byte")
            sys.exit(bool(found))


def inputs(scratch: Path) -> list[tuple[str, Path, Path | None]]:
    """(dataset, folder of raw files, settings) of each available dataset."""
    made = scratch / "fleet"
    fleet.write(fleet.generate(servers=SERVERS, days=DAYS, sampling=SAMPLING), made)
    hourly = scratch / "hourly.yaml"
    hourly.write_text("frequency: h\nhorizon: 168\n")
    given: list[tuple[str, Path, Path | None]] = [("demo", made / "incoming", made / "settings.yaml")]
    given += [(name, DATA / name, hourly) for name in ("bitbrains", "cloudwatch") if (DATA / name).is_dir()]
    return given


def chain(raw: Path, settings: Path | None, out: Path) -> None:
    """Run the three jobs on a folder of raw files; their outputs go into ``out``."""
    shutil.rmtree(out, ignore_errors=True)
    panel, model, manifest = out / "panel", out / "model", out / "manifest.json"
    out.mkdir(parents=True)
    files = sorted(path.relative_to(raw).as_posix() for path in raw.rglob("*.csv*"))
    manifest.write_text(
        json.dumps({"created_at": "2030-01-01T00:00:00Z", "dataset": "same", "files": [{"file": one} for one in files]})
    )
    told = ["--settings", settings] if settings else []
    run("preprocess", "--raw", raw, *told, "--manifest", manifest, "--panel", panel)
    run("train", "--panel", panel, "--manifest", manifest, "--model", model)
    run("assess", "--panel", panel, "--model", model, "--manifest", manifest, "--assessment", out / "assessment")


def differences(before: Path, after: Path, but: set[str]) -> list[str]:
    """One line per file that is missing, new or different."""
    found = []
    names = {path.relative_to(root) for root in (before, after) for path in root.rglob("*") if path.is_file()}
    for name in sorted(names):
        if name.name in but:
            continue
        old, new = before / name, after / name
        if not (old.exists() and new.exists()):
            found.append(f"{name}: {'new' if new.exists() else 'missing'}")
        elif old.read_bytes() != new.read_bytes():
            found.append(f"{name}: differs")
    return found


if __name__ == "__main__":
    main()
