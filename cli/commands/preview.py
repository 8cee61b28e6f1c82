from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.errors import CliError


def preview(
    files: Annotated[list[Path], typer.Argument(help="Files, or folders of them.", metavar="FILES")],
    settings: Annotated[Path | None, typer.Option(help="The dataset's settings, YAML.")] = None,
) -> None:
    """What Headroom would make of files, before any run. Exit code 1 if one would be refused."""
    for path in [*files, *([] if settings is None else [settings])]:
        if not path.exists():
            raise CliError(f"there is no file or folder {path}")
    if not any(path.is_file() or any(one.is_file() for one in path.rglob("*")) for path in files):
        raise CliError(f"there are no files in {', '.join(map(str, files))}")
    try:
        from headroom import preview as reading
    except ImportError as error:
        raise CliError(
            f"preview reads files as the jobs do, and lacks {error.name}: install it with its libraries "
            "(uv tool install '.[preview]'), or use make preview FILES=…"
        ) from error
    given = [str(path) for path in files] + ([] if settings is None else ["--settings", str(settings)])
    raise typer.Exit(reading.main(given))
