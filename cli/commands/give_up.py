from __future__ import annotations

from cli.options import STACK, AsJson, Dataset, DryRun, StackName


def give_up(dataset: Dataset, dry_run: DryRun = False, as_json: AsJson = False, stack: StackName = STACK) -> None:
    """Say that no more files are meant to come. The dataset is overdue no more, until some arrive."""
    from cli import output  # fmt: skip
    from cli import stack as stacks
    from cli.sweeping import ask

    stacks.checked(dataset)
    answer = ask(stacks.find(stack), {"do": "give_up", "dataset": dataset}, dry_run)
    if dry_run:
        return
    if as_json:
        output.document(answer)
        return
    output.tell(f"dataset {dataset} is overdue no more; its last files came on {answer['last_arrival']}")
