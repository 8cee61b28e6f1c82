"""The command line: ``headroom --help``. One file per command in ``commands/``; docs/cli.md is its manual."""

import sys
from pathlib import Path

# The functions' modules import each other by their bare names, as they lie side by side in a Lambda. In a checkout,
# headroom is in processing/; where the command line is installed, it is beside cli/.
sys.path += [str(Path(__file__).parents[1] / room) for room in ("functions", "processing")]
