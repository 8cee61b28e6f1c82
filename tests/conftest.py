"""What must be there before any test imports a function (Powertools reads it then), and the order of the tests."""

import os
from collections.abc import Iterator
from typing import Any

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


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium; modules that ask for it have the mark ``browser.needed``."""
    from browser import launched

    with launched() as found:
        yield found


# The longest files, longest first: each is one worker's work for minutes.
LONGEST = (
    "test_faults.py", "test_runs.py", "test_report_in_browser.py", "test_service.py", "test_burst.py",
    "test_challenger.py", "test_spark.py", "test_job_image.py", "test_sagemaker_emulator.py",
)  # fmt: skip

# Its stack has a Slack that refuses, which the cloud's other tests would meet.
LAST_OF_INTEGRATION = "test_time_outs.py"


@pytest.hookimpl(trylast=True)  # after the marks are set
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, so that no worker is left alone with one at the end."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    if "integration" in item.path.parts:
        name = item.path.name
        return LONGEST.index(name) if name in LONGEST else len(LONGEST) + (name == LAST_OF_INTEGRATION)
    return len(LONGEST) + (2 if item.get_closest_marker("slow") else 3)
