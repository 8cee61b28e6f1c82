"""``python -m local up | down | demo | status | mailbox | test-env``"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from local import cloud as clouds
from local.cloud import CloudError
from local.emulator import mailbox as mail

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)
console = Console(highlight=False)


@app.command()
def up() -> None:
    """Start the laptop cloud, deploy the stack into it, and say what to export."""
    from local import deploy
    from local.emulator import image

    image.require()
    was_up = clouds.running() is not None
    cloud = clouds.start()
    try:
        with console.status("sam build, sam deploy"):
            stack = deploy.deploy(cloud)
    except BaseException:
        if not was_up:
            clouds.stop(cloud)
        raise
    console.print(f"The laptop cloud {'was' if was_up else 'is'} up on {cloud.endpoint}; make down stops it.")
    print("E-mail subscriptions are confirmed by themselves; .venv/bin/python -m local mailbox prints the mail.\n")
    _print_exports(cloud)
    print()
    for name, value in stack.outputs.items():
        print(f"# {name}: {value}")
    print(f"# HTTP API (docs/api.md): {deploy.api_address(cloud, stack)}; its page (docs/page.md): headroom page")
    print("# aws, if you have none: .venv/bin/aws")
    print(f"# try: aws s3 cp fleet.csv s3://{stack.outputs['IngestBucketName']}/incoming/demo/")


@app.command()
def down() -> None:
    """Stop the laptop cloud and everything that it started."""
    cloud = clouds.running()
    if cloud is None:
        console.print("The laptop cloud is not up.")
        return
    clouds.stop(cloud)
    console.print("The laptop cloud is down.")


@app.command()
def demo(
    data: Annotated[list[Path] | None, typer.Option(help="A file or folder; may be repeated.")] = None,
    dataset: Annotated[str, typer.Option(help="The dataset's name.")] = "demo",
    settings: Annotated[Path | None, typer.Option(help="The dataset's settings, YAML.")] = None,
    days: Annotated[int, typer.Option(help="Days of history of the generated fleet, where no data are given.")] = 400,
    formats: Annotated[bool, typer.Option(help="The generated fleet as five tools export it.")] = False,
    engine: Annotated[str | None, typer.Option(help="Who assesses: machine or spark.")] = None,
) -> None:
    """Drop a fleet's files into the ingest bucket, follow the run, and show its results."""
    from local import demo as demos

    demos.run(console, dataset, data or [], settings, days, formats, engine)


@app.command()
def status() -> None:
    """Is the laptop cloud up, and what runs in it?"""
    cloud = clouds.running()
    if cloud is None:
        console.print("The laptop cloud is not up (make up starts it).")
        return
    console.print(f"The laptop cloud is up on {cloud.endpoint}, process {cloud.pid}, log {cloud.log}")
    states = cloud.client("stepfunctions")
    for machine in states.list_state_machines()["stateMachines"]:
        for execution in states.list_executions(stateMachineArn=machine["stateMachineArn"], maxResults=10)[
            "executions"
        ]:
            console.print(f"  {execution['status']:<10} {execution['startDate']:%H:%M:%S} {execution['name']}")


@app.command()
def mailbox() -> None:
    """Print the e-mail that subscribers received."""
    letters = mail.letters(clouds.STATE / "mailbox")
    for letter in letters:
        print(f"To: {letter.to}\nDate: {letter.date}\nSubject: {letter.subject}\n\n{letter.body}\n{'-' * 72}")
    if not letters:
        console.print("The mailbox is empty.")


@app.command()
def test_env() -> None:
    """Print what to export so that aws, sam and boto3 use the laptop cloud."""
    cloud = clouds.running()
    if cloud is None:
        raise CloudError("the laptop cloud is not up: make up")
    _print_exports(cloud)


def _print_exports(cloud: clouds.Cloud) -> None:
    for name, value in cloud.environment.items():
        print(f"export {name}={value}")


def main() -> None:
    """Run the command; a ``CloudError`` is a message for people and exit code 1."""
    try:
        app()
    except CloudError as error:
        console.print(Text.assemble(("Error: ", "bold red"), str(error)), soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
