"""What must stand before any test imports a function, as Powertools reads it then; and what each test begins with."""

import os
from collections.abc import Iterator

import pytest

os.environ |= {
    "POWERTOOLS_METRICS_NAMESPACE": "Headroom",
    "POWERTOOLS_SERVICE_NAME": "headroom",
    "POWERTOOLS_TRACE_DISABLED": "true",
}


@pytest.fixture(autouse=True)
def _built_in_metrics_alone() -> Iterator[None]:
    """A process of a job has one dataset's metrics; that of the tests has none but the built-in ones."""
    from headroom.core import metrics

    metrics.use({})
    yield
    metrics.use({})
