"""Are the findings true? Runs train and assess on generated fleets whose truth is known, and times assess.

    PYTHONPATH=processing python -m bench.findings [--seeds 1 2 3] [--servers 500] [--only truth|speed|laws]

prints, for each seed: recall and precision of servers that cross the critical threshold within the horizon, the median
error of the date, how well the planted clusters are recovered (adjusted Rand index), recall and precision of idle and
of oversized servers; then time and memory of assess on 1,000 servers x 5 metrics x 365 days. Exits with 1 if a target
is missed. ``--only laws`` measures instead how well crossings are predicted from short and long histories, compared
with simpler methods; see :mod:`bench.laws`, which has more options.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
from sklearn.metrics import adjusted_rand_score

from bench import laws
from headroom.insight.risk import LIKELY
from local import fleet

ROOT = Path(__file__).parents[1]
# name: (least, most)
TARGETS = {
    "crossing recall": (0.9, 1), "crossing precision": (0.9, 1), "date error, days": (0, 7),
    "clusters, adjusted Rand": (0.8, 1), "idle recall": (0.95, 1), "idle precision": (0.95, 1),
    "oversized recall": (0.95, 1), "oversized precision": (0.95, 1), "assess, s": (0, 60), "assess, GB": (0, 4),
}  # fmt: skip


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m bench.findings", description=__doc__.split("\n")[0])
    arguments.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    arguments.add_argument("--servers", type=int, default=500)
    arguments.add_argument("--days", type=int, default=400)
    arguments.add_argument("--only", choices=["truth", "speed", "laws"])
    arguments.add_argument("--keep", type=Path, metavar="DIR", help="keep panels, models and assessments here")
    given = arguments.parse_args()
    if given.only == "laws":
        sys.exit(laws.run(given.seeds, given.servers, keep=given.keep))
    columns = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.keep or Path(scratch)
        for seed in given.seeds if given.only != "speed" else []:
            columns[f"seed {seed}"] = truth(given.servers, given.days, seed, folder / f"seed-{seed}")
        if given.only != "truth":
            columns["1,000 x 5 x 365"] = speed(folder / "speed")
    table = pd.DataFrame(columns)
    missed = pd.DataFrame({
        name: {target: not low <= column[target] <= high for target, (low, high) in TARGETS.items() if target in column}
        for name, column in columns.items()
    }).eq(True)  # fmt: skip
    table["target"] = [_target(name) for name in table.index]
    print(table.to_string(float_format=lambda value: f"{value:.3g}", na_rep="-"))
    if missed.any(axis=None):
        sys.exit(
            "missed: " + ", ".join(f"{name} ({column})" for column in missed for name in missed.index[missed[column]])
        )


def truth(servers: int, days: int, seed: int, folder: Path) -> dict[str, float]:
    """Train and assess one generated fleet; the figures, with times and memory."""
    made = fleet.generate(servers=servers, days=days, sampling="1h", seed=seed)
    write_panel(made, folder / "panel")
    train_s, _ = run("train", "--panel", folder / "panel", "--model", folder / "model")
    assess_s, gigabytes = assess(folder)
    return figures(made.truth, folder / "assessment") | {
        "train, s": train_s, "assess, s": assess_s, "assess, GB": gigabytes,
    }  # fmt: skip


def speed(folder: Path) -> dict[str, float]:
    """Time and memory of assess; training is timed separately."""
    made = fleet.generate(servers=1000, days=365, sampling="1D", metrics=tuple(fleet.METRICS), seed=1)
    write_panel(made, folder / "panel")
    train_s, _ = run("train", "--panel", folder / "panel", "--model", folder / "model")
    assess_s, gigabytes = assess(folder)
    return {"train, s": train_s, "assess, s": assess_s, "assess, GB": gigabytes}


def figures(true: pd.DataFrame, assessment: Path) -> dict[str, float]:
    """How well an assessment's files match the truth of the fleet."""
    risks = pd.read_parquet(assessment / "tables" / "risks" / "risks.parquet")
    advice = json.loads((assessment / "optimization_recommendations.json").read_text())["recommendations"]
    clusters = pd.read_csv(assessment / "server_clusters.csv", dtype={"server_id": str})

    crossing = set(true.loc[true["critical_ds"].notna(), "server_id"])
    told = set(risks.loc[risks["p_critical"] >= LIKELY, "server_id"])
    both = true.merge(risks, on=["server_id", "metric"])
    error = (pd.to_datetime(both["critical_date"]) - both["critical_ds"]).dt.days.abs()
    climbing = error[both["critical_ds"].notna() & ~both["already_critical"]]
    planted = true.drop_duplicates("server_id").set_index("server_id")
    result = {
        **_found("crossing", told, crossing),
        "date error, days": error.median(),
        "date error of climbers, days": climbing.median(),
        "clusters, adjusted Rand": adjusted_rand_score(
            planted["cluster"].reindex(clusters["server_id"]), clusters["cluster"]
        ),
    }
    for name, action in (("idle", "stop"), ("oversized", "shrink")):
        advised = {server for one in advice if one["action"] == action for server in one["server_ids"]}
        result |= _found(name, advised, set(planted.index[planted[name]]))
    return result


def write_panel(made: fleet.Fleet, folder: Path) -> None:
    """The files that preprocess would leave for a fleet."""
    folder.mkdir(parents=True, exist_ok=True)
    made.panel().to_parquet(folder / "panel.parquet", index=False)
    made.servers.to_parquet(folder / "servers.parquet", index=False)
    (folder / "settings.json").write_text(json.dumps({"horizon": made.horizon, "holidays": {"country": fleet.COUNTRY}}))


def assess(folder: Path) -> tuple[float, float]:
    return run(
        "assess", "--panel", folder / "panel", "--model", folder / "model", "--assessment", folder / "assessment"
    )


def run(name: str, *arguments: object) -> tuple[float, float]:
    """Run a job as a process of its own: seconds, and peak memory in gigabytes.

    Raises:
        SystemExit: the job failed; its output is shown.
    """
    command = [sys.executable, "-m", f"headroom.{name}", *map(str, arguments)]
    started = time.monotonic()
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(
            command, env=os.environ | {"PYTHONPATH": str(ROOT / "processing")}, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            output.seek(0)
            sys.exit(f"{' '.join(command)} failed:\n{output.read().decode(errors='replace')}")
    return time.monotonic() - started, usage.ru_maxrss / 2**20


def _found(name: str, told: set[str], true: set[str]) -> dict[str, float]:
    right = len(told & true)
    return {
        f"{name} recall": right / len(true) if true else float("nan"),
        f"{name} precision": right / len(told) if told else float("nan"),
    }


def _target(name: str) -> str:
    if name not in TARGETS:
        return ""
    low, high = TARGETS[name]
    return f"at least {low:g}" if low else f"at most {high:g}"


if __name__ == "__main__":
    main()
