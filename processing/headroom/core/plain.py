"""Values as JSON has them."""

from __future__ import annotations

import json
import math
from json.encoder import encode_basestring
from typing import Any

import numpy as np
import pandas as pd


def plain(value: Any) -> Any:
    """The value as JSON has it: no NaN, no NumPy, dates as ISO 8601."""
    kind = type(value)  # the most frequent first: a large fleet has millions of values
    if kind is str or kind is int or kind is bool or value is None:
        return value
    if kind is float:
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(one) for one in value]
    if value is pd.NaT or (isinstance(value, float | np.floating) and not np.isfinite(value)):
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return value.item() if isinstance(value, np.generic) else value


def text(value: Any, line: str = "\n") -> str:
    """The text of a plain value, as ``json.dumps`` writes it with ``indent=1`` and ``ensure_ascii=False``.

    It takes a fraction of the time: with indentation ``json.dumps`` does without its part in C. ``line`` is how a line
    at the value's depth begins.

    Raises:
        ValueError: a number is not finite.
    """
    kind, deeper = type(value), line + " "
    if kind is str:
        return encode_basestring(value)
    if kind is dict and value:
        inner = [f"{encode_basestring(key)}: {text(one, deeper)}" for key, one in value.items()]
        return f"{{{deeper}{f',{deeper}'.join(inner)}{line}}}"
    if kind is list and value:
        return f"[{deeper}{f',{deeper}'.join([text(one, deeper) for one in value])}{line}]"
    if kind is int or (kind is float and math.isfinite(value)):
        return repr(value)
    return json.dumps(value, allow_nan=False)
