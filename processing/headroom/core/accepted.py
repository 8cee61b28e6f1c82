"""What a dataset's owners know and live with: findings that they have accepted, or put off, until a day.

This is the one written schema of ``config/<dataset>.accepted.json`` (docs/accepting.md). A finding is named by server,
metric, entity and kind, never by its text. Every program that reads or changes the file does it with these functions.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

# Risk levels, mildest first.
LEVELS = ("none", "low", "medium", "high", "critical")
RISK = "risk"
"""The kind of the finding that a server's metric is at risk; the others are what recommendations advise: "shrink"."""
# What nobody has looked at for two years is not known any more, whoever once accepted it.
LONGEST = timedelta(days=731)
MOST = 10_000
MOST_BYTES = 8 * 1024**2

Text = Annotated[str, Field(min_length=1)]


class Finding(NamedTuple):
    """The name of a finding."""

    server: str
    metric: str
    entity: str | None = None
    kind: str = RISK


class AcceptedError(ValueError):
    """The file cannot be used; the message lists every problem, one a line."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Accepted(_Part):
    """One finding that is accepted or snoozed."""

    server: Annotated[Text, Field(max_length=512)]
    metric: Annotated[Text, Field(max_length=128)]
    entity: Annotated[Text, Field(max_length=512)] | None = None
    kind: Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,39}$")] = RISK
    state: Literal["accepted", "snoozed"]
    level: Literal["none", "low", "medium", "high", "critical"]
    """Of the metric when it was accepted: above it, the finding comes back."""
    reason: Annotated[Text, Field(max_length=500)]
    by: Annotated[Text, Field(max_length=200)]
    """The person who decided."""
    at: datetime
    until: date
    """The last day (UTC) on which it is hidden."""

    @property
    def finding(self) -> Finding:
        """Its name."""
        return Finding(self.server, self.metric, self.entity, self.kind)

    @field_validator("reason", "by")
    @classmethod
    def _says_something(cls, text: str) -> str:
        if not text.strip():
            raise ValueError("must say something")
        return text

    @model_validator(mode="after")
    def _ends(self) -> Accepted:
        if self.at.tzinfo is None:
            raise ValueError("at needs an offset, such as 2026-11-21T09:00:00Z")
        began = self.at.astimezone(UTC).date()
        if not began <= self.until <= began + LONGEST:
            raise ValueError(f"until must be a day from {began} on, at most {LONGEST.days} days later")
        return self


class _File(_Part):
    schema_: Literal[1] = Field(alias="schema")
    findings: Annotated[list[Accepted], Field(max_length=MOST)]

    @model_validator(mode="after")
    def _each_once(self) -> _File:
        seen: set[Finding] = set()
        for one in self.findings:
            if one.finding in seen:
                raise ValueError(f"{in_words(one.finding)} is there twice")
            seen.add(one.finding)
        return self


def parse(text: str) -> list[Accepted]:
    """The findings of a file's text; none where it is empty.

    Raises:
        AcceptedError: with a line per problem, each naming the place in the file.
    """
    if not text.strip():
        return []
    if len(text) > MOST_BYTES:
        raise AcceptedError(f"the file has more than {MOST_BYTES // 1024**2} MB")
    try:
        return _File.model_validate_json(text).findings
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        problems = [
            f"{'.'.join(str(part) for part in one['loc']) or 'file'}: {one['msg'].removeprefix('Value error, ')}"
            for one in found[:20]
        ]
        more = [f"and {len(found) - 20} more problems"] if len(found) > 20 else []
        raise AcceptedError("\n".join([*problems, *more])) from error


def written(findings: Iterable[Accepted]) -> str:
    """The text of a file with these findings, in the order of their names."""
    ordered = sorted(findings, key=lambda one: tuple(part or "" for part in one.finding))
    return _File(schema=1, findings=ordered).model_dump_json(by_alias=True, indent=1) + "\n"


def put(findings: list[Accepted], new: Accepted) -> list[Accepted]:
    """The findings with one more, in place of an earlier decision on the same one."""
    return [*taken_back(findings, new.finding), new]


def taken_back(findings: list[Accepted], finding: Finding) -> list[Accepted]:
    """The findings without one."""
    return [one for one in findings if one.finding != finding]


def decided(given: dict[str, Any]) -> Accepted:
    """One decision from plain values; dates may be text.

    Raises:
        AcceptedError: see :func:`parse`.
    """
    try:
        return Accepted.model_validate(given, strict=False)
    except ValidationError as error:
        lines = [
            ": ".join(filter(None, [".".join(map(str, one["loc"])), one["msg"].removeprefix("Value error, ")]))
            for one in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise AcceptedError("\n".join(lines)) from error


def returns(one: Accepted, level: str, today: date) -> str:
    """Why a finding is not hidden any more, "" while it is; ``level`` is that of its metric now."""
    if today > one.until:
        return "expired"
    return "worse" if LEVELS.index(level) > LEVELS.index(one.level) else ""


def in_words(finding: Finding) -> str:
    """A finding's name for people."""
    entity = f" of {finding.entity}" if finding.entity else ""
    kind = "" if finding.kind == RISK else f" ({finding.kind})"
    return f"{finding.server}: {finding.metric}{entity}{kind}"
