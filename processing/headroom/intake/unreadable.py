"""Files that cannot be read, and what libraries say of them."""

from __future__ import annotations

import json
import re


class UnreadableFile(ValueError):
    """The whole file is not a table that Headroom can use; the message says why and what to do."""


def brief(error: Exception) -> str:
    """The first line of a library's message, short enough for a report."""
    return str(error).strip().split("\n", 1)[0][:200]


def in_settings(section: str, name: str, value: str) -> str:
    """An entry as it can be copied into the settings: a name that YAML would take for more is quoted."""
    key = (
        name
        if re.fullmatch(r"(?!(?:y|n|yes|no|on|off|true|false|null)$)[^\W\d][\w ./()%+-]*", name, re.I)
        else json.dumps(name, ensure_ascii=False)
    )
    return f"{section}: {{{key}: {value}}}"
