"""A dataset's settings: what its owners may say about their data in ``config/<dataset>.yaml``.

This is the one written schema of that file. Every key is optional, an unknown key or a bad value is
an error that names the key and says what would do, and the defaults suit daily planning in percent.
"""

from __future__ import annotations

import difflib
import re
import reprlib
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from headroom.core import metrics as table
from headroom.core.mistakes import in_plain_words
from headroom.core.periods import Frequency
from headroom.core.series import parts_of


@cache
def time_zones() -> frozenset[str]:
    """The names of time zones. They are looked up on disk, which takes long where each of many files asks for them."""
    return frozenset(available_timezones() - {"localtime"})


# What a column may be beside a metric.
COLUMNS = (
    "timestamp", "server_id", "metric", "value", "unit", "entity", "ignore",
    "business_unit", "region", "criticality", "instance_type", "vcpus", "memory_gb", "monthly_cost_usd",
)  # fmt: skip
# Metrics' names become columns; more of them would be a table of another kind.
MOST_METRICS = 50
_METRIC_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
# Columns of our own tables, and words of their SQL.
_TAKEN = {
    "file", "row", "server_id", "sampled_at", "ds", "y", "mean", "max", "samples", "p95", "p99", "attributes",
    "evidence", "arrival", "all", "unit", "capacity", "entity", "value", "metric", "order", "group", "select", "table",
    "from", "where", "case", "end", "default", "check", "column", "user", "limit", "offset", "key",
}  # fmt: skip


# Whatever a settings file holds (YAML can say a billion things in a line), a message stays short.
_short = reprlib.Repr()
_short.maxstring = 100
_short.maxlevel = 2


class SettingsError(ValueError):
    """The settings cannot be used; the message lists every problem, one per line."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Thresholds(_Part):
    """Levels of one metric: percent of its capacity, or in its own unit where it has none (the network)."""

    warning: float = Field(ge=0)
    critical: float = Field(ge=0)
    underused: float | None = Field(None, ge=0)

    @model_validator(mode="after")
    def _in_order(self) -> Thresholds:
        if not (self.underused or 0) <= self.warning < self.critical:
            raise ValueError("must satisfy underused <= warning < critical")
        return self


PERCENT_THRESHOLDS = {"warning": 80.0, "critical": 90.0, "underused": 40.0}


class ThresholdsFor(_Part):
    """Thresholds of a metric for some servers, or some of their entities, by name or pattern (as in a shell)."""

    metric: str
    server: str = Field("*", min_length=1)
    entity: str | None = Field(None, min_length=1)
    warning: float | None = Field(None, ge=0)
    critical: float | None = Field(None, ge=0)
    underused: float | None = Field(None, ge=0)

    def fits(self, owner: str, metric: str) -> bool:
        """Whether a series, by its owner (see ``core.series``) and metric, is meant."""
        server, entity = parts_of(owner)
        return (
            metric == self.metric
            and fnmatchcase(server, self.server)
            and (self.entity is None or fnmatchcase(entity, self.entity))
        )

    def said(self) -> dict[str, float]:
        """The levels that are given here."""
        return {name: value for name in PERCENT_THRESHOLDS if (value := getattr(self, name)) is not None}

    def in_words(self) -> str:
        """As its owner finds it in the settings."""
        return ", ".join(
            f"{name}: {value}" for name in ("metric", "server", "entity") if (value := getattr(self, name))
        )


class OfColumn(_Part):
    """A capacity that a column, or a name in a metric column, says."""

    column: str = Field(min_length=1)


class OfAttribute(_Part):
    """A capacity that is an attribute of the server."""

    attribute: Literal["vcpus", "memory_gb"]


_PERCENT_WORDS = (table.PERCENT, "percent", "pct")


class OwnMetric(_Part):
    """A metric of the dataset's own; see ``docs/data-contract.md``."""

    unit: str = Field(min_length=1, max_length=40, description="of its values: connections, GB, IOPS, %, requests/s")
    label: str | None = Field(None, min_length=1, max_length=60, description="as people call it; by default its name")
    direction: Literal["used", "free"] = "used"
    capacity: Annotated[float, Field(gt=0)] | OfColumn | OfAttribute | None = None
    kind: Literal["gauge", "counter"] = "gauge"
    entities: Literal["own", "sum", "mean", "max"] = Field(
        "own", description="several parts per server: a series for each, or one of their sum, mean or highest"
    )
    names: list[Annotated[str, Field(min_length=1)]] = []

    @field_validator("unit", mode="before")
    @classmethod
    def _percent_sign(cls, unit: Any) -> Any:
        return table.PERCENT if isinstance(unit, str) and unit.casefold() in _PERCENT_WORDS else unit

    @field_validator("unit", "label")
    @classmethod
    def _printable(cls, text: str | None) -> str | None:
        if text is not None and not (text.isprintable() and text.strip() == text):
            raise ValueError("must be plain text without blanks at its ends")
        return text

    @model_validator(mode="after")
    def _consistent(self) -> OwnMetric:
        if self.unit == table.PERCENT and self.capacity not in (None, 100):
            raise ValueError("a metric in % has a capacity of 100: leave `capacity` out, or say the unit of its values")
        if self.kind == "counter" and self.direction == "free":
            raise ValueError("a counter counts what was used: leave `direction` out")
        if self.kind == "counter" and self.entities in ("sum", "mean", "max"):
            raise ValueError("counters of several parts cannot be put together: export their rate, or entities: own")
        if self.kind == "counter" and not re.search(r"/ ?(s|sec|second|min|minute|h|hour)$|ps$", self.unit):
            raise ValueError("a counter becomes a rate: its unit must end with /s, /min or /h, such as requests/s")
        return self

    def as_metric(self, name: str) -> table.Metric:
        """The entry of the table of metrics."""
        capacity = 100.0 if self.unit == table.PERCENT else self.capacity
        return table.Metric(
            name=name,
            label=self.label or name.replace("_", " "),
            unit=self.unit,
            free=self.direction == "free",
            capacity=capacity if isinstance(capacity, float) else None,
            capacity_column=capacity.column if isinstance(capacity, OfColumn) else None,
            capacity_attribute=capacity.attribute if isinstance(capacity, OfAttribute) else None,
            counter=self.kind == "counter",
            parts=self.entities,
            names=tuple(self.names),
        )


class Holidays(_Part):
    """A calendar of the ``holidays`` package, such as ``{country: DE, subdivision: BY}``."""

    country: str
    subdivision: str | None = None

    @model_validator(mode="after")
    def _known(self) -> Holidays:
        import holidays as holidays_package  # slow to load, and hardly ever needed

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

    metric: str | None = Field(None, description="what a column named value measures")
    columns: dict[str, str] = {}
    units: dict[str, str] = Field({}, description="heading or metric: unit, such as {cpu: ratio, Network In: kB/s}")
    timezone: str = "UTC"
    time_format: str | None = Field(None, description="how times are written, as in strptime: '%d/%m/%Y %H:%M'")
    zones: dict[str, Annotated[str, Field(pattern=r"^[+-](0\d|1[0-4]):[0-5]\d$")]] = Field(
        {}, description="what abbreviated time zones mean, such as {CET: '+01:00'}"
    )
    decimal_mark: Literal[".", ","] | None = None
    entities: Literal["own", "refuse", "busiest"] = Field(
        "own",
        description="several disks or network cards per server: a series for each, refuse the file, or the busiest",
    )

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        if name not in time_zones():
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
    metric: str | None = None
    columns: dict[str, str] = {}
    units: dict[str, str] = {}
    timezone: str | None = None
    time_format: str | None = None
    zones: dict[str, str] = {}
    decimal_mark: Literal[".", ","] | None = None
    entities: Literal["own", "refuse", "busiest"] | None = None

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


class Identity(_Part):
    """Which names are one server; a name is first cut, then folded, and aliases are looked up with and without that."""

    ignore_case: bool = False
    domains: tuple[Annotated[str, Field(pattern=r"^[^.\s].*$")], ...] = Field(
        (), description="suffixes that say nothing: with corp.example, web-1.corp.example is web-1"
    )
    aliases: dict[str, Annotated[str, Field(min_length=1)]] = {}


class Group(_Part):
    """Servers that are looked at as one, such as an autoscaling group or the pods of an application."""

    match: str | None = Field(None, min_length=1, description="names as in a shell; {group} stands for the group's own")
    attribute: Literal["business_unit", "region", "criticality", "instance_type"] | None = None
    name: str = Field("group {group}", min_length=1)
    minutes: int = Field(5, ge=1, le=1440, description="samples of the members are put together over so many minutes")
    members: Literal["keep", "hide"] = Field("keep", description="whether members have series of their own as well")

    @model_validator(mode="after")
    def _is_said(self) -> Group:
        if (self.match is None) == (self.attribute is None):
            raise ValueError("needs either match (names of servers) or attribute")
        if self.match is not None and self.match.count("{group}") != self.name.count("{group}"):
            raise ValueError("name and match must both have {group}, once, or neither")
        if self.name.count("{group}") > 1 or (self.attribute is not None and "{group}" not in self.name):
            raise ValueError("name must have {group} once where groups differ")
        if 1440 % self.minutes:
            raise ValueError("minutes must divide a day, such as 5, 15 or 60")
        return self


class Settings(Rules):
    """All settings of one dataset. ``Settings()`` are the defaults."""

    frequency: Frequency = Frequency.DAY
    horizon: int = Field(90, ge=1, le=1000, description="periods ahead; by default 90 days or 168 hours")
    statistic: Literal["p95", "p99", "max", "mean"] = "p95"
    sources: list[Source] = []
    identity: Identity = Identity()
    groups: list[Group] = []
    metrics: dict[str, OwnMetric] = Field({}, description="metrics of the dataset's own, by name")
    thresholds: dict[str, Thresholds] = {}
    thresholds_for: list[ThresholdsFor] = Field([], description="for some servers or entities; the first that fits")
    holidays: Holidays | None = None
    fiscal_quarter_ends: list[Annotated[int, Field(ge=1, le=12)]] = [3, 6, 9, 12]
    costs: Costs = Costs()
    headroom_percent: float = Field(20, ge=0, le=200, description="spare capacity that every recommended size leaves")
    confirmed: list[Annotated[str, Field(min_length=1)]] = Field(
        [], description="files that may replace closed periods by values more than ten times others, as in a shell"
    )
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
    challenger: bool = Field(
        False, description="have SageMaker's AutoML forecast the newest backtest window too, where the stack allows it"
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, given: Any) -> Any:
        if isinstance(given, dict):
            given = dict(given)
            if given.get("horizon") is None:
                hourly = given.get("frequency") == Frequency.HOUR
                given["horizon"] = (Frequency.HOUR if hourly else Frequency.DAY).horizon
            given["thresholds"] = _with_percent_defaults(given.get("thresholds") or {}, given.get("metrics"))
        return given

    @model_validator(mode="after")
    def _known(self) -> Settings:
        """What is said of metrics is said of metrics that there are."""
        if problems := [*_bad_names(self.metrics), *_unknown(self), *_bad_thresholds(self)]:
            raise _Problems("\n".join(problems))
        return self

    def own_metrics(self) -> dict[str, table.Metric]:
        """The entries that the dataset adds to the table of metrics, by name."""
        return {name: one.as_metric(name) for name, one in self.metrics.items()}

    def levels(self, owner: str, metric: str) -> Thresholds | None:
        """The thresholds of one series, by its owner (see ``core.series``); ``None`` where it has none."""
        usual = self.thresholds.get(metric)
        special = next((one for one in self.thresholds_for if one.fits(owner, metric)), None)
        if special is None:
            return usual
        return Thresholds.model_validate((usual.model_dump() if usual else {}) | special.said())

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
        words = " ".join(str(error).split()).replace('"<unicode string>", ', "")
        raise SettingsError(f"not valid YAML: {words}") from error
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


def _with_percent_defaults(thresholds: Any, own: Any) -> Any:
    """The usual thresholds of what has a capacity, where others are not given."""
    if not isinstance(thresholds, dict):
        return thresholds
    limited = [name for name, one in table.BUILT_IN.items() if one.has_capacity] + [
        name for name, one in (own if isinstance(own, Mapping) else {}).items() if _is_limited(one)
    ]
    filled = {metric: thresholds.get(metric) or {} for metric in (*limited, *thresholds)}
    return {
        metric: PERCENT_THRESHOLDS | levels if metric in limited and isinstance(levels, dict) else levels
        for metric, levels in filled.items()
    }


def _is_limited(given: Any) -> bool:
    """Whether a metric has a capacity, by what is written of it (or by what was validated already)."""
    said = given if isinstance(given, Mapping) else {name: getattr(given, name, None) for name in ("unit", "capacity")}
    return said.get("capacity") is not None or str(said.get("unit")).casefold() in _PERCENT_WORDS


class _Problems(ValueError):
    """Several problems of the settings as a whole, one a line; each names its key."""


def _nearest(word: str, known: Iterable[str]) -> str:
    """A question after what was meant, or what there is."""
    known = list(known)
    found = difflib.get_close_matches(word.casefold(), known, 1, 0.5)
    return f"did you mean {found[0]!r}?" if found else f"known are {', '.join(known)}"


def _bad_names(metrics: Mapping[str, OwnMetric]) -> list[str]:
    problems = [f"metrics: at most {MOST_METRICS} ({len(metrics)} given)"] if len(metrics) > MOST_METRICS else []
    series = {name: one.as_metric(name).capacity_series for name, one in metrics.items()}
    said: dict[str, str] = {}
    for name, one in metrics.items():
        if not _METRIC_NAME.fullmatch(name):
            problems.append(f"metrics.{_short.repr(name)}: use small letters, digits and _, such as db_connections")
        elif name in table.BUILT_IN:
            problems.append(f"metrics.{name}: this metric is built in; give yours another name, such as {name}_own")
        elif name in _TAKEN or name in COLUMNS or name in series.values():
            problems.append(f"metrics.{name}: this name has another meaning already; choose another")
        if isinstance(one.capacity, OfColumn) and one.capacity.column.casefold() in COLUMNS:
            column = one.capacity.column.casefold()
            problems.append(f"metrics.{name}.capacity: {column} is a server's attribute: {{attribute: {column}}}")
        for word in (name, *one.names):
            if said.setdefault(word.casefold(), name) != name:
                problems.append(f"metrics.{name}.names: {word!r} is a name of {said[word.casefold()]} already")
    return problems


def _unknown(settings: Settings) -> list[str]:
    """Names of metrics and columns that there are not."""
    metrics = [*table.BUILT_IN, *settings.metrics]
    parts: list[tuple[str, Rules | Source]] = [("", settings)]
    parts += [(f"sources.{place}.", one) for place, one in enumerate(settings.sources)]
    wrong = [(f"{where}metric", one.metric, metrics) for where, one in parts if one.metric is not None]
    wrong += [(f"{where}columns.{heading}", column, [*COLUMNS, *metrics])
              for where, one in parts for heading, column in one.columns.items()]  # fmt: skip
    wrong += [("thresholds", name, metrics) for name in settings.thresholds]
    wrong += [(f"thresholds_for.{place}.metric", one.metric, metrics)
              for place, one in enumerate(settings.thresholds_for)]  # fmt: skip
    return [
        f"{key}: {_short.repr(name)} is not a known metric{' or column' if known != metrics else ''}; "
        f"{_nearest(name, known)}"
        for key, name, known in wrong
        if name not in known
    ]


def _bad_thresholds(settings: Settings) -> list[str]:
    """Thresholds above all there is, of what has no capacity, or in a wrong order."""
    metrics = {**table.BUILT_IN, **settings.own_metrics()}
    problems = []
    for name, levels in settings.thresholds.items():
        metric = metrics.get(name)
        if metric is None:
            continue
        if metric.has_capacity and levels.critical > 100:
            of = "is in percent" if metric.percent else "has thresholds in percent of its capacity"
            problems.append(f"thresholds.{name}: {name} {of}: critical must be at most 100")
        elif not metric.has_capacity and not metric.built_in:
            problems.append(
                f"thresholds.{name}: there is no capacity to compare with: give metrics.{name}.capacity, "
                "or leave the thresholds out"
            )
    for place, one in enumerate(settings.thresholds_for):
        metric = metrics.get(one.metric)
        if metric is None:
            continue
        usual = settings.thresholds.get(one.metric)
        try:
            levels = Thresholds.model_validate((usual.model_dump() if usual else {}) | one.said())
            if metric.has_capacity and levels.critical > 100:
                raise ValueError("critical must be at most 100")
        except ValueError:
            problems.append(
                f"thresholds_for.{place}: with those of {one.metric}, must satisfy underused <= warning < critical"
                f"{' <= 100' if metric.has_capacity else ''}, both given ({one.in_words()})"
            )
    return problems


_PARTS: dict[str, type[_Part]] = {
    "sources.": Source, "metrics.": OwnMetric, "thresholds_for.": ThresholdsFor, "thresholds.": Thresholds,
}  # fmt: skip


def _problems(error: ValidationError) -> list[str]:
    lines = []
    for problem in error.errors(include_url=False):
        if isinstance(problem.get("ctx", {}).get("error"), _Problems):
            lines += str(problem["ctx"]["error"]).splitlines()
            continue
        key = ".".join(str(part) for part in problem["loc"] if part != "[key]") or "settings"
        if problem["type"] == "extra_forbidden":
            known = next((part for start, part in _PARTS.items() if key.startswith(start)), Settings).model_fields
            word = key.rsplit(".", 1)[-1]
            near = difflib.get_close_matches(word, known, 1, 0.6)
            meant = f"did you mean {near[0]!r}? " if near else ""
            lines.append(f"{key}: unknown key; {meant}known keys are {', '.join(known)}")
        else:
            lines.append(f"{key}: {in_plain_words(problem)} (given: {_short.repr(problem['input'])})")
    return lines
