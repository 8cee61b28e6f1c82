"""What every notification has to keep to, whoever sends it."""

LONGEST_SUBJECT = 100


def subject(text: str) -> str:
    """A subject that SNS takes: printable ASCII, at most 100 characters."""
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text)[:LONGEST_SUBJECT]


def printable(line: str) -> str:
    """A line with escapes for what is not printed, controls and changes of direction: names come from CSVs."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in line)


def cut(text: str, most: int) -> str:
    """The text, with "…" at its end where it is longer."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
