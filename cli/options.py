"""Arguments and options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Dataset = Annotated[str, typer.Argument(help="The dataset: the first folder under incoming/.", metavar="DATASET")]
StackName = Annotated[str, typer.Option("--stack", envvar="HEADROOM_STACK", help="The deployed stack's name.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document for programs, in place of a table.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print and check the requests, and send none.")]
Follow = Annotated[bool, typer.Option("--follow/--no-follow", help="Stay until the run has ended.")]
STACK = "headroom"
