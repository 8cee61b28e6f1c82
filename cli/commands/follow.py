from __future__ import annotations

from cli.options import STACK, AsJson, Dataset, StackName


def follow(dataset: Dataset, as_json: AsJson = False, stack: StackName = STACK) -> None:
    """Follow a dataset's newest run. It shows its states, what its job says, and how it ended."""
    from cli import stack as stacks  # fmt: skip
    from cli import watching

    stacks.checked(dataset)
    found = stacks.find(stack)
    watching.stay(found, dataset, watching.newest(found, dataset)["executionArn"], as_json)
