"""Files for a dataset: which of those that a person names are data, and how they get into ``incoming/``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cli.errors import CliError
from functions.names import ENDINGS, name_problem


def chosen(paths: list[Path]) -> tuple[list[tuple[Path, str]], list[str]]:
    """The data files with the names that they get, and the names of what else is in the folders.

    Folders are searched, the older names first, and files keep their path below them.

    Raises:
        CliError: there are none, or two have one name, or one could not be taken in.
    """
    files: list[tuple[Path, str]] = []
    others: list[str] = []
    for path in paths:
        if path.is_dir():
            for file in sorted(inside for inside in path.rglob("*") if inside.is_file()):
                name = file.relative_to(path).as_posix()
                usable = file.name.lower().endswith(ENDINGS) or "." not in file.name
                files.append((file, name)) if usable else others.append(name)
        elif path.is_file():
            files.append((path, path.name))
        else:
            raise CliError(f"there is no file or folder {path}")
    if not files:
        found = f"; {passed_over(others)}" if others else ""
        raise CliError(f"no data files ({', '.join(ENDINGS)}) in {', '.join(map(str, paths))}{found}")
    if len({name for _, name in files}) < len(files):
        raise CliError("two of the files have the same name: give the folder that they are in")
    for file, name in files:
        if problem := name_problem(name):
            raise CliError(f"{file} would not be taken in: {problem}")
        if file.stat().st_size == 0:
            raise CliError(f"{file} would not be taken in: it is empty (0 bytes)")
    return files, others


def passed_over(names: list[str]) -> str:
    """One line on files that are not dropped, because their names do not end as data files' do."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"skipped, because their names end in none of {', '.join(ENDINGS)}: {', '.join(names[:5])}{more}"


def upload(s3: Any, bucket: str, dataset: str, files: list[tuple[Path, str]], quiet: bool) -> None:
    """Upload the files into the dataset's folder, with a bar that says how far it is."""
    from rich.progress import Progress

    from cli.output import console

    total = sum(path.stat().st_size for path, _ in files)
    with Progress(console=console(stderr=True), transient=True, disable=quiet) as progress:
        task = progress.add_task("upload", total=total)

        def advance(sent: int) -> None:
            progress.advance(task, sent)

        for path, name in files:
            progress.update(task, description=name[-40:].replace("[", "("))
            s3.upload_file(str(path), bucket, f"incoming/{dataset}/{name}", Callback=advance)
