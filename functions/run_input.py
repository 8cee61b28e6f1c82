"""What a run is started with: the input of an execution, whoever starts it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from names import DATASET_NAME


class Override(BaseModel):
    """Another machine for one job of this run."""

    model_config = ConfigDict(extra="forbid")

    instance_type: Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$")] | None = None
    # A job is one process: further instances would be paid for, and idle. AssessRisk on Spark can use them.
    instance_count: Annotated[int, Field(ge=1, le=1)] | None = None
    volume_gb: Annotated[int, Field(ge=1, le=16384)] | None = None


class ManyMachines(Override):
    """Other machines for a job that Spark can share out among them."""

    instance_count: Annotated[int, Field(ge=1, le=100)] | None = None


class Overrides(BaseModel):
    """Other machines, by job; and who does Preprocess's and AssessRisk's work."""

    model_config = ConfigDict(extra="forbid")

    preprocess: ManyMachines = ManyMachines()
    train: Override = Override()
    assess: ManyMachines = ManyMachines()
    engine: Literal["machine", "spark"] | None = None

    @model_validator(mode="after")
    def _several_instances_are_for_spark(self) -> Overrides:
        several = any((job.instance_count or 1) > 1 for job in (self.preprocess, self.assess))
        if several and self.engine != "spark":
            raise ValueError('several instances are of use to Spark only: say "engine": "spark" as well')
        return self


class RunRequest(BaseModel):
    """How a run is to be; a run that arriving files start has none of it."""

    model_config = ConfigDict(extra="forbid")

    mode: Literal["auto", "train", "score"] = "auto"
    max_usd: Annotated[float, Field(ge=0, le=1_000_000)] | None = None
    """What this run may cost, in place of the stack's MaxRunCostUsd; 0 for anything."""
    overrides: Overrides = Overrides()


class RunInput(RunRequest):
    """What an execution is started with."""

    dataset: Annotated[str, Field(pattern=rf"^{DATASET_NAME}$")]
    copied: list[str] = []
    """Where files came from that were copied in before this start, for the record; they wait as all others do."""
