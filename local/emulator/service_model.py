"""Checks a request against the service's own description in botocore, in the words AWS uses."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import botocore.session

# A botocore shape. Which attributes one has depends on its type's name, which a type checker cannot follow.
Shape = Any


class ServiceError(Exception):
    """A refusal as the service would send it: an error code and a message for the caller."""

    def __init__(self, code: str, message: str):
        self.code = code
        self.message = message
        super().__init__(f"{code}: {message}")


def check(service: str, operation: str, request: dict[str, Any]) -> None:
    """Raise ``SerializationException`` or ``ValidationException`` where AWS would refuse ``request``.

    Covers what the model states: required members, types, enumerations, lengths, ranges and patterns.
    """
    problems: list[str] = []
    _check(input_shape(service, operation), request, "", problems)
    if problems:
        many = "s" if len(problems) > 1 else ""
        raise ServiceError(
            "ValidationException", f"{len(problems)} validation error{many} detected: {'; '.join(problems)}"
        )


def unsupported(service: str, operation: str, request: dict[str, Any]) -> list[str]:
    """Names in ``request`` that the operation does not know, and required ones that it lacks.

    AWS services ignore unknown members; Step Functions refuses to start such a task.
    """
    problems: list[str] = []
    _names(input_shape(service, operation), request, problems)
    return problems


@cache
def input_shape(service: str, operation: str) -> Shape:
    """The botocore shape of an operation's request."""
    return botocore.session.get_session().get_service_model(service).operation_model(operation).input_shape


def _names(shape: Shape, value: Any, problems: list[str]) -> None:
    if shape.type_name == "structure" and isinstance(value, dict):
        for name in value.keys() - shape.members.keys():
            problems.append(f"The field '{name}' is not supported by Step Functions")
        for name in shape.required_members:
            if name not in value:
                problems.append(f"The field '{name}' is required but was missing")
        for name in shape.members.keys() & value.keys():
            _names(shape.members[name], value[name], problems)
    elif shape.type_name == "list" and isinstance(value, list):
        for item in value:
            _names(shape.member, item, problems)
    elif shape.type_name == "map" and isinstance(value, dict):
        for item in value.values():
            _names(shape.value, item, problems)


_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
    "timestamp": (int, float, str),
}


def _check(shape: Shape, value: Any, path: str, problems: list[str]) -> None:
    kind = shape.type_name
    expected: Any = _PYTHON_TYPES.get(kind, (object,))
    if not isinstance(value, expected) or (isinstance(value, bool) and bool not in expected and kind != "structure"):
        raise ServiceError(
            "SerializationException", f"{type(value).__name__} value at '{path}' can not be converted to a {kind}"
        )
    if kind == "structure":
        for name in shape.required_members:
            if value.get(name) is None:
                problems.append(
                    f"Value null at '{_join(path, name)}' failed to satisfy constraint: Member must not be null"
                )
        for name, member in shape.members.items():
            if value.get(name) is not None:
                _check(member, value[name], _join(path, name), problems)
    elif kind == "list":
        _check_limits(shape, len(value), value, path, "length", problems)
        for number, item in enumerate(value, start=1):
            _check(shape.member, item, f"{path}.{number}.member", problems)
    elif kind == "map":
        _check_limits(shape, len(value), value, path, "length", problems)
        for key, item in value.items():
            _check(shape.key, key, f"{path}.{key}.key", problems)
            _check(shape.value, item, f"{path}.{key}.value", problems)
    elif kind == "string":
        if shape.enum and value not in shape.enum:
            problems.append(_problem(value, path, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"))
        _check_limits(shape, len(value), value, path, "length", problems)
        pattern = shape.metadata.get("pattern")
        if pattern and not _compiled(pattern).fullmatch(value):
            problems.append(_problem(value, path, f"Member must satisfy regular expression pattern: {pattern}"))
    elif kind in ("integer", "long", "float", "double"):
        _check_limits(shape, value, value, path, "value", problems)


def _check_limits(shape: Shape, size: float, value: Any, path: str, what: str, problems: list[str]) -> None:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and size < least:
        problems.append(_problem(value, path, f"Member must have {what} greater than or equal to {least}"))
    if most is not None and size > most:
        problems.append(_problem(value, path, f"Member must have {what} less than or equal to {most}"))


def _problem(value: Any, path: str, constraint: str) -> str:
    return f"Value '{value}' at '{path}' failed to satisfy constraint: {constraint}"


def _join(path: str, name: str) -> str:
    name = name[0].lower() + name[1:]
    return f"{path}.{name}" if path else name


# The model's patterns are Java's. Python's `re` has no classes by Unicode property; these are as wide.
_JAVA_CLASSES = {
    r"\p{L}": r"a-zA-Z\u00aa-\uffff",
    r"\p{M}": r"\u0300-\u036f",
    r"\p{Z}": r"\s",
    r"\p{N}": r"\d",
    r"\p{P}": r"!-/:-@\[-`{-~",
    r"\p{S}": r"!-/:-@\[-`{-~",
    r"\p{Alnum}": "a-zA-Z0-9",
}


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    for java, python in _JAVA_CLASSES.items():
        pattern = pattern.replace(java, python)
    try:
        return re.compile(pattern)
    except re.error:
        return re.compile(".*", re.DOTALL)  # one pattern of surrogate pairs, which Python's strings do not have
