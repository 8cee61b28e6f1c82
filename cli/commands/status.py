from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import STACK, AsJson, StackName

if TYPE_CHECKING:
    from cli.stack import Stack


def status(
    dataset: Annotated[str | None, typer.Argument(help="One dataset; all where it is not given.")] = None,
    as_json: AsJson = False,
    stack: StackName = STACK,
) -> None:
    """Datasets: what runs, what waits, and how the current results stand."""
    from concurrent.futures import ThreadPoolExecutor

    from cli import output  # fmt: skip
    from cli import stack as stacks

    found = stacks.find(stack)
    names = [stacks.checked(dataset)] if dataset else found.ledger.datasets()
    with ThreadPoolExecutor(8) as pool:
        states = list(pool.map(lambda name: state_of(found, name), names))
    if as_json:
        output.document(states)
        return
    output.table(
        ["dataset", "state", "critical", "high", "medium", "accepted", "data to", "waiting", "set aside", "run"],
        [
            [
                one["dataset"],
                f"running {one['running']}" if one["running"] else "failed" if one["failed_at"] else "idle",
                *(one["levels"].get(level) if one["levels"] else None for level in ("critical", "high", "medium")),
                one["accepted"], (one["as_of"] or "–")[:10], one["waiting"], one["set_aside"], one["current_run"],
            ]
            for one in states
        ],
        nothing="There is no dataset yet: headroom drop <dataset> <files>",
    )  # fmt: skip


def state_of(stack: Stack, dataset: str) -> dict[str, Any]:
    """All that is known of a dataset."""
    from cli.stack import read_json

    ledger = stack.ledger
    state = ledger.state(dataset)
    summary: dict[str, Any] = {}
    if state.current_run:
        summary = read_json(stack, f"runs/{dataset}/{state.current_run}/assessment/risk_summary.json") or {}
    return {
        "dataset": dataset,
        "running": state.running,
        "running_since": state.running_since,
        "failed_at": state.failed_at,
        "current_run": state.current_run,
        "as_of": summary.get("as_of"),
        "servers": summary.get("servers"),
        "levels": summary.get("open_levels", summary.get("levels")),
        "accepted": (summary.get("accepted") or {}).get("hidden_total"),
        "waiting": len(ledger.waiting(dataset)),
        "set_aside": len(ledger.aside(dataset)),
    }
