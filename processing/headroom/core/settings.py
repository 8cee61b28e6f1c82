"""A dataset's settings: what its owners may say about their data in ``config/<dataset>.yaml``.

This is the one written schema of that file. Every key is optional, an unknown key or a bad value is
an error that names the key and says what would do, and the defaults suit daily planning in percent.
"""

from __future__ import annotations

import reprlib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

import holidays as holidays_package
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from headroom.core.periods import Frequency

PERCENT_METRICS = ("cpu", "memory", "disk")
METRICS = (*PERCENT_METRICS, "network_in", "network_out")

Metric = Literal["cpu", "memory", "disk", "network_in", "network_out"]
CanonicalColumn = Literal[
    "timestamp", "server_id", "metric", "value", "unit", "entity", "ignore",
    "cpu", "memory", "disk", "network_in", "network_out",
    "business_unit", "region", "criticality", "instance_type", "vcpus", "memory_gb", "monthly_cost_usd",
]  # fmt: skip


# Whatever a settings file holds (YAML can say a billion things in a line), a message stays short.
_short = reprlib.Repr()
_short.maxstring = 100
_short.maxlevel = 2


class SettingsError(ValueError):
    """The settings cannot be used; the message lists every problem, one per line."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Thresholds(_Part):
    """Levels of one metric, in the metric's own unit (percent, or megabytes per second)."""

    warning: float = Field(ge=0)
    critical: float = Field(ge=0)
    underused: float | None = Field(None, ge=0)

    @model_validator(mode="after")
    def _in_order(self) -> Thresholds:
        if not (self.underused or 0) <= self.warning < self.critical:
            raise ValueError("must satisfy underused <= warning < critical")
        return self


PERCENT_THRESHOLDS = {"warning": 80.0, "critical": 90.0, "underused": 40.0}


class Holidays(_Part):
    """A calendar of the ``holidays`` package, such as ``{country: DE, subdivision: BY}``."""

    country: str
    subdivision: str | None = None

    @model_validator(mode="after")
    def _known(self) -> Holidays:
        try:
            calendar = holidays_package.country_holidays(self.country, subdiv=self.subdivision)
            if not getattr(calendar, "country", None):
                raise ValueError(f"{self.country} is not a country")
        # The package looks the name up among its own: one of its modules is not callable, a helper takes other things.
        except (NotImplementedError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(
                f"no calendar of {self.country!r}: {error} (use an ISO 3166 code such as US or DE)"
            ) from error
        return self


class Costs(_Part):
    """What a server costs per hour if it has no ``monthly_cost_usd`` of its own."""

    per_vcpu_hour: float = Field(0.048, ge=0)
    per_gb_hour: float = Field(0.006, ge=0)
    currency: str = Field("USD", pattern=r"^[A-Z]{3}$")


class Rules(_Part):
    """How files are to be read where they do not say so themselves."""

    metric: Metric | None = Field(None, description="what a column named value measures")
    columns: dict[str, CanonicalColumn] = {}
    units: dict[str, str] = Field({}, description="heading or metric: unit, such as {cpu: ratio, Network In: kB/s}")
    timezone: str = "UTC"
    time_format: str | None = Field(None, description="how times are written, as in strptime: '%d/%m/%Y %H:%M'")
    zones: dict[str, Annotated[str, Field(pattern=r"^[+-]\d\d:\d\d$")]] = Field(
        {}, description="what abbreviated time zones mean, such as {CET: '+01:00'}"
    )
    decimal_mark: Literal[".", ","] | None = None
    entities: Literal["refuse", "busiest"] = Field(
        "refuse", description="several disks or network cards per server: refuse the file, or take the busiest"
    )

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        if name not in available_timezones() - {"localtime"}:
            raise ValueError("not a time zone; use a name such as Europe/Berlin")
        return name

    @field_validator("units")
    @classmethod
    def _units_are_said(cls, units: dict[str, str]) -> dict[str, str]:
        if empty := [name for name, unit in units.items() if not unit.strip()]:
            raise ValueError(f"{empty[0]} has no unit; write percent, ratio, MB/s, …")
        return units


class FileRules(Rules):
    """The rules for one file: those of the dataset, and over them those of the sources that it belongs to."""

    server: str | None = None
    where: dict[str, tuple[str, ...]] = {}


class Source(_Part):
    """Rules for the files of one source: those whose name, with folders, matches ``match`` (as in a shell)."""

    match: str = Field(min_length=1)
    server: str | None = Field(None, min_length=1, description="'file', 'folder', or the server's name itself")
    where: dict[str, str | list[str]] = Field({}, description="only rows with these values count, by heading")
    metric: Metric | None = None
    columns: dict[str, CanonicalColumn] = {}
    units: dict[str, str] = {}
    timezone: str | None = None
    time_format: str | None = None
    zones: dict[str, str] = {}
    decimal_mark: Literal[".", ","] | None = None
    entities: Literal["refuse", "busiest"] | None = None

    @model_validator(mode="after")
    def _as_the_datasets(self) -> Source:
        FileRules.model_validate(self.rules())
        return self

    def is_of(self, file: str) -> bool:
        """Whether a file, by its name with folders, is of this source."""
        return fnmatchcase(file, self.match) or fnmatchcase(file.rsplit("/", 1)[-1], self.match)

    def rules(self) -> dict[str, Any]:
        """What is said here, and nothing else."""
        return self.model_dump(exclude={"match"}, exclude_unset=True, exclude_none=True) | {"where": self._where()}

    def _where(self) -> dict[str, tuple[str, ...]]:
        return {name: (value,) if isinstance(value, str) else tuple(value) for name, value in self.where.items()}


class Settings(Rules):
    """All settings of one dataset. ``Settings()`` are the defaults."""

    frequency: Frequency = Frequency.DAY
    horizon: int = Field(90, ge=1, le=1000, description="periods ahead; by default 90 days or 168 hours")
    statistic: Literal["p95", "p99", "max", "mean"] = "p95"
    sources: list[Source] = []
    thresholds: dict[Metric, Thresholds] = {}
    holidays: Holidays | None = None
    fiscal_quarter_ends: list[Annotated[int, Field(ge=1, le=12)]] = [3, 6, 9, 12]
    costs: Costs = Costs()
    headroom_percent: float = Field(20, ge=0, le=200, description="spare capacity that every recommended size leaves")
    keep_samples_days: int = Field(
        62, ge=1, description="days of raw samples to keep, so that late files merge exactly"
    )
    minutes_between_runs: int | None = Field(
        None, ge=0, le=10080, description="minimum time between the starts of two runs; by default the stack's"
    )
    overdue_after_days: int | None = Field(
        None, ge=0, le=3650, description="days without a file after which the dataset is told of; 0 for never"
    )
    drift_threshold: float = Field(
        0.25, gt=0, description="population stability index above which a new model is trained"
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, given: Any) -> Any:
        if isinstance(given, dict):
            given = dict(given)
            if given.get("horizon") is None:
                hourly = given.get("frequency") == Frequency.HOUR
                given["horizon"] = (Frequency.HOUR if hourly else Frequency.DAY).horizon
            given["thresholds"] = _with_percent_defaults(given.get("thresholds") or {})
        return given

    @field_validator("thresholds")
    @classmethod
    def _within_percent(cls, thresholds: dict[str, Thresholds]) -> dict[str, Thresholds]:
        for metric, levels in thresholds.items():
            if metric in PERCENT_METRICS and levels.critical > 100:
                raise ValueError(f"{metric} is in percent: critical must be at most 100")
        return thresholds

    def for_file(self, file: str) -> FileRules:
        """The rules for a file, given by its name with folders; of several sources that match the later wins."""
        said = self.model_dump(include=set(Rules.model_fields))
        for source in self.sources:
            if source.is_of(file):
                for name, value in source.rules().items():
                    said[name] = {**said.get(name, {}), **value} if isinstance(value, dict) else value
        return FileRules.model_validate(said)


def parse(text: str) -> Settings:
    """Settings from YAML (or JSON) text; an empty document gives the defaults.

    Raises:
        SettingsError: with one line per problem, each naming the key.
    """
    try:
        given = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SettingsError(f"not valid YAML: {' '.join(str(error).split())}") from error
    if given is None:
        given = {}
    if not isinstance(given, dict):
        raise SettingsError(f"expected keys and values, found {type(given).__name__}")
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        raise SettingsError("\n".join(_problems(error))) from error


def load(path: Path | None) -> Settings:
    """Settings from a file; ``None`` gives the defaults.

    Raises:
        SettingsError: see :func:`parse`.
        FileNotFoundError: there is no such file.
    """
    if path is None:
        return Settings()
    try:
        return parse(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise SettingsError("not UTF-8 text: save the file as UTF-8") from error


def of_panel(panel: Path, given: Path | None) -> Settings:
    """The settings a panel was made with (``settings.json`` beside it), unless others are given."""
    written = panel / "settings.json"
    return load(given if given is not None or not written.exists() else written)


def _with_percent_defaults(thresholds: Any) -> Any:
    if not isinstance(thresholds, dict):
        return thresholds
    filled = {metric: thresholds.get(metric) or {} for metric in (*PERCENT_METRICS, *thresholds)}
    return {
        metric: PERCENT_THRESHOLDS | levels if metric in PERCENT_METRICS and isinstance(levels, dict) else levels
        for metric, levels in filled.items()
    }


def _problems(error: ValidationError) -> list[str]:
    lines = []
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"] if part != "[key]") or "settings"
        if problem["type"] == "extra_forbidden":
            known = Source if key.startswith("sources.") else Settings
            lines.append(f"{key}: unknown key; known keys are {', '.join(known.model_fields)}")
        else:
            lines.append(
                f"{key}: {problem['msg'].removeprefix('Value error, ')} (given: {_short.repr(problem['input'])})"
            )
    return lines
