from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cli.options import STACK, AsJson, Dataset, StackName

if TYPE_CHECKING:
    from cli.stack import Stack


def models(dataset: Dataset, as_json: AsJson = False, stack: StackName = STACK) -> None:
    """A dataset's models, the newest first. It says which is used, and which wait for approval."""
    from cli import output  # fmt: skip
    from cli import stack as stacks

    stacks.checked(dataset)
    told = versions(stacks.find(stack), dataset)
    if as_json:
        output.document(told)
        return
    output.table(
        ["version", "status", "error", "registered", "run"],
        [[one["version"], one["status"], one["relative_mase"], one["registered_at"][:16].replace("T", " "), one["run"]]
         for one in told],
        nothing=f"Dataset {dataset!r} has no model yet.",
    )  # fmt: skip
    if told:
        output.say("error: of the backtest, over that of the seasonal naive forecast; lower is better")


def versions(stack: Stack, dataset: str) -> list[dict[str, Any]]:
    """The versions of a dataset's model group, the newest first."""
    from functions import looking

    return looking.models_of(stack.client("sagemaker"), stack.model_group(dataset))
