"""GetMetricData refuses here what CloudWatch refuses: MiniStack answers whatever it is asked."""

from __future__ import annotations

import re
from typing import Any

from ministack.services import cloudwatch

MOST_QUERIES = 500  # of one request (CloudWatch's documentation)


def install() -> None:
    """Look at every request of GetMetricData before it is answered."""
    answer = cloudwatch._get_metric_data

    def get_metric_data(params: Any, request: dict[str, Any], is_cbor: bool, is_json: bool = False) -> Any:
        if is_cbor or is_json:
            start, end = (cloudwatch._parse_ts(request.get(name)) for name in ("StartTime", "EndTime"))
            if problem := refusal(request.get("MetricDataQueries", []), start, end):
                return cloudwatch._error("ValidationError", problem, 400, is_json, is_cbor)
        return answer(params, request, is_cbor, is_json)

    cloudwatch._get_metric_data = get_metric_data


def refusal(queries: list[dict[str, Any]], start: float | None, end: float | None) -> str:
    """Why CloudWatch would refuse these queries over a time given in seconds; empty where it would answer."""
    if not queries:
        return "The parameter MetricDataQueries is required."
    if len(queries) > MOST_QUERIES:
        return f"The collection MetricDataQueries must not have a size greater than {MOST_QUERIES}."
    if start is None or end is None:
        return "The parameters StartTime and EndTime are required."
    if start >= end:
        return "The parameter EndTime must be greater than StartTime."
    names = [query.get("Id", "") for query in queries]
    for name in names:
        if not re.fullmatch(r"[a-z][a-zA-Z0-9_]{0,254}", name):
            return f"The value {name!r} for parameter MetricDataQueries.member.Id is not matching the expected pattern."
    if len(set(names)) < len(names):
        return "The values for parameter Id in MetricDataQueries are not unique."
    for query in queries:
        period = query.get("MetricStat", {}).get("Period", 60)
        if period not in (1, 5, 10, 20, 30) and (period <= 0 or period % 60):
            return f"The value {period} for parameter Period is not 1, 5, 10, 20, 30 or a multiple of 60."
    return ""
