"""The documentation says what is there: parameters, settings, and pages that exist."""

from __future__ import annotations

import re

import pytest
import yaml
from infrastructure.stack import ROOT, template

from headroom.core import settings

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
# How the README's table says that a parameter is empty by default.
EMPTY = {"none", "AWS's scikit-learn image"}


def documented_parameters() -> dict[str, str]:
    """Default by parameter, from the README's table; a row may hold two parameters and their two defaults."""
    documented: dict[str, str] = {}
    for named, given in re.findall(r"^\| (`[A-Z].*?) \| (.*?) \|", README, flags=re.MULTILINE):
        names = re.findall(r"`(\w+)`", named)
        defaults = given.split(", ") if ", " in given else [given] * len(names)
        documented |= dict(zip(names, defaults, strict=True))
    return documented


def test_the_readme_gives_every_parameter_and_its_default():
    documented, parameters = documented_parameters(), template()["Parameters"]
    assert sorted(documented) == sorted(parameters)
    for name, parameter in parameters.items():
        default = str(parameter["Default"])
        assert documented[name] == default or (default == "" and documented[name] in EMPTY), name


def test_the_readmes_settings_are_all_that_there_are_and_valid():
    (example,) = (block for block in re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL) if "horizon" in block)
    assert sorted(yaml.safe_load(example)) == sorted(settings.Settings.model_fields)
    settings.parse(example)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
