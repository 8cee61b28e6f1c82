from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.errors import CliError
from cli.options import STACK, AsJson, Dataset, DryRun, StackName

app = typer.Typer(no_args_is_help=True, help="A dataset's settings: check them, edit them.")


@app.command()
def check(
    what: Annotated[str, typer.Argument(help="A settings file, or the name of a dataset.", metavar="FILE|DATASET")],
    as_json: AsJson = False,
    stack: StackName = STACK,
) -> None:
    """Are settings valid? Exit code 1 if not, with a line per problem."""
    from cli import output  # fmt: skip
    from cli import stack as stacks

    path = Path(what)
    if path.suffix or path.is_file():
        if not path.is_file():
            raise CliError(f"there is no settings file {path}")
        content = path.read_bytes()
    else:
        content, _ = fetched(stacks.find(stack), stacks.checked(what))
    problems = problems_of(content)
    if as_json:
        output.document({"valid": not problems, "problems": problems})
    elif not problems:
        output.tell("valid")
    if problems and not as_json:
        raise CliError("\n".join(["these settings cannot be used:", *problems]))
    if problems:
        raise typer.Exit(1)


@app.command()
def edit(dataset: Dataset, dry_run: DryRun = False, stack: StackName = STACK) -> None:
    """Edit a dataset's settings in your editor (EDITOR). They are checked before they are saved."""
    from cli import output  # fmt: skip
    from cli import stack as stacks
    from cli.requests import send

    stacks.checked(dataset)
    found = stacks.find(stack)
    content, etag = fetched(found, dataset)
    before = content.decode("utf-8-sig", errors="replace")
    text = before or f"# Settings of dataset {dataset}; every key is optional. What there is: docs/settings.md\n"
    while True:
        edited = in_editor(text)
        if edited == before or not edited.strip():
            output.tell("nothing changed")
            return
        problems = problems_of(edited.encode())
        if not problems:
            break
        output.say("\n".join(["these settings cannot be used:", *problems]))
        if not typer.confirm("Edit again?", default=True, err=True):
            raise CliError("nothing was saved")
        text = edited
    save(found, dataset, edited.encode(), etag, dry_run, send)
    if not dry_run:
        output.tell(f"saved; a run reads them when it starts: headroom run {dataset}")


def in_editor(text: str) -> str:
    """The text after a person has edited it in their editor."""
    import os
    import shlex
    import subprocess
    import tempfile

    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory(prefix="headroom-") as folder:
        path = Path(folder) / "settings.yaml"
        path.write_text(text, encoding="utf-8")
        try:
            ended = subprocess.run([*shlex.split(editor), str(path)], check=False).returncode
        except OSError as error:
            raise CliError(f"the editor {editor!r} cannot be started ({error.strerror}): set EDITOR") from error
        if ended:
            raise CliError(f"the editor {editor!r} ended with code {ended}: nothing was saved")
        return path.read_text(encoding="utf-8")


def save(stack: Any, dataset: str, content: bytes, etag: str | None, dry_run: bool, send: Any) -> None:
    """Write a dataset's settings, unless somebody else has changed them since they were read."""
    from botocore.exceptions import ClientError

    from functions import objects

    body = content.decode() if dry_run else content
    request = {"Bucket": stack.ingest, "Key": f"config/{dataset}.yaml", "Body": body, **objects.if_still(etag)}
    try:
        send(stack, "s3", "PutObject", request, dry_run)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("PreconditionFailed", "ConditionalRequestConflict"):
            raise
        raise CliError("somebody else has changed these settings meanwhile: edit them again") from error


def fetched(stack: Any, dataset: str) -> tuple[bytes, str | None]:
    """A dataset's settings file and its ETag; nothing and None where there is none."""
    from functions import objects

    return objects.fetched(stack.client("s3"), stack.ingest, f"config/{dataset}.yaml")


def problems_of(content: bytes) -> list[str]:
    """What is wrong with settings, by the jobs' own validation; a line each."""
    from headroom.core.settings import SettingsError, parse

    try:
        parse(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return ["not UTF-8 text: save the file as UTF-8"]
    except SettingsError as error:
        return str(error).splitlines()
    return []


def require_valid(path: Path) -> str:
    """The text of a settings file.

    Raises:
        CliError: there is none, or it cannot be used.
    """
    if not path.is_file():
        raise CliError(f"there is no settings file {path}")
    if problems := problems_of(path.read_bytes()):
        raise CliError("\n".join([f"{path} cannot be used:", *problems]))
    return path.read_text(encoding="utf-8-sig")
