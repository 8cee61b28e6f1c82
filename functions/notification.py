"""What every notification has to keep to, whoever sends it."""

LONGEST_SUBJECT = 100


def subject(text: str) -> str:
    """A subject that SNS takes: printable ASCII, at most 100 characters."""
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text)[:LONGEST_SUBJECT]
