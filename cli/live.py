"""A run as people watch it: its states as they end, what its job says now, and why it failed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cli import follow
from cli.follow import Cloud
from functions import failures, following
from functions.following import Step
from functions.notification import printable


def watch(
    console: Any, cloud: Cloud, prefix: str, execution: str, dataset: str, every: float = 2.0
) -> tuple[dict[str, Any], list[Step]]:
    """Show an execution's states as they end, and below them the one that runs with its job's last line.

    ``prefix`` is the stack's JobNamePrefix.

    Returns:
        The execution's last description, and the states that it has been in.
    """
    from rich.text import Text

    console.print(Text(f"   run {execution.rpartition(':')[2]}"))
    told = 0
    with console.status("") as status:
        for description, steps in follow.follow(cloud, execution, every):
            now = datetime.now(UTC)
            ended = description["status"] in follow.FINAL
            for step in steps[told:]:
                if step.ended is None and not ended:
                    break
                mark = "[red]✘[/red]" if step.failed else "[green]✔[/green]"
                console.print(f"   {mark} {step.name:<18}{step.seconds(now):6.1f} s")
                told += 1
            if not ended and told < len(steps):
                step = steps[-1]
                job = following.STEPS.get(step.name)
                log = follow.log_of(cloud, prefix, dataset, execution, job, 1) if job else None
                last = log.lines[-1] if log and log.lines else ""
                words = printable(f"{step.name} {step.seconds(now):.0f} s  {last}")
                status.update(Text(words[: max(20, console.width - 8)], overflow="ellipsis"))
    return description, steps


def why(cloud: Cloud, description: dict[str, Any], steps: list[Step], lines: int = 15) -> list[str]:
    """Why an execution did not succeed, with its job's last lines, as a terminal may be given them."""
    failure = failures.of_execution(description, steps)
    told = [f"the run ended {description['status']}: {failure.reason}"]
    if failure.job:
        told += ["", f"the last lines of {failure.job}:"]
        told += [f"  {line}" for line in follow.log_of_failed(cloud, failure, lines)]
    return [printable(line) for text in told for line in text.splitlines() or [""]]
