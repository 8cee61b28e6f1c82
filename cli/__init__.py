"""The command line: ``headroom --help``. One file per command in ``commands/``; docs/cli.md is its manual."""
