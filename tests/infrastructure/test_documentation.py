"""The documentation says what is there: parameters, settings, modules, and pages that exist."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
import yaml
from infrastructure.stack import ROOT, template
from infrastructure.test_rooms import ROOMS

from headroom.core import settings

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
PARAMETERS = (ROOT / "docs" / "parameters.md").read_text(encoding="utf-8")
# How the tables say that a parameter is empty by default.
EMPTY = {"none", "AWS's scikit-learn image", "AWS's Spark image"}


def documented_parameters(page: str) -> dict[str, str]:
    """Default by parameter, from a page's tables; a row may hold two parameters and their two defaults."""
    documented: dict[str, str] = {}
    for named, given in re.findall(r"^\| (`[A-Z].*?) \| (.*?) \|", page, flags=re.MULTILINE):
        names = re.findall(r"`(\w+)`", named)
        defaults = given.split(", ") if ", " in given else [given] * len(names)
        documented |= dict(zip(names, defaults, strict=True))
    return documented


def test_every_parameter_and_its_default_is_documented_and_the_readme_says_the_same_of_the_first_few():
    documented, parameters = documented_parameters(PARAMETERS), template()["Parameters"]
    assert sorted(documented) == sorted(parameters)
    for name, parameter in parameters.items():
        default = str(parameter["Default"])
        assert documented[name] == default or (default == "" and documented[name] in EMPTY), name
    rows = [line for line in README.splitlines() if re.match(r"\| `[A-Z]", line)]
    assert rows and [row for row in rows if row.replace("docs/", "") not in PARAMETERS.splitlines()] == []


def yaml_of(page: str) -> str:
    """The one example of a dataset's settings on a page."""
    (example,) = (block for block in re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL) if "horizon" in block)
    return example


def test_the_documented_settings_are_all_that_there_are_and_valid():
    example = yaml_of((ROOT / "docs" / "settings.md").read_text(encoding="utf-8"))
    assert sorted(yaml.safe_load(example)) == sorted(settings.Settings.model_fields)
    settings.parse(example)
    settings.parse(yaml_of(README))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_says_a_paragraph_twice(page):
    """As a merge of two changes can leave it, with another paragraph lost."""
    paragraphs = [part for part in page.read_text(encoding="utf-8").split("\n\n") if len(part) > 80]
    assert [part[:60] for part, times in Counter(paragraphs).items() if times > 1] == []


TESTS = ROOT / "tests"
PAGES_THAT_NAME_TESTS = ["reliability.md", "security.md"]
FILE = re.compile(r"(?:(unit|integration|infrastructure)/)?(?:[\w/]+/)?(test_\w+)(?:\.py)?(?:::([\w…]+))?")


def named_tests(page: str) -> list[tuple[str, str, str]]:
    """(line, file, name) of all tests that the last column of a page's tables names, ``…`` standing for anything.

    A name belongs to the file that stands before it; one that is the only of its name needs no folder, and a unit
    test's comes first.
    """
    found = []
    for line in page.splitlines():
        cells = line.split(" | ")
        if not line.startswith("| ") or len(cells) < 2 or ("`test_" not in cells[-1] and "/test_" not in cells[-1]):
            continue
        file = ""
        for token in re.findall(r"`([^`]+)`", cells[-1]):
            if token.startswith("::"):
                found.append((line, file, token[2:]))
            elif match := FILE.fullmatch(token):
                folder, stem, name = match.groups()
                paths = sorted(TESTS.rglob(f"{stem}.py"), key=lambda path: "unit" not in path.parts)
                paths = [path for path in paths if folder is None or folder in path.parts]
                file = str(paths[0]) if paths else token
                found.append((line, file, name or ""))
            else:
                found.append((line, file, token))
    return found


def is_there(file: str, name: str) -> bool:
    """Whether a test file has a test, a rule or a case of this name."""
    try:
        text = Path(file).read_text(encoding="utf-8")
    except OSError:
        return False
    pattern = ".*".join(re.escape(part) for part in name.split("…"))
    return bool(re.search(rf"^def (test_)?{pattern}\(", text, flags=re.MULTILINE)) or not name or f'"{name}"' in text


@pytest.mark.parametrize("name", PAGES_THAT_NAME_TESTS)
def test_the_tests_that_a_page_names_exist(name):
    named = named_tests((ROOT / "docs" / name).read_text(encoding="utf-8"))
    assert len(named) > 40
    assert [(file, test) for _, file, test in named if not is_there(file, test)] == []


def test_every_finding_of_the_reviews_has_its_line():
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    numbers = re.findall(r"^\| (F?\d+) \|", page, flags=re.MULTILINE)
    assert set(numbers) == {str(number) for number in range(1, 27)} | {f"F{number}" for number in range(1, 11)}


@pytest.mark.parametrize(
    ("cell", "there"),
    [
        ("`unit/functions/test_slack.py::test_only_https_webhooks_are_called`", True),
        ("`test_slack`: `only_https…`", True),
        ("`test_slack`: `only_http_webhooks…`", False),
        ("`infrastructure/test_template.py` rule `open_buckets`", True),
        ("`infrastructure/test_template.py` rule `closed_buckets`", False),
        ("`integration/test_slack.py`", False),
    ],
)
def test_a_name_that_does_not_exist_is_seen(cell, there):
    named = named_tests(f"| threat | measure | {cell} |")
    assert named
    assert all(is_there(file, test) for _, file, test in named) is there


IN_INTAKE = ("words", "files", "servers", "accounting", "in_parts")
FOLDERS = ["functions", *(f"processing/headroom/{room}" for room in (*ROOMS, *(f"intake/{one}" for one in IN_INTAKE)))]


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_architecture_names_every_module(folder):
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    modules = {path.stem for path in (ROOT / folder).glob("*.py")} - {"__init__", "__main__"}
    assert [name for name in sorted(modules) if f"`{name}`" not in page] == []
