"""What stands in brackets in a name: a unit, a statistic, a time zone or a remark, as in ``CPU [%] (avg)``."""

from __future__ import annotations

import re

_BRACKET = re.compile(r"[\[(]([^\[\]()]*)[\])]")


def in_brackets(name: str) -> list[str]:
    """What stands in each pair of brackets that is not empty, from left to right."""
    return [text.strip() for text in _BRACKET.findall(name) if text.strip()]


def without_brackets(name: str) -> str:
    """The name with blanks in place of brackets and what is in them, so that all else keeps its place."""
    return _BRACKET.sub(lambda found: " " * len(found[0]), name)
