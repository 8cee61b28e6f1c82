"""What the command line cannot do, said to the person at the keyboard."""

from __future__ import annotations


class CliError(Exception):
    """The command cannot go on; the message says why and what to do. It ends with exit code 1."""
