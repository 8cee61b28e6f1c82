from __future__ import annotations

from cli.commands.accept import By, Days, Entity, Kind, Metric, Reason, Server, Undo, Until, decide
from cli.options import STACK, AsJson, Dataset, DryRun, StackName


def snooze(
    dataset: Dataset,
    server: Server,
    metric: Metric,
    reason: Reason = "",
    until: Until = None,
    days: Days = 14,
    kind: Kind = "risk",
    entity: Entity = None,
    by: By = None,
    undo: Undo = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    stack: StackName = STACK,
) -> None:
    """Put a finding off for some days. It is as accept, for a shorter time."""
    decide("snoozed", dataset, (server, metric, entity, kind), reason, until, days, by, undo, dry_run, as_json, stack)
