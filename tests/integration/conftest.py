"""One laptop cloud per test session, with the real stack deployed once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import serving
from integration.service import Service

from cli import smoke
from local import cloud as clouds
from local import deploy, fleet, release


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of what the tests serve by TLS: the OpenID provider, Slack. The cloud trusts it."""
    return serving.certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory, certificate: Path) -> Iterator[clouds.Cloud]:
    """A cloud of this session's own, with empty services."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SSL_CERT_FILE", str(certificate))  # it trusts the OpenID provider of the tests
        started = clouds.start(tmp_path_factory.mktemp("cloud"), clouds.free_port(), with_parent=True)
    yield started
    clouds.stop(started)


OTHERS = "exports-of-others"
GIVEN = {
    "Collectors": "on", "Challenger": "on", "DataArns": f"arn:aws:s3:::{OTHERS}/servers/*",
    "BatchWindowSeconds": "4",  # twice the demo's: other tests keep the machine busy while a queue is read
}  # fmt: skip


@pytest.fixture(scope="session")
def stack(cloud: clouds.Cloud) -> deploy.Stack:
    """The real template, built and deployed by the real ``sam``; with collectors, which have nothing to collect yet,
    with a challenger, which no dataset has until its settings ask for one, and a bucket of others to copy from."""
    return deploy.deploy(cloud, GIVEN)


@pytest.fixture(scope="session")
def service(cloud: clouds.Cloud, stack: deploy.Stack) -> Service:
    return Service(cloud, stack)


@pytest.fixture(scope="session")
def months(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A small fleet's wide files, one per month, by name."""
    folder = tmp_path_factory.mktemp("fleet")
    fleet.write(
        fleet.generate(servers=10, days=240, sampling="1D", metrics=("cpu", "memory"), horizon=30, seed=3), folder
    )
    return {path.name: path.read_bytes() for path in sorted((folder / "incoming").glob("fleet-*.csv"))}


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is polled every few seconds on AWS; the laptop cloud is quicker."""
    monkeypatch.setattr(smoke, "POLL_SECONDS", 0.2)
    monkeypatch.setattr(release, "POLL_SECONDS", 1)
