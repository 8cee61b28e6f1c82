"""``headroom``: its commands, and what happens where one cannot do what it was asked."""

from __future__ import annotations

import os
import sys

import typer

from cli.commands import (
    accept,
    approve,
    drop,
    findings,
    follow,
    give_up,
    logs,
    models,
    page,
    preview,
    put_back,
    redrive,
    report,
    run,
    runs,
    settings,
    smoke,
    snooze,
    start_over,
    status,
)  # fmt: skip
from cli.errors import CliError

app = typer.Typer(
    name="headroom",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: rich alone takes a fifth of a second to load
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Which servers run out of capacity, and when. All commands find the stack by its outputs (--stack), on AWS "
    "or, with AWS_ENDPOINT_URL, on the laptop cloud.",
)
for one in (
    preview.preview, drop.drop, run.run, status.status, follow.follow, logs.logs, redrive.redrive, report.report,
    page.page, runs.runs, models.models, approve.approve, findings.findings, accept.accept, snooze.snooze,
    put_back.put_back, give_up.give_up, start_over.start_over, smoke.smoke,
):  # fmt: skip
    app.command()(one)
app.add_typer(settings.app, name="settings")


def main() -> None:
    """Run a command; what it cannot do is a sentence on standard error and exit code 1."""
    if region := os.environ.get("AWS_REGION"):  # what AWS's own command line goes by, and boto3 does not
        os.environ["AWS_DEFAULT_REGION"] = region
    try:
        app()
    except CliError as error:
        _fail(str(error))
    except Exception as error:
        # botocore takes a third of a second to load: looked at only once it has been.
        words = _of_aws(error) if "botocore" in sys.modules else None
        if words is None:
            raise
        _fail(words)


def _of_aws(error: Exception) -> str | None:
    """An error of AWS in words, with what to do; None for any other."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

    if isinstance(error, NoCredentialsError):
        return "AWS does not know who you are: set AWS_PROFILE, or sign in (aws sso login)"
    if isinstance(error, NoRegionError):
        return "no region is chosen: set AWS_REGION"
    if isinstance(error, ClientError):
        return f"AWS has refused: {error}"
    return f"AWS cannot be reached: {error}" if isinstance(error, BotoCoreError) else None


def _fail(words: str) -> None:
    from functions.notification import printable

    print("\n".join(printable(line) for line in f"Error: {words}".splitlines()), file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    main()
