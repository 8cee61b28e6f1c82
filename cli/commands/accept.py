from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import typer

from cli.errors import CliError
from cli.options import STACK, AsJson, Dataset, DryRun, StackName

Server = Annotated[str, typer.Argument(help="The server's name.", metavar="SERVER")]
Metric = Annotated[str, typer.Argument(help="The metric: cpu, memory, …", metavar="METRIC")]
Reason = Annotated[str, typer.Option(help="Why, for those who read the report.")]
Kind = Annotated[str, typer.Option(help="risk, or what a recommendation advises: shrink, stop, schedule, consolidate.")]
Entity = Annotated[str | None, typer.Option(help="The part of the server, where the metric has parts.")]
Until = Annotated[str | None, typer.Option(help="The last day it is hidden, 2026-12-31.")]
Days = Annotated[int, typer.Option(min=0, max=731, help="In place of --until: so many days from today.")]
By = Annotated[str | None, typer.Option(help="Who decides; whoever is signed in to AWS by default.")]
Undo = Annotated[bool, typer.Option("--undo", help="Take the decision back.")]


def accept(
    dataset: Dataset,
    server: Server,
    metric: Metric,
    reason: Reason = "",
    until: Until = None,
    days: Days = 365,
    kind: Kind = "risk",
    entity: Entity = None,
    by: By = None,
    undo: Undo = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    stack: StackName = STACK,
) -> None:
    """Accept a finding: the next run hides it.

    It comes back when the decision ends, or when it gets worse.
    """
    decide("accepted", dataset, (server, metric, entity, kind), reason, until, days, by, undo, dry_run, as_json, stack)


def decide(
    state: str,
    dataset: str,
    name: tuple[str, str, str | None, str],
    reason: str,
    until: str | None,
    days: int,
    by: str | None,
    undo: bool,
    dry_run: bool,
    as_json: bool,
    stack: str,
) -> None:
    """Write a decision on a finding into the dataset's file, or take it out."""
    from cli import output  # fmt: skip
    from cli import stack as stacks
    from cli.requests import send
    from functions import decisions
    from headroom.core import accepted

    stacks.checked(dataset)
    if not undo and not reason.strip():
        raise CliError("say why, for those who read the report: --reason '…'")
    end = until and day(until)
    found = stacks.find(stack)
    server, metric, entity, kind = name
    s3, finding = found.client("s3"), accepted.Finding(server, metric_called(metric), entity, kind)
    now = datetime.now(UTC).replace(microsecond=0)
    given: dict[str, Any] = finding._asdict()
    try:
        if undo:

            def how(known: list[accepted.Accepted]) -> list[accepted.Accepted]:
                left = accepted.taken_back(known, finding)
                if len(left) == len(known):
                    raise CliError(f"{accepted.in_words(finding)} is neither accepted nor snoozed")
                return left
        else:
            listed = decisions.findings(s3, found.artifacts, dataset, stacks.current_run(found, dataset))
            given |= {
                "state": state, "level": decisions.the_one(listed, finding)["level"], "reason": reason,
                "by": by or signed_in(found), "at": now, "until": end or (now + timedelta(days=days)).date(),
            }  # fmt: skip
            decision = accepted.decided(given)

            def how(known: list[accepted.Accepted]) -> list[accepted.Accepted]:
                return accepted.put(known, decision)

        if dry_run:
            known, etag = decisions.read(s3, found.ingest, dataset)
            request = decisions.put_request(found.ingest, dataset, how(known), etag)
            send(found, "s3", "PutObject", request | {"Body": request["Body"].decode()}, dry_run=True)
            return
        decisions.change(s3, found.ingest, dataset, how)
    except decisions.NoSuchFinding as error:
        say = f". To name it: --kind {error.kinds[0]}" if error.kinds else ""
        raise CliError(f"{error}{say}") from error
    except (accepted.AcceptedError, decisions.TooBusy) as error:
        raise CliError(str(error)) from error
    if as_json:
        output.document(given)
    elif undo:
        output.tell(f"{accepted.in_words(finding)} is open again from the next run on")
    else:
        output.tell(
            f"{accepted.in_words(finding)} is {state} until {given['until']}, from the next run on "
            f"(headroom run {dataset} --mode score)"
        )


def day(text: str) -> date:
    """A day that a person has written.

    Raises:
        CliError: it is not written as a date.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise CliError(f"--until {text}: write the day as year-month-day, such as 2026-12-31") from None


def metric_called(name: str) -> str:
    """The metric by its name, or as reports write it: CPU, incoming network."""
    from headroom.core.metrics import BUILT_IN

    word = name.strip().casefold()
    labelled = [metric for metric, one in BUILT_IN.items() if one.label.casefold() == word]
    return labelled[0] if labelled else word.replace(" ", "_")


def signed_in(stack: Any) -> str:
    """The person who is signed in to AWS: the user's name, or that of the session."""
    return stack.client("sts").get_caller_identity()["Arn"].rpartition("/")[2].rpartition(":")[2]
