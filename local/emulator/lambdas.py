"""Where MiniStack's Lambda is kinder than AWS's: layers attached twice, and batches of a queue's messages.

``install()`` puts these functions in the place of MiniStack's own, in the process that runs it.
"""

from __future__ import annotations

import random
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import lambda_svc, sqs

# Lambda polls a queue with several pollers, each with a batch of its own, so that files dropped together arrive in
# several invocations (design.md section 6). How many messages the next one takes is drawn from these.
BATCHES = (1, 2, 3, 5, 8)
SEED = 7

_draw = random.Random(SEED)  # noqa: S311


def install() -> None:
    """Put the additions in place."""
    attach, receive = lambda_svc._normalize_layer_attachments, sqs._receive_messages_for_esm

    def attach_once(layers: list[Any] | None) -> tuple[Any, Any]:
        repeated = layers_twice([one if isinstance(one, str) else (one or {}).get("Arn", "") for one in layers or []])
        if repeated:
            return None, error_response_json(
                "InvalidParameterValueException",
                "Two different versions of the same layer are not allowed to be referenced in the same function: "
                + ", ".join(repeated),
                400,
            )
        return attach(layers)

    def receive_few(queue_url: str, most: int) -> list[dict[str, Any]]:
        return receive(queue_url, min(most, _draw.choice(BATCHES)))

    lambda_svc._normalize_layer_attachments = attach_once
    sqs._receive_messages_for_esm = receive_few


def layers_twice(arns: list[str]) -> list[str]:
    """Layers (without version) that a function would have more than once, be it in the same version."""
    layers = [arn.rpartition(":")[0] for arn in arns]
    return sorted({layer for layer in layers if layers.count(layer) > 1})
