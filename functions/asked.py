"""What requests of the HTTP API may hold, in their addresses, headers and bodies; anything else is refused."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.openapi.params import Header, Path
from pydantic import BaseModel, ConfigDict, Field

from copying import MOST_FILES
from headroom.core import accepted
from run_input import RunRequest

LARGEST_SETTINGS = 1024**2

Dataset = Annotated[str, Path(description="The first folder under incoming/", max_length=200)]
Run = Annotated[str, Path(description="A run's id, or current", max_length=40)]
Execution = Annotated[str, Path(description="The name of a started run", max_length=80)]
IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255)]


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Upload(_Given):
    """A file that is to come."""

    name: Annotated[str, Field(min_length=1, max_length=900, description="With folders, if it has any")]


class SettingsText(_Given):
    """A dataset's settings: YAML."""

    text: Annotated[str, Field(max_length=LARGEST_SETTINGS)]


class NewSettings(SettingsText):
    """Settings in place of those that were read."""

    etag: Annotated[str | None, Field(description="As it was read; null where there were none", max_length=200)]


class Name(_Given):
    """A finding, by its name."""

    server: Annotated[str, Field(min_length=1, max_length=512)]
    metric: Annotated[str, Field(min_length=1, max_length=128)]
    entity: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    kind: Annotated[str, Field(max_length=40)] = accepted.RISK


class Decision(Name):
    """A finding that is to be accepted or snoozed."""

    state: Literal["accepted", "snoozed"]
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    until: Annotated[date, Field(description="The last day (UTC) on which it is hidden")]


class Start(RunRequest):
    """How a run is to be, and what it is to have."""

    data: Annotated[
        tuple[Annotated[str, Field(max_length=1_100)], ...],
        Field(max_length=MOST_FILES, description="Objects, as s3://bucket/key, to copy into the dataset first"),
    ] = ()


class Approval(_Given):
    """What is to become of a model."""

    status: Literal["Approved", "Rejected"]
