"""``python -m local.fleet``: write a generated fleet's files, see :mod:`local.fleet.generator`."""

from __future__ import annotations

import argparse
from pathlib import Path

from local.fleet import exports, own
from local.fleet.generator import CRITICAL, END, METRICS, PERCENT, generate, write


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.fleet", description=__doc__)
    parser.add_argument("--servers", type=int, default=120)
    parser.add_argument("--days", type=int, default=400)
    parser.add_argument("--sampling", default="1h", help="any interval that divides a day (default 1h)")
    parser.add_argument("--metrics", default=",".join(PERCENT), help=f"of {', '.join(METRICS)}")
    parser.add_argument("--horizon", type=int, default=90, help="days of continuation (default 90)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--end", default=END, help=f"last day of the history (default {END})")
    parser.add_argument("--formats", action="store_true", help="as five tools export it, see local.fleet.exports")
    parser.add_argument("--own", action="store_true", help="a small fleet with metrics of its own and entities instead")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    if given.own:
        own.write(given.out)
        print(f"databases with metrics of their own, and web servers with several disks: {given.out}")
        return
    metrics = tuple(given.metrics.split(","))
    try:
        fleet = generate(given.servers, given.days, given.sampling, metrics, given.horizon, given.seed, given.end)
    except ValueError as error:
        parser.error(str(error))
    (exports.write if given.formats else write)(fleet, given.out)
    critical = fleet.truth.dropna(subset="critical_ds")["server_id"].nunique()
    print(f"{given.servers} servers, {given.days} days: {given.out} ({critical} servers cross {CRITICAL:g} %)")


if __name__ == "__main__":
    main()
