"""What pydantic finds wrong with files that people write (settings, collectors), in plain words."""

from __future__ import annotations

import re
from typing import Any


def in_plain_words(problem: Any) -> str:
    """What is wrong, without pydantic's own terms; ``problem`` is one of ``ValidationError.errors()``."""
    kind, given = problem["type"], problem.get("ctx", {})
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        return "must be keys and values"
    if kind == "missing":
        return "is required"
    if kind == "union_tag_not_found":
        return f"the key {given['discriminator']} is required"
    if kind == "union_tag_invalid":
        return f"{given['discriminator']} must be one of {given['expected_tags']} (given: {given['tag']!r})"
    words = problem["msg"].removeprefix("Value error, ").partition(", unable to parse")[0]
    return re.sub(r"^(Input|String|List|Dictionary|Tuple|Value) should", "must", words)
