from __future__ import annotations

from typing import Annotated

import typer

from cli.errors import CliError
from cli.options import STACK, StackName


def smoke(
    dataset: Annotated[str | None, typer.Option(help="The name of a dataset that does not exist.")] = None,
    stack: StackName = STACK,
) -> None:
    """Test whether a deployed stack works.

    From a dropped file to the notification; it costs a few cents, and cleans up.
    """
    import secrets
    import string
    import time

    from cli import output  # fmt: skip
    from cli import stack as stacks
    from cli.smoke import Smoke, SmokeFailure

    began = time.monotonic()
    name = dataset or "smoke-" + "".join(secrets.choice(string.ascii_lowercase) for _ in range(8))
    test = Smoke(stacks.client, stack, stacks.checked(name), output.tell)
    try:
        test.run()
    except SmokeFailure as failure:
        look = f"\nlook at: {failure.look}" if failure.look else ""
        raise CliError(f"{failure}{look}") from failure
    warned = f", {len(test.warnings)} warnings" if test.warnings else ""
    output.tell(f"The stack {stack} works ({(time.monotonic() - began) / 60:.0f} min{warned}).")
