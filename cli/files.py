"""Files for a dataset: which of those that a person names are data, and how they get into ``incoming/``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from cli.errors import CliError
from functions.names import ENDINGS, WORKBOOKS, name_problem


class Chosen(NamedTuple):
    """What becomes of the files that a person names."""

    files: list[tuple[Path, str]]
    """The data files, with the names that they get."""
    unfit: list[str]
    """A line for each file that the service would refuse: which, why, and what to do."""
    others: list[str]
    """The names of what else is in the folders."""


def chosen(paths: list[Path]) -> Chosen:
    """Which files are data.

    Folders are searched, the older names first, and files keep their path below them.

    Raises:
        CliError: there are none, or none that the service would take, or two have one name.
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
    problems = [_problem(file, name) for file, name in files]
    unfit = [f"{file}: {problem}" for (file, _), problem in zip(files, problems, strict=True) if problem]
    if len(unfit) == len(files):
        raise CliError(left_out(unfit))
    fit = [one for one, problem in zip(files, problems, strict=True) if not problem]
    return Chosen(fit, unfit, others)


def _problem(file: Path, name: str) -> str | None:
    """Why the service would refuse a file of this name, and what to do; None where it would not."""
    if problem := name_problem(name):
        return problem
    return "it is empty (0 bytes): export it again, or remove it" if file.stat().st_size == 0 else None


def left_out(unfit: list[str]) -> str:
    """The files that would be refused, a line each."""
    return "\n".join(["not dropped, because they would be refused:", *[f"  {line}" for line in unfit]])


def incomplete(unfit: list[str]) -> str:
    """The last word where the other files went well."""
    were = "1 file was" if len(unfit) == 1 else f"{len(unfit)} files were"
    return f"{were} not dropped, see above; the others were"


def passed_over(names: list[str]) -> str:
    """One line on files that are not dropped, because their names do not end as data files' do."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    workbooks = any(name.lower().endswith(WORKBOOKS) for name in names)
    convert = "; save Excel workbooks as CSV" if workbooks else ""
    return f"skipped, because their names end in none of {', '.join(ENDINGS)}: {', '.join(names[:5])}{more}{convert}"


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
