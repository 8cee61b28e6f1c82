"""What must be there before any test imports a function (Powertools reads it then), and the order of the tests."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

os.environ |= {
    "POWERTOOLS_METRICS_NAMESPACE": "Headroom",
    "POWERTOOLS_SERVICE_NAME": "headroom",
    "POWERTOOLS_TRACE_DISABLED": "true",
}

# How long an example takes says nothing where the machine is busy; what hangs ends by pytest's own limit.
settings.register_profile("busy machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy machine")


# What is loaded while tests are collected stays to the end: looking through it for what can go would cost time, always.
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_unconfigure() -> None:
    gc.unfreeze()  # what is left at the end is told on standard error by libraries that count


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


# The longest files as measured, each a minute or more of one worker. Those of the laptop cloud, which also wait,
# take turns with those that only compute.
LONGEST = (
    "integration/test_faults.py", "integration/test_runs.py", "unit/test_preprocess.py",
    "integration/test_report_in_browser.py", "unit/test_spread.py", "integration/test_service.py",
    "integration/test_spark.py", "integration/test_burst.py", "unit/forecast/test_model.py",
    "integration/test_cli.py", "integration/test_challenger.py", "unit/console/test_console.py",
    "integration/test_page.py", "integration/test_job_image.py", "integration/test_script_mode.py",
)  # fmt: skip

# Its stack has a Slack that refuses, which the cloud's other tests would meet.
LAST_OF_INTEGRATION = "integration/test_time_outs.py"


@pytest.hookimpl(trylast=True)  # after the marks are set
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, so that no worker is left alone with one at the end."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    name = item.path.relative_to(Path(__file__).parent).as_posix()
    if name in LONGEST:
        return LONGEST.index(name)
    if name.startswith("integration/"):
        return len(LONGEST) + (name == LAST_OF_INTEGRATION)
    return len(LONGEST) + (2 if item.get_closest_marker("slow") else 3)
