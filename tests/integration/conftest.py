"""One laptop cloud a test session, with the real stack deployed once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local import cloud as clouds
from local import deploy


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[clouds.Cloud]:
    """A cloud of this session's own, with empty services."""
    started = clouds.start(tmp_path_factory.mktemp("cloud"), clouds.free_port(), with_parent=True)
    yield started
    clouds.stop(started)


@pytest.fixture(scope="session")
def stack(cloud: clouds.Cloud) -> deploy.Stack:
    """The real template, built and deployed by the real ``sam``."""
    return deploy.deploy(cloud)
