"""The modules of a package whose every file is one of a kind: a rule, an export format."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def modules_of(package: str) -> list[ModuleType]:
    """The modules that lie directly in a package, given by its full name, sorted by theirs."""
    names = sorted(one.name for one in pkgutil.iter_modules(importlib.import_module(package).__path__))
    return [importlib.import_module(f"{package}.{name}") for name in names]
