"""What the report says, one file per section, as blocks of plain values; see :mod:`headroom.report.blocks`.

Every number is rounded and every sentence phrased in these files or in ``core.wording``.
"""

from __future__ import annotations

from typing import Any

from headroom.core.findings import Assessment, RiskOverTime
from headroom.report.sections import (
    accepted,
    actions,
    data,
    forecasts,
    groups,
    over_time,
    rhythm,
    risk,
    run,
    unjudged,
)


def all_sections(found: Assessment, levels: RiskOverTime, shown: int) -> list[dict[str, Any]]:
    """All sections in the order of the page; ``shown`` servers of the fleet are in the report."""
    return [
        risk.section(found, shown),
        *unjudged.section(found),
        *accepted.section(found),
        over_time.section(levels),
        rhythm.section(found),
        groups.section(found),
        actions.section(found),
        data.section(found),
        forecasts.section(found),
        run.section(found),
    ]
