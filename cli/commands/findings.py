from __future__ import annotations

from typing import Annotated

import typer

from cli.options import STACK, AsJson, Dataset, StackName


def findings(
    dataset: Dataset,
    most: Annotated[int, typer.Option(min=1, help="The most urgent so many.")] = 30,
    as_json: AsJson = False,
    stack: StackName = STACK,
) -> None:
    """What the current run has found. The most urgent comes first, with what is accepted of it."""
    from cli import output  # fmt: skip
    from cli import stack as stacks
    from cli.errors import CliError
    from functions import decisions
    from headroom.core.accepted import AcceptedError

    stacks.checked(dataset)
    found = stacks.find(stack)
    s3, run_id = found.client("s3"), stacks.current_run(found, dataset)
    listed = decisions.findings(s3, found.artifacts, dataset, run_id)
    try:
        known = {one.finding: one for one in decisions.read(s3, found.ingest, dataset)[0]}
    except AcceptedError as error:
        raise CliError(f"s3://{found.ingest}/{decisions.key_of(dataset)} cannot be used:\n{error}") from error
    told = []
    for one in listed:
        decision = known.get((one["server"], one["metric"], one["entity"], one["kind"]))  # type: ignore[call-overload]
        told.append(one | {"decision": decision and decision.model_dump(mode="json")})
    if as_json:
        output.document({"run_id": run_id, "findings": told})
        return
    output.table(
        ["server", "metric", "kind", "level", "decision", "why"],
        [
            [one["server"], " ".join(filter(None, [one["metric"], one["entity"]])), one["kind"], one["level"],
             f"{one['decision']['state']} until {one['decision']['until']}" if one["decision"] else "",
             one["reason"][:160]]
            for one in told[:most]
        ],
        nothing="Nothing was found that needs a decision.",
    )  # fmt: skip
    if len(told) > most:
        output.say(f"and {len(told) - most:,} more: --most, --json or the report has them")
