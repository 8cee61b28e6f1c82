"""The command line: ``headroom --help``. One file per command in ``commands/``; docs/cli.md is its manual."""

import sys
from pathlib import Path

# The functions' modules import each other by their bare names, as they lie side by side in a Lambda.
sys.path.append(str(Path(__file__).parents[1] / "functions"))
