"""The state machine's definition as the template completes it; ``cli.walk`` walks it."""

from __future__ import annotations

import json
from typing import Any

from infrastructure.stack import ROOT, Stack

from cli.walk import EvaluationError as EvaluationError
from cli.walk import Step as Step
from cli.walk import walk as walk

FILES = {"Capacity": "capacity.asl.json", "ChallengerMachine": "challenger.asl.json"}
DEFINITION = ROOT / "statemachine" / "capacity.asl.json"


def definition(stack: Stack, name: str = "Capacity") -> dict[str, Any]:
    """The definition of a state machine of the template, with its substitutions made.

    Raises:
        KeyError: the definition holds a name that the template does not substitute.
    """
    machine = stack.of_type("AWS::StepFunctions::StateMachine")[name]
    text = DEFINITION.with_name(FILES[name]).read_text(encoding="utf-8")
    for name, value in machine["DefinitionSubstitutions"].items():
        text = text.replace(f"${{{name}}}", value)
    if "${" in text:
        raise KeyError(f"not substituted: {text[text.index('${') :][:40]}")
    return json.loads(text)
