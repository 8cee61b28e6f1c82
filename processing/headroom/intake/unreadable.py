"""Files that cannot be read, and what libraries say of them."""

from __future__ import annotations


class UnreadableFile(ValueError):
    """The whole file is not a table that Headroom can use; the message says why and what to do."""


def brief(error: Exception) -> str:
    """The first line of a library's message, short enough for a report."""
    return str(error).strip().split("\n", 1)[0][:200]
